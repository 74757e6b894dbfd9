//! Schema changes. A change locks the catalog's counters first, so there is one at a time; it works on a copy of the catalog that only its
//! transaction sees, writes descriptors as rows, and raises the schema version in every shard when it commits.

pub mod alter;
pub mod backfill;
pub mod constraint;
pub mod index;
pub mod role;
pub mod schema;
pub mod sequence;
pub mod table;

use crate::catalog::lookup::{Relation, SYSTEM_SCHEMAS};
use crate::catalog::store::{self, Counters};
use crate::catalog::{Catalog, Sequence, Table};
use crate::client::Severity;
use crate::exec::Run;
use crate::parse::names::RelationName;
use crate::parse::utility::Utility;
use crate::session::Session;
use crate::session::statement::schema_lock_lost;
use crate::session::txn::{Ddl, Exec, Sight};
use base::{Error, Result, SchemaVersion, ShardId, SlotId, SqlState, StorageId};
use bytes::Bytes;
use sqlparser::ast;
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::access::{BASE_GUARDED, DROP_KEY_PREFIX, Key, KeyRead, LockMode, Row, SCHEMA_KEY, Write};

/// The schema's next version, and what each shard notes of it.
pub(crate) type SchemaChange = (SchemaVersion, Vec<(ShardId, Write)>);

impl Session {
    pub(crate) async fn run_definition(&mut self, statement: &ast::Statement, run: &mut Run) -> Exec<String> {
        let tag = match statement {
            ast::Statement::CreateTable(create) => return self.create_table(create, run).await,
            ast::Statement::CreateIndex(create) => {
                self.create_index(create, run).await?;
                "CREATE INDEX"
            }
            ast::Statement::AlterTable(alter) => {
                self.alter_table(alter, run).await?;
                "ALTER TABLE"
            }
            ast::Statement::Truncate(truncate) => {
                self.truncate(truncate).await?;
                "TRUNCATE TABLE"
            }
            ast::Statement::Drop { object_type, if_exists, names, cascade, temporary: false, table: None, .. } => {
                return self.drop_objects(*object_type, *if_exists, names, *cascade).await;
            }
            ast::Statement::CreateSchema { schema_name, if_not_exists, .. } => {
                self.create_schema(schema_name, *if_not_exists).await?;
                "CREATE SCHEMA"
            }
            ast::Statement::Grant(_) => {
                self.superuser_change("grant")?;
                return Err(Error::unsupported("GRANT").into());
            }
            ast::Statement::Revoke(_) => return Err(Error::unsupported("REVOKE").into()),
            other => return Err(Error::unsupported(statement_name(other)).into()),
        };
        Ok(tag.to_owned())
    }

    pub(crate) async fn run_definition_utility(&mut self, utility: &Utility) -> Exec<String> {
        let tag = match utility {
            Utility::CreateRole { name, options } => {
                self.create_role(name, options).await?;
                "CREATE ROLE"
            }
            Utility::AlterRole { name, options } => {
                self.alter_role(name, options).await?;
                "ALTER ROLE"
            }
            Utility::RenameRole { name, to } => {
                self.rename_role(name, to).await?;
                "ALTER ROLE"
            }
            Utility::DropRole { names, if_exists } => {
                self.drop_roles(names, *if_exists).await?;
                "DROP ROLE"
            }
            Utility::CreateSequence { name, if_not_exists, options } => {
                self.create_sequence(name, *if_not_exists, options).await?;
                "CREATE SEQUENCE"
            }
            Utility::AlterSequence { name, if_exists, options } => {
                self.alter_sequence(name, *if_exists, options).await?;
                "ALTER SEQUENCE"
            }
            Utility::RenameSequence { name, if_exists, to } => {
                self.rename_relation(name, *if_exists, to).await?;
                "ALTER SEQUENCE"
            }
            Utility::AlterIndexRename { name, if_exists, to } => {
                self.rename_relation(name, *if_exists, to).await?;
                "ALTER INDEX"
            }
            _ => return Err(Error::internal("a statement that defines nothing").into()),
        };
        Ok(tag.to_owned())
    }

    pub(crate) fn system_shard(&self) -> ShardId {
        self.backend.shard_of(SlotId(0))
    }

    /// Locks the catalog and takes a copy of it, unless this transaction has one already.
    pub(crate) async fn begin_change(&mut self) -> Exec<()> {
        if self.txn().ddl.is_some() {
            return Ok(());
        }
        let shard = self.system_shard();
        let reads = vec![KeyRead { key: store::counters_key(), lock: Some(LockMode::Update) }];
        let wait = self.lock_wait();
        let (found, _) = self.read(shard, reads, wait, &mut Sight::default()).await?;
        let found =
            found.into_iter().next().flatten().ok_or_else(|| Error::new(SqlState::DATA_CORRUPTED, "the catalog has no counters"))?;
        let counters = store::read_counters(&found.row)?;
        let catalog = self.backend.refresh_catalog(counters.version).await?;
        if catalog.version > counters.version {
            return Err(schema_lock_lost().into());
        }
        if catalog.version < counters.version {
            let message = format!("the catalog is at {}, its counters at {}", catalog.version, counters.version);
            return Err(Error::internal(message).into());
        }
        self.txn().buffer.put(shard, store::counters_key(), Some(found.row), found.version);
        self.txn().ddl = Some(Ddl { catalog, counters, dropped: Vec::new(), created: BTreeSet::new() });
        Ok(())
    }

    pub(crate) fn ddl(&mut self) -> &mut Ddl {
        self.txn().ddl.as_mut().expect("a schema change was begun")
    }

    pub(crate) fn edit_catalog(&mut self, edit: impl FnOnce(&mut Catalog)) {
        edit(Arc::make_mut(&mut self.ddl().catalog));
    }

    pub(crate) fn new_oid(&mut self) -> u32 {
        let counters = &mut self.ddl().counters;
        counters.next_oid += 1;
        counters.next_oid - 1
    }

    pub(crate) fn new_storage(&mut self) -> StorageId {
        let ddl = self.ddl();
        ddl.counters.next_storage += 1;
        let storage = StorageId(ddl.counters.next_storage - 1);
        ddl.created.insert(storage);
        storage
    }

    pub(crate) fn drop_storage(&mut self, storage: StorageId) {
        self.ddl().dropped.push(storage);
    }

    pub(crate) fn put_descriptor(&mut self, key: Key, row: Option<Row>) {
        let shard = self.system_shard();
        self.txn().buffer.put(shard, key, row, BASE_GUARDED);
    }

    /// Makes a table's descriptor the newest, for this transaction and (at commit) for all.
    pub(crate) fn put_table(&mut self, table: Table) -> Result<Arc<Table>> {
        let table = Arc::new(table);
        self.put_descriptor(store::table_key(table.oid), Some(store::table_row(&table)?));
        let kept = table.clone();
        self.edit_catalog(|catalog| catalog.put_table(kept));
        Ok(table)
    }

    pub(crate) fn put_sequence(&mut self, sequence: Sequence) -> Result<Arc<Sequence>> {
        let sequence = Arc::new(sequence);
        self.put_descriptor(store::sequence_key(sequence.oid), Some(store::sequence_row(&sequence)?));
        let kept = sequence.clone();
        self.edit_catalog(|catalog| catalog.put_sequence(kept));
        Ok(sequence)
    }

    /// The table to change, locked against everybody else's writes.
    pub(crate) async fn table_to_change(&mut self, name: &RelationName) -> Exec<Arc<Table>> {
        self.begin_change().await?;
        let path = self.settings.parsed().search_path.clone();
        let table = self.catalog().table(name, &path)?;
        check_not_system(&table.schema)?;
        self.lock_whole_table(&table).await?;
        Ok(table)
    }

    pub(crate) async fn lock_whole_table(&mut self, table: &Table) -> Exec<()> {
        if self.ddl().created.contains(&table.storage) {
            return Ok(());
        }
        let mut storages = vec![table.storage];
        storages.extend(table.indexes.iter().map(|index| index.storage));
        storages.sort_unstable();
        storages.dedup();
        let shards = self.shards_of_table(table);
        let wait = self.lock_wait();
        self.lock_tables(&shards, storages, true, wait).await
    }

    pub(crate) fn shards_of_table(&self, table: &Table) -> Vec<ShardId> {
        if table.shard_key.is_empty() { vec![self.system_shard()] } else { self.backend.shards() }
    }

    /// At commit: the new version and what was given up, for every shard. `None`: no schema change.
    pub(crate) fn finish_ddl(&mut self) -> Result<Option<SchemaChange>> {
        let Some(ddl) = self.txn().ddl.clone() else { return Ok(None) };
        let version = SchemaVersion(ddl.counters.version.0 + 1);
        let counters = Counters { version, ..ddl.counters };
        self.put_descriptor(store::counters_key(), Some(store::counters_row(&counters)?));
        let mut marks = Vec::new();
        for shard in self.backend.shards() {
            let write = |key: Bytes, row: Row| (shard, Write { key, row: Some(row), base: BASE_GUARDED });
            marks.push(write(Bytes::from_static(SCHEMA_KEY), store::version_row(version)));
            for storage in &ddl.dropped {
                let mut key = DROP_KEY_PREFIX.to_vec();
                key.extend_from_slice(&storage.0.to_be_bytes());
                marks.push(write(Bytes::from(key), Bytes::new()));
            }
        }
        Ok(Some((version, marks)))
    }

    /// A name that no relation of the schema has: `base`, else `base` with a number.
    pub(crate) fn free_name(&mut self, schema: &str, base: &str) -> String {
        let taken = |name: &str, catalog: &Catalog| catalog.schemas.get(schema).is_some_and(|s| s.relations.contains_key(name));
        let catalog = self.ddl().catalog.clone();
        let mut base = base.to_owned();
        base.truncate(crate::parse::names::NAME_BYTES_MAX - 8);
        if !taken(&base, &catalog) {
            return base;
        }
        (1..).map(|n| format!("{base}{n}")).find(|name| !taken(name, &catalog)).expect("there are more numbers than names")
    }

    /// # Errors
    /// `42P07` if the name is taken; `Ok(false)` with a notice if that was allowed.
    pub(crate) fn check_free(&mut self, schema: &str, name: &str, if_not_exists: bool) -> Result<bool> {
        let catalog = self.ddl().catalog.clone();
        if !catalog.schema(schema)?.relations.contains_key(name) {
            return Ok(true);
        }
        let error = Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists"));
        if !if_not_exists {
            return Err(error);
        }
        let message = format!("relation \"{name}\" already exists, skipping");
        self.notice(Severity::Notice, Error::new(SqlState::DUPLICATE_TABLE, message));
        Ok(false)
    }

    pub(crate) async fn rename_relation(&mut self, name: &RelationName, if_exists: bool, to: &str) -> Exec<()> {
        self.begin_change().await?;
        let path = self.settings.parsed().search_path.clone();
        let catalog = self.catalog();
        let found = catalog.relation(name, &path)?;
        let Some(found) = found else {
            if if_exists {
                self.skip_notice(name);
                return Ok(());
            }
            return Err(crate::catalog::lookup::undefined_table(name).into());
        };
        check_not_system(match &found {
            Relation::Table(table) | Relation::Index(table, _) => &table.schema,
            Relation::Sequence(sequence) => &sequence.schema,
        })?;
        match found {
            Relation::Table(table) => {
                self.check_free(&table.schema, to, false)?;
                self.put_table(Table { name: to.to_owned(), ..(*table).clone() })?;
            }
            Relation::Sequence(sequence) => {
                self.check_free(&sequence.schema, to, false)?;
                self.put_sequence(Sequence { name: to.to_owned(), ..(*sequence).clone() })?;
            }
            Relation::Index(table, at) => {
                self.check_free(&table.schema, to, false)?;
                let mut table = (*table).clone();
                to.clone_into(&mut table.indexes[at].name);
                self.put_table(table)?;
            }
        }
        Ok(())
    }

    pub(crate) fn skip_notice(&mut self, name: &RelationName) {
        let message = format!("relation \"{name}\" does not exist, skipping");
        self.notice(Severity::Notice, Error::new(SqlState::SUCCESSFUL, message));
    }

    pub(crate) fn superuser_change(&self, what: &str) -> Result<()> {
        self.check_superuser(what)
    }
}

pub(crate) fn check_not_system(schema: &str) -> Result<()> {
    if SYSTEM_SCHEMAS.contains(&schema) {
        return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied: schema \"{schema}\" is Florin's own")));
    }
    Ok(())
}

fn statement_name(statement: &ast::Statement) -> String {
    let text = statement.to_string();
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    words.join(" ").to_uppercase()
}
