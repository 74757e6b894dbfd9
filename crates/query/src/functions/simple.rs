//! Functions that need the types of their arguments, or only them.

use crate::native::any_arguments;
use crate::types::{PgType, oid, result_field};
use datafusion::arrow::array::{Array, AsArray, Int32Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    TypeOf,
    ArrayUpper,
    ArrayLower,
    Plain,
    /// Gives its argument as a value of this type, which has the same carrier.
    Typed(PgType),
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Simple {
    name: String,
    kind: Kind,
    signature: Signature,
}

pub fn find(name: &str) -> Option<Arc<ScalarUDF>> {
    let kind = match name {
        "pg_typeof" => Kind::TypeOf,
        "array_upper" => Kind::ArrayUpper,
        "array_lower" => Kind::ArrayLower,
        crate::rewrite::subqueries::PLAIN => Kind::Plain,
        _ => return None,
    };
    Some(Arc::new(ScalarUDF::new_from_impl(Simple { name: name.to_owned(), kind, signature: any_arguments(Volatility::Immutable) })))
}

pub fn typed(ty: PgType) -> ScalarUDF {
    let name = format!("florin_typed {} {}", ty.oid, ty.modifier);
    ScalarUDF::new_from_impl(Simple { name, kind: Kind::Typed(ty), signature: any_arguments(Volatility::Immutable) })
}

impl ScalarUDFImpl for Simple {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Plain | Kind::Typed(_) => types[0].clone(),
            Kind::TypeOf => DataType::UInt32,
            Kind::ArrayUpper | Kind::ArrayLower => DataType::Int32,
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let expected = if matches!(self.kind, Kind::TypeOf | Kind::Plain | Kind::Typed(_)) { 1 } else { 2 };
        if args.arg_fields.len() != expected {
            return Err(crate::plan::undefined_function(&self.name));
        }
        if self.kind == Kind::Plain {
            return Ok(Arc::new(Field::new(&self.name, args.arg_fields[0].data_type().clone(), true)));
        }
        if let Kind::Typed(ty) = self.kind {
            return Ok(result_field(&self.name, ty, args.arg_fields[0].data_type().clone()));
        }
        let ty = if self.kind == Kind::TypeOf { oid::REGTYPE } else { oid::INT4 };
        Ok(result_field(&self.name, PgType::of(ty), self.return_type(&[])?))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if matches!(self.kind, Kind::Plain | Kind::Typed(_)) {
            return Ok(args.args[0].clone());
        }
        if self.kind == Kind::TypeOf {
            let ty = PgType::of_field(&args.arg_fields[0]);
            return Ok(ColumnarValue::Scalar(ScalarValue::UInt32(Some(ty.oid))));
        }
        let array = args.args[0].to_array(args.number_rows)?;
        let ScalarValue::Int64(Some(1)) = args.args[1].cast_to(&DataType::Int64, None).map(first_scalar)?? else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Int32(None)));
        };
        let DataType::List(_) = array.data_type() else { return Ok(ColumnarValue::Scalar(ScalarValue::Int32(None))) };
        let vector = matches!(PgType::of_field(&args.arg_fields[0]).oid, oid::INT2_VECTOR | oid::OID_VECTOR);
        let first = i32::from(!vector);
        let list = array.as_list::<i32>();
        let bound = |row: usize| {
            let length = list.value_length(row);
            (list.is_valid(row) && length > 0).then(|| if self.kind == Kind::ArrayLower { first } else { first + length - 1 })
        };
        let bounds: Int32Array = (0..list.len()).map(bound).collect();
        Ok(ColumnarValue::Array(Arc::new(bounds)))
    }
}

/// Arrays here have one dimension, so it is only looked at whether that is the one asked for.
fn first_scalar(value: ColumnarValue) -> Result<ScalarValue> {
    match value {
        ColumnarValue::Scalar(scalar) => Ok(scalar),
        ColumnarValue::Array(array) if array.is_empty() => Ok(ScalarValue::Int64(None)),
        ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0),
    }
}
