//! Administrative functions: `SELECT florin.drain(2)`. They stand alone in a SELECT and are carried out by the node's cluster layer.

use super::{Planner, Planning, field};
use crate::client::Field;
use crate::expr::{Binder, Expr, Parameters, Scope, fold_identifier};
use crate::types::Type;
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments, SelectItem, SetExpr};

pub struct AdminPlan {
    pub command: String,
    pub arguments: Vec<Expr>,
}

/// The one function of a schema that the query calls and does nothing else: its name, the call, and the name given to the answer.
pub fn only_call<'a>(query: &'a ast::Query, schema: &str) -> Option<(String, &'a ast::Function, Option<&'a ast::Ident>)> {
    let SetExpr::Select(select) = &*query.body else { return None };
    if query.with.is_some()
        || query.order_by.is_some()
        || query.limit_clause.is_some()
        || !select.from.is_empty()
        || select.selection.is_some()
    {
        return None;
    }
    let (expr, alias) = match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expr)] => (expr, None),
        [SelectItem::ExprWithAlias { expr, alias }] => (expr, Some(alias)),
        _ => return None,
    };
    let ast::Expr::Function(function) = expr else { return None };
    let parts: Vec<String> = function.name.0.iter().filter_map(|part| part.as_ident()).map(fold_identifier).collect();
    match parts.as_slice() {
        [named, name] if named == schema => Some((name.clone(), function, alias)),
        _ => None,
    }
}

impl Planner<'_> {
    /// `None` if the query is no call of an administrative function.
    pub fn admin(&self, query: &ast::Query, parameters: &mut Parameters) -> Planning<Option<(AdminPlan, Vec<Field>)>> {
        let Some((command, function, alias)) = only_call(query, "florin") else { return Ok(None) };
        let scope = Scope::empty();
        let mut binder = Binder::new(&scope, parameters);
        let mut arguments = Vec::new();
        if let FunctionArguments::List(list) = &function.args {
            for argument in &list.args {
                let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else { return Ok(None) };
                arguments.push(binder.expression(expr)?);
            }
        }
        let name = alias.map_or_else(|| command.clone(), fold_identifier);
        Ok(Some((AdminPlan { command, arguments }, vec![field(name, Type::Text, -1)])))
    }
}
