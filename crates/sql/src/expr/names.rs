//! Identifiers, and the names that PostgreSQL gives to output columns.

use sqlparser::ast::{self, Ident};

/// Unquoted identifiers are in lower case.
pub fn fold_identifier(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// The name of an output column without an alias: PostgreSQL's `FigureColname`.
pub fn output_name(expr: &ast::Expr) -> String {
    strong_name(expr).unwrap_or_else(|| weak_name(expr).unwrap_or_else(|| "?column?".to_owned()))
}

/// A name that comes from a column, a function or a special form.
fn strong_name(expr: &ast::Expr) -> Option<String> {
    let fixed = |name: &str| Some(name.to_owned());
    match expr {
        ast::Expr::Identifier(ident) => Some(fold_identifier(ident)),
        ast::Expr::CompoundIdentifier(path) => path.last().map(fold_identifier),
        ast::Expr::Nested(inner) | ast::Expr::Collate { expr: inner, .. } => strong_name(inner),
        ast::Expr::CompoundFieldAccess { root, .. } => strong_name(root),
        ast::Expr::Cast { expr: inner, .. } => strong_name(inner),
        ast::Expr::Case { else_result, .. } => else_result.as_deref().and_then(strong_name),
        ast::Expr::Function(function) => function.name.0.last().and_then(|part| part.as_ident()).map(fold_identifier),
        ast::Expr::Extract { .. } => fixed("extract"),
        ast::Expr::Position { .. } => fixed("position"),
        ast::Expr::Substring { .. } => fixed("substring"),
        ast::Expr::Overlay { .. } => fixed("overlay"),
        ast::Expr::Ceil { .. } => fixed("ceil"),
        ast::Expr::Floor { .. } => fixed("floor"),
        ast::Expr::AtTimeZone { .. } => fixed("timezone"),
        ast::Expr::Exists { .. } => fixed("exists"),
        ast::Expr::Array(_) => fixed("array"),
        ast::Expr::Tuple(_) => fixed("row"),
        ast::Expr::Trim { trim_where, .. } => fixed(match trim_where {
            Some(ast::TrimWhereField::Leading) => "ltrim",
            Some(ast::TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        _ => None,
    }
}

/// A name that a cast or a CASE gives when there is no better one.
fn weak_name(expr: &ast::Expr) -> Option<String> {
    match expr {
        ast::Expr::Nested(inner) => weak_name(inner),
        ast::Expr::Cast { data_type, .. } => crate::types::ast::resolve(data_type).ok().map(|(ty, _)| base_name(ty)),
        ast::Expr::TypedString(typed) => crate::types::ast::resolve(&typed.data_type).ok().map(|(ty, _)| base_name(ty)),
        ast::Expr::Interval(_) => Some("interval".to_owned()),
        ast::Expr::Value(value) if matches!(value.value, ast::Value::Boolean(_)) => Some("bool".to_owned()),
        ast::Expr::Case { else_result, .. } => else_result.as_deref().and_then(weak_name).or_else(|| Some("case".to_owned())),
        _ => None,
    }
}

fn base_name(ty: crate::types::Type) -> String {
    ty.element().unwrap_or(ty).name()
}
