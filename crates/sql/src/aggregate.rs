//! Aggregate functions: their signatures, and accumulators that take one row's arguments at a time.

use crate::expr::{Columns, Env, Expr};
use crate::functions::find;
use crate::types::Type;
use crate::value::{Numeric, Value};
use base::{Error, Result, SqlState};
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    BoolAnd,
    BoolOr,
    StringAgg,
    ArrayAgg,
}

/// One call of an aggregate in a statement.
#[derive(Clone, Debug)]
pub struct AggregateCall {
    pub kind: Kind,
    /// Of the types that the signature asks for; none for `count(*)`.
    pub args: Vec<Expr>,
    pub ty: Type,
    pub distinct: bool,
    pub filter: Option<Expr>,
}

pub struct Signature {
    pub arguments: Vec<Type>,
    pub result: Type,
}

/// The aggregate of this name.
pub fn named(name: &str) -> Option<Kind> {
    Some(match name {
        "count" => Kind::Count,
        "sum" => Kind::Sum,
        "avg" => Kind::Avg,
        "min" => Kind::Min,
        "max" => Kind::Max,
        "bool_and" | "every" => Kind::BoolAnd,
        "bool_or" => Kind::BoolOr,
        "string_agg" => Kind::StringAgg,
        "array_agg" => Kind::ArrayAgg,
        _ => return None,
    })
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Count => "count",
        Kind::Sum => "sum",
        Kind::Avg => "avg",
        Kind::Min => "min",
        Kind::Max => "max",
        Kind::BoolAnd => "bool_and",
        Kind::BoolOr => "bool_or",
        Kind::StringAgg => "string_agg",
        Kind::ArrayAgg => "array_agg",
    }
}

/// What types a call takes and gives. `star`: the argument is `*`.
///
/// # Errors
/// `42883` if there is no such aggregate.
pub fn signature(kind: Kind, types: &[Type], star: bool) -> Result<Signature> {
    let undefined = || find(name(kind), types).err().unwrap_or_else(|| Error::internal("an aggregate is no function"));
    let signature = |arguments: &[Type], result| Ok(Signature { arguments: arguments.to_vec(), result });
    match (kind, types) {
        (Kind::Count, []) if star => signature(&[], Type::Int8),
        (Kind::Count, []) => {
            let message = "count(*) must be used to call a parameterless aggregate function";
            Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
        (Kind::Count, [ty]) => signature(&[decided(*ty)], Type::Int8),
        (Kind::Sum, [ty]) => {
            let result = match ty {
                Type::Int2 | Type::Int4 => Type::Int8,
                Type::Int8 | Type::Numeric => Type::Numeric,
                Type::Float4 | Type::Float8 | Type::Interval => *ty,
                Type::Time => return signature(&[Type::Interval], Type::Interval),
                _ => return Err(undefined()),
            };
            signature(&[*ty], result)
        }
        (Kind::Avg, [ty]) => {
            let result = match ty {
                Type::Int2 | Type::Int4 | Type::Int8 | Type::Numeric => Type::Numeric,
                Type::Float4 | Type::Float8 => Type::Float8,
                Type::Interval => Type::Interval,
                Type::Time => return signature(&[Type::Interval], Type::Interval),
                _ => return Err(undefined()),
            };
            signature(&[*ty], result)
        }
        (Kind::Min | Kind::Max, [ty]) => match ty {
            Type::Unknown | Type::VarChar | Type::Name => signature(&[Type::Text], Type::Text),
            Type::Bool | Type::Uuid | Type::Json | Type::Jsonb | Type::Bytea | Type::Void | Type::Record => Err(undefined()),
            ty => signature(&[*ty], *ty),
        },
        (Kind::BoolAnd | Kind::BoolOr, [Type::Bool | Type::Unknown]) => signature(&[Type::Bool], Type::Bool),
        (Kind::StringAgg, [Type::Bytea, Type::Bytea | Type::Unknown]) => signature(&[Type::Bytea; 2], Type::Bytea),
        (Kind::StringAgg, [value, separator]) if is_text(*value) && is_text(*separator) => signature(&[Type::Text; 2], Type::Text),
        (Kind::ArrayAgg, [ty]) => match decided(*ty).array_of() {
            Some(array) => signature(&[decided(*ty)], array),
            None => Err(Error::unsupported(format!("array_agg of {ty}"))),
        },
        _ => Err(undefined()),
    }
}

fn decided(ty: Type) -> Type {
    if ty == Type::Unknown { Type::Text } else { ty }
}

fn is_text(ty: Type) -> bool {
    ty.is_string() || ty == Type::Unknown
}

/// The state of one call for one group.
pub struct Accumulator {
    state: State,
    /// Values seen, of a DISTINCT call. Bounded by [`DISTINCT_MAX`].
    seen: Option<BTreeSet<Vec<Value>>>,
    blanks_ignored: bool,
}

/// Most different values of one DISTINCT aggregate in the native path.
pub const DISTINCT_MAX: usize = 1_000_000;
/// Most elements of `array_agg`, and bytes of `string_agg`.
pub const COLLECTED_MAX: usize = 16 * 1024 * 1024;

enum State {
    Count(i64),
    SumInteger { sum: i128, any: bool, result: Type },
    SumNumeric { sum: Numeric, any: bool },
    SumFloat { sum: f64, any: bool, narrow: bool },
    SumInterval { sum: crate::value::Interval, any: bool },
    AvgNumeric { sum: Numeric, count: i64 },
    AvgInteger { sum: i128, count: i64 },
    AvgFloat { sum: f64, count: i64 },
    AvgInterval { sum: crate::value::Interval, count: i64 },
    Extreme { best: Value, greatest: bool },
    Bool { value: Option<bool>, and: bool },
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Array(Option<Vec<Value>>),
}

impl Accumulator {
    pub fn new(call: &AggregateCall) -> Accumulator {
        let zero = crate::value::Interval::default();
        let first = call.args.first().map(Expr::ty);
        let state = match (call.kind, first) {
            (Kind::Count, _) => State::Count(0),
            (Kind::Sum, Some(Type::Numeric)) => State::SumNumeric { sum: Numeric::ZERO, any: false },
            (Kind::Sum, Some(ty @ (Type::Float4 | Type::Float8))) => State::SumFloat { sum: 0.0, any: false, narrow: ty == Type::Float4 },
            (Kind::Sum, Some(Type::Interval)) => State::SumInterval { sum: zero, any: false },
            (Kind::Sum, _) => State::SumInteger { sum: 0, any: false, result: call.ty },
            (Kind::Avg, Some(Type::Numeric)) => State::AvgNumeric { sum: Numeric::ZERO, count: 0 },
            (Kind::Avg, Some(Type::Float4 | Type::Float8)) => State::AvgFloat { sum: 0.0, count: 0 },
            (Kind::Avg, Some(Type::Interval)) => State::AvgInterval { sum: zero, count: 0 },
            (Kind::Avg, _) => State::AvgInteger { sum: 0, count: 0 },
            (Kind::Min, _) => State::Extreme { best: Value::Null, greatest: false },
            (Kind::Max, _) => State::Extreme { best: Value::Null, greatest: true },
            (Kind::BoolAnd, _) => State::Bool { value: None, and: true },
            (Kind::BoolOr, _) => State::Bool { value: None, and: false },
            (Kind::StringAgg, Some(Type::Bytea)) => State::Bytes(None),
            (Kind::StringAgg, _) => State::Text(None),
            (Kind::ArrayAgg, _) => State::Array(None),
        };
        Accumulator { state, seen: call.distinct.then(BTreeSet::new), blanks_ignored: first == Some(Type::BpChar) }
    }

    /// Evaluates the call's arguments for a row of the group and takes them.
    pub fn add_row<C: Columns + ?Sized>(&mut self, call: &AggregateCall, row: &C, env: &Env) -> Result<()> {
        if let Some(filter) = &call.filter
            && !filter.holds(row, env)?
        {
            return Ok(());
        }
        if let ([arg], None) = (call.args.as_slice(), &self.seen) {
            let value = arg.eval(row, env)?;
            return self.add(std::slice::from_ref(&value));
        }
        let values = call.args.iter().map(|arg| arg.eval(row, env)).collect::<Result<Vec<_>>>()?;
        self.add(&values)
    }

    /// Takes the arguments of one row. All but `array_agg` and `count(*)` leave NULLs out.
    ///
    /// # Errors
    /// `22003` when a sum overflows, `54000` when more is collected than fits.
    pub fn add(&mut self, args: &[Value]) -> Result<()> {
        if args.first().is_some_and(Value::is_null) && !matches!(self.state, State::Array(_)) {
            return Ok(());
        }
        if let Some(seen) = &mut self.seen {
            if !seen.insert(args.to_vec()) {
                return Ok(());
            }
            if seen.len() > DISTINCT_MAX {
                return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("more than {DISTINCT_MAX} distinct values")));
            }
        }
        self.state.add(args, self.blanks_ignored)
    }

    /// # Errors
    /// `22003` when the result does not fit its type.
    pub fn finish(self) -> Result<Value> {
        self.state.finish()
    }
}

fn overflow(ty: &str) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{ty} out of range"))
}

impl State {
    fn add(&mut self, args: &[Value], blanks_ignored: bool) -> Result<()> {
        let integer = || args[0].as_i64().map(i128::from).ok_or_else(wrong);
        let float = || args[0].as_f64().ok_or_else(wrong);
        match self {
            State::Count(count) => *count += 1,
            State::SumInteger { sum, any, .. } => (*sum, *any) = (*sum + integer()?, true),
            State::AvgInteger { sum, count } => (*sum, *count) = (*sum + integer()?, *count + 1),
            State::SumNumeric { sum, any } => (*sum, *any) = (sum.add(numeric(&args[0])?)?, true),
            State::AvgNumeric { sum, count } => (*sum, *count) = (sum.add(numeric(&args[0])?)?, *count + 1),
            State::SumFloat { sum, any, .. } => (*sum, *any) = (checked(*sum, float()?)?, true),
            State::AvgFloat { sum, count } => (*sum, *count) = (checked(*sum, float()?)?, *count + 1),
            State::SumInterval { sum, any } => (*sum, *any) = (sum.checked_add(interval(&args[0])?)?, true),
            State::AvgInterval { sum, count } => (*sum, *count) = (sum.checked_add(interval(&args[0])?)?, *count + 1),
            State::Extreme { best, greatest } => {
                let order = crate::expr::order(&args[0], best, blanks_ignored);
                if best.is_null() || (if *greatest { order.is_gt() } else { order.is_lt() }) {
                    *best = args[0].clone();
                }
            }
            State::Bool { value, and } => {
                let next = args[0].as_bool().ok_or_else(wrong)?;
                *value = Some(value.map_or(next, |value| if *and { value && next } else { value || next }));
            }
            State::Text(_) | State::Bytes(_) | State::Array(_) => return self.collect(args),
        }
        Ok(())
    }

    fn collect(&mut self, args: &[Value]) -> Result<()> {
        let collected = match self {
            State::Text(text) => {
                let item = args[0].as_str().ok_or_else(wrong)?;
                match text {
                    None => *text = Some(item.to_owned()),
                    Some(text) => {
                        text.push_str(args[1].as_str().unwrap_or(""));
                        text.push_str(item);
                    }
                }
                text.as_ref().map_or(0, String::len)
            }
            State::Bytes(bytes) => {
                let Value::Bytea(item) = &args[0] else { return Err(wrong()) };
                match (bytes.as_mut(), &args[1]) {
                    (None, _) => *bytes = Some(item.to_vec()),
                    (Some(bytes), separator) => {
                        if let Value::Bytea(separator) = separator {
                            bytes.extend_from_slice(separator);
                        }
                        bytes.extend_from_slice(item);
                    }
                }
                bytes.as_ref().map_or(0, Vec::len)
            }
            State::Array(items) => {
                let items = items.get_or_insert_default();
                items.push(args[0].clone());
                items.len()
            }
            _ => return Err(wrong()),
        };
        if collected > COLLECTED_MAX {
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "an aggregate collected more than fits in memory"));
        }
        Ok(())
    }

    fn finish(self) -> Result<Value> {
        Ok(match self {
            State::Count(count) => Value::Int8(count),
            State::SumInteger { any: false, .. } | State::SumNumeric { any: false, .. } | State::SumFloat { any: false, .. } => Value::Null,
            State::SumInterval { any: false, .. } => Value::Null,
            State::SumInteger { sum, result: Type::Numeric, .. } => Value::Numeric(Numeric::new(sum, 0)?),
            State::SumInteger { sum, .. } => Value::Int8(i64::try_from(sum).map_err(|_| overflow("bigint"))?),
            State::SumNumeric { sum, .. } => Value::Numeric(sum),
            State::SumFloat { sum, narrow: true, .. } => {
                let narrow = sum as f32;
                if narrow.is_infinite() && sum.is_finite() {
                    return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
                }
                Value::Float4(narrow)
            }
            State::SumFloat { sum, .. } => Value::Float8(sum),
            State::SumInterval { sum, .. } => Value::Interval(sum),
            State::AvgNumeric { count: 0, .. } | State::AvgInteger { count: 0, .. } => Value::Null,
            State::AvgFloat { count: 0, .. } | State::AvgInterval { count: 0, .. } => Value::Null,
            State::AvgNumeric { sum, count } => Value::Numeric(sum.div(Numeric::from_i64(count))?),
            State::AvgInteger { sum, count } => Value::Numeric(Numeric::new(sum, 0)?.div(Numeric::from_i64(count))?),
            State::AvgFloat { sum, count } => Value::Float8(sum / count as f64),
            State::AvgInterval { sum, count } => Value::Interval(sum.checked_div(count as f64)?),
            State::Extreme { best, .. } => best,
            State::Bool { value, .. } => value.map_or(Value::Null, Value::Bool),
            State::Text(text) => text.map_or(Value::Null, |text| Value::Text(Arc::from(text))),
            State::Bytes(bytes) => bytes.map_or(Value::Null, |bytes| Value::Bytea(bytes.into())),
            State::Array(items) => items.map_or(Value::Null, |items| Value::Array(Arc::from(items))),
        })
    }
}

fn wrong() -> Error {
    Error::internal("an aggregate was given values of other types than its own")
}

fn numeric(value: &Value) -> Result<Numeric> {
    match value {
        Value::Numeric(value) => Ok(*value),
        _ => Err(wrong()),
    }
}

fn interval(value: &Value) -> Result<crate::value::Interval> {
    match value {
        Value::Interval(value) => Ok(*value),
        _ => Err(wrong()),
    }
}

fn checked(sum: f64, value: f64) -> Result<f64> {
    crate::functions::checked_float(sum + value, sum.is_infinite() || value.is_infinite())
}
