//! `ledger.checkpoints()`, `ledger.prove(…)` and their like: evidence that an auditor checks without trusting the server, and the reading of a record
//! that the auditor's machine makes by itself.

use super::books::info;
use super::tables::Ledger as Table;
use crate::exec::source::Source;
use crate::key;
use crate::session::Session;
use crate::session::txn::{Exec, unexpected};
use crate::types::{Settings, Type, text};
use crate::value::Value;
use base::{Error, Result, ShardId, SqlState};
use proof::note::SignedNote;
use proof::{Checkpoint, Hash, ProofFile, record};
use serde_json::{Map, Value as Json};
use storage::access::{Evidence, EvidenceRequest, Key, Request, Response, storage_of};

/// Tables whose rows are recorded.
const RECORDED: [Table; 2] = [Table::Transfers, Table::Entries];

/// What a record says: its table and each of its columns that has a value, as text. The same on every machine.
///
/// # Errors
/// What is wrong with it.
pub fn describe(bytes: &[u8]) -> Result<Json, String> {
    let (key, row) = record::read_row(bytes).map_err(|error| error.to_string())?;
    let table = RECORDED.into_iter().map(info).find(|info| info.table.storage == storage_of(key));
    let info = table.ok_or_else(|| format!("no table of the ledger has the storage {}", storage_of(key).0))?;
    let values = info.layout.decode(row).map_err(|error| error.to_string())?;
    let columns = info.table.primary_key.iter().map(|at| (&values[*at], info.types[*at]));
    if key::key(info.table.storage, columns).map_err(|error| error.to_string())? != key {
        return Err("the row does not belong to the key it is recorded with".to_owned());
    }
    let mut said = Map::new();
    said.insert("table".to_owned(), Json::String(format!("{}.{}", info.table.schema, info.table.name)));
    for (at, value) in values.iter().enumerate().filter(|(_, value)| !value.is_null()) {
        said.insert(info.table.columns[at].name.clone(), Json::String(text::to_string(value, info.types[at], &Settings::default())));
    }
    Ok(Json::Object(said))
}

/// A checkpoint that the caller brought.
fn kept(value: &Value) -> Result<Option<(Checkpoint, String)>> {
    let Some(note) = value.as_str() else { return Ok(None) };
    let checkpoint = Checkpoint::parse(SignedNote::parse(note)?.text())?;
    Ok(Some((checkpoint, note.to_owned())))
}

fn path(evidence: &Evidence) -> Vec<Hash> {
    evidence.path.iter().copied().map(Hash).collect()
}

fn incomplete() -> Error {
    Error::internal("a shard's evidence is incomplete")
}

impl Session {
    /// One row for each shard: its number, the size of its tree, a checkpoint signed now, the key to check it with.
    pub(super) async fn checkpoints(&mut self) -> Exec<Source> {
        let mut rows = Vec::new();
        for shard in self.backend.shards() {
            let evidence = self.evidence(shard, EvidenceRequest::Checkpoint).await?;
            let note = evidence.checkpoint.ok_or_else(incomplete)?;
            let checkpoint = Checkpoint::parse(SignedNote::parse(&note).map_err(Error::from)?.text()).map_err(Error::from)?;
            let size = i64::try_from(checkpoint.size).unwrap_or(i64::MAX);
            let number = i64::from(shard.0);
            rows.push(vec![Value::Int8(number), Value::Int8(size), Value::text(&note), Value::text(&evidence.key)]);
        }
        Ok(Source::of(rows))
    }

    /// The proof file of a transfer.
    pub(super) async fn prove_transfer(&mut self, values: &[Value]) -> Exec<Value> {
        let [id, checkpoint] = values else { return Err(Error::internal("ledger.prove takes two arguments").into()) };
        self.prove_row(Table::Transfers, std::slice::from_ref(id), checkpoint).await
    }

    /// The proof file of an entry.
    pub(super) async fn prove_entry(&mut self, values: &[Value]) -> Exec<Value> {
        let [account, timestamp, number, checkpoint] = values else {
            return Err(Error::internal("ledger.prove_entry takes four arguments").into());
        };
        let number = if number.is_null() { Value::Int4(0) } else { number.clone() };
        self.prove_row(Table::Entries, &[account.clone(), timestamp.clone(), number], checkpoint).await
    }

    async fn prove_row(&mut self, table: Table, columns: &[Value], checkpoint: &Value) -> Exec<Value> {
        if columns.iter().any(Value::is_null) {
            return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "a record is named without NULL").into());
        }
        let (shard, key) = self.place_of_record(table, columns)?;
        let kept = kept(checkpoint)?;
        if let Some((checkpoint, _)) = &kept
            && checkpoint.origin.shard() != shard
        {
            let text = format!("the record is in shard {}, the checkpoint is of {}", shard.0, checkpoint.origin);
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text).into());
        }
        let size = kept.as_ref().map(|(checkpoint, _)| checkpoint.size);
        let evidence = self.evidence(shard, EvidenceRequest::Inclusion { key, size }).await?;
        let path = path(&evidence);
        let (record, leaf_index) = evidence.record.ok_or_else(incomplete)?;
        let description = describe(&record).map_err(|error| Error::new(SqlState::DATA_CORRUPTED, error))?;
        let checkpoint = kept.map(|(_, note)| note).or(evidence.checkpoint).ok_or_else(incomplete)?;
        Ok(Value::text(&ProofFile::Inclusion { record: record.to_vec(), description, leaf_index, path, checkpoint }.print()))
    }

    fn place_of_record(&self, table: Table, columns: &[Value]) -> Result<(ShardId, Key)> {
        let info = info(table);
        let typed = |at: &[usize]| -> Vec<(&Value, Type)> {
            let position = |column: &usize| info.table.primary_key.iter().position(|other| other == column);
            at.iter().filter_map(|column| Some((&columns[position(column)?], info.types[*column]))).collect()
        };
        let slot = key::slot_of(typed(&info.table.shard_key))?;
        Ok((self.backend.shard_of(slot), key::key(info.table.storage, typed(&info.table.primary_key))?))
    }

    /// The proof file that the tree of one checkpoint continues that of another, or what the shard has now.
    pub(super) async fn prove_consistency(&mut self, values: &[Value]) -> Exec<Value> {
        let [older, newer] = values else { return Err(Error::internal("ledger.prove_consistency takes two arguments").into()) };
        let Some((older, older_note)) = kept(older)? else {
            return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "the older checkpoint must not be NULL").into());
        };
        let newer = kept(newer)?;
        let shard = older.origin.shard();
        let is_other = newer.as_ref().is_some_and(|(newer, _)| newer.origin != older.origin);
        if is_other || !self.backend.shards().contains(&shard) {
            let text = format!("{} is no shard of this cluster, or the checkpoints are of two shards", older.origin);
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text).into());
        }
        let request = EvidenceRequest::Consistency { older: older.size, newer: newer.as_ref().map(|(newer, _)| newer.size) };
        let evidence = self.evidence(shard, request).await?;
        let path = path(&evidence);
        let newer = newer.map(|(_, note)| note).or(evidence.checkpoint).ok_or_else(incomplete)?;
        Ok(Value::text(&ProofFile::Consistency { older: older_note, newer, path }.print()))
    }

    async fn evidence(&self, shard: ShardId, wanted: EvidenceRequest) -> Exec<Evidence> {
        match self.backend.call(shard, Request::Evidence(wanted)).await? {
            Response::Evidence(evidence) => Ok(evidence),
            other => Err(unexpected("evidence", &other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::write::encode;
    use crate::ledger::rows;
    use storage::access::RECORDED_STORAGES;

    #[test]
    fn the_recorded_tables_are_those_that_a_shard_records() {
        assert_eq!(RECORDED.map(|table| info(table).table.storage), RECORDED_STORAGES);
    }

    #[test]
    fn a_record_says_what_its_row_has_and_only_under_its_own_key() {
        let transfer = ledger::Transfer { id: 7, amount: 1234, ledger: 1, code: 2, timestamp: 99, debit_account: 3, ..Default::default() };
        let row = encode(info(Table::Transfers), &rows::of_transfer(&transfer).unwrap()).unwrap();
        let key = |id| key::key(RECORDED_STORAGES[0], [(&Value::Uuid(id), Type::Uuid)]).unwrap();
        let said = describe(&record::of_row(&key(7), &row)).unwrap();
        assert_eq!(said["table"], "ledger.transfers");
        assert_eq!((&said["id"], &said["amount"]), (&Json::from("00000000-0000-0000-0000-000000000007"), &Json::from("1234")));
        assert!(said.get("credit_account").is_none());
        assert!(describe(&record::of_row(&key(8), &row)).is_err());
        assert!(describe(b"\x01\0\0").is_err() && describe(b"").is_err());
    }
}
