//! One query, from its job to its last row.

use crate::context::QueryContext;
use crate::convert::ColumnReader;
use crate::error::translate;
use crate::explain;
use crate::plan::{self, Planned};
use crate::port::Port;
use crate::system::objects;
use crate::types::PgType;
use base::Result;
use datafusion::arrow::array::RecordBatch;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use sql::client::Field as ClientField;
use sql::engine::{CHUNK_ROWS, EngineEvent, QueryJob};
use sql::value::Value;
use std::sync::Arc;

/// Answers `Described`, then (if it is to run) rows; the event that it returns is the last. `None`: all is said.
pub async fn run(job: QueryJob, run: bool, state: Arc<SessionState>, port: Arc<Port>) -> Result<Option<EngineEvent>> {
    let context = Arc::new(QueryContext::new(job.catalog.clone(), job.settings.clone()));
    let planned = plan::plan(&job, &context, &state, &port, run)?;
    let described = EngineEvent::Described { fields: planned.fields.clone(), parameter_types: planned.parameter_types.clone() };
    if !run {
        return Ok(Some(described));
    }
    port.send(described);
    let optimized = plan::optimize(&planned, &state)?;
    let physical = state.query_planner().create_physical_plan(&optimized, state.as_ref()).await.map_err(translate)?;
    let explain = match job.explain {
        None => {
            send_rows(&planned, physical, &state, &port, &context).await?;
            None
        }
        Some(explain) => {
            if explain.analyze {
                drain(physical.clone(), &state).await?;
            }
            Some(explain::text(physical.as_ref(), explain.analyze))
        }
    };
    Ok(Some(EngineEvent::Done { explain }))
}

/// Runs for the figures only.
async fn drain(physical: Arc<dyn ExecutionPlan>, state: &SessionState) -> Result<()> {
    let mut stream = execute_stream(physical, state.task_ctx()).map_err(translate)?;
    while let Some(batch) = stream.next().await {
        batch.map_err(translate)?;
    }
    Ok(())
}

async fn send_rows(
    planned: &Planned,
    physical: Arc<dyn ExecutionPlan>,
    state: &SessionState,
    port: &Port,
    context: &QueryContext,
) -> Result<()> {
    let mut stream = execute_stream(physical, state.task_ctx()).map_err(translate)?;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(translate)?;
        let mut first = 0;
        while first < batch.num_rows() {
            let rows = CHUNK_ROWS.min(batch.num_rows() - first);
            port.send(EngineEvent::Rows(values(&batch, first, rows, &planned.types, context)?));
            port.wait_for_more().await;
            first += rows;
        }
    }
    Ok(())
}

/// Rows `first..first + count` of a batch.
fn values(batch: &RecordBatch, first: usize, count: usize, types: &[PgType], context: &QueryContext) -> Result<Vec<Vec<Value>>> {
    let readers: Vec<ColumnReader<'_>> =
        batch.columns().iter().zip(types).map(|(column, ty)| ColumnReader::new(column.as_ref(), *ty)).collect();
    let mut rows = Vec::with_capacity(count);
    for row in first..first + count {
        let mut values = Vec::with_capacity(readers.len());
        for (reader, ty) in readers.iter().zip(types) {
            values.push(match reader.value(row).map_err(translate)? {
                // These print as what they name.
                Value::Oid(oid) if objects::is_named(*ty) => Value::Text(Arc::from(objects::name_of_oid(context, ty.oid, oid))),
                value => value,
            });
        }
        rows.push(values);
    }
    Ok(rows)
}

/// What the session tells the client about one column.
pub fn client_field(name: &str, field: &datafusion::arrow::datatypes::Field) -> (ClientField, PgType) {
    let ty = PgType::of_field(field);
    let (table_oid, column) = crate::types::origin(field);
    let described = ClientField {
        name: name.to_owned(),
        table_oid,
        column,
        type_oid: ty.oid,
        type_size: ty.size(),
        type_modifier: ty.modifier,
        format: sql::client::Format::Text,
    };
    (described, ty)
}
