//! What a node keeps for itself beside its shards: its copy of the registry and which replicas it has.
//!
//! Both are copies of what the cluster knows: the registry so that a cluster that was stopped as a whole finds its peers
//! again, the list so that a replica whose log was lost is missed.

use base::{Error, Result, ShardId, SqlState};
use bytes::Bytes;
use cluster::registry::Registry;
use std::sync::Arc;
use storage::{Batch, RowStore, RowStores, Space};

/// The store of no shard.
pub const LOCAL: ShardId = ShardId(u32::MAX);
const REGISTRY: &[u8] = b"registry";
const REPLICAS: &[u8] = b"replicas";
const FORMAT: u8 = 1;

pub(crate) struct LocalStore {
    store: Arc<dyn RowStore>,
}

impl LocalStore {
    pub fn open(stores: &dyn RowStores) -> Result<LocalStore> {
        Ok(LocalStore { store: stores.open(LOCAL)? })
    }

    pub fn registry(&self) -> Result<Option<Registry>> {
        self.read(REGISTRY)
    }

    pub fn replicas(&self) -> Result<Vec<ShardId>> {
        Ok(self.read(REPLICAS)?.unwrap_or_default())
    }

    pub fn set_registry(&self, registry: &Registry) -> Result<()> {
        self.write(REGISTRY, registry)
    }

    pub fn set_replicas(&self, replicas: &[ShardId]) -> Result<()> {
        self.write(REPLICAS, &replicas)
    }

    fn read<T: for<'a> serde::Deserialize<'a>>(&self, key: &[u8]) -> Result<Option<T>> {
        let Some(bytes) = self.store.get(Space::Meta, key)? else { return Ok(None) };
        let damaged = || Error::new(SqlState::DATA_CORRUPTED, "the node's own record of the cluster cannot be read");
        match bytes.split_first() {
            Some((&FORMAT, rest)) => postcard::from_bytes(rest).map(Some).map_err(|_| damaged()),
            _ => Err(damaged()),
        }
    }

    fn write<T: serde::Serialize>(&self, key: &'static [u8], value: &T) -> Result<()> {
        let bytes = postcard::to_extend(value, vec![FORMAT]).expect("plain data always encodes");
        self.store.write(Batch { changes: vec![(Space::Meta, Bytes::from_static(key), Some(Bytes::from(bytes)))] })?;
        self.store.sync()
    }
}
