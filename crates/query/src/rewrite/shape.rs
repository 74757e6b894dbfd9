//! The first of two passes: names of results, and the shapes of subqueries. It sees the statement as the client wrote it, so functions of
//! ours in it are the client's, and each subquery is rewritten once, from the innermost outwards.

use super::{PREFIX, columns, number, subqueries};
use base::{Error, SqlState};
use datafusion::sql::sqlparser::ast::*;
use std::ops::ControlFlow;

/// # Errors
/// `42883` for a call of a function that is not the client's to call.
pub fn prepare(query: &mut Query) -> Result<(), Error> {
    match VisitMut::visit(query, &mut Shapes) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Shapes;

impl VisitorMut for Shapes {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        if select.projection.is_empty() {
            select.projection.push(SelectItem::UnnamedExpr(number("1")));
        }
        merged_first(select);
        columns::name_all(&mut select.projection);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match expr {
            Expr::Function(function) => super::flow(refuse_ours(function)),
            _ => ControlFlow::Continue(()),
        }
    }

    /// What is put in an expression's place here is not visited again.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let replacement = match expr {
            Expr::Subquery(query) => subqueries::single_row(query),
            Expr::Function(Function { args: FunctionArguments::Subquery(query), .. }) => subqueries::mapped_array(query),
            _ => None,
        };
        if let Some(replacement) = replacement {
            *expr = replacement;
        }
        ControlFlow::Continue(())
    }
}

/// `SELECT * FROM a JOIN b USING (c)`: the merged columns come first, then the others of `a`, then those of `b`.
fn merged_first(select: &mut Select) {
    let ([SelectItem::Wildcard(options)], [from]) = (select.projection.as_slice(), select.from.as_slice()) else { return };
    let [join] = from.joins.as_slice() else { return };
    let (JoinOperator::Join(JoinConstraint::Using(names))
    | JoinOperator::Inner(JoinConstraint::Using(names))
    | JoinOperator::Left(JoinConstraint::Using(names))
    | JoinOperator::LeftOuter(JoinConstraint::Using(names))) = &join.join_operator
    else {
        return;
    };
    let (Some(left), Some(right)) = (relation(&from.relation), relation(&join.relation)) else { return };
    if *options != WildcardAdditionalOptions::default() {
        return;
    }
    let others = |of: ObjectName| {
        let opt_exclude = Some(ExcludeSelectItem::Multiple(names.clone()));
        let kind = SelectItemQualifiedWildcardKind::ObjectName(of);
        SelectItem::QualifiedWildcard(kind, WildcardAdditionalOptions { opt_exclude, ..options.clone() })
    };
    let merged = names.iter().filter_map(|name| name.0.last().and_then(ObjectNamePart::as_ident));
    let merged = merged.map(|name| SelectItem::UnnamedExpr(Expr::Identifier(name.clone())));
    select.projection = merged.chain([others(left), others(right)]).collect();
}

/// The name by which a table's columns are qualified.
fn relation(factor: &TableFactor) -> Option<ObjectName> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(ObjectName::from(vec![alias.name.clone()]))
        }
        TableFactor::Table { name, args: None, .. } => {
            name.0.last().and_then(ObjectNamePart::as_ident).map(|name| ObjectName::from(vec![name.clone()]))
        }
        _ => None,
    }
}

fn refuse_ours(function: &Function) -> Result<(), Error> {
    let name = function.name.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.value.to_lowercase()).unwrap_or_default();
    if name.starts_with(PREFIX) && function.name.0.len() == 1 {
        return Err(Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    fn prepared(sql: &str) -> Result<String, Error> {
        let mut query = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).and_then(|mut parser| parser.parse_query()).expect(sql);
        prepare(&mut query).map(|()| query.to_string())
    }

    #[test]
    fn a_scalar_subquery_is_rewritten_once_also_inside_a_guard() {
        let text = prepared("SELECT (SELECT u.x FROM u WHERE u.id > t.id AND u.k = (SELECT max(w.k) FROM w WHERE w.id = u.id)) FROM t");
        let text = text.expect("a query of the client's");
        assert_eq!(text.matches("florin_single\"(u.x)").count(), 1, "{text}");
        assert!(!text.contains("florin_single\"(\"florin_single"), "{text}");
    }

    #[test]
    fn merged_columns_come_first() {
        let text = prepared("SELECT * FROM a LEFT JOIN b AS c USING (x)").expect("a query of the client's");
        assert!(text.contains("a.* EXCLUDE (x), c.* EXCLUDE (x)"), "{text}");
        assert!(prepared("SELECT * FROM a JOIN b ON a.x = b.x").expect("a query").starts_with("SELECT * FROM"));
    }

    #[test]
    fn clients_cannot_call_what_the_passes_put_in() {
        for sql in ["SELECT florin_single(1)", "SELECT (SELECT florin_single(x) FROM t)", "SELECT \"florin_map x x\"(a) FROM t"] {
            let error = prepared(sql).expect_err(sql);
            assert_eq!(error.state(), SqlState::UNDEFINED_FUNCTION, "{sql}");
        }
    }
}
