//! Expressions: PostgreSQL's special forms become plain operators and function calls.

use super::queries::{typed_number, unwrap_frame, unwrap_number};
use super::{Rewriter, call, string, take, typenames};
use crate::types::{PgType, oid};
use base::{Error, SqlState};
use datafusion::sql::sqlparser::ast::*;

/// Functions whose result has the type of their arguments, so that a number among those needs its own type.
const POLYMORPHIC: &[&str] = &[
    "coalesce",
    "nullif",
    "greatest",
    "least",
    "sum",
    "avg",
    "min",
    "max",
    "array_agg",
    "make_array",
    "generate_series",
    "count",
    "to_jsonb",
    "to_json",
    "any_value",
    "pg_typeof",
];
/// Functions that only the session can run.
const SEQUENCE_FUNCTIONS: &[&str] = &["nextval", "currval", "setval", "lastval"];

impl Rewriter<'_> {
    /// What must happen before the parts are looked at.
    pub(super) fn enter_expr(&mut self, expr: &mut Expr) -> Result<(), Error> {
        match expr {
            Expr::Cast { expr: inner, data_type, .. } => self.infer_cast(inner, data_type),
            Expr::Between { .. } => {
                *expr = between(take(expr));
                Ok(())
            }
            Expr::BinaryOp { op, .. } => {
                plain_operator(op)?;
                compare_rows(expr)
            }
            Expr::InList { expr: left, .. } if matches!(left.as_ref(), Expr::Tuple(_)) => {
                *expr = rows_in_list(take(expr))?;
                Ok(())
            }
            Expr::InSubquery { expr: left, .. } if matches!(left.as_ref(), Expr::Tuple(_)) => {
                Err(Error::unsupported("a row compared with a subquery"))
            }
            Expr::Case { operand: Some(_), .. } => {
                searched_case(expr);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn infer_cast(&mut self, inner: &Expr, data_type: &DataType) -> Result<(), Error> {
        match inner {
            Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) => {
                let ty = typenames::resolve(data_type)?;
                self.infer(name, ty.oid)
            }
            Expr::Nested(inner) => self.infer_cast(inner, data_type),
            _ => Ok(()),
        }
    }

    /// The parts are rewritten; now the whole.
    pub(super) fn leave_expr(&mut self, expr: &mut Expr) -> Result<(), Error> {
        let rewritten = match take(expr) {
            Expr::Value(value) => literal(value)?,
            Expr::Nested(inner) => *inner,
            Expr::Collate { expr, collation } => collate(*expr, &collation)?,
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, array: false, format: None } => {
                cast(*expr, typenames::resolve(&data_type)?)
            }
            Expr::TypedString(typed) => {
                let ty = typenames::resolve(&typed.data_type)?;
                cast(Expr::Value(typed.value), ty)
            }
            Expr::Interval(interval) => interval_literal(interval)?,
            Expr::UnaryOp { op, expr } => unary(op, *expr)?,
            Expr::InList { expr, list, negated } => in_list(*expr, list, negated),
            Expr::AnyOp { left, mut compare_op, right, .. } => {
                plain_operator(&mut compare_op)?;
                quantified("florin_any", *left, compare_op, *right)
            }
            Expr::AllOp { left, mut compare_op, right } => {
                plain_operator(&mut compare_op)?;
                quantified("florin_all", *left, compare_op, *right)
            }
            Expr::Extract { field, expr, .. } => call(&format!("florin_extract {}", field.to_string().to_lowercase()), vec![*expr]),
            Expr::AtTimeZone { timestamp, time_zone } => call("timezone", vec![*time_zone, *timestamp]),
            Expr::Position { expr, r#in } => call("strpos", vec![*r#in, *expr]),
            Expr::Substring { expr, substring_from, substring_for, .. } => substring(*expr, substring_from, substring_for),
            Expr::Trim { trim_where, trim_what, expr, trim_characters } => trim(trim_where, trim_what, *expr, trim_characters),
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => call(
                "overlay",
                [Some(expr), Some(overlay_what), Some(overlay_from), overlay_for].into_iter().flatten().map(|part| *part).collect(),
            ),
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => call("ceil", vec![*expr]),
            Expr::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => call("floor", vec![*expr]),
            Expr::Array(array) => call("make_array", array.elem),
            Expr::CompoundFieldAccess { root, access_chain } => subscripts(*root, access_chain)?,
            Expr::Like { any: false, negated, expr, pattern, escape_char: Some(escape) } => {
                like("florin_like", negated, *expr, *pattern, escape)
            }
            Expr::ILike { any: false, negated, expr, pattern, escape_char: Some(escape) } => {
                like("florin_ilike", negated, *expr, *pattern, escape)
            }
            Expr::SimilarTo { negated, expr, pattern, escape_char } => {
                let escape = escape_char.unwrap_or_else(|| Value::SingleQuotedString(String::from("\\")).with_empty_span());
                like("florin_similar", negated, *expr, *pattern, escape)
            }
            Expr::Function(function) => self.function(function)?,
            other => other,
        };
        *expr = rewritten;
        Ok(())
    }

    fn function(&mut self, mut function: Function) -> Result<Expr, Error> {
        let name = plain_name(&mut function.name);
        if let Some(WindowType::WindowSpec(spec)) = &mut function.over {
            unwrap_frame(spec);
        }
        if SEQUENCE_FUNCTIONS.contains(&name.as_str()) {
            return Err(Error::unsupported(format!("{name} in a query over joins, groups or many tables")));
        }
        match &mut function.args {
            FunctionArguments::None => {
                function.args =
                    FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args: Vec::new(), clauses: Vec::new() })
            }
            FunctionArguments::Subquery(query) if name == "array" => {
                return array_of_subquery(std::mem::replace(query, Box::new(empty_query())));
            }
            FunctionArguments::Subquery(_) => return Err(Error::unsupported("a subquery as a function's only argument")),
            FunctionArguments::List(list) => {
                if !POLYMORPHIC.contains(&name.as_str()) {
                    list.args.iter_mut().for_each(unwrap_argument);
                }
            }
        }
        let in_select_list =
            matches!(name.as_str(), "generate_series" | "generate_subscripts" | "regexp_split_to_table" | "string_to_table")
                && function.over.is_none();
        if in_select_list {
            let array = format!("florin_{name}");
            function.name = ObjectName::from(vec![Ident::with_quote('"', array)]);
            return Ok(call("unnest", vec![Expr::Function(function)]));
        }
        Ok(Expr::Function(function))
    }
}

fn unwrap_argument(argument: &mut FunctionArg) {
    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument {
        unwrap_number(expr);
    }
}

/// Drops `pg_catalog.` and folds the case; the name as it is then.
pub(super) fn plain_name(name: &mut ObjectName) -> String {
    let parts: Vec<Ident> = name.0.iter().filter_map(|part| part.as_ident().cloned()).collect();
    let fold = |ident: &Ident| if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() };
    match parts.as_slice() {
        [schema, function] if fold(schema) == "pg_catalog" => {
            let plain = fold(function);
            *name = ObjectName::from(vec![Ident::with_quote('"', plain.clone())]);
            plain
        }
        [function] => fold(function),
        _ => parts.iter().map(fold).collect::<Vec<_>>().join("."),
    }
}

fn literal(value: ValueWithSpan) -> Result<Expr, Error> {
    Ok(match value.value {
        Value::Number(text, _) => typed_number(&text.replace('_', "")),
        Value::NationalStringLiteral(text) | Value::UnicodeStringLiteral(text) => string(text),
        Value::SingleQuotedByteStringLiteral(_) | Value::DoubleQuotedByteStringLiteral(_) => {
            return Err(Error::unsupported("a bit string"));
        }
        Value::HexStringLiteral(_) => return Err(Error::unsupported("a bit string")),
        other => Expr::Value(other.with_span(value.span)),
    })
}

pub fn cast(expr: Expr, ty: PgType) -> Expr {
    call("florin_cast", vec![expr, string(format!("{}:{}", ty.oid, ty.modifier))])
}

/// All strings compare by their bytes, which is PostgreSQL's collation "C".
fn collate(expr: Expr, collation: &ObjectName) -> Result<Expr, Error> {
    let name = collation.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.value.clone()).unwrap_or_default();
    match name.as_str() {
        "default" | "C" | "POSIX" | "ucs_basic" => Ok(expr),
        _ => Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("collation \"{name}\" for encoding \"UTF8\" does not exist"))),
    }
}

fn interval_literal(interval: Interval) -> Result<Expr, Error> {
    if interval.last_field.is_some() || interval.leading_precision.is_some() {
        return Err(Error::unsupported("a range of fields in an interval"));
    }
    let text = match *interval.value {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text), .. }) => text,
        _ => return Err(Error::new(SqlState::SYNTAX_ERROR, "an interval is a quoted string")),
    };
    let text = match interval.leading_field {
        Some(field) => format!("{text} {}", field.to_string().to_lowercase()),
        None => text,
    };
    Ok(cast(string(text), PgType::of(oid::INTERVAL)))
}

fn unary(op: UnaryOperator, mut expr: Expr) -> Result<Expr, Error> {
    Ok(match op {
        UnaryOperator::Not | UnaryOperator::Plus => Expr::UnaryOp { op, expr: Box::new(expr) },
        UnaryOperator::Minus => {
            unwrap_number(&mut expr);
            match &expr {
                Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) if !text.starts_with('-') => {
                    typed_number(&format!("-{text}"))
                }
                _ => call("florin_negate", vec![expr]),
            }
        }
        UnaryOperator::PGAbs => call("abs", vec![expr]),
        UnaryOperator::PGSquareRoot => call("sqrt", vec![expr]),
        UnaryOperator::PGCubeRoot => call("cbrt", vec![expr]),
        UnaryOperator::BitwiseNot => call("florin_bitnot", vec![expr]),
        other => return Err(Error::unsupported(format!("the operator {other}"))),
    })
}

/// `a BETWEEN b AND c` is `a >= b AND a <= c`, so that each comparison finds its own types.
fn between(expr: Expr) -> Expr {
    let Expr::Between { expr, negated, low, high } = expr else { return expr };
    let compare = |op, right: Box<Expr>| Expr::BinaryOp { left: expr.clone(), op, right };
    let both = if negated {
        Expr::BinaryOp {
            left: Box::new(compare(BinaryOperator::Lt, low)),
            op: BinaryOperator::Or,
            right: Box::new(compare(BinaryOperator::Gt, high)),
        }
    } else {
        Expr::BinaryOp {
            left: Box::new(compare(BinaryOperator::GtEq, low)),
            op: BinaryOperator::And,
            right: Box::new(compare(BinaryOperator::LtEq, high)),
        }
    };
    Expr::Nested(Box::new(both))
}

/// `CASE x WHEN y` is `CASE WHEN x = y`.
fn searched_case(expr: &mut Expr) {
    if let Expr::Case { operand, conditions, .. } = expr
        && let Some(operand) = operand.take()
    {
        for when in conditions {
            let right = take(&mut when.condition);
            when.condition = Expr::BinaryOp { left: operand.clone(), op: BinaryOperator::Eq, right: Box::new(right) };
        }
    }
}

/// `(a, b) = (c, d)` and the like, column by column.
fn compare_rows(expr: &mut Expr) -> Result<(), Error> {
    let Expr::BinaryOp { left, op, right } = expr else { return Ok(()) };
    let (Some(left), Some(right)) = (row_of(left), row_of(right)) else { return Ok(()) };
    let compared = row_comparison(&left, op, &right)?;
    *expr = Expr::Nested(Box::new(compared));
    Ok(())
}

fn row_of(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Tuple(items) => Some(items.clone()),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("row") => match &function.args {
            FunctionArguments::List(list) => list
                .args
                .iter()
                .map(|arg| if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg { Some(expr.clone()) } else { None })
                .collect(),
            _ => None,
        },
        _ => None,
    }
}

fn row_comparison(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Result<Expr, Error> {
    if left.len() != right.len() || left.is_empty() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "unequal number of entries in row expressions"));
    }
    let compare = |index: usize, op: BinaryOperator| Expr::BinaryOp {
        left: Box::new(left[index].clone()),
        op,
        right: Box::new(right[index].clone()),
    };
    let join = |a: Expr, op: BinaryOperator, b: Expr| Expr::Nested(Box::new(Expr::BinaryOp { left: Box::new(a), op, right: Box::new(b) }));
    let last = left.len() - 1;
    let (strict, connective) = match op {
        BinaryOperator::Eq => (BinaryOperator::Eq, BinaryOperator::And),
        BinaryOperator::NotEq => (BinaryOperator::NotEq, BinaryOperator::Or),
        BinaryOperator::Lt | BinaryOperator::LtEq => (BinaryOperator::Lt, BinaryOperator::Or),
        BinaryOperator::Gt | BinaryOperator::GtEq => (BinaryOperator::Gt, BinaryOperator::Or),
        other => return Err(Error::unsupported(format!("the operator {other} between rows"))),
    };
    let mut result = compare(last, op.clone());
    for index in (0..last).rev() {
        result = match op {
            BinaryOperator::Eq | BinaryOperator::NotEq => join(compare(index, strict.clone()), connective.clone(), result),
            _ => join(
                compare(index, strict.clone()),
                BinaryOperator::Or,
                join(compare(index, BinaryOperator::Eq), BinaryOperator::And, result),
            ),
        };
    }
    Ok(result)
}

fn rows_in_list(expr: Expr) -> Result<Expr, Error> {
    let Expr::InList { expr, list, negated } = expr else { return Ok(expr) };
    let left = row_of(&expr).unwrap_or_default();
    let mut any: Option<Expr> = None;
    for item in &list {
        let right = row_of(item).ok_or_else(|| Error::new(SqlState::SYNTAX_ERROR, "a row can only be compared with rows"))?;
        let equal = row_comparison(&left, &BinaryOperator::Eq, &right)?;
        any = Some(match any {
            None => equal,
            Some(before) => Expr::BinaryOp { left: Box::new(before), op: BinaryOperator::Or, right: Box::new(equal) },
        });
    }
    let any = Expr::Nested(Box::new(any.unwrap_or_else(|| Expr::Value(Value::Boolean(false).with_empty_span()))));
    Ok(if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(any) } } else { any })
}

fn in_list(expr: Expr, list: Vec<Expr>, negated: bool) -> Expr {
    let is_parameter = |item: &Expr| matches!(item, Expr::Value(ValueWithSpan { value: Value::Placeholder(_), .. }));
    if list.iter().any(is_parameter) {
        return equal_to_any(&expr, list, negated);
    }
    let mut arguments = vec![expr];
    arguments.extend(list);
    let found = call("florin_in", arguments);
    if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(found) } } else { found }
}

/// Comparisons one by one, so that each parameter learns its type.
fn equal_to_any(expr: &Expr, list: Vec<Expr>, negated: bool) -> Expr {
    let (op, connective) = if negated { (BinaryOperator::NotEq, BinaryOperator::And) } else { (BinaryOperator::Eq, BinaryOperator::Or) };
    let compare = |item: Expr| Expr::BinaryOp { left: Box::new(expr.clone()), op: op.clone(), right: Box::new(item) };
    let join = |a: Expr, b: Expr| Expr::BinaryOp { left: Box::new(a), op: connective.clone(), right: Box::new(b) };
    let joined = list.into_iter().map(compare).reduce(join);
    joined.unwrap_or_else(|| Expr::Value(Value::Boolean(negated).with_empty_span()))
}

fn quantified(name: &str, left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    match (right, &op, name) {
        (Expr::Subquery(subquery), BinaryOperator::Eq, "florin_any") => Expr::InSubquery { expr: Box::new(left), subquery, negated: false },
        (Expr::Subquery(subquery), BinaryOperator::NotEq, "florin_all") => {
            Expr::InSubquery { expr: Box::new(left), subquery, negated: true }
        }
        (right @ Expr::Subquery(_), _, "florin_any") => {
            Expr::AnyOp { left: Box::new(left), compare_op: op, right: Box::new(right), is_some: false }
        }
        (right @ Expr::Subquery(_), ..) => Expr::AllOp { left: Box::new(left), compare_op: op, right: Box::new(right) },
        (right, ..) => call(&format!("{name} {op}"), vec![left, right]),
    }
}

fn substring(expr: Expr, from: Option<Box<Expr>>, count: Option<Box<Expr>>) -> Expr {
    let mut arguments = vec![expr];
    match (from, count) {
        (Some(from), Some(count)) => arguments.extend([*from, *count]),
        (Some(from), None) => arguments.push(*from),
        (None, Some(count)) => arguments.extend([typed_number("1"), *count]),
        (None, None) => {}
    }
    arguments.iter_mut().skip(1).for_each(unwrap_number);
    call("substring", arguments)
}

fn trim(place: Option<TrimWhereField>, what: Option<Box<Expr>>, expr: Expr, characters: Option<Vec<Expr>>) -> Expr {
    let name = match place {
        Some(TrimWhereField::Leading) => "ltrim",
        Some(TrimWhereField::Trailing) => "rtrim",
        _ => "btrim",
    };
    let what = what.map(|what| *what).or_else(|| characters.and_then(|list| list.into_iter().next()));
    call(name, [Some(expr), what].into_iter().flatten().collect())
}

fn like(name: &str, negated: bool, expr: Expr, pattern: Expr, escape: ValueWithSpan) -> Expr {
    let escape = escape.value.into_string().unwrap_or_default();
    let matched = call(&format!("{name} {escape}"), vec![expr, pattern]);
    if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(matched) } } else { matched }
}

fn subscripts(root: Expr, chain: Vec<AccessExpr>) -> Result<Expr, Error> {
    let mut expr = root;
    for access in chain {
        expr = match access {
            AccessExpr::Subscript(Subscript::Index { index }) => call("florin_subscript", vec![expr, index]),
            AccessExpr::Subscript(Subscript::Slice { .. }) => return Err(Error::unsupported("a slice of an array")),
            AccessExpr::Dot(_) => return Err(Error::unsupported("a field of a composite value")),
        };
    }
    Ok(expr)
}

/// `OPERATOR(pg_catalog.~)` is `~`.
pub fn plain_operator(op: &mut BinaryOperator) -> Result<(), Error> {
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else { return Ok(()) };
    let symbol = parts.last().cloned().unwrap_or_default();
    *op = match symbol.as_str() {
        "=" => BinaryOperator::Eq,
        "<>" | "!=" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        "<=" => BinaryOperator::LtEq,
        ">" => BinaryOperator::Gt,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "%" => BinaryOperator::Modulo,
        "||" => BinaryOperator::StringConcat,
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "~~*" => BinaryOperator::PGILikeMatch,
        "!~~*" => BinaryOperator::PGNotILikeMatch,
        _ => return Err(Error::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {symbol}"))),
    };
    Ok(())
}

/// `ARRAY(SELECT x …)` is `(SELECT array_agg(x) …)` with an empty array for no rows.
fn array_of_subquery(query: Box<Query>) -> Result<Expr, Error> {
    let mut query = *query;
    let order_by = match query.order_by.take() {
        Some(OrderBy { kind: OrderByKind::Expressions(expressions), .. }) => expressions,
        Some(_) => return Err(Error::unsupported("ORDER BY ALL")),
        None => Vec::new(),
    };
    let plain = query.with.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    let select = match query.body.as_mut() {
        SetExpr::Select(select) if plain && select.distinct.is_none() && select.having.is_none() && is_ungrouped(select) => select,
        _ => return Err(Error::unsupported("ARRAY of a query that groups, limits or combines")),
    };
    let item = match select.projection.as_mut_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => take(expr),
        _ => return Err(Error::new(SqlState::SYNTAX_ERROR, "subquery must return only one column")),
    };
    let order_by: Vec<OrderByExpr> = order_by
        .into_iter()
        .map(|mut order| {
            if matches!(order.expr, Expr::Value(_)) {
                order.expr = item.clone();
            }
            order
        })
        .collect();
    let mut aggregate = call("array_agg", vec![item]);
    if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = &mut aggregate
        && !order_by.is_empty()
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(order_by));
    }
    select.projection = vec![SelectItem::ExprWithAlias { expr: aggregate, alias: Ident::with_quote('"', "array") }];
    Ok(call("florin_array_or_empty", vec![Expr::Subquery(Box::new(query))]))
}

fn is_ungrouped(select: &Select) -> bool {
    matches!(&select.group_by, GroupByExpr::Expressions(expressions, modifiers) if expressions.is_empty() && modifiers.is_empty())
}

fn empty_query() -> Query {
    Query {
        with: None,
        body: Box::new(SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: Vec::new() })),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
