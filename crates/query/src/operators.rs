//! Binary operators: which one is meant, by PostgreSQL's rules of types, and what computes it.
//!
//! Comparisons of like types stay the planner's own, since filters and joins live by them. Arithmetic on numbers has its
//! kernels in `arithmetic`. Everything else goes to the native evaluator.

use crate::arithmetic::{Arithmetic, Operation, common};
use crate::cast::Cast;
use crate::context::QueryContext;
use crate::error::{external, raise};
use crate::native::{Form, Native};
use crate::plan::Inferred;
use crate::types::{PgType, oid};
use base::{Error, SqlState};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use std::sync::{Arc, PoisonError};

/// Gives operators their meaning while expressions are planned.
#[derive(Debug)]
pub struct OperatorPlanner {
    context: Arc<QueryContext>,
    inferred: Inferred,
}

/// One side of an operator.
struct Side {
    expr: Expr,
    ty: PgType,
    /// A string literal or NULL, which takes the type that the other side asks for.
    unknown: bool,
}

impl ExprPlanner for OperatorPlanner {
    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if matches!(raw.op, BinaryOperator::And | BinaryOperator::Or) {
            return self.plan_logic(raw, schema).map(PlannerResult::Original);
        }
        let (left, right) = (self.side(raw.left, schema)?, self.side(raw.right, schema)?);
        let (left, right) = self.decide_parameters(left, right)?;
        if let Some(op) = comparison(&raw.op) {
            return self.compare(raw.op, op, left, right).map(PlannerResult::Planned);
        }
        if let Some(operation) = arithmetic(&raw.op)
            && let Some(planned) = self.compute(operation, &left, &right)?
        {
            return Ok(PlannerResult::Planned(planned));
        }
        if is_list(&left) || is_list(&right) {
            // Array operators are the nested functions' planner's.
            return Ok(PlannerResult::Original(RawBinaryExpr { op: raw.op, left: left.expr, right: right.expr }));
        }
        if is_pattern(&raw.op) {
            let (left, right) = (self.as_text(left)?, self.as_text(right)?);
            return Ok(PlannerResult::Original(RawBinaryExpr { op: raw.op, left, right }));
        }
        if raw.op == BinaryOperator::StringConcat && (left.ty.is_string() || right.ty.is_string()) && !(is_json(&left) || is_json(&right)) {
            let (left, right) = (self.as_text(left)?, self.as_text(right)?);
            return Ok(PlannerResult::Original(RawBinaryExpr { op: raw.op, left, right }));
        }
        Ok(PlannerResult::Planned(self.native(raw.op, left.expr, right.expr, schema)?))
    }
}

fn comparison(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        _ => return None,
    })
}

fn arithmetic(op: &BinaryOperator) -> Option<Operation> {
    Some(match op {
        BinaryOperator::Plus => Operation::Add,
        BinaryOperator::Minus => Operation::Subtract,
        BinaryOperator::Multiply => Operation::Multiply,
        BinaryOperator::Divide => Operation::Divide,
        BinaryOperator::Modulo => Operation::Modulo,
        _ => return None,
    })
}

fn is_pattern(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::PGRegexMatch
            | BinaryOperator::PGRegexIMatch
            | BinaryOperator::PGRegexNotMatch
            | BinaryOperator::PGRegexNotIMatch
            | BinaryOperator::PGLikeMatch
            | BinaryOperator::PGILikeMatch
            | BinaryOperator::PGNotLikeMatch
            | BinaryOperator::PGNotILikeMatch
    )
}

fn is_list(side: &Side) -> bool {
    side.ty.element().is_some()
}

fn is_json(side: &Side) -> bool {
    matches!(side.ty.oid, oid::JSON | oid::JSONB)
}

/// An `int4` constant that the rewriting marked with a cast becomes a plain constant.
pub fn fold_number(expr: Expr) -> Expr {
    if let Expr::Cast(cast) = &expr
        && let Expr::Literal(ScalarValue::Int64(Some(number)), None) = cast.expr.as_ref()
        && *cast.field.data_type() == datafusion::arrow::datatypes::DataType::Int32
        && let Ok(number) = i32::try_from(*number)
    {
        return crate::plan::literal(ScalarValue::Int32(Some(number)), PgType::of(oid::INT4));
    }
    expr
}

pub fn is_unknown(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Utf8(_), None) => true,
        Expr::Literal(value, None) => value.is_null(),
        _ => false,
    }
}

impl OperatorPlanner {
    pub fn new(context: Arc<QueryContext>, inferred: Inferred) -> OperatorPlanner {
        OperatorPlanner { context, inferred }
    }

    fn side(&self, expr: Expr, schema: &DFSchema) -> Result<Side> {
        let expr = fold_number(expr);
        let unknown = is_unknown(&expr);
        let ty = if unknown { PgType::of(oid::UNKNOWN) } else { PgType::of_field(&expr.to_field(schema)?.1) };
        Ok(Side { expr, ty, unknown })
    }

    /// A parameter of unknown type takes the other side's.
    fn decide_parameters(&self, left: Side, right: Side) -> Result<(Side, Side)> {
        let (left_open, right_open) = (is_open(&left.expr), is_open(&right.expr));
        match (left_open, right_open) {
            (true, false) => {
                let ty = right.ty;
                Ok((self.decide(left, ty)?, right))
            }
            (false, true) => {
                let ty = left.ty;
                Ok((left, self.decide(right, ty)?))
            }
            (true, true) => Ok((self.decide(left, PgType::of(oid::TEXT))?, self.decide(right, PgType::of(oid::TEXT))?)),
            (false, false) => Ok((left, right)),
        }
    }

    fn decide(&self, side: Side, ty: PgType) -> Result<Side> {
        let ty = if ty.oid == oid::UNKNOWN { PgType::of(oid::TEXT) } else { PgType::of(ty.oid) };
        let Expr::Placeholder(Placeholder { id, .. }) = &side.expr else { return Ok(side) };
        self.infer(id, ty.oid);
        let field = ty.field(id).ok_or_else(|| external(Error::unsupported("a parameter of this type")))?;
        let expr = Expr::Placeholder(Placeholder::new_with_field(id.clone(), Some(Arc::new(field))));
        Ok(Side { expr, ty, unknown: false })
    }

    fn infer(&self, id: &str, oid: u32) {
        let Some(index) = id.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok()).and_then(|number| number.checked_sub(1))
        else {
            return;
        };
        let mut inferred = self.inferred.lock().unwrap_or_else(PoisonError::into_inner);
        if inferred.len() <= index {
            inferred.resize(index + 1, 0);
        }
        if inferred[index] == 0 {
            inferred[index] = oid;
        }
    }

    /// `AND` and `OR` want booleans; a literal may still become one.
    fn plan_logic(&self, raw: RawBinaryExpr, schema: &DFSchema) -> Result<RawBinaryExpr> {
        let word = if raw.op == BinaryOperator::And { "AND" } else { "OR" };
        let operand = |expr: Expr| -> Result<Expr> {
            let side = self.side(expr, schema)?;
            let side = if is_open(&side.expr) { self.decide(side, PgType::of(oid::BOOL))? } else { side };
            match (side.unknown, side.ty.oid) {
                (true, _) => self.convert(side, PgType::of(oid::BOOL)),
                (_, oid::BOOL) => Ok(side.expr),
                (_, other) => Err(raise(
                    SqlState::DATATYPE_MISMATCH,
                    format!("argument of {word} must be type boolean, not type {}", type_name(PgType::of(other))),
                )),
            }
        };
        Ok(RawBinaryExpr { left: operand(raw.left)?, right: operand(raw.right)?, op: raw.op })
    }

    fn compare(&self, symbol: BinaryOperator, op: Operator, left: Side, right: Side) -> Result<Expr> {
        let target = comparison_type(&left, &right).ok_or_else(|| no_operator(&symbol, &left, &right))?;
        if target.oid == oid::INTERVAL || target.oid == oid::JSONB || target.oid == oid::BPCHAR {
            let (left, right) = (self.convert(left, target)?, self.convert(right, target)?);
            return Ok(self.native_over(symbol, vec![left, right]));
        }
        let (left, right) = (self.convert(left, target)?, self.convert(right, target)?);
        Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
    }

    /// Numbers; `None` if these are none.
    fn compute(&self, operation: Operation, left: &Side, right: &Side) -> Result<Option<Expr>> {
        let target = match (left.unknown, right.unknown) {
            (true, false) if right.ty.is_number() => right.ty,
            (false, true) if left.ty.is_number() => left.ty,
            (false, false) if left.ty.is_number() && right.ty.is_number() => common(left.ty, right.ty),
            _ => return Ok(None),
        };
        if operation == Operation::Modulo && matches!(target.oid, oid::FLOAT4 | oid::FLOAT8) {
            return Ok(None);
        }
        let side = |side: &Side| {
            if side.unknown {
                self.convert(Side { expr: side.expr.clone(), ty: side.ty, unknown: true }, PgType::of(target.oid))
            } else {
                Ok(side.expr.clone())
            }
        };
        let arguments = vec![side(left)?, side(right)?];
        Ok(Some(Expr::ScalarFunction(ScalarFunction::new_udf(Arithmetic::udf(operation), arguments))))
    }

    fn native(&self, op: BinaryOperator, left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
        let expr = self.native_over(op, vec![left, right]);
        // Asks for the type now, so that an operator that does not exist is refused here.
        expr.to_field(schema)?;
        Ok(expr)
    }

    fn native_over(&self, op: BinaryOperator, arguments: Vec<Expr>) -> Expr {
        let name = op.to_string();
        Expr::ScalarFunction(ScalarFunction::new_udf(Native::udf(&name, Form::Binary(op), self.context.clone()), arguments))
    }

    fn as_text(&self, side: Side) -> Result<Expr> {
        if side.unknown || side.ty.oid == oid::TEXT || side.ty.oid == oid::VARCHAR || side.ty.oid == oid::NAME {
            return Ok(side.expr);
        }
        Ok(Cast::over(side.expr, PgType::of(oid::TEXT), &self.context))
    }

    /// The side as another type; a literal is read right away, so that a bad one is refused.
    fn convert(&self, side: Side, target: PgType) -> Result<Expr> {
        if side.unknown {
            return crate::cast::literal_as(&side.expr, target, &self.context);
        }
        let same_carrier = side.ty.oid == target.oid
            || (side.ty.is_string() && target.is_string())
            || (side.ty.is_number() && target.is_number() && target.oid != oid::FLOAT8);
        if same_carrier || (side.ty.is_oid() && target.is_oid()) || (side.ty.is_integer() && target.is_oid()) {
            return Ok(side.expr);
        }
        Ok(Cast::over(side.expr, target, &self.context))
    }
}

/// A parameter whose type nobody told yet.
fn is_open(expr: &Expr) -> bool {
    matches!(expr, Expr::Placeholder(Placeholder { field: None, .. }))
}

/// The type that two sides are compared in; `None` if they cannot be.
fn comparison_type(left: &Side, right: &Side) -> Option<PgType> {
    match (left.unknown, right.unknown) {
        (true, true) => return Some(PgType::of(oid::TEXT)),
        (true, false) => return comparable(right.ty).then_some(right.ty),
        (false, true) => return comparable(left.ty).then_some(left.ty),
        _ => {}
    }
    let (a, b) = (left.ty, right.ty);
    if !comparable(a) || !comparable(b) {
        return None;
    }
    if a.oid == b.oid {
        return Some(a);
    }
    if a.is_number() && b.is_number() {
        return Some(common(a, b));
    }
    if a.is_string() && b.is_string() {
        return Some(PgType::of(oid::TEXT));
    }
    if (a.is_oid() || a.is_integer()) && (b.is_oid() || b.is_integer()) {
        return Some(PgType::of(oid::OID));
    }
    let is_date = |ty: PgType| matches!(ty.oid, oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ);
    if is_date(a) && is_date(b) {
        let zoned = a.oid == oid::TIMESTAMPTZ || b.oid == oid::TIMESTAMPTZ;
        return Some(PgType::of(if zoned { oid::TIMESTAMPTZ } else { oid::TIMESTAMP }));
    }
    match (a.element(), b.element()) {
        (Some(x), Some(y)) if x.oid == y.oid || (x.is_string() && y.is_string()) => Some(a),
        _ => None,
    }
}

fn comparable(ty: PgType) -> bool {
    !matches!(ty.oid, oid::JSON | oid::VOID | oid::RECORD)
}

fn no_operator(op: &BinaryOperator, left: &Side, right: &Side) -> datafusion::common::DataFusionError {
    let error =
        Error::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {} {op} {}", type_name(left.ty), type_name(right.ty)));
    external(error.with_hint("No operator matches the given name and argument types. You might need to add explicit type casts."))
}

/// As messages name it.
pub fn type_name(ty: PgType) -> String {
    crate::native::evaluator_type(ty).map_or_else(|_| format!("type {}", ty.oid), |ty| ty.to_string())
}
