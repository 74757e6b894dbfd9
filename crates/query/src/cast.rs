//! Casts with PostgreSQL's rules. Where both types lie in memory alike the column passes through; what Arrow converts the same way,
//! it converts; the rest is the native evaluator's. Names and oids of catalog objects are looked up here.

use crate::context::QueryContext;
use crate::convert::ColumnBuilder;
use crate::error::external;
use crate::native::{Form, Native, constant};
use crate::system::objects;
use crate::types::{NUMERIC_PRECISION, NUMERIC_SCALE, PgType, oid, result_field};
use base::{Error, SqlState};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringBuilder, UInt32Builder};
use datafusion::arrow::compute::cast as arrow_cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, UInt32Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// `florin_cast(expression, 'oid:modifier')`.
#[derive(Debug)]
pub struct Cast {
    context: Arc<QueryContext>,
    signature: Signature,
}

impl PartialEq for Cast {
    fn eq(&self, _: &Cast) -> bool {
        true
    }
}

impl Eq for Cast {}

impl Hash for Cast {
    fn hash<H: Hasher>(&self, state: &mut H) {
        "florin_cast".hash(state);
    }
}

impl Cast {
    pub fn udf(context: Arc<QueryContext>) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Cast { context, signature: Signature::any(2, Volatility::Immutable) }))
    }

    /// A cast around a planned expression.
    pub fn over(expr: Expr, target: PgType, context: &Arc<QueryContext>) -> Expr {
        let target = Expr::Literal(ScalarValue::Utf8(Some(format!("{}:{}", target.oid, target.modifier))), None);
        Expr::ScalarFunction(ScalarFunction::new_udf(Cast::udf(context.clone()), vec![expr, target]))
    }
}

fn target_of(scalar: Option<&ScalarValue>) -> Result<PgType> {
    let parsed = match scalar {
        Some(ScalarValue::Utf8(Some(text))) => {
            text.split_once(':').and_then(|(oid, modifier)| Some(PgType::with_modifier(oid.parse().ok()?, modifier.parse().ok()?)))
        }
        _ => None,
    };
    parsed.ok_or_else(|| external(Error::internal("a cast without its target")))
}

/// The Arrow type of the result; a `numeric` without a scale keeps that of what is cast.
fn carrier(source: &DataType, scalar: Option<&ScalarValue>, target: PgType) -> Result<DataType> {
    if target.oid == oid::NUMERIC && target.modifier < 0 {
        let scale = match (source, scalar) {
            (DataType::Decimal128(_, scale), _) => *scale,
            (source, _) if source.is_integer() => 0,
            (_, Some(ScalarValue::Utf8(Some(text)))) => text_scale(text),
            _ => NUMERIC_SCALE,
        };
        return Ok(DataType::Decimal128(NUMERIC_PRECISION, scale));
    }
    target.arrow().ok_or_else(|| external(Error::unsupported(format!("the type with OID {}", target.oid))))
}

/// Digits behind the point of a plain number in a text.
fn text_scale(text: &str) -> i8 {
    let text = text.trim();
    match text.split_once('.') {
        _ if text.contains(['e', 'E']) => NUMERIC_SCALE,
        None => 0,
        Some((_, fraction)) => i8::try_from(fraction.len()).unwrap_or(NUMERIC_SCALE).min(37),
    }
}

/// A string literal (or NULL) read as a type while the statement is planned.
pub fn literal_as(literal: &Expr, target: PgType, context: &Arc<QueryContext>) -> Result<Expr> {
    let text = match literal {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => text.clone(),
        _ => {
            let null = ScalarValue::try_new_null(&carrier(&DataType::Utf8, None, target)?)?;
            return Ok(crate::plan::literal(null, target));
        }
    };
    let scalar = ScalarValue::Utf8(Some(text.clone()));
    let data_type = carrier(&DataType::Utf8, Some(&scalar), target)?;
    let value = if objects::is_named(target) {
        let oid = objects::oid_of_name(context, target.oid, &text).map_err(external)?;
        ScalarValue::UInt32(Some(oid))
    } else if target.oid == oid::OID || target.oid == oid::XID {
        ScalarValue::UInt32(Some(text.trim().parse().map_err(|_| invalid_oid(&text))?))
    } else if target.is_string() && target.modifier < 0 {
        scalar
    } else {
        constant(Form::Cast(evaluable(target)), crate::rewrite::string(text), &data_type, context).map_err(external)?
    };
    Ok(crate::plan::literal(value, target))
}

fn invalid_oid(text: &str) -> datafusion::common::DataFusionError {
    external(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type oid: \"{text}\"")))
}

/// The native evaluator knows no vectors.
fn evaluable(ty: PgType) -> PgType {
    match ty.oid {
        oid::INT2_VECTOR => PgType::of(oid::INT2_ARRAY),
        oid::OID_VECTOR => PgType::of(oid::OID_ARRAY),
        oid::ACLITEM_ARRAY => PgType::of(oid::TEXT_ARRAY),
        _ => ty,
    }
}

/// Conversions that mean the same in Arrow.
fn converts_alike(source: PgType, target: PgType) -> bool {
    let width = |ty: PgType| match ty.oid {
        oid::INT2 => Some(2),
        oid::INT4 => Some(4),
        oid::INT8 => Some(8),
        _ => None,
    };
    match (width(source), width(target)) {
        (Some(from), Some(to)) => from <= to,
        (Some(_), None) => matches!(target.oid, oid::FLOAT8) || (target.oid == oid::NUMERIC && target.modifier < 0),
        _ => matches!((source.oid, target.oid), (oid::FLOAT4, oid::FLOAT8) | (oid::DATE, oid::TIMESTAMP)),
    }
}

/// Nothing changes but the name of the type.
fn passes_through(source: PgType, target: PgType, from: &DataType, to: &DataType) -> bool {
    if from != to {
        return false;
    }
    let shortens = target.modifier >= 0 && target.modifier != source.modifier;
    let text_like = |ty: PgType| matches!(ty.oid, oid::TEXT | oid::VARCHAR | oid::NAME | oid::UNKNOWN | oid::PG_NODE_TREE | oid::CHAR);
    source.oid == target.oid && !shortens
        || text_like(source) && text_like(target) && !shortens && target.oid != oid::CHAR
        || source.is_oid() && target.is_oid()
        || is_same_list(source, target)
}

fn is_same_list(source: PgType, target: PgType) -> bool {
    matches!((source.element(), target.element()), (Some(a), Some(b)) if a.oid == b.oid || (a.is_string() && b.is_string()))
}

impl ScalarUDFImpl for Cast {
    fn name(&self) -> &str {
        "florin_cast"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(external(Error::internal("a cast was asked for its type without its target")))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let target = target_of(args.scalar_arguments.get(1).copied().flatten())?;
        let source = &args.arg_fields[0];
        let carrier = carrier(source.data_type(), args.scalar_arguments[0], target)?;
        check(source, args.scalar_arguments[0], target)?;
        Ok(result_field("florin_cast", target, carrier))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let _unused = info;
        if let [expr, Expr::Literal(target, _)] = args.as_slice()
            && is_unknown_text(expr)
        {
            let target = target_of(Some(target))?;
            return Ok(ExprSimplifyResult::Simplified(literal_as(expr, target, &self.context)?));
        }
        Ok(ExprSimplifyResult::Original(args))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(target) = &args.args[1] else { return Err(external(Error::internal("a cast without its target"))) };
        let target = target_of(Some(target))?;
        let constant = matches!(args.args[0], ColumnarValue::Scalar(_));
        let rows = if constant { 1 } else { args.number_rows };
        let column = args.args[0].to_array(rows)?;
        let result = self.convert(&column, &args.arg_fields[0], target, args.return_field.data_type())?;
        if constant { Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)) } else { Ok(ColumnarValue::Array(result)) }
    }
}

fn is_unknown_text(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(ScalarValue::Utf8(Some(_)), None))
}

/// Refuses casts that do not exist, while the statement is planned.
fn check(source: &Field, scalar: Option<&ScalarValue>, target: PgType) -> Result<()> {
    let from = PgType::of_field(source);
    let literal = scalar.is_some() && PgType::marked(source.metadata()).is_none();
    if literal
        || *source.data_type() == DataType::Null
        || from.is_string()
        || target.is_string()
        || objects::is_named(target)
        || from.is_oid()
        || target.is_oid()
    {
        return Ok(());
    }
    let (Ok(from_type), Ok(to_type)) = (crate::native::evaluator_type(from), crate::native::evaluator_type(target)) else { return Ok(()) };
    if from_type == to_type || sql::types::cast::context(from_type, to_type).is_some() {
        return Ok(());
    }
    Err(external(Error::new(SqlState::CANNOT_COERCE, format!("cannot cast type {from_type} to {to_type}"))))
}

impl Cast {
    fn convert(&self, column: &ArrayRef, field: &FieldRef, target: PgType, to: &DataType) -> Result<ArrayRef> {
        let source = PgType::of_field(field);
        let from = column.data_type();
        if *from == DataType::Null {
            return Ok(datafusion::arrow::array::new_null_array(to, column.len()));
        }
        if passes_through(source, target, from, to) {
            return Ok(column.clone());
        }
        if objects::is_named(target) && source.is_string() {
            return self.names_to_oids(column, target);
        }
        if objects::is_named(source) && target.is_string() {
            return self.oids_to_names(column, source);
        }
        if source.is_oid() && target.is_string() {
            return Ok(arrow_cast(column, &DataType::Utf8)?);
        }
        if source.is_oid() || target.is_oid() {
            return oid_numbers(column, source, to);
        }
        if converts_alike(source, target) {
            return Ok(arrow_cast(column, to)?);
        }
        self.native(column, source, target, to)
    }

    fn native(&self, column: &ArrayRef, source: PgType, target: PgType, to: &DataType) -> Result<ArrayRef> {
        let target = evaluable(target);
        let udf = Native::udf("cast", Form::Cast(target), self.context.clone());
        let field: FieldRef = Arc::new(source.mark(Field::new("a", column.data_type().clone(), true)));
        let args = ScalarFunctionArgs {
            args: vec![ColumnarValue::Array(column.clone())],
            arg_fields: vec![field],
            number_rows: column.len(),
            return_field: result_field("cast", target, to.clone()),
            config_options: Arc::new(datafusion::common::config::ConfigOptions::default()),
        };
        udf.invoke_with_args(args)?.to_array(column.len())
    }

    fn names_to_oids(&self, column: &ArrayRef, target: PgType) -> Result<ArrayRef> {
        let names = column.as_string::<i32>();
        let mut oids = UInt32Builder::with_capacity(names.len());
        for name in names {
            oids.append_option(name.map(|name| objects::oid_of_name(&self.context, target.oid, name)).transpose().map_err(external)?);
        }
        Ok(Arc::new(oids.finish()))
    }

    fn oids_to_names(&self, column: &ArrayRef, source: PgType) -> Result<ArrayRef> {
        let mut names = StringBuilder::new();
        for oid in column.as_primitive::<UInt32Type>() {
            names.append_option(oid.map(|oid| objects::name_of_oid(&self.context, source.oid, oid)));
        }
        Ok(Arc::new(names.finish()))
    }
}

/// Between oids and integers, or an oid in a text.
fn oid_numbers(column: &ArrayRef, source: PgType, to: &DataType) -> Result<ArrayRef> {
    if source.is_string() {
        let mut oids = UInt32Builder::with_capacity(column.len());
        for text in column.as_string::<i32>() {
            oids.append_option(text.map(|text| text.trim().parse::<u32>().map_err(|_| invalid_oid(text))).transpose()?);
        }
        return Ok(Arc::new(oids.finish()));
    }
    // A negative int4 is the oid with the same bits, as in PostgreSQL.
    let wide = if source.oid == oid::INT4 { arrow_cast(column, &DataType::Int64)? } else { column.clone() };
    let mut builder = ColumnBuilder::new(to, column.len())?;
    let reader = crate::convert::ColumnReader::new(wide.as_ref(), PgType::of_arrow(wide.data_type()));
    for row in 0..wide.len() {
        let value = reader.value(row)?;
        let value = match value {
            sql::value::Value::Int8(number) if number < 0 && source.oid == oid::INT4 => sql::value::Value::Int8(number + (1 << 32)),
            other => other,
        };
        let value = narrowed(value, to).map_err(external)?;
        builder.push(&value)?;
    }
    builder.finish()
}

fn narrowed(value: sql::value::Value, to: &DataType) -> base::Result<sql::value::Value> {
    use sql::value::Value;
    let range = |name: &str| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range"));
    Ok(match (value, to) {
        (Value::Oid(number), DataType::Int32) => Value::Int4(number as i32),
        (Value::Int8(number), DataType::Int32) => Value::Int4(u32::try_from(number).map_err(|_| range("integer"))? as i32),
        (Value::Oid(_) | Value::Int8(_), DataType::Int16) => return Err(range("smallint")),
        (value, _) => value,
    })
}
