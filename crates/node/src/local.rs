//! What a node keeps for itself beside its shards: its copy of the registry and which replicas it has.
//!
//! Both are copies of what the cluster knows: the registry so that a cluster that was stopped as a whole finds its peers
//! again, the list so that a replica whose log was lost is missed.

use base::{Error, Result, ShardId, SqlState};
use bytes::Bytes;
use cluster::registry::Registry;
use shard::event::Job;
use std::sync::Arc;
use storage::rows::Change;
use storage::{Batch, RowStore, RowStores, Space};

/// The store of no shard.
pub const LOCAL: ShardId = ShardId(u32::MAX);
const REGISTRY: &[u8] = b"registry";
const REPLICAS: &[u8] = b"replicas";
const FORMAT: u8 = 1;

pub(crate) struct LocalStore {
    store: Arc<dyn RowStore>,
    /// A job writes a registry down, and whether there is a newer one since.
    saving: Option<bool>,
}

impl LocalStore {
    pub fn open(stores: &dyn RowStores) -> Result<LocalStore> {
        Ok(LocalStore { store: stores.open(LOCAL)?, saving: None })
    }

    pub fn registry(&self) -> Result<Option<Registry>> {
        self.read(REGISTRY)
    }

    pub fn replicas(&self) -> Result<Vec<ShardId>> {
        Ok(self.read(REPLICAS)?.unwrap_or_default())
    }

    pub fn set_registry(&self, registry: &Registry) -> Result<()> {
        self.write(vec![record(REGISTRY, registry)])
    }

    /// As `set_registry`, by a job. `None`: one is under way, and [`LocalStore::saved`] says when there is to be another.
    pub fn save_registry(&mut self, registry: &Registry) -> Option<Job> {
        if let Some(newer) = &mut self.saving {
            *newer = true;
            return None;
        }
        self.saving = Some(false);
        let (store, record) = (self.store.clone(), record(REGISTRY, registry));
        let run = move || {
            store.write(Batch { changes: vec![record] })?;
            store.sync()?;
            Ok(Box::new(()) as _)
        };
        Some(Job { id: registry.version, name: "keep the registry", urgent: false, run: Box::new(run) })
    }

    /// The job has ended. True if the registry must be saved again.
    pub fn saved(&mut self) -> bool {
        self.saving.take() == Some(true)
    }

    /// Who has replicas knows of their cluster: the registry comes with them.
    pub fn set_replicas(&self, replicas: &[ShardId], registry: Option<&Registry>) -> Result<()> {
        let registry = registry.map(|registry| record(REGISTRY, registry));
        self.write(registry.into_iter().chain([record(REPLICAS, &replicas)]).collect())
    }

    fn read<T: for<'a> serde::Deserialize<'a>>(&self, key: &[u8]) -> Result<Option<T>> {
        let Some(bytes) = self.store.get(Space::Meta, key)? else { return Ok(None) };
        let damaged = || Error::new(SqlState::DATA_CORRUPTED, "the node's own record of the cluster cannot be read");
        match bytes.split_first() {
            Some((&FORMAT, rest)) => postcard::from_bytes(rest).map(Some).map_err(|_| damaged()),
            _ => Err(damaged()),
        }
    }

    fn write(&self, changes: Vec<Change>) -> Result<()> {
        self.store.write(Batch { changes })?;
        self.store.sync()
    }
}

fn record<T: serde::Serialize>(key: &'static [u8], value: &T) -> Change {
    let bytes = postcard::to_extend(value, vec![FORMAT]).expect("plain data always encodes");
    (Space::Meta, Bytes::from_static(key), Some(Bytes::from(bytes)))
}
