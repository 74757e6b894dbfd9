//! Names of result columns, as PostgreSQL's `FigureColname` gives them (src/backend/parser/parse_target.c tells the rules).

use super::UNIQUE_MARK;
use datafusion::sql::sqlparser::ast::*;
use std::collections::BTreeMap;

/// Gives each unnamed expression its name, and makes names unique: the planner wants that, PostgreSQL does not.
pub fn name_all(projection: &mut [SelectItem]) {
    let has_wildcard = projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for item in projection {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = name_of(expr);
                let is_column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                let count = count(&mut seen, &name);
                // A wildcard may bring the same column again.
                if is_column && count == 0 && !has_wildcard {
                    continue;
                }
                let alias = unique(name, if is_column { count.max(u32::from(has_wildcard)) } else { count });
                *item = SelectItem::ExprWithAlias { expr: super::take(expr), alias };
            }
            SelectItem::ExprWithAlias { alias, .. } => {
                let name = normalized(alias);
                let count = count(&mut seen, &name);
                *alias = unique(name, count);
            }
            _ => {}
        }
    }
}

fn count(seen: &mut BTreeMap<String, u32>, name: &str) -> u32 {
    let count = seen.entry(name.to_owned()).or_insert(0);
    *count += 1;
    *count - 1
}

fn unique(name: String, count: u32) -> Ident {
    let text = if count == 0 { name } else { format!("{name}{UNIQUE_MARK}{count}") };
    Ident::with_quote('"', text)
}

/// What the client sees of a column's name.
pub fn visible(name: &str) -> &str {
    name.split(UNIQUE_MARK).next().unwrap_or(name)
}

fn normalized(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

pub fn name_of(expr: &Expr) -> String {
    figure(expr).map_or_else(|| String::from("?column?"), |(name, _)| name)
}

/// The name, and whether it is a strong one: a type's name is weak and gives way to what is cast.
fn figure(expr: &Expr) -> Option<(String, bool)> {
    let strong = |name: &str| Some((name.to_owned(), true));
    match expr {
        Expr::Identifier(ident) => Some((normalized(ident), true)),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| (normalized(ident), true)),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => figure(inner),
        Expr::CompoundFieldAccess { root, access_chain } => match access_chain.last() {
            Some(AccessExpr::Dot(Expr::Identifier(ident))) => Some((normalized(ident), true)),
            _ => figure(root),
        },
        Expr::Function(function) => function.name.0.last().and_then(ObjectNamePart::as_ident).map(|ident| (normalized(ident), true)),
        Expr::Cast { expr, data_type, .. } => {
            figure(expr).filter(|(_, strong)| *strong).or_else(|| type_name(data_type).map(|name| (name, false)))
        }
        Expr::TypedString(typed) => type_name(&typed.data_type).map(|name| (name, false)),
        Expr::Interval(_) => Some((String::from("interval"), false)),
        Expr::Case { else_result, .. } => {
            else_result.as_ref().and_then(|expr| figure(expr)).filter(|(_, strong)| *strong).or_else(|| Some((String::from("case"), false)))
        }
        Expr::Exists { .. } => strong("exists"),
        Expr::Subquery(query) => subquery_name(&query.body).map(|name| (name, true)),
        Expr::Array(_) => strong("array"),
        Expr::Extract { .. } => strong("extract"),
        Expr::Substring { .. } => strong("substring"),
        Expr::Position { .. } => strong("position"),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::Tuple(_) => strong("row"),
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        _ => None,
    }
}

fn type_name(data_type: &DataType) -> Option<String> {
    use crate::types::oid;
    let ty = super::typenames::resolve(data_type).ok()?;
    let element = ty.element().unwrap_or(ty);
    let name = match element.oid {
        oid::BOOL => "bool",
        oid::INT2 => "int2",
        oid::INT4 => "int4",
        oid::INT8 => "int8",
        oid::FLOAT4 => "float4",
        oid::FLOAT8 => "float8",
        oid::NUMERIC => "numeric",
        oid::TEXT => "text",
        oid::VARCHAR => "varchar",
        oid::BPCHAR => "bpchar",
        oid::TIMESTAMPTZ => "timestamptz",
        oid::TIMESTAMP => "timestamp",
        oid::TIME => "time",
        oid::CHAR => "char",
        _ => return Some(last_part(&data_type.to_string().to_lowercase())),
    };
    Some(name.to_owned())
}

fn last_part(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).trim_matches('"').trim_end_matches("[]").to_owned()
}

fn subquery_name(body: &SetExpr) -> Option<String> {
    match body {
        SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::UnnamedExpr(expr) => figure(expr).map(|(name, _)| name),
            SelectItem::ExprWithAlias { alias, .. } => Some(normalized(alias)),
            _ => None,
        },
        SetExpr::Query(query) => subquery_name(&query.body),
        SetExpr::SetOperation { left, .. } => subquery_name(left),
        SetExpr::Values(_) => Some(String::from("column1")),
        _ => None,
    }
}
