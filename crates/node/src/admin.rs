//! Administrative commands, reached through the SQL functions `florin.*`. Each is an ordinary transaction on the registry's rows.

use crate::backend::NodeBackend;
use crate::catalog::context;
use crate::limits::{ADMIN_LOCK_WAIT, ADMIN_TRIES, DRAIN_HANDOVER_MAX, DRAIN_LOOK};
use base::locality::LocalityMode;
use base::{Error, Locality, NodeId, Result, Retry, SchemaVersion, ShardId, SlotId, SqlState, TxnId, Version};
use cluster::registry::{NodeState, Registry};
use sql::backend::{Backend, CallError, CommitPart};
use sql::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use storage::access::{Key, KeyRead, LockMode, LockWait, Request, Response, Row, Snapshot, Write};

/// Names with their parameters, as an error shows them.
const COMMANDS: &str = "add_node(address, sql_address, city, zone), remove_node(node), replace_node(old, new), drain(node), undrain(node), \
     mode([mode]), primary_zone(city, zone), downgrade([city, zone]), transfer(shard, node), status()";

pub(crate) async fn run(backend: &NodeBackend, command: &str, arguments: &[Value]) -> Result<Value> {
    let name = command.strip_prefix("florin.").unwrap_or(command);
    match (name, arguments) {
        ("add_node", [address, sql_address, city, zone]) => {
            let (address, sql_address) = (text(address)?, text(sql_address)?);
            let place = Locality { city: text(city)?, zone: text(zone)? };
            let node = change(backend, |r| r.add(&address, &sql_address, place.clone())).await?;
            Ok(Value::Int4(node.0 as i32))
        }
        ("remove_node", [node]) => {
            let node = node_id(node)?;
            change(backend, |r| remove(r, node)).await?;
            Ok(Value::Bool(true))
        }
        ("replace_node", [old, new]) => {
            let (old, new) = (node_id(old)?, node_id(new)?);
            if old == new {
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("node {} cannot take its own place", old.0))
                    .with_hint("Start a new node with --join, and give its number."));
            }
            change(backend, |r| {
                r.member_mut(new)?.state = NodeState::Active;
                remove(r, old)
            })
            .await?;
            Ok(Value::Bool(true))
        }
        ("drain", [node]) => drain(backend, node_id(node)?).await,
        ("undrain", [node]) => set_state(backend, node_id(node)?, NodeState::Active).await,
        ("mode" | "init", [mode]) => {
            let mode: LocalityMode = text(mode)?.parse().map_err(|e| Error::new(SqlState::INVALID_PARAMETER_VALUE, e))?;
            change(backend, |r| {
                r.mode = mode;
                Ok(())
            })
            .await?;
            Ok(Value::Text(Arc::from(mode.to_string())))
        }
        ("mode", []) => Ok(Value::Text(Arc::from(backend.core.borrow().registry.mode.to_string()))),
        ("primary_zone", [city, zone]) => {
            let place = Locality { city: text(city)?, zone: text(zone)? };
            change(backend, |r| prefer(r, &place)).await?;
            Ok(Value::Text(Arc::from(place.to_string())))
        }
        ("downgrade", []) => {
            let core = backend.core.borrow();
            Ok(core.registry.downgraded.as_ref().map_or(Value::Null, |zone| Value::Text(Arc::from(zone.to_string()))))
        }
        ("downgrade", [city, zone]) => {
            let place = Locality { city: text(city)?, zone: text(zone)? };
            backend.core.borrow().may_downgrade(&place)?;
            change(backend, |r| {
                r.downgraded = Some(place.clone());
                Ok(())
            })
            .await?;
            Ok(Value::Text(Arc::from(place.to_string())))
        }
        ("transfer", [shard, node]) => transfer(backend, shard, node),
        ("status", []) => Ok(Value::Text(Arc::from(backend.core.borrow().status_text()))),
        _ => Err(Error::new(SqlState::UNDEFINED_FUNCTION, format!("there is no command florin.{name} with {} arguments", arguments.len()))
            .with_hint(format!("There are {COMMANDS}."))),
    }
}

fn remove(registry: &mut Registry, node: NodeId) -> Result<()> {
    registry.member_mut(node)?;
    if registry.members().count() == 1 {
        return Err(Error::new(SqlState::OBJECT_IN_USE, "the last node of a cluster cannot be removed"));
    }
    registry.member_mut(node)?.state = NodeState::Removed;
    Ok(())
}

fn prefer(registry: &mut Registry, place: &Locality) -> Result<()> {
    if !registry.members().any(|n| n.locality == *place) {
        return Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("no node stands in {place}")));
    }
    registry.zones.retain(|z| z != place);
    registry.zones.insert(0, place.clone());
    Ok(())
}

async fn set_state(backend: &NodeBackend, node: NodeId, state: NodeState) -> Result<Value> {
    change(backend, |r| {
        r.member_mut(node)?.state = state;
        Ok(())
    })
    .await?;
    Ok(Value::Bool(true))
}

/// Marks the node, and waits until it leads nothing any more. What clients ask of it in the meantime is served or sent on.
async fn drain(backend: &NodeBackend, node: NodeId) -> Result<Value> {
    set_state(backend, node, NodeState::Draining).await?;
    let until = backend.core.borrow().now.mono.after(DRAIN_HANDOVER_MAX);
    loop {
        let leads = {
            let core = backend.core.borrow();
            core.routing.shards().into_iter().find(|shard| core.routing.leader(*shard).is_none_or(|leader| leader == node))
        };
        let Some(shard) = leads else { return Ok(Value::Bool(true)) };
        if backend.core.borrow().now.mono >= until {
            let message = format!("nobody else leads shard {} after {} s", shard.0, DRAIN_HANDOVER_MAX.as_secs());
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                .with_hint("The node stays marked as draining, and hands over as soon as another voter is alive and caught up."));
        }
        backend.sleep(DRAIN_LOOK).await;
        if let Some(error) = backend.state.interrupted() {
            return Err(error);
        }
    }
}

/// Only its leader can hand a shard over.
fn transfer(backend: &NodeBackend, shard: &Value, node: &Value) -> Result<Value> {
    let shard = ShardId(number(shard)? as u32);
    let to = node_id(node)?;
    let mut core = backend.core.borrow_mut();
    if core.routing.leader(shard) != Some(core.config.node) {
        let leader = core.routing.leader(shard).map_or_else(|| "nobody".to_owned(), |n| format!("node {}", n.0));
        return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, format!("shard {} is led by {leader}", shard.0))
            .with_hint("Ask the node that leads."));
    }
    core.ask_transfer(shard, to);
    Ok(Value::Bool(true))
}

fn text(value: &Value) -> Result<String> {
    match value {
        Value::Text(text) => Ok(text.to_string()),
        other => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{other:?} is no text"))),
    }
}

fn number(value: &Value) -> Result<i64> {
    match value {
        Value::Int2(n) => Ok(i64::from(*n)),
        Value::Int4(n) => Ok(i64::from(*n)),
        Value::Int8(n) => Ok(*n),
        other => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{other:?} is no whole number"))),
    }
}

fn node_id(value: &Value) -> Result<NodeId> {
    let number = number(value)?;
    match u32::try_from(number) {
        Ok(n) if n > 0 => Ok(NodeId(n)),
        _ => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{number} is no node's number"))),
    }
}

/// Changes the registry in a transaction; runs again after a conflict.
pub(crate) async fn change<T>(backend: &NodeBackend, edit: impl Fn(&mut Registry) -> Result<T>) -> Result<T> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_change(backend, &edit).await {
            Err(error) if error.retry() == Retry::Transaction && tries < ADMIN_TRIES => {}
            result => return result,
        }
    }
}

async fn try_change<T>(backend: &NodeBackend, edit: &impl Fn(&mut Registry) -> Result<T>) -> Result<T> {
    let txn = backend.new_txn();
    let result = change_under_lock(backend, txn, edit).await;
    if result.is_err() {
        backend.rollback(txn, vec![backend.shard_of(SlotId(0))]);
    }
    result
}

async fn change_under_lock<T>(backend: &NodeBackend, txn: TxnId, edit: &impl Fn(&mut Registry) -> Result<T>) -> Result<T> {
    let cluster = Registry::cluster_key();
    lock(backend, txn, std::slice::from_ref(&cluster), false).await?;
    let before = backend.read_all(Registry::key_range()).await?;
    let mut registry = Registry::from_rows(before.iter().map(|(k, f)| (&k[..], &f.row[..])))?;
    let answer = edit(&mut registry)?;
    registry.version += 1;
    let before: BTreeMap<Key, Row> = before.into_iter().map(|(k, f)| (k, f.row)).collect();
    let changed: Vec<(Key, Row)> = registry.rows().into_iter().filter(|(k, r)| before.get(k) != Some(r)).collect();
    let keys: Vec<Key> = changed.iter().map(|(k, _)| k.clone()).collect();
    let bases = lock(backend, txn, &keys, true).await?;
    let writes = changed.into_iter().zip(bases).map(|((key, row), base)| Write { key, row: Some(row), base }).collect();
    commit(backend, txn, writes).await?;
    backend.core.borrow_mut().install_registry(registry);
    Ok(answer)
}

/// Locks keys; answers the version of each.
async fn lock(backend: &NodeBackend, txn: TxnId, keys: &[Key], holds_locks: bool) -> Result<Vec<Version>> {
    let reads: Vec<KeyRead> = keys.iter().map(|key| KeyRead { key: key.clone(), lock: Some(LockMode::Update) }).collect();
    let request = |schema: SchemaVersion| Request::Read {
        context: context(txn, schema, Snapshot::Latest, holds_locks),
        reads: reads.clone(),
        wait: LockWait::Wait(Some(ADMIN_LOCK_WAIT)),
    };
    let shard = backend.shard_of(SlotId(0));
    match backend.internal_call(shard, request).await? {
        Response::Rows { rows, seen, .. } => {
            // What comes of it is told before the commit, in messages of errors.
            if let Some(seen) = seen {
                backend.internal_call(shard, |_| Request::Settle { seen }).await?;
            }
            Ok(rows.into_iter().map(|r| r.map_or(Version::ZERO, |f| f.version)).collect())
        }
        other => Err(Error::internal(format!("a read was answered with {other:?}"))),
    }
}

async fn commit(backend: &NodeBackend, txn: TxnId, writes: Vec<Write>) -> Result<()> {
    let shard = backend.shard_of(SlotId(0));
    let mut schema = backend.catalog().version;
    loop {
        let part = CommitPart { shard, writes: writes.clone().into(), reads: Default::default(), parts: 0, holds_locks: true, seen: None };
        match backend.commit(context(txn, schema, Snapshot::Latest, true), vec![part]).await {
            Ok(_) => return Ok(()),
            Err(CallError::StaleSchema(newer)) if newer > schema => schema = newer,
            Err(CallError::StaleSchema(_)) => return Err(Error::internal("a shard refuses its own schema version")),
            Err(CallError::Error(error)) => return Err(error),
        }
    }
}
