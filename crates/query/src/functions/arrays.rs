//! Arrays: subscripts, empty instead of NULL, and series of numbers.

use crate::error::{external, raise};
use crate::native::any_arguments;
use crate::types::{PgType, oid, result_field};
use base::{Error, SqlState};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int32Builder, Int64Array, Int64Builder, ListArray, ListBuilder, UInt32Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// Longest series in one value.
const SERIES_MAX: i64 = 10_000_000;

/// `array[index]`: NULL outside. Vectors count from 0, arrays from 1.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Subscript {
    signature: Signature,
}

impl Subscript {
    pub fn udf() -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Subscript { signature: Signature::any(2, Volatility::Immutable) }))
    }
}

impl ScalarUDFImpl for Subscript {
    fn name(&self) -> &str {
        "florin_subscript"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match &types[0] {
            DataType::List(element) => Ok(element.data_type().clone()),
            DataType::Null => Ok(DataType::Null),
            _ => Err(raise(SqlState::DATATYPE_MISMATCH, "cannot subscript a value that is not an array")),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let carrier = self.return_type(&[args.arg_fields[0].data_type().clone()])?;
        let element = PgType::of_field(&args.arg_fields[0]).element().unwrap_or(PgType::of_arrow(&carrier));
        Ok(result_field("florin_subscript", element, carrier))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let (array, index) = (args.args[0].to_array(rows)?, args.args[1].to_array(rows)?);
        if *array.data_type() == DataType::Null {
            return Ok(ColumnarValue::Array(array));
        }
        let first = i64::from(!matches!(PgType::of_field(&args.arg_fields[0]).oid, oid::INT2_VECTOR | oid::OID_VECTOR));
        let list = array.as_list::<i32>();
        let index = cast(&index, &DataType::Int64)?;
        let index: &Int64Array = index.as_primitive();
        let position = |row: usize| {
            if list.is_null(row) || index.is_null(row) {
                return None;
            }
            let at = index.value(row).checked_sub(first).filter(|at| (0..i64::from(list.value_length(row))).contains(at))?;
            u32::try_from(i64::from(list.value_offsets()[row]) + at).ok()
        };
        let positions: UInt32Array = (0..rows).map(position).collect();
        Ok(ColumnarValue::Array(take(list.values(), &positions, None)?))
    }
}

/// The array, or an empty one for NULL: an aggregate over no rows gives NULL where `ARRAY(SELECT …)` is empty.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ArrayOrEmpty {
    signature: Signature,
}

impl ArrayOrEmpty {
    pub fn udf() -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(ArrayOrEmpty { signature: Signature::any(1, Volatility::Immutable) }))
    }
}

impl ScalarUDFImpl for ArrayOrEmpty {
    fn name(&self) -> &str {
        "florin_array_or_empty"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let field = &args.arg_fields[0];
        Ok(result_field("array", PgType::of_field(field), field.data_type().clone()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        let DataType::List(field) = array.data_type() else { return Ok(ColumnarValue::Array(array)) };
        let list = array.as_list::<i32>();
        let lengths = (0..list.len()).map(|row| if list.is_null(row) { 0 } else { usize::try_from(list.value_length(row)).unwrap_or(0) });
        let offsets = OffsetBuffer::from_lengths(lengths);
        // NULLs have no elements of their own, so the values stay as they are, from the first that is used.
        let first = usize::try_from(list.value_offsets()[0]).unwrap_or(0);
        let last = usize::try_from(list.value_offsets()[list.len()]).unwrap_or(0);
        let values: ArrayRef = list.values().slice(first, last - first);
        Ok(ColumnarValue::Array(Arc::new(ListArray::try_new(field.clone(), offsets, values, None)?)))
    }
}

/// `generate_series(start, stop [, step])` over integers, as one array.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Series {
    signature: Signature,
}

impl Series {
    pub fn udf() -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Series { signature: any_arguments(Volatility::Immutable) }))
    }
}

fn series_item(types: &[DataType]) -> Result<DataType> {
    if !(2..=3).contains(&types.len()) {
        return Err(raise(SqlState::UNDEFINED_FUNCTION, "function generate_series with these arguments does not exist"));
    }
    let fits = |data_type: &DataType| matches!(data_type, DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Null);
    if !types.iter().all(fits) {
        return Err(external(Error::unsupported("generate_series over other types than integers")));
    }
    Ok(if types.contains(&DataType::Int64) { DataType::Int64 } else { DataType::Int32 })
}

impl ScalarUDFImpl for Series {
    fn name(&self) -> &str {
        "generate_series"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(series_item(types)?, true))))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let carrier = self.return_type(&types)?;
        Ok(result_field("generate_series", PgType::of_arrow(&carrier), carrier))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let mut columns = Vec::with_capacity(args.args.len());
        for argument in &args.args {
            columns.push(cast(&argument.to_array(rows)?, &DataType::Int64)?);
        }
        let columns: Vec<&Int64Array> = columns.iter().map(|column| column.as_primitive::<Int64Type>()).collect();
        let wide = matches!(args.return_field.data_type(), DataType::List(item) if *item.data_type() == DataType::Int64);
        let mut long = ListBuilder::new(Int64Builder::new());
        let mut short = ListBuilder::new(Int32Builder::new());
        for row in 0..rows {
            let numbers = match columns.iter().all(|column| column.is_valid(row)) {
                true => series(columns[0].value(row), columns[1].value(row), columns.get(2).map_or(1, |column| column.value(row)))?,
                false => Vec::new(),
            };
            for number in numbers {
                match wide {
                    true => long.values().append_value(number),
                    false => short.values().append_value(
                        i32::try_from(number).map_err(|_| raise(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?,
                    ),
                }
            }
            if wide { long.append(true) } else { short.append(true) }
        }
        Ok(ColumnarValue::Array(if wide { Arc::new(long.finish()) } else { Arc::new(short.finish()) }))
    }
}

fn series(start: i64, stop: i64, step: i64) -> Result<Vec<i64>> {
    if step == 0 {
        return Err(raise(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    if (step > 0 && start > stop) || (step < 0 && start < stop) {
        return Ok(Vec::new());
    }
    let count = (i128::from(stop) - i128::from(start)) / i128::from(step) + 1;
    if count > i128::from(SERIES_MAX) {
        return Err(external(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("a series cannot have more than {SERIES_MAX} numbers"))));
    }
    Ok((0..count as i64).map(|index| start + index * step).collect())
}

/// Computes an expression for each element.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Map {
    element: Arc<ScalarUDF>,
    signature: Signature,
}

impl Map {
    pub fn udf(element: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Map { element, signature: Signature::any(1, Volatility::Immutable) }))
    }

    fn item(&self, list: &Field) -> Result<FieldRef> {
        let DataType::List(item) = list.data_type() else {
            return Err(raise(SqlState::DATATYPE_MISMATCH, "unnest of a value that is not an array"));
        };
        let ty = PgType::of_field(list).element().unwrap_or(PgType::of_arrow(item.data_type()));
        Ok(result_field("item", ty, item.data_type().clone()))
    }
}

impl ScalarUDFImpl for Map {
    fn name(&self) -> &str {
        "florin_map"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(external(Error::internal("a map was asked for its type without its argument")))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let item = self.item(&args.arg_fields[0])?;
        let result = self.element.return_field_from_args(ReturnFieldArgs { arg_fields: &[item], scalar_arguments: &[None] })?;
        let carrier = DataType::List(Arc::new(Field::new_list_field(result.data_type().clone(), true)));
        let ty = PgType::of_field(&result).array().unwrap_or(PgType::of_arrow(&carrier));
        Ok(result_field("array", ty, carrier))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        let DataType::List(field) = args.return_field.data_type() else {
            return Err(external(Error::internal("a map that gives no array")));
        };
        let list = array.as_list::<i32>();
        let item = self.item(&args.arg_fields[0])?;
        let elements = ScalarFunctionArgs {
            args: vec![ColumnarValue::Array(list.values().clone())],
            arg_fields: vec![item],
            number_rows: list.values().len(),
            return_field: field.clone(),
            config_options: args.config_options.clone(),
        };
        let mapped = self.element.invoke_with_args(elements)?.to_array(list.values().len())?;
        // NULL instead of an array has no elements, and `ARRAY(…)` over none is empty.
        let mapped = ListArray::try_new(field.clone(), list.offsets().clone(), mapped, list.nulls().cloned())?;
        let empty = ScalarFunctionArgs {
            args: vec![ColumnarValue::Array(Arc::new(mapped))],
            arg_fields: vec![args.return_field.clone()],
            number_rows: args.number_rows,
            return_field: args.return_field,
            config_options: args.config_options,
        };
        ArrayOrEmpty::udf().invoke_with_args(empty)
    }
}
