//! What the cluster durably knows about itself: its mode, its zones in order of preference, its nodes.
//!
//! Lives as rows of [`STORAGE`] in slot 0, changed by ordinary transactions that lock the cluster's row, so that changes
//! follow one another. Nodes hold a copy, kept fresh by gossip: [`Registry::version`] says which of two is newer.

use base::locality::LocalityMode;
use base::{Error, Locality, NodeId, Result, SqlState, StorageId};
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use storage::access::{Key, KeyRange, Row};

/// Far above the ids that tables are given, which count up from the catalog's.
pub const STORAGE: StorageId = StorageId(0xffff_ff01);
/// Most nodes of a cluster, removed ones not counted.
pub const NODES_MAX: usize = 64;
/// First byte of each row: the format of the rest.
const FORMAT: u8 = 1;
/// Longest address in bytes.
pub const ADDRESS_BYTES_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeState {
    Active,
    /// Holds replicas but leads nothing while another can.
    Draining,
    /// Its replicas move elsewhere; never comes back under this id.
    Removed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    pub node: NodeId,
    pub address: String,
    pub sql_address: String,
    pub locality: Locality,
    pub state: NodeState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ClusterRecord {
    version: u64,
    mode: LocalityMode,
    shards: u32,
    zones: Vec<Locality>,
    next_node: u32,
}

/// All of it, as one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// Grows with each change; 0 before the first is known.
    pub version: u64,
    pub mode: LocalityMode,
    pub shards: u32,
    /// Zones in order of preference for leadership; those not listed come after, cities of listed ones first.
    pub zones: Vec<Locality>,
    /// In dual-active mode: the zone that serves alone until the other has caught up. An operator's decision.
    pub downgraded: Option<Locality>,
    /// The id that the next added node gets: ids are never reused.
    pub next_node: u32,
    pub nodes: BTreeMap<NodeId, NodeRecord>,
}

impl Registry {
    /// Before anything is known.
    pub fn empty() -> Registry {
        Registry {
            version: 0,
            mode: LocalityMode::Single,
            shards: 0,
            zones: Vec::new(),
            downgraded: None,
            next_node: 1,
            nodes: BTreeMap::new(),
        }
    }

    /// A new cluster of one node.
    pub fn new(mode: LocalityMode, shards: u32, first: NodeRecord) -> Registry {
        let next_node = first.node.0 + 1;
        let zones = vec![first.locality.clone()];
        Registry { version: 1, mode, shards, zones, downgraded: None, next_node, nodes: BTreeMap::from([(first.node, first)]) }
    }

    pub fn members(&self) -> impl Iterator<Item = &NodeRecord> {
        self.nodes.values().filter(|n| n.state != NodeState::Removed)
    }

    /// Gives the added node its id.
    ///
    /// # Errors
    /// `53400` when the cluster is full, `22023` for an address that is empty, too long or taken.
    pub fn add(&mut self, address: &str, sql_address: &str, locality: Locality) -> Result<NodeId> {
        if self.members().count() >= NODES_MAX {
            return Err(Error::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, format!("a cluster has at most {NODES_MAX} nodes")));
        }
        for text in [address, sql_address] {
            if text.is_empty() || text.len() > ADDRESS_BYTES_MAX {
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{text:?} is no usable address")));
            }
        }
        if let Some(taken) = self.members().find(|n| n.address == address) {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("address {address} belongs to node {} already", taken.node.0),
            ));
        }
        let node = NodeId(self.next_node);
        self.next_node += 1;
        let record = NodeRecord { node, address: address.into(), sql_address: sql_address.into(), locality, state: NodeState::Active };
        self.nodes.insert(node, record);
        Ok(node)
    }

    /// # Errors
    /// `42704` if there is no such node, or it was removed.
    pub fn member_mut(&mut self, node: NodeId) -> Result<&mut NodeRecord> {
        match self.nodes.get_mut(&node) {
            Some(record) if record.state != NodeState::Removed => Ok(record),
            Some(_) => Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("node {} was removed already", node.0))
                .with_hint("A removed node does not come back. A new one joins under an id of its own.")),
            None => Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("there is no node {}", node.0))),
        }
    }

    pub fn cluster_key() -> Key {
        let mut key = BytesMut::with_capacity(5);
        key.put_u32(STORAGE.0);
        key.put_u8(b'c');
        key.freeze()
    }

    pub fn downgrade_key() -> Key {
        let mut key = BytesMut::with_capacity(5);
        key.put_u32(STORAGE.0);
        key.put_u8(b'd');
        key.freeze()
    }

    pub fn node_key(node: NodeId) -> Key {
        let mut key = BytesMut::with_capacity(9);
        key.put_u32(STORAGE.0);
        key.put_u8(b'n');
        key.put_u32(node.0);
        key.freeze()
    }

    pub fn key_range() -> KeyRange {
        KeyRange { start: Bytes::copy_from_slice(&STORAGE.0.to_be_bytes()), end: Bytes::copy_from_slice(&(STORAGE.0 + 1).to_be_bytes()) }
    }

    /// All rows, in key order.
    pub fn rows(&self) -> Vec<(Key, Row)> {
        let cluster = ClusterRecord {
            version: self.version,
            mode: self.mode,
            shards: self.shards,
            zones: self.zones.clone(),
            next_node: self.next_node,
        };
        let mut rows = vec![(Registry::cluster_key(), encode(&cluster)), (Registry::downgrade_key(), encode(&self.downgraded))];
        rows.extend(self.nodes.values().map(|n| (Registry::node_key(n.node), encode(n))));
        rows
    }

    /// # Errors
    /// `XX001` if a row cannot be read or the cluster's row is missing.
    pub fn from_rows<'a>(rows: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<Registry> {
        let mut cluster: Option<ClusterRecord> = None;
        let mut nodes = BTreeMap::new();
        let mut downgraded = None;
        for (key, row) in rows {
            match key.get(4) {
                Some(b'c') => cluster = Some(decode(row)?),
                Some(b'd') => downgraded = decode(row)?,
                Some(b'n') => {
                    let record: NodeRecord = decode(row)?;
                    nodes.insert(record.node, record);
                }
                _ => return Err(Error::new(SqlState::DATA_CORRUPTED, "a row of the node registry has an unknown key")),
            }
        }
        let Some(c) = cluster else {
            return Err(Error::new(SqlState::DATA_CORRUPTED, "the node registry has no row for the cluster"));
        };
        Ok(Registry { version: c.version, mode: c.mode, shards: c.shards, zones: c.zones, downgraded, next_node: c.next_node, nodes })
    }
}

fn encode<T: Serialize>(value: &T) -> Row {
    let bytes = postcard::to_extend(value, vec![FORMAT]).expect("records of plain data always encode");
    Bytes::from(bytes)
}

fn decode<T: for<'a> Deserialize<'a>>(row: &[u8]) -> Result<T> {
    let corrupted = || Error::new(SqlState::DATA_CORRUPTED, "a row of the node registry cannot be read");
    match row.split_first() {
        Some((&FORMAT, rest)) => postcard::from_bytes(rest).map_err(|_| corrupted()),
        _ => Err(corrupted()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> NodeRecord {
        NodeRecord {
            node: NodeId(1),
            address: "a:1".into(),
            sql_address: "a:2".into(),
            locality: Locality { city: "c".into(), zone: "z".into() },
            state: NodeState::Active,
        }
    }

    #[test]
    fn rows_give_back_the_registry() {
        let mut registry = Registry::new(LocalityMode::ThreeZones, 2, first());
        let added = registry.add("b:1", "b:2", Locality::default()).expect("there is room");
        assert_eq!(added, NodeId(2));
        registry.downgraded = Some(first().locality);
        let rows = registry.rows();
        let back = Registry::from_rows(rows.iter().map(|(k, r)| (&k[..], &r[..]))).expect("rows are whole");
        assert_eq!(back, registry);
    }

    #[test]
    fn an_id_is_never_given_twice() {
        let mut registry = Registry::new(LocalityMode::ThreeZones, 2, first());
        let second = registry.add("b:1", "b:2", Locality::default()).expect("there is room");
        registry.member_mut(second).expect("it was added").state = NodeState::Removed;
        assert_eq!(registry.member_mut(second).expect_err("it is gone").message(), "node 2 was removed already");
        assert_eq!(registry.add("b:1", "b:2", Locality::default()).expect("there is room"), NodeId(3));
    }

    #[test]
    fn a_taken_address_is_refused() {
        let mut registry = Registry::new(LocalityMode::ThreeZones, 2, first());
        assert_eq!(registry.add("a:1", "x:2", Locality::default()).expect_err("taken").state(), SqlState::INVALID_PARAMETER_VALUE);
    }

    #[test]
    fn a_damaged_row_is_an_error() {
        let rows = [(Registry::cluster_key(), Bytes::from_static(&[9, 9]))];
        assert!(Registry::from_rows(rows.iter().map(|(k, r)| (&k[..], &r[..]))).is_err());
    }
}
