//! Tables as the planner sees them: stored ones, whose rows the session reads, and the system's own.
//!
//! A stored table asks for the next chunk as soon as one has arrived, so that the session reads while the engine computes.

use crate::context::QueryContext;
use crate::convert::ColumnBuilder;
use crate::error::external;
use crate::port::{Delivery, Port};
use crate::range;
use crate::system::{Definition, Rows};
use crate::types::{PgType, mark_origin};
use async_trait::async_trait;
use base::{Error, SqlState};
use bytes::Bytes;
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::{Constraint, Constraints, Result};
use datafusion::datasource::{TableProvider, TableType};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream;
use sql::catalog::Table;
use sql::engine::ScanId;
use sql::row::RowLayout;
use sql::value::Value;
use std::fmt;
use std::sync::Arc;
use storage::access::KeyRange;
use tokio::sync::mpsc::Receiver;

/// A table whose rows are stored.
#[derive(Clone, Debug)]
pub struct StoredTable {
    table: Arc<Table>,
    /// Positions in the table's columns, the dropped ones left out.
    columns: Vec<usize>,
    layout: Arc<RowLayout>,
    schema: SchemaRef,
    /// The primary key: what it determines may stand beside a `GROUP BY` of it.
    constraints: Constraints,
    port: Arc<Port>,
}

impl StoredTable {
    pub fn new(table: Arc<Table>, port: Arc<Port>) -> Result<StoredTable, Error> {
        let layout = Arc::new(RowLayout::of_table(&table)?);
        let columns: Vec<usize> = (0..table.columns.len()).filter(|index| !table.columns[*index].dropped).collect();
        let mut fields = Vec::with_capacity(columns.len());
        for index in &columns {
            let column = &table.columns[*index];
            let ty = PgType::with_modifier(column.type_oid, column.type_modifier);
            let field = ty
                .field(&column.name)
                .ok_or_else(|| Error::unsupported(format!("a query over column \"{}\" of type {}", column.name, column.type_oid)))?;
            let field = field.with_nullable(!column.not_null);
            fields.push(mark_origin(field, table.oid, i16::try_from(index + 1).unwrap_or(0)));
        }
        let key: Option<Vec<usize>> = table.primary_key.iter().map(|column| columns.iter().position(|known| known == column)).collect();
        let key = key.filter(|key| !key.is_empty());
        let constraints = Constraints::new_unverified(key.map(Constraint::PrimaryKey).into_iter().collect());
        Ok(StoredTable { table, columns, layout, schema: Arc::new(Schema::new(fields)), constraints, port })
    }

    /// The same table, which says nothing of its key. See `dependencies.rs`.
    pub fn without_key(&self) -> StoredTable {
        StoredTable { constraints: Constraints::default(), ..self.clone() }
    }
}

#[async_trait]
impl TableProvider for StoredTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn constraints(&self) -> Option<&Constraints> {
        Some(&self.constraints)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let usable = |filter: &&Expr| match range::bound(filter, &self.table) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(usable).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let projected = projection.cloned().unwrap_or_else(|| (0..self.columns.len()).collect());
        let schema = Arc::new(self.schema.project(&projected)?);
        let scan = Arc::new(StoredScan {
            name: self.table.name.clone(),
            table_oid: self.table.oid,
            columns: projected.iter().map(|index| self.columns[*index]).collect(),
            layout: self.layout.clone(),
            schema: schema.clone(),
            range: range::of_filters(filters, &self.table)?,
            limit,
            port: self.port.clone(),
        });
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![scan], None, [], false, limit)?))
    }
}

struct StoredScan {
    name: String,
    table_oid: u32,
    columns: Vec<usize>,
    layout: Arc<RowLayout>,
    schema: SchemaRef,
    range: range::Bounds,
    limit: Option<usize>,
    port: Arc<Port>,
}

/// As a plan shows it.
impl fmt::Debug for StoredScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.range {
            range::Bounds::All => write!(f, "Seq Scan on {}", self.name),
            range::Bounds::Range(_) => write!(f, "Primary Key Range Scan on {}", self.name),
            range::Bounds::Nothing => write!(f, "Empty Scan on {}", self.name),
        }
    }
}

/// A scan that has begun.
struct Scanning {
    id: ScanId,
    deliveries: Receiver<Delivery>,
    rows: usize,
    last: bool,
}

impl PartitionStream for StoredScan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let scan = StoredScan {
            name: self.name.clone(),
            table_oid: self.table_oid,
            columns: self.columns.clone(),
            layout: self.layout.clone(),
            schema: self.schema.clone(),
            range: self.range.clone(),
            limit: self.limit,
            port: self.port.clone(),
        };
        let batches = stream::try_unfold((scan, None), |(scan, scanning)| async move { scan.next(scanning).await });
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches))
    }
}

type Step = Option<(RecordBatch, (StoredScan, Option<Scanning>))>;

impl StoredScan {
    async fn next(self, scanning: Option<Scanning>) -> Result<Step> {
        let range = match &self.range {
            range::Bounds::Nothing => return Ok(None),
            range::Bounds::All => None,
            range::Bounds::Range(range) => Some(range.clone()),
        };
        let mut scanning = match scanning {
            Some(scanning) => scanning,
            None => {
                let (id, deliveries) = self.port.open_scan().map_err(external)?;
                self.ask(id, range.as_ref());
                Scanning { id, deliveries, rows: 0, last: false }
            }
        };
        if scanning.last {
            return Ok(None);
        }
        let (rows, last) = receive(&mut scanning.deliveries).await?;
        scanning.rows += rows.len();
        scanning.last = last || self.limit.is_some_and(|limit| scanning.rows >= limit);
        if !scanning.last {
            self.ask(scanning.id, range.as_ref());
        }
        let batch = self.decode(&rows)?;
        Ok(Some((batch, (self, Some(scanning)))))
    }

    fn ask(&self, scan: ScanId, range: Option<&KeyRange>) {
        self.port.request(scan, self.table_oid, range.cloned());
    }

    fn decode(&self, rows: &[Bytes]) -> Result<RecordBatch> {
        let mut builders: Vec<ColumnBuilder> =
            self.schema.fields().iter().map(|field| ColumnBuilder::new(field.data_type(), rows.len())).collect::<Result<_>>()?;
        for row in rows {
            let reader = self.layout.reader(row).map_err(external)?;
            for (builder, column) in builders.iter_mut().zip(&self.columns) {
                builder.push(&reader.value(*column).map_err(external)?)?;
            }
        }
        finish(&self.schema, builders, rows.len())
    }
}

async fn receive(deliveries: &mut Receiver<Delivery>) -> Result<(Vec<Bytes>, bool)> {
    match deliveries.recv().await {
        Some(Delivery::Stored { rows, last }) => Ok((rows, last)),
        Some(Delivery::System(_)) => Err(external(Error::internal("a stored table was answered with a system table's rows"))),
        None => Err(external(Error::new(SqlState::QUERY_CANCELED, "canceling statement due to user request"))),
    }
}

fn finish(schema: &SchemaRef, mut builders: Vec<ColumnBuilder>, rows: usize) -> Result<RecordBatch> {
    let columns = builders.iter_mut().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
    // A count needs no columns, but it needs to know how many rows there are.
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// A table of `pg_catalog`, `information_schema` or `florin`.
#[derive(Debug)]
pub struct SystemTable {
    definition: &'static Definition,
    schema: SchemaRef,
    context: Arc<QueryContext>,
    port: Arc<Port>,
}

impl SystemTable {
    pub fn new(definition: &'static Definition, context: Arc<QueryContext>, port: Arc<Port>) -> Result<SystemTable, Error> {
        let mut fields = Vec::with_capacity(definition.columns.len());
        for (index, (name, oid)) in definition.columns.iter().enumerate() {
            let field = PgType::of(*oid)
                .field(name)
                .ok_or_else(|| Error::internal(format!("column {name} of {} has no known type", definition.name)))?;
            fields.push(mark_origin(field, definition.oid, i16::try_from(index + 1).unwrap_or(0)));
        }
        Ok(SystemTable { definition, schema: Arc::new(Schema::new(fields)), context, port })
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&columns)?);
        let scan = SystemScan {
            definition: self.definition,
            columns,
            schema: schema.clone(),
            context: self.context.clone(),
            port: self.port.clone(),
        };
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(scan)], None, [], false, limit)?))
    }
}

#[derive(Clone)]
struct SystemScan {
    definition: &'static Definition,
    columns: Vec<usize>,
    schema: SchemaRef,
    context: Arc<QueryContext>,
    port: Arc<Port>,
}

impl fmt::Debug for SystemScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "System Scan on {}", self.definition.full_name())
    }
}

impl PartitionStream for SystemScan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let scan = self.clone();
        let batch = stream::once(async move { scan.read().await });
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batch))
    }
}

impl SystemScan {
    async fn read(self) -> Result<RecordBatch> {
        let rows = match self.definition.rows {
            Rows::Empty => Vec::new(),
            Rows::Computed(compute) => compute(&self.context).iter().map(|row| self.definition.complete(row)).collect(),
            Rows::Session => self.ask().await?,
        };
        let mut builders: Vec<ColumnBuilder> =
            self.schema.fields().iter().map(|field| ColumnBuilder::new(field.data_type(), rows.len())).collect::<Result<_>>()?;
        for row in &rows {
            for (builder, column) in builders.iter_mut().zip(&self.columns) {
                builder.push(row.get(*column).unwrap_or(&Value::Null))?;
            }
        }
        finish(&self.schema, builders, rows.len())
    }

    async fn ask(&self) -> Result<Vec<Vec<Value>>> {
        let (id, mut deliveries) = self.port.open_scan().map_err(external)?;
        self.port.request_system(id, self.definition.full_name());
        match deliveries.recv().await {
            Some(Delivery::System(rows)) => Ok(rows),
            Some(Delivery::Stored { .. }) => Err(external(Error::internal("a system table was answered with stored rows"))),
            None => Err(external(Error::new(SqlState::QUERY_CANCELED, "canceling statement due to user request"))),
        }
    }
}
