//! COPY FROM STDIN and TO STDOUT: rows in bulk, never held whole.

use super::Session;
use super::bulk::Bulk;
use super::portal::Running;
use super::statement::Started;
use super::txn::Exec;
use crate::client::{ClientRequest, ClientResponse, Field, Format};
use crate::copy::{self, Decoder, Encoder, Fields};
use crate::exec::Run;
use crate::exec::insert::{Changed, INSERT_ROWS_MAX};
use crate::exec::write::encode_into;
use crate::expr::Parameters;
use crate::parse::utility::{Copy, CopySource};
use crate::plan::dml::{InsertPlan, Source};
use crate::plan::table::TableInfo;
use crate::plan::{Planned, Planner};
use crate::types::{Type, binary, text};
use crate::value::Value;
use base::{Error, Result, ShardId, SqlState};
use bytes::BytesMut;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// Bytes of COPY output sent with one message, about.
const OUT_BYTES: usize = 32 * 1024;

impl Session {
    pub(crate) async fn copy(&mut self, copy: &Copy, run: &mut Run) -> Exec<Started> {
        let count = if copy.from { self.copy_from(copy, run).await? } else { self.copy_to(copy, run).await? };
        Ok(Started::Done(format!("COPY {count}")))
    }

    async fn copy_from(&mut self, copy: &Copy, run: &mut Run) -> Exec<u64> {
        let CopySource::Table { name, columns } = &copy.source else {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "COPY FROM needs a table").into());
        };
        let path = self.settings.parsed().search_path.clone();
        let table = self.look_up(|catalog, path| catalog.table(name, path)).await?;
        if table.schema == crate::ledger::SCHEMA {
            return Err(crate::ledger::only_by_functions(&table.name).into());
        }
        let info = Arc::new(TableInfo::new(table).map_err(Error::from)?);
        let columns = copied_columns(&info, columns.as_deref())?;
        let options = options(copy, &info, &columns)?;
        let catalog = self.catalog();
        let planner = Planner { catalog: &catalog, search_path: &path, has_engine: false };
        let mut defaults = planner.defaults(&info).map_err(Error::from)?;
        for column in &columns {
            defaults[*column] = None;
        }
        let source = Source::Values { rows: Vec::new(), sequences: Vec::new() };
        let plan = InsertPlan { table: info, source, defaults, conflict: None, returning: Vec::new() };
        let binary = options.format == copy::CopyFormat::Binary;
        // From here on the statement cannot be planned again: its table must stay as it is.
        self.pinned = vec![plan.table.table.clone()];
        let (shards, wait) = (self.shards_of_table(&plan.table.table), self.lock_wait());
        self.lock_tables(&shards[..1], vec![plan.table.table.storage], false, wait).await?;
        self.say(ClientResponse::CopyIn { binary, columns: columns.len() as u16 });
        self.flush();
        let mut decoder = Decoder::new(&options, columns.len());
        self.receive_rows(&plan, &columns, &mut decoder, binary, run).await
    }

    async fn receive_rows(
        &mut self,
        plan: &InsertPlan,
        columns: &[usize],
        decoder: &mut Decoder,
        binary: bool,
        run: &mut Run,
    ) -> Exec<u64> {
        let mut sink = self.sink(plan);
        loop {
            let ended = self.receive_data(decoder).await?;
            loop {
                let line = decoder.line();
                let fields = if ended { decoder.finish()? } else { decoder.next_row()? };
                let Some(fields) = fields else { break };
                let copied = self.copy_row(plan, columns, fields, binary, &mut sink, run).await;
                copied.map_err(|error| in_line(error, &plan.table, line))?;
                self.empty_if_full(plan, &mut sink, run).await?;
            }
            if ended {
                return self.finish_sink(plan, sink, run).await;
            }
        }
    }

    /// Hands the next data to the decoder; answers true when there is no more.
    async fn receive_data(&mut self, decoder: &mut Decoder) -> Exec<bool> {
        let ended = match self.backend.receive().await {
            Some(ClientRequest::CopyData(data)) => {
                decoder.push(&data);
                false
            }
            Some(ClientRequest::CopyDone) => true,
            Some(ClientRequest::CopyFail(reason)) => {
                let message = format!("COPY from stdin failed: {reason}");
                return Err(Error::new(SqlState::QUERY_CANCELED, message).into());
            }
            Some(ClientRequest::Flush | ClientRequest::Sync) => false,
            Some(other) => {
                self.peeked = Some(other);
                return Err(Error::new(SqlState::PROTOCOL_VIOLATION, "unexpected message during COPY from stdin").into());
            }
            None => return Err(Error::new(SqlState::CONNECTION_FAILURE, "the client left during COPY from stdin").into()),
        };
        self.check_interrupt()?;
        Ok(ended)
    }

    /// Rows whose key is a number, and that nothing but their table knows, are packed as they come.
    fn sink(&self, plan: &InsertPlan) -> Sink {
        let table = &plan.table.table;
        let plain = table.primary_key.is_empty() && table.indexes.is_empty() && plan.defaults.iter().all(Option::is_none);
        let load = match plain {
            true => Load::Bulk { shard: self.shards_of_table(table)[0], bulk: self.bulk(table.storage), key: Vec::new() },
            false => Load::Batch(Vec::with_capacity(INSERT_ROWS_MAX)),
        };
        Sink { load, changed: Changed::default(), values: Vec::new() }
    }

    async fn copy_row(
        &mut self,
        plan: &InsertPlan,
        columns: &[usize],
        fields: Fields,
        binary: bool,
        sink: &mut Sink,
        run: &mut Run,
    ) -> Exec<()> {
        let info = &*plan.table;
        read_fields(info, columns, fields, binary, run, &mut sink.values)?;
        match &mut sink.load {
            Load::Batch(batch) => {
                for (at, default) in plan.defaults.iter().enumerate() {
                    if default.is_some() {
                        sink.values[at] = self.default_value(default.as_ref(), run).await?;
                    }
                }
                batch.push(std::mem::take(&mut sink.values));
            }
            Load::Bulk { shard, bulk, key } => {
                self.check_row(info, &sink.values, run)?;
                self.number_row(info, key);
                bulk.push_with(*shard, key, |out| encode_into(info, &sink.values, out))?;
                sink.changed.rows += 1;
            }
        }
        Ok(())
    }

    async fn empty_if_full(&mut self, plan: &InsertPlan, sink: &mut Sink, run: &mut Run) -> Exec<()> {
        match &mut sink.load {
            Load::Batch(batch) if batch.len() == INSERT_ROWS_MAX => {
                let rows = std::mem::replace(batch, Vec::with_capacity(INSERT_ROWS_MAX));
                self.insert_rows(plan, rows, &mut BTreeSet::new(), &mut sink.changed, run).await
            }
            Load::Bulk { bulk, .. } if bulk.is_full() => self.stage_bulk(bulk).await,
            Load::Batch(_) | Load::Bulk { .. } => Ok(()),
        }
    }

    async fn finish_sink(&mut self, plan: &InsertPlan, mut sink: Sink, run: &mut Run) -> Exec<u64> {
        match sink.load {
            Load::Batch(rows) => self.insert_rows(plan, rows, &mut BTreeSet::new(), &mut sink.changed, run).await?,
            Load::Bulk { bulk, .. } => self.finish_bulk(bulk).await?,
        }
        Ok(sink.changed.rows)
    }

    async fn copy_to(&mut self, copy: &Copy, run: &mut Run) -> Exec<u64> {
        let planned = self.plan_copied(copy).await?;
        let fields = planned.fields.clone().ok_or_else(|| Error::new(SqlState::FEATURE_NOT_SUPPORTED, "COPY query must return rows"))?;
        let options = query_options(copy, &fields)?;
        let binary = options.format == copy::CopyFormat::Binary;
        self.settle().await?;
        self.say(ClientResponse::CopyOut { binary, columns: fields.len() as u16 });
        let inner = self.new_run(Vec::new(), Vec::new());
        let mut inner = std::mem::replace(run, inner);
        let source = match Box::pin(self.start_inner(&planned, &mut inner)).await? {
            Started::Rows(source, tag) => (source, tag),
            Started::Done(_) => return Err(Error::unsupported("COPY of a statement without rows").into()),
        };
        let mut running = Running::new(planned, inner, source.0, source.1);
        let sent = self.send_copied(&mut running, &fields, &options).await;
        self.close_running(&running);
        sent
    }

    async fn plan_copied(&mut self, copy: &Copy) -> Result<Rc<Planned>> {
        match &copy.source {
            CopySource::Query(statement) => self.plan_typed(statement, Vec::new()).await,
            CopySource::Table { name, columns } => {
                let quote = crate::parse::names::quote;
                let list = match columns {
                    Some(columns) => columns.iter().map(|c| quote(c)).collect::<Vec<_>>().join(", "),
                    None => "*".to_owned(),
                };
                let schema = name.schema.as_deref().map(|s| format!("{}.", quote(s))).unwrap_or_default();
                let sql = format!("SELECT {list} FROM {schema}{}", quote(&name.name));
                let statement = crate::parse::parse(&sql)?.pop().ok_or_else(|| Error::internal("a COPY without its query"))?;
                Ok(Rc::new(self.plan(&statement, Parameters::default()).await?))
            }
        }
    }

    async fn send_copied(&mut self, running: &mut Running, fields: &[Field], options: &copy::Options) -> Exec<u64> {
        let types: Vec<Type> = fields.iter().map(|f| Type::from_oid(f.type_oid).unwrap_or(Type::Text)).collect();
        let format = if options.format == copy::CopyFormat::Binary { Format::Binary } else { Format::Text };
        let encoder = Encoder::new(options);
        let mut out = BytesMut::new();
        let mut count = 0u64;
        encoder.start(fields.iter().map(|f| f.name.as_str()), &mut out);
        loop {
            let planned = running.planned.clone();
            let chunk = self.next_answer(&mut running.source, &planned, &mut running.run, 1_000).await?;
            let Some(chunk) = chunk else { break };
            for row in chunk {
                let forms = row.iter().zip(&types).map(|(value, ty)| form(value, *ty, format, &running.run)).collect::<Result<Vec<_>>>()?;
                encoder.row(forms.iter().map(|form| form.as_deref()), &mut out);
                count += 1;
                if out.len() >= OUT_BYTES {
                    self.say(ClientResponse::CopyData(out.split().freeze()));
                    self.flush();
                    self.backend.drained().await;
                    self.check_interrupt()?;
                }
            }
        }
        encoder.end(&mut out);
        if !out.is_empty() {
            self.say(ClientResponse::CopyData(out.freeze()));
        }
        self.say(ClientResponse::CopyDone);
        Ok(count)
    }
}

/// Where the rows of COPY FROM go.
struct Sink {
    load: Load,
    changed: Changed,
    /// Of the row that is being read.
    values: Vec<Value>,
}

enum Load {
    Batch(Vec<Vec<Value>>),
    Bulk { shard: ShardId, bulk: Bulk, key: Vec<u8> },
}

/// The values of a row from its fields; other columns are NULL.
fn read_fields(info: &TableInfo, columns: &[usize], fields: Fields, binary: bool, run: &Run, values: &mut Vec<Value>) -> Result<()> {
    values.clear();
    values.resize(info.types.len(), Value::Null);
    for (field, column) in fields.into_iter().zip(columns) {
        let Some(bytes) = field else { continue };
        let (ty, modifier) = (info.types[*column], info.table.columns[*column].type_modifier);
        values[*column] = if binary {
            binary::parse(&bytes, ty, modifier, &run.settings)?
        } else {
            text::parse_bytes(&bytes, ty, modifier, &run.settings)?
        };
    }
    Ok(())
}

fn form(value: &Value, ty: Type, format: Format, run: &Run) -> Result<Option<BytesMut>> {
    if value.is_null() {
        return Ok(None);
    }
    let mut out = BytesMut::new();
    match format {
        Format::Text => text::write(value, ty, &run.settings, &mut out),
        Format::Binary => binary::write(value, ty, &mut out),
    }
    Ok(Some(out))
}

fn in_line(error: crate::backend::CallError, info: &TableInfo, line: u64) -> crate::backend::CallError {
    match error {
        crate::backend::CallError::Error(error) if error.detail().is_none() => {
            error.with_detail(format!("COPY {}, line {line}", info.table.name)).into()
        }
        other => other,
    }
}

fn copied_columns(info: &TableInfo, names: Option<&[String]>) -> Result<Vec<usize>> {
    let Some(names) = names else { return Ok(info.table.live_columns().collect()) };
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let column = info.table.column_of(name)?;
        if columns.contains(&column) {
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once")));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn options(copy: &Copy, info: &TableInfo, columns: &[usize]) -> Result<copy::Options> {
    if !copy.options.force_null.is_empty() {
        return Err(Error::unsupported("COPY with FORCE_NULL"));
    }
    let mut options = copy.options.form.clone();
    if !copy.options.force_not_null.is_empty() {
        let forced = |column: &usize| copy.options.force_not_null.contains(&info.table.columns[*column].name);
        options.force_not_null = columns.iter().map(forced).collect();
    }
    Ok(options)
}

fn query_options(copy: &Copy, fields: &[Field]) -> Result<copy::Options> {
    let mut options = copy.options.form.clone();
    if let Some(forced) = &copy.options.force_quote {
        options.force_quote = fields.iter().map(|field| forced.is_empty() || forced.contains(&field.name)).collect();
    }
    Ok(options)
}
