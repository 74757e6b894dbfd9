//! Calls of the functions over the catalog, row by row.

use crate::context::QueryContext;
use crate::convert::{ColumnBuilder, ColumnReader};
use crate::error::external;
use crate::native::any_arguments;
use crate::system::functions::CatalogFunction;
use crate::types::{PgType, oid, result_field};
use base::{Error, SqlState};
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use sql::value::Value;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub struct CatalogCall {
    function: &'static CatalogFunction,
    context: Arc<QueryContext>,
    signature: Signature,
}

impl fmt::Debug for CatalogCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.name)
    }
}

impl PartialEq for CatalogCall {
    fn eq(&self, other: &CatalogCall) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for CatalogCall {}

impl Hash for CatalogCall {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl CatalogCall {
    pub fn udf(function: &'static CatalogFunction, context: Arc<QueryContext>) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(CatalogCall { function, context, signature: any_arguments(Volatility::Immutable) }))
    }

    fn refuse(&self, arguments: &[FieldRef]) -> datafusion::common::DataFusionError {
        let types: Vec<String> = arguments.iter().map(|field| crate::operators::type_name(PgType::of_field(field))).collect();
        external(Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {}({}) does not exist", self.function.name, types.join(", "))))
    }

    /// A relation may be given by name where its oid is wanted: `pg_relation_size('orders')`.
    fn run(&self, mut arguments: Vec<Value>) -> Result<Value> {
        if self.function.strict && arguments.iter().any(|argument| matches!(argument, Value::Null)) {
            return Ok(Value::Null);
        }
        if takes_relation(self.function.name)
            && let Some(Value::Text(name)) = arguments.first()
        {
            let oid = crate::system::objects::oid_of_name(&self.context, oid::REGCLASS, name).map_err(external)?;
            arguments[0] = crate::system::oid_value(oid);
        }
        (self.function.run)(&self.context, &arguments).map_err(external)
    }
}

fn takes_relation(name: &str) -> bool {
    matches!(
        name,
        "pg_relation_size"
            | "pg_table_size"
            | "pg_indexes_size"
            | "pg_total_relation_size"
            | "pg_relation_filenode"
            | "pg_relation_is_publishable"
            | "pg_get_indexdef"
            | "pg_index_column_has_property"
    )
}

impl ScalarUDFImpl for CatalogCall {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        PgType::of(self.function.returns).arrow().ok_or_else(|| external(Error::internal("a function's result has no carrier")))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        if !(self.function.arguments_min..=self.function.arguments_max).contains(&args.arg_fields.len()) {
            return Err(self.refuse(args.arg_fields));
        }
        Ok(result_field(self.function.name, PgType::of(self.function.returns), self.return_type(&[])?))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let arrays: Vec<ArrayRef> = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<_>>()?;
        let readers: Vec<ColumnReader<'_>> =
            arrays.iter().zip(&args.arg_fields).map(|(array, field)| ColumnReader::new(array.as_ref(), PgType::of_field(field))).collect();
        let mut builder = ColumnBuilder::new(args.return_field.data_type(), rows)?;
        for row in 0..rows {
            let values = readers.iter().map(|reader| reader.value(row)).collect::<Result<Vec<Value>>>()?;
            builder.push(&self.run(values)?)?;
        }
        let array = builder.finish()?;
        if constant { Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)) } else { Ok(ColumnarValue::Array(array)) }
    }
}
