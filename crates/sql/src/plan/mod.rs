//! Native plans: statements on one table, and joins by look-up, that run next to the rows. Everything else is the vectorised engine's.
//!
//! A plan is made from a statement and the catalog alone, holds no rows and no transaction, and may be run any number of times with
//! other parameters, until the schema changes.

pub mod access;
pub mod admin;
pub mod cache;
pub mod dml;
pub mod explain;
pub mod from;
pub mod join;
pub mod order;
pub mod select;
pub mod table;

use crate::client::{Field, Format};
use crate::expr::{BindError, Expr, Parameters};
use crate::ledger::call::CallPlan;
use crate::parse::Statement;
use crate::parse::utility::{Copy, CopySource, Utility};
use crate::types::Type;
use base::{Error, Result, SchemaVersion, SqlState};
use sqlparser::ast;
use std::sync::Arc;

pub use dml::{DeletePlan, InsertPlan, UpdatePlan};
pub use select::SelectPlan;

/// What is needed to plan.
pub struct Planner<'a> {
    pub catalog: &'a Arc<crate::catalog::Catalog>,
    pub search_path: &'a [String],
    pub has_engine: bool,
}

pub enum Plan {
    Select(Box<SelectPlan>),
    Insert(Box<InsertPlan>),
    Update(Box<UpdatePlan>),
    Delete(Box<DeletePlan>),
    /// A query for the vectorised engine.
    Engine(Arc<ast::Query>),
    /// A command of the cluster layer.
    Admin(Box<admin::AdminPlan>),
    /// A call of one of the ledger's functions.
    Ledger(Box<CallPlan>),
    /// An empty text.
    Empty,
    /// Executed from its parse tree.
    Utility(Utility),
    Definition(Box<ast::Statement>),
}

pub struct Planned {
    pub schema: SchemaVersion,
    /// Of the session's settings that plans depend on.
    pub epoch: u64,
    pub parameters: Vec<Type>,
    /// `None`: the statement answers no rows.
    pub fields: Option<Vec<Field>>,
    pub plan: Plan,
}

impl Planned {
    /// The tables of a native plan.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<crate::catalog::Table>> {
        let (one, joined) = match &self.plan {
            Plan::Select(plan) => (plan.table.as_ref(), plan.join.as_ref().map_or(&[][..], |join| &join.steps)),
            Plan::Insert(plan) => (Some(&plan.table), &[][..]),
            Plan::Update(plan) => (Some(&plan.table), &[][..]),
            Plan::Delete(plan) => (Some(&plan.table), &[][..]),
            _ => (None, &[][..]),
        };
        one.into_iter().chain(joined.iter().map(|step| &step.info)).map(|info| &info.table)
    }

    /// True if it may change rows or the schema.
    pub fn writes(&self) -> bool {
        match &self.plan {
            Plan::Select(select) => select.lock.is_some(),
            // A transaction of its own, which the session's does not know.
            Plan::Admin(_) | Plan::Engine(_) | Plan::Empty => false,
            Plan::Ledger(call) => call.function.writes(),
            Plan::Insert(_) | Plan::Update(_) | Plan::Delete(_) | Plan::Definition(_) => true,
            Plan::Utility(utility) => utility_writes(utility),
        }
    }
}

fn utility_writes(utility: &Utility) -> bool {
    match utility {
        Utility::Copy(copy) => copy.from,
        Utility::CreateRole { .. }
        | Utility::AlterRole { .. }
        | Utility::RenameRole { .. }
        | Utility::DropRole { .. }
        | Utility::CreateSequence { .. }
        | Utility::AlterSequence { .. }
        | Utility::RenameSequence { .. }
        | Utility::AlterIndexRename { .. } => true,
        _ => false,
    }
}

/// What planning came to.
pub enum Answer {
    Planned {
        plan: Plan,
        fields: Option<Vec<Field>>,
    },
    /// The engine must plan (and describe) this query.
    Engine(Arc<ast::Query>),
}

pub type Planning<T> = Result<T, BindError>;

impl Planner<'_> {
    /// `parameters`: as told by the client; those left open are found.
    pub fn plan(&self, statement: &Statement, parameters: &mut Parameters) -> Result<Answer> {
        match statement {
            Statement::Utility(utility) => Ok(Answer::Planned { plan: Plan::Utility(utility.clone()), fields: utility_fields(utility) }),
            Statement::Sql { statement, locks } => self.plan_sql(statement, locks, parameters),
        }
    }

    fn plan_sql(&self, statement: &ast::Statement, locks: &[storage::access::LockMode], parameters: &mut Parameters) -> Result<Answer> {
        let (plan, fields) = match statement {
            ast::Statement::Query(query) => {
                let told = parameters.clone();
                if let Some((plan, fields)) = self.admin(query, parameters)? {
                    return Ok(Answer::Planned { plan: Plan::Admin(Box::new(plan)), fields: Some(fields) });
                }
                if let Some((plan, fields)) = self.ledger_call(query, parameters)? {
                    return Ok(Answer::Planned { plan: Plan::Ledger(Box::new(plan)), fields: Some(fields) });
                }
                match self.select(query, locks, parameters) {
                    Ok((plan, fields)) => (Plan::Select(Box::new(plan)), Some(fields)),
                    Err(BindError::NeedsEngine(_)) if self.has_engine => {
                        *parameters = told;
                        let expanded = crate::ledger::views::expand(query)?;
                        return Ok(Answer::Engine(Arc::new(expanded.unwrap_or_else(|| (**query).clone()))));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            ast::Statement::Insert(insert) => {
                let (plan, fields) = self.insert(insert, parameters)?;
                (Plan::Insert(Box::new(plan)), fields)
            }
            ast::Statement::Update(update) => {
                let (plan, fields) = self.update(update, parameters)?;
                (Plan::Update(Box::new(plan)), fields)
            }
            ast::Statement::Delete(delete) => {
                let (plan, fields) = self.delete(delete, parameters)?;
                (Plan::Delete(Box::new(plan)), fields)
            }
            other => (Plan::Definition(Box::new(other.clone())), None),
        };
        Ok(Answer::Planned { plan, fields })
    }
}

/// An output column that is no table's.
pub fn field(name: impl Into<String>, ty: Type, modifier: i32) -> Field {
    let name = name.into();
    Field { name, table_oid: 0, column: 0, type_oid: ty.oid(), type_size: ty.size(), type_modifier: modifier, format: Format::Text }
}

fn utility_fields(utility: &Utility) -> Option<Vec<Field>> {
    match utility {
        Utility::Show(name) if name == "all" => {
            Some(["name", "setting", "description"].iter().map(|name| field(*name, Type::Text, -1)).collect())
        }
        Utility::Show(name) => Some(vec![field(crate::session::settings::shown_name(name), Type::Text, -1)]),
        Utility::Explain { .. } => Some(vec![field("QUERY PLAN", Type::Text, -1)]),
        _ => None,
    }
}

/// A constant of the statement that must be a whole number (LIMIT, OFFSET).
pub(crate) fn count_expression(binder: &mut crate::expr::Binder<'_>, expr: &ast::Expr, clause: &'static str) -> Planning<Expr> {
    let bound = binder.assignment(expr, clause, Type::Int8, -1)?;
    if !bound.is_constant() {
        let message = format!("argument of {clause} must not contain variables");
        return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).into());
    }
    Ok(bound)
}

/// The tables that COPY names need no plan, its query does.
pub fn copied_query(copy: &Copy) -> Option<&Statement> {
    match &copy.source {
        CopySource::Query(statement) => Some(statement),
        CopySource::Table { .. } => None,
    }
}
