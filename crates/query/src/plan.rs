//! From a syntax tree to a typed plan, with the description of its result.

use crate::context::QueryContext;
use crate::convert::scalar;
use crate::dependencies;
use crate::error::{external, raise, translate};
use crate::functions::Functions;
use crate::names::{self, Relation};
use crate::operators::OperatorPlanner;
use crate::port::Port;
use crate::rewrite::{self, columns::visible};
use crate::run::client_field;
use crate::source::{StoredTable, SystemTable};
use crate::system;
use crate::types::PgType;
use crate::unions;
use base::{Error, Result, SqlState};
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::metadata::{FieldMetadata, ScalarAndMetadata};
use datafusion::common::{DataFusionError, ParamValues, ScalarValue, TableReference};
use datafusion::datasource::{TableProvider, provider_as_source};
use datafusion::execution::session_state::SessionState;
use datafusion::functions_nested::planner::NestedFunctionPlanner;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast::{Query, Statement};
use sql::client::Field;
use sql::engine::QueryJob;
use std::sync::{Arc, Mutex, PoisonError};

/// A plan whose types are settled, not yet optimized.
pub struct Planned {
    pub plan: LogicalPlan,
    pub fields: Vec<Field>,
    pub types: Vec<PgType>,
    pub parameter_types: Vec<u32>,
}

/// Parameter types that the operators beside them tell: index to oid, 0 where unknown.
pub type Inferred = Arc<Mutex<Vec<u32>>>;

/// `run`: the parameters' values are there; else they only get their types.
pub fn plan(job: &QueryJob, context: &Arc<QueryContext>, state: &Arc<SessionState>, port: &Arc<Port>, run: bool) -> Result<Planned> {
    let mut parameters = job.parameter_types.clone();
    for (index, value) in job.parameters.iter().enumerate() {
        if parameters.len() <= index {
            parameters.push(0);
        }
        if parameters[index] == 0 {
            parameters[index] = oid_of_value(value);
        }
    }
    let query = rewrite::rewrite(&job.query, &mut parameters)?;
    let mut logical = sql_to_plan(&query, context, state, port, &mut parameters)?;
    if run {
        logical = with_values(logical, job, &parameters)?;
    }
    unions::check(&logical).map_err(translate)?;
    let analyzed = state.analyzer().execute_and_check(logical, state.config_options(), |_, _| {}).map_err(translate)?;
    let analyzed = unions::unify(analyzed).map_err(translate)?;
    if !run {
        finish_parameters(&analyzed, &mut parameters)?;
    }
    let schema = analyzed.schema();
    let (fields, types) = schema.fields().iter().map(|field| client_field(visible(field.name()), field)).unzip();
    Ok(Planned { plan: analyzed, fields, types, parameter_types: parameters })
}

pub fn optimize(planned: &Planned, state: &SessionState) -> Result<LogicalPlan> {
    let plan = dependencies::forget(planned.plan.clone()).map_err(translate)?;
    let optimized = state.optimizer().optimize(plan, state, |_, _| {}).map_err(translate)?;
    dependencies::remove(optimized).map_err(translate)
}

/// Plans; a second time if that told the type of a parameter, since types above it depend on it.
fn sql_to_plan(
    query: &Query,
    context: &Arc<QueryContext>,
    state: &Arc<SessionState>,
    port: &Arc<Port>,
    parameters: &mut Vec<u32>,
) -> Result<LogicalPlan> {
    let inferred = Inferred::new(Mutex::new(parameters.clone()));
    let tables = Tables::new(context.clone(), state.clone(), port.clone(), inferred.clone());
    let plan_once = |parameters: &[u32]| {
        let options = ParserOptions::new().with_parse_float_as_decimal(true).with_map_string_types_to_utf8view(false);
        let planner = SqlToRel::new_with_options(&tables, options);
        let mut planner_context = PlannerContext::new().with_prepare_param_data_types(parameter_fields(parameters)?);
        let statement = Statement::Query(Box::new(query.clone()));
        planner.sql_statement_to_plan_with_context(statement, &mut planner_context).map_err(translate)
    };
    let first = plan_once(parameters)?;
    let found = inferred.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if found == *parameters {
        return Ok(first);
    }
    *parameters = found;
    plan_once(parameters)
}

fn parameter_fields(parameters: &[u32]) -> Result<Vec<Option<FieldRef>>> {
    let field = |(index, oid): (usize, &u32)| match oid {
        0 => Ok(None),
        oid => {
            let field = PgType::of(*oid).field(&format!("${}", index + 1));
            field
                .map(|field| Some(Arc::new(field)))
                .ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, format!("type with OID {oid} does not exist")))
        }
    };
    parameters.iter().enumerate().map(field).collect()
}

/// What a value's own type says, for parameters that nobody described.
fn oid_of_value(value: &sql::value::Value) -> u32 {
    use crate::types::oid;
    use sql::value::Value;
    match value {
        Value::Bool(_) => oid::BOOL,
        Value::Int2(_) => oid::INT2,
        Value::Int4(_) => oid::INT4,
        Value::Int8(_) => oid::INT8,
        Value::Float4(_) => oid::FLOAT4,
        Value::Float8(_) => oid::FLOAT8,
        Value::Numeric(_) => oid::NUMERIC,
        Value::Bytea(_) => oid::BYTEA,
        Value::Date(_) => oid::DATE,
        Value::Time(_) => oid::TIME,
        Value::Timestamp(_) => oid::TIMESTAMP,
        Value::TimestampTz(_) => oid::TIMESTAMPTZ,
        Value::Interval(_) => oid::INTERVAL,
        Value::Uuid(_) => oid::UUID,
        Value::Oid(_) => oid::OID,
        Value::Json(_) => oid::JSON,
        Value::Jsonb(_) => oid::JSONB,
        Value::Null | Value::Text(_) | Value::Array(_) => 0,
    }
}

fn with_values(plan: LogicalPlan, job: &QueryJob, parameters: &[u32]) -> Result<LogicalPlan> {
    if parameters.len() > job.parameters.len() {
        let missing = job.parameters.len() + 1;
        return Err(Error::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter ${missing}")));
    }
    let mut values = Vec::with_capacity(job.parameters.len());
    for (value, oid) in job.parameters.iter().zip(parameters) {
        let ty = PgType::of(if *oid == 0 { crate::types::oid::TEXT } else { *oid });
        let carrier = ty.arrow().ok_or_else(|| Error::unsupported(format!("a parameter of the type with OID {oid}")))?;
        let value = scalar(value, &numeric_carrier(carrier, value)).map_err(translate)?;
        let field = ty.mark(datafusion::arrow::datatypes::Field::new("", value.data_type(), true));
        values.push(ScalarAndMetadata::new(value, Some(FieldMetadata::from(&field))));
    }
    plan.with_param_values(ParamValues::List(values)).map_err(translate)
}

/// A numeric parameter keeps its own scale.
fn numeric_carrier(carrier: DataType, value: &sql::value::Value) -> DataType {
    match (&carrier, value) {
        (DataType::Decimal128(precision, _), sql::value::Value::Numeric(numeric)) => {
            DataType::Decimal128(*precision, i8::try_from(numeric.scale).unwrap_or(0))
        }
        _ => carrier,
    }
}

/// Types that only the planner's own inference found; the rest is text, as in PostgreSQL.
fn finish_parameters(plan: &LogicalPlan, parameters: &mut Vec<u32>) -> Result<()> {
    let found = plan.get_parameter_fields().map_err(translate)?;
    for (name, field) in found {
        let Some(index) = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok()).and_then(|number| number.checked_sub(1))
        else {
            continue;
        };
        if parameters.len() <= index {
            parameters.resize(index + 1, 0);
        }
        if parameters[index] == 0 {
            parameters[index] = field.map_or(crate::types::oid::TEXT, |field| PgType::of_field(&field).oid);
        }
    }
    Ok(())
}

/// What the planner asks for by name.
struct Tables {
    context: Arc<QueryContext>,
    state: Arc<SessionState>,
    port: Arc<Port>,
    functions: Functions,
    expression_planners: Vec<Arc<dyn ExprPlanner>>,
}

impl Tables {
    fn new(context: Arc<QueryContext>, state: Arc<SessionState>, port: Arc<Port>, inferred: Inferred) -> Tables {
        let functions = Functions::new(context.clone(), state.clone());
        let mut expression_planners: Vec<Arc<dyn ExprPlanner>> =
            vec![Arc::new(OperatorPlanner::new(context.clone(), inferred)), Arc::new(NestedFunctionPlanner)];
        expression_planners.extend(state.expr_planners().iter().cloned());
        Tables { functions, expression_planners, context, state, port }
    }

    fn provider(&self, schema: Option<&str>, name: &str) -> Result<Arc<dyn TableProvider>, Error> {
        let is_system = |schema: &str, name: &str| system::find(schema, name).is_some();
        match names::resolve(&self.context, schema, name, is_system)? {
            Relation::Stored(table) => Ok(Arc::new(StoredTable::new(table, self.port.clone())?)),
            Relation::System { schema, name } => {
                let definition = system::find(&schema, &name).ok_or_else(|| names::undefined_table(Some(&schema), &name))?;
                Ok(Arc::new(SystemTable::new(definition, self.context.clone(), self.port.clone())?))
            }
            Relation::Sequence => Err(Error::unsupported("reading a sequence as a table")),
        }
    }
}

impl ContextProvider for Tables {
    fn get_table_source(&self, name: TableReference) -> datafusion::common::Result<Arc<dyn TableSource>> {
        if let Some(catalog) = name.catalog()
            && catalog != self.context.settings.database
        {
            return Err(raise(SqlState::FEATURE_NOT_SUPPORTED, format!("cross-database references are not implemented: \"{name}\"")));
        }
        let provider = self.provider(name.schema(), name.table()).map_err(external)?;
        Ok(provider_as_source(provider))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> datafusion::common::Result<Arc<dyn TableSource>> {
        let table = datafusion::datasource::cte_worktable::CteWorkTable::new(name, schema);
        Ok(provider_as_source(Arc::new(table)))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expression_planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.scalar(name)
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions.aggregate(name)
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    /// Never shown, but the planner wants some name to suggest.
    fn udf_names(&self) -> Vec<String> {
        vec![String::from("coalesce")]
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A constant of one of our types.
pub fn literal(value: ScalarValue, ty: PgType) -> datafusion::logical_expr::Expr {
    let field = ty.mark(datafusion::arrow::datatypes::Field::new("", value.data_type(), true));
    datafusion::logical_expr::Expr::Literal(value, Some(FieldMetadata::from(&field)))
}

/// For functions that must not be there.
pub fn undefined_function(name: &str) -> DataFusionError {
    raise(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist"))
}
