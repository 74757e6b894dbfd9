//! `sum` and `avg` with PostgreSQL's types: exact over integers and `numeric`, with overflow as an error. Over floating-point
//! numbers and intervals the library's are used.

use crate::arithmetic::mean;
use crate::convert::numeric_too_wide;
use crate::error::{external, raise};
use crate::types::{NUMERIC_PRECISION, PgType, QUOTIENT_SCALE, oid, result_field};
use base::{Error, SqlState};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, PrimitiveArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Field, FieldRef, Int16Type, Int32Type, Int64Type, IntervalUnit,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};
use std::collections::BTreeSet;
use std::mem::size_of;
use std::sync::Arc;

/// Our own aggregate of this name.
pub fn find(name: &str, state: &SessionState) -> Option<Arc<AggregateUDF>> {
    if name == crate::rewrite::subqueries::SINGLE {
        return Some(Arc::new(AggregateUDF::new_from_impl(Single { signature: Signature::any(1, Volatility::Immutable) })));
    }
    let mean = match name {
        "sum" => false,
        "avg" => true,
        _ => return None,
    };
    let datafusions = state.aggregate_functions().get(name)?.clone();
    Some(Arc::new(AggregateUDF::new_from_impl(Exact { mean, datafusions, signature: Signature::user_defined(Volatility::Immutable) })))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    mean: bool,
    datafusions: Arc<AggregateUDF>,
    signature: Signature,
}

/// Computed here, not by the library.
fn is_exact(carrier: &DataType) -> bool {
    matches!(carrier, DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Decimal128(_, _))
}

impl Exact {
    /// What the argument is brought to. The library asks more than once: what came out must stay as it is.
    fn argument(&self, data_type: &DataType) -> Result<DataType> {
        Ok(match data_type {
            DataType::Int16 | DataType::Int32 => data_type.clone(),
            DataType::Int64 => DataType::Decimal128(NUMERIC_PRECISION, 0),
            DataType::Decimal128(_, scale) => DataType::Decimal128(NUMERIC_PRECISION, *scale),
            DataType::Float32 | DataType::Float64 => DataType::Float64,
            DataType::Interval(IntervalUnit::MonthDayNano) if !self.mean => data_type.clone(),
            other => {
                let name = crate::operators::type_name(PgType::of_arrow(other));
                let error = Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {}({name}) does not exist", self.name()));
                return Err(external(
                    error.with_hint("No function matches the given name and argument types. You might need to add explicit type casts."),
                ));
            }
        })
    }

    fn result(&self, argument: &DataType) -> Result<DataType> {
        Ok(match (self.mean, argument) {
            (true, DataType::Int64 | DataType::Int32 | DataType::Int16) => DataType::Decimal128(NUMERIC_PRECISION, QUOTIENT_SCALE),
            (true, DataType::Decimal128(_, scale)) => DataType::Decimal128(NUMERIC_PRECISION, QUOTIENT_SCALE.max(*scale)),
            (false, DataType::Int32 | DataType::Int16) => DataType::Int64,
            (_, argument) => argument.clone(),
        })
    }

    fn kind(&self, args: &AccumulatorArgs) -> Kind {
        let scale = |data_type: &DataType| if let DataType::Decimal128(_, scale) = data_type { *scale } else { 0 };
        let argument = args.expr_fields.first().map_or(0, |field| scale(field.data_type()));
        Kind { mean: self.mean, argument, result: scale(args.return_type()), integer: *args.return_type() == DataType::Int64 }
    }
}

/// What is done with the sum in the end.
#[derive(Clone, Copy, Debug)]
struct Kind {
    mean: bool,
    /// Fractional digits of the arguments and of the result.
    argument: i8,
    result: i8,
    /// The result is an `int8`.
    integer: bool,
}

impl Kind {
    fn finish(self, sum: i128, count: i64) -> Result<Option<i128>> {
        if count == 0 {
            return Ok(None);
        }
        let result =
            if self.mean { mean(sum, self.argument, count, self.result).ok_or_else(|| numeric_too_wide(self.result))? } else { sum };
        let fits =
            if self.integer { i64::try_from(result).is_ok() } else { result.unsigned_abs() < 10u128.pow(u32::from(NUMERIC_PRECISION)) };
        if !fits {
            return Err(raise(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                if self.integer { "bigint out of range" } else { "value overflows numeric format" },
            ));
        }
        Ok(Some(result))
    }

    fn scalar(self, value: Option<i128>) -> ScalarValue {
        if self.integer {
            ScalarValue::Int64(value.map(|value| value as i64))
        } else {
            ScalarValue::Decimal128(value, NUMERIC_PRECISION, self.result)
        }
    }

    fn state_type(self) -> DataType {
        DataType::Decimal128(NUMERIC_PRECISION, self.argument)
    }
}

fn overflow() -> datafusion::common::DataFusionError {
    raise(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

/// Calls `visit` with the row and the number of each row that has one.
fn each(array: &ArrayRef, visit: impl FnMut(usize, i128) -> Result<()>) -> Result<()> {
    match array.data_type() {
        DataType::Int16 => each_of::<Int16Type>(array, visit),
        DataType::Int32 => each_of::<Int32Type>(array, visit),
        DataType::Int64 => each_of::<Int64Type>(array, visit),
        _ => each_of::<Decimal128Type>(array, visit),
    }
}

fn each_of<T: ArrowPrimitiveType<Native: Into<i128>>>(array: &ArrayRef, mut visit: impl FnMut(usize, i128) -> Result<()>) -> Result<()> {
    let numbers = array.as_primitive::<T>();
    for row in 0..numbers.len() {
        if numbers.is_valid(row) {
            visit(row, numbers.value(row).into())?;
        }
    }
    Ok(())
}

impl AggregateUDFImpl for Exact {
    fn name(&self) -> &str {
        if self.mean { "avg" } else { "sum" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [only] => Ok(vec![self.argument(only)?]),
            _ => Err(crate::plan::undefined_function(self.name())),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.result(types.first().unwrap_or(&DataType::Null))
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        let carrier = self.result(fields.first().map_or(&DataType::Null, |field| field.data_type()))?;
        let plain = PgType::of_arrow(&carrier);
        let ty = if plain.oid == oid::NUMERIC { PgType::of(oid::NUMERIC) } else { plain };
        Ok(result_field(self.name(), ty, carrier))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let argument = args.input_fields[0].data_type();
        if !is_exact(argument) {
            return self.datafusions.state_fields(args);
        }
        let sum = match argument {
            DataType::Decimal128(_, scale) => DataType::Decimal128(NUMERIC_PRECISION, *scale),
            _ => DataType::Decimal128(NUMERIC_PRECISION, 0),
        };
        if args.is_distinct {
            return Ok(vec![Arc::new(Field::new_list(format!("{}[values]", args.name), Field::new_list_field(sum, true), true))]);
        }
        Ok(vec![
            Arc::new(Field::new(format!("{}[sum]", args.name), sum, true)),
            Arc::new(Field::new(format!("{}[count]", args.name), DataType::Int64, true)),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if !is_exact(args.expr_fields[0].data_type()) {
            return self.datafusions.accumulator(args);
        }
        let kind = self.kind(&args);
        if args.is_distinct {
            Ok(Box::new(DistinctTotal { kind, values: BTreeSet::new() }))
        } else {
            Ok(Box::new(Total { kind, sum: 0, count: 0 }))
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if !is_exact(args.expr_fields[0].data_type()) {
            return self.datafusions.create_sliding_accumulator(args);
        }
        self.accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        if !is_exact(args.expr_fields[0].data_type()) {
            return self.datafusions.groups_accumulator_supported(args);
        }
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if !is_exact(args.expr_fields[0].data_type()) {
            return self.datafusions.create_groups_accumulator(args);
        }
        Ok(Box::new(Totals { kind: self.kind(&args), sums: Vec::new(), counts: Vec::new() }))
    }
}

/// Of one group.
#[derive(Debug)]
struct Total {
    kind: Kind,
    sum: i128,
    count: i64,
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |_, number| {
            self.sum = self.sum.checked_add(number).ok_or_else(overflow)?;
            self.count += 1;
            Ok(())
        })
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |_, number| {
            self.sum = self.sum.checked_sub(number).ok_or_else(overflow)?;
            self.count -= 1;
            Ok(())
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.kind.scalar(self.kind.finish(self.sum, self.count)?))
    }

    fn size(&self) -> usize {
        size_of::<Total>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Decimal128(Some(self.sum), NUMERIC_PRECISION, self.kind.argument), ScalarValue::Int64(Some(self.count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts: &Int64Array = states[1].as_primitive();
        each(&states[0], |row, number| {
            self.sum = self.sum.checked_add(number).ok_or_else(overflow)?;
            self.count += counts.value(row);
            Ok(())
        })
    }
}

/// Of one group, each number once.
#[derive(Debug)]
struct DistinctTotal {
    kind: Kind,
    values: BTreeSet<i128>,
}

impl Accumulator for DistinctTotal {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |_, number| {
            self.values.insert(number);
            Ok(())
        })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.values.iter().try_fold(0i128, |sum, number| sum.checked_add(*number)).ok_or_else(overflow)?;
        Ok(self.kind.scalar(self.kind.finish(sum, i64::try_from(self.values.len()).unwrap_or(i64::MAX))?))
    }

    fn size(&self) -> usize {
        size_of::<DistinctTotal>() + self.values.len() * size_of::<i128>() * 2
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let numbers: Vec<ScalarValue> =
            self.values.iter().map(|number| ScalarValue::Decimal128(Some(*number), NUMERIC_PRECISION, self.kind.argument)).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&numbers, &self.kind.state_type()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.update_batch(&[list])?;
        }
        Ok(())
    }
}

/// Of many groups.
struct Totals {
    kind: Kind,
    sums: Vec<i128>,
    counts: Vec<i64>,
}

impl Totals {
    fn grow(&mut self, groups: usize) {
        self.sums.resize(groups, 0);
        self.counts.resize(groups, 0);
    }
}

impl GroupsAccumulator for Totals {
    fn update_batch(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>, total: usize) -> Result<()> {
        self.grow(total);
        each(&values[0], |row, number| {
            if filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row)) {
                let sum = &mut self.sums[groups[row]];
                *sum = sum.checked_add(number).ok_or_else(overflow)?;
                self.counts[groups[row]] += 1;
            }
            Ok(())
        })
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let (sums, counts) = (emit.take_needed(&mut self.sums), emit.take_needed(&mut self.counts));
        let results: Vec<Option<i128>> =
            sums.into_iter().zip(counts).map(|(sum, count)| self.kind.finish(sum, count)).collect::<Result<_>>()?;
        if self.kind.integer {
            let numbers: Int64Array = results.into_iter().map(|result| result.map(|number| number as i64)).collect();
            return Ok(Arc::new(numbers));
        }
        let numbers: Decimal128Array = results.into_iter().collect();
        Ok(Arc::new(numbers.with_data_type(DataType::Decimal128(NUMERIC_PRECISION, self.kind.result))))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, counts) = (emit.take_needed(&mut self.sums), emit.take_needed(&mut self.counts));
        let sums = PrimitiveArray::<Decimal128Type>::from_iter_values(sums).with_data_type(self.kind.state_type());
        Ok(vec![Arc::new(sums), Arc::new(Int64Array::from(counts))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.grow(total);
        let counts: &Int64Array = states[1].as_primitive();
        each(&states[0], |row, number| {
            let sum = &mut self.sums[groups[row]];
            *sum = sum.checked_add(number).ok_or_else(overflow)?;
            self.counts[groups[row]] += counts.value(row);
            Ok(())
        })
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let numbers = cast(&values[0], &self.kind.state_type())?;
        let numbers: &Decimal128Array = numbers.as_primitive();
        let taken = |row: usize| numbers.is_valid(row) && filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let sums: Vec<i128> = (0..numbers.len()).map(|row| if taken(row) { numbers.value(row) } else { 0 }).collect();
        let counts: Vec<i64> = (0..numbers.len()).map(|row| i64::from(taken(row))).collect();
        let sums = PrimitiveArray::<Decimal128Type>::from_iter_values(sums).with_data_type(self.kind.state_type());
        Ok(vec![Arc::new(sums), Arc::new(Int64Array::from(counts))])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.counts.capacity() * size_of::<i64>()
    }
}

/// The value of the only row: what a scalar subquery gives.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Single {
    signature: Signature,
}

impl AggregateUDFImpl for Single {
    fn name(&self) -> &str {
        crate::rewrite::subqueries::SINGLE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        Ok(result_field(self.name(), PgType::of_field(&fields[0]), fields[0].data_type().clone()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let value = Field::new(format!("{}[value]", args.name), args.input_fields[0].data_type().clone(), true);
        Ok(vec![Arc::new(value), Arc::new(Field::new(format!("{}[count]", args.name), DataType::Int64, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OnlyValue { value: ScalarValue::try_new_null(args.return_type())?, count: 0 }))
    }
}

#[derive(Debug)]
struct OnlyValue {
    value: ScalarValue,
    count: i64,
}

impl OnlyValue {
    fn add(&mut self, values: &ArrayRef, row: usize, count: i64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        self.count += count;
        if self.count > 1 {
            return Err(raise(SqlState::CARDINALITY_VIOLATION, "more than one row returned by a subquery used as an expression"));
        }
        self.value = ScalarValue::try_from_array(values, row)?;
        Ok(())
    }
}

impl Accumulator for OnlyValue {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        (0..values[0].len()).try_for_each(|row| self.add(&values[0], row, 1))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts: Int64Array = states[1].as_primitive::<Int64Type>().clone();
        (0..states[0].len()).try_for_each(|row| self.add(&states[0], row, counts.value(row)))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::Int64(Some(self.count))])
    }

    fn size(&self) -> usize {
        size_of::<OnlyValue>() + self.value.size()
    }
}
