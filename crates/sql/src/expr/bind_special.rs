//! SQL's special forms: casts, typed literals, CASE, EXTRACT, SUBSTRING and their like. Most are calls of functions that have
//! a syntax of their own.

use super::bind::{Binder, Bound, unknown};
use super::{BindError, CompareOp, Expr, common_type};
use crate::functions;
use crate::types::cast::Coercion;
use crate::types::{NO_MODIFIER, Type, ast as type_names};
use crate::value::Value;
use base::{Error, SqlState};
use sqlparser::ast::{self, AccessExpr, CastKind, CeilFloorKind, DateTimeField, Subscript, TrimWhereField, ValueWithSpan};

impl Binder<'_> {
    pub(super) fn special(&mut self, expr: &ast::Expr) -> Bound {
        use ast::Expr as Ast;
        match expr {
            Ast::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, array: false, format: None } => {
                let (ty, modifier) = type_names::resolve(data_type)?;
                let inner = self.cast_operand(expr, ty)?;
                self.coerce(inner, ty, modifier, Coercion::Explicit)
            }
            Ast::TypedString(typed) => {
                let (ty, modifier) = type_names::resolve(&typed.data_type)?;
                let literal = unknown(&literal_text(&typed.value)?)?;
                self.coerce(literal, ty, modifier, Coercion::Explicit)
            }
            Ast::Interval(interval) => self.interval(interval),
            Ast::Case { operand, conditions, else_result, .. } => self.case(operand.as_deref(), conditions, else_result.as_deref()),
            Ast::Extract { field, expr, .. } => {
                let inner = self.expression(expr)?;
                self.named("pg_catalog.extract", vec![unknown(&field_name(field))?, inner])
            }
            Ast::AtTimeZone { timestamp, time_zone } => {
                let (timestamp, zone) = (self.expression(timestamp)?, self.expression(time_zone)?);
                self.named("pg_catalog.timezone", vec![zone, timestamp])
            }
            Ast::Position { expr, r#in } => {
                let (part, whole) = (self.expression(expr)?, self.expression(r#in)?);
                self.named("pg_catalog.position", vec![whole, part])
            }
            Ast::Substring { expr, substring_from, substring_for, shorthand, special } => {
                let name = match (shorthand, special) {
                    (true, _) => "substr",
                    (false, true) => "substring",
                    (false, false) => "pg_catalog.substring",
                };
                self.substring(name, expr, substring_from.as_deref(), substring_for.as_deref())
            }
            Ast::Trim { trim_where, trim_what, expr, trim_characters } => {
                self.trim(*trim_where, trim_what.as_deref(), expr, trim_characters.as_deref())
            }
            Ast::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut args = vec![self.expression(expr)?, self.expression(overlay_what)?, self.expression(overlay_from)?];
                if let Some(count) = overlay_for {
                    args.push(self.expression(count)?);
                }
                self.named("pg_catalog.overlay", args)
            }
            Ast::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => self.one_argument("ceil", expr),
            Ast::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => self.one_argument("floor", expr),
            Ast::Like { negated, any: false, expr, pattern, escape_char } => self.like("~~", *negated, expr, pattern, escape_char.as_ref()),
            Ast::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like("~~*", *negated, expr, pattern, escape_char.as_ref())
            }
            Ast::SimilarTo { negated, expr, pattern, escape_char } => self.similar(*negated, expr, pattern, escape_char.as_ref()),
            Ast::Array(array) => self.array(&array.elem),
            Ast::CompoundFieldAccess { root, access_chain } => self.subscript(root, access_chain),
            Ast::Tuple(_) => Err(BindError::NeedsEngine("a row")),
            Ast::JsonAccess { .. } => Err(Error::unsupported("this access to JSON").into()),
            other => Err(Error::unsupported(format!("the expression {other}")).into()),
        }
    }

    /// An array constructor under a cast takes the element type from it: `ARRAY[]::int[]`.
    fn cast_operand(&mut self, expr: &ast::Expr, ty: Type) -> Bound {
        match (expr, ty.element()) {
            (ast::Expr::Array(array), Some(_)) if array.elem.is_empty() => Ok(Expr::Array { elements: Vec::new(), ty }),
            // Read as what it becomes: 1e308 is no numeric.
            (ast::Expr::Value(value), None) if matches!(ty, Type::Float4 | Type::Float8) => match &value.value {
                ast::Value::Number(digits, false) => unknown(digits),
                _ => self.expression(expr),
            },
            (ast::Expr::Array(array), Some(element)) => {
                let mut elements = Vec::with_capacity(array.elem.len());
                for item in &array.elem {
                    let bound = self.expression(item)?;
                    elements.push(self.coerce(bound, element, NO_MODIFIER, Coercion::Explicit)?);
                }
                Ok(Expr::Array { elements, ty })
            }
            _ => self.expression(expr),
        }
    }

    /// A call by name of what has a syntax of its own.
    pub(super) fn named(&mut self, name: &str, args: Vec<Expr>) -> Bound {
        let types: Vec<Type> = args.iter().map(Expr::ty).collect();
        let found = functions::find(name, &types)?;
        self.call(found, args)
    }

    fn one_argument(&mut self, name: &str, expr: &ast::Expr) -> Bound {
        let inner = self.expression(expr)?;
        self.named(name, vec![inner])
    }

    fn interval(&mut self, interval: &ast::Interval) -> Bound {
        let ast::Expr::Value(value) = &*interval.value else {
            return Err(Error::unsupported("an interval that is not a literal").into());
        };
        let mut literal = literal_text(value)?;
        if interval.last_field.is_some() || interval.leading_precision.is_some() || interval.fractional_seconds_precision.is_some() {
            return Err(Error::unsupported("an interval with fields or a precision").into());
        }
        if let Some(field) = &interval.leading_field {
            // INTERVAL '5' DAY: the number counts in that unit.
            literal = format!("{literal} {}", field_name(field));
        }
        self.coerce(unknown(&literal)?, Type::Interval, NO_MODIFIER, Coercion::Explicit)
    }

    fn case(&mut self, operand: Option<&ast::Expr>, conditions: &[ast::CaseWhen], otherwise: Option<&ast::Expr>) -> Bound {
        let operand = operand.map(|operand| self.output(operand)).transpose()?;
        if operand.as_ref().is_some_and(Expr::is_volatile) {
            return Err(BindError::NeedsEngine("CASE of a volatile function"));
        }
        let mut tests = Vec::with_capacity(conditions.len());
        let mut results = Vec::with_capacity(conditions.len() + 1);
        for when in conditions {
            let condition = self.expression(&when.condition)?;
            tests.push(match &operand {
                Some(operand) => self.compare(operand.clone(), CompareOp::Eq, condition)?,
                None => self.boolean(condition, "CASE/WHEN")?,
            });
            results.push(self.expression(&when.result)?);
        }
        let has_else = otherwise.is_some();
        if let Some(otherwise) = otherwise {
            // PostgreSQL looks at the ELSE branch first.
            results.insert(0, self.expression(otherwise)?);
        }
        let (mut results, ty) = self.case_results(results, has_else)?;
        let otherwise = has_else.then(|| Box::new(results.remove(0)));
        Ok(Expr::Case { whens: tests.into_iter().zip(results).collect(), otherwise, ty })
    }

    /// In one type; the ELSE branch, if there is one, is the first.
    fn case_results(&mut self, results: Vec<Expr>, has_else: bool) -> Bound<(Vec<Expr>, Type)> {
        let types: Vec<Type> = results.iter().map(Expr::ty).collect();
        let ty = common_type(&types, "CASE")?;
        let mut converted = Vec::with_capacity(results.len());
        for (index, result) in results.into_iter().enumerate() {
            let branch = if has_else && index == 0 { "CASE/ELSE" } else { "CASE/WHEN" };
            converted.push(self.bring_to_common(result, ty, branch)?);
        }
        Ok((converted, ty))
    }

    fn substring(&mut self, name: &str, expr: &ast::Expr, from: Option<&ast::Expr>, count: Option<&ast::Expr>) -> Bound {
        let mut args = vec![self.expression(expr)?];
        match (from, count) {
            (Some(from), Some(count)) => args.extend([self.expression(from)?, self.expression(count)?]),
            (Some(from), None) => args.push(self.expression(from)?),
            (None, Some(count)) => {
                let count = self.expression(count)?;
                args.extend([Expr::literal(Value::Int4(1), Type::Int4), count]);
            }
            (None, None) => {}
        }
        self.named(name, args)
    }

    fn trim(
        &mut self,
        side: Option<TrimWhereField>,
        what: Option<&ast::Expr>,
        expr: &ast::Expr,
        characters: Option<&[ast::Expr]>,
    ) -> Bound {
        let name = match side {
            Some(TrimWhereField::Leading) => "pg_catalog.ltrim",
            Some(TrimWhereField::Trailing) => "pg_catalog.rtrim",
            Some(TrimWhereField::Both) | None => "pg_catalog.btrim",
        };
        let mut args = vec![self.expression(expr)?];
        for what in what.into_iter().chain(characters.unwrap_or_default()) {
            args.push(self.expression(what)?);
        }
        self.named(name, args)
    }

    fn like(&mut self, symbol: &str, negated: bool, expr: &ast::Expr, pattern: &ast::Expr, escape: Option<&ValueWithSpan>) -> Bound {
        let (text, mut pattern) = (self.expression(expr)?, self.expression(pattern)?);
        if let Some(escape) = escape {
            pattern = self.named("pg_catalog.like_escape", vec![pattern, unknown(&literal_text(escape)?)?])?;
        }
        let symbol = if negated { format!("!{symbol}") } else { symbol.to_owned() };
        self.operator(&symbol, vec![text, pattern])
    }

    fn similar(&mut self, negated: bool, expr: &ast::Expr, pattern: &ast::Expr, escape: Option<&ValueWithSpan>) -> Bound {
        let (text, pattern) = (self.expression(expr)?, self.expression(pattern)?);
        let mut args = vec![pattern];
        if let Some(escape) = escape {
            args.push(unknown(&literal_text(escape)?)?);
        }
        let pattern = self.named("pg_catalog.similar_to_escape", args)?;
        self.operator(if negated { "!~" } else { "~" }, vec![text, pattern])
    }

    fn array(&mut self, elements: &[ast::Expr]) -> Bound {
        if elements.is_empty() {
            return Err(Error::new(SqlState::INDETERMINATE_DATATYPE, "cannot determine type of empty array")
                .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
                .into());
        }
        let elements = elements.iter().map(|element| self.expression(element)).collect::<Bound<Vec<_>>>()?;
        let (elements, ty) = self.common(elements, "ARRAY")?;
        let ty = ty.array_of().ok_or_else(|| Error::unsupported(format!("an array of {ty}")))?;
        Ok(Expr::Array { elements, ty })
    }

    fn subscript(&mut self, root: &ast::Expr, chain: &[AccessExpr]) -> Bound {
        let mut bound = self.expression(root)?;
        for access in chain {
            let AccessExpr::Subscript(Subscript::Index { index }) = access else {
                return Err(BindError::NeedsEngine("a slice or a field"));
            };
            let index = self.expression(index)?;
            if bound.ty() == Type::Jsonb {
                bound = self.operator("->", vec![bound, index])?;
                continue;
            }
            let Some(ty) = bound.ty().element() else {
                let message = format!("cannot subscript type {} because it does not support subscripting", bound.ty());
                return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).into());
            };
            let index = self.coerce(index, Type::Int4, NO_MODIFIER, Coercion::Assignment)?;
            bound = Expr::Subscript { array: Box::new(bound), index: Box::new(index), ty };
        }
        Ok(bound)
    }
}

fn literal_text(value: &ValueWithSpan) -> Bound<String> {
    match &value.value {
        ast::Value::Number(text, _) => Ok(text.clone()),
        other => other.clone().into_string().ok_or_else(|| Error::unsupported(format!("the literal {other} here")).into()),
    }
}

/// As `extract` and `date_trunc` know it.
fn field_name(field: &DateTimeField) -> String {
    match field {
        DateTimeField::Custom(ident) => ident.value.to_lowercase(),
        DateTimeField::IsoWeek => "week".to_owned(),
        DateTimeField::DayOfWeek => "dow".to_owned(),
        DateTimeField::DayOfYear => "doy".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}
