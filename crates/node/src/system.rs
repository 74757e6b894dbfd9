//! Rows of the tables that the node answers itself: columns as `sql::system` has them.

use crate::core::Core;
use base::{NodeId, ShardId, Wall};
use cluster::registry::NodeState;
use shard::Hashing;
use sql::client::TxnStatus;
use sql::system;
use sql::value::Value;
use std::fmt::Write;
use std::sync::Arc;

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Place of `state_hash` in a row of `florin.replicas`.
const REPLICA_HASH: usize = 5;
const _: () = assert!(matches!(system::REPLICAS.columns[REPLICA_HASH].0.as_bytes(), b"state_hash"));

fn text(text: impl AsRef<str>) -> Value {
    Value::Text(Arc::from(text.as_ref()))
}

fn int4(n: usize) -> Value {
    Value::Int4(i32::try_from(n).unwrap_or(i32::MAX))
}

fn int8(n: u64) -> Value {
    Value::Int8(i64::try_from(n).unwrap_or(i64::MAX))
}

fn time(wall: Wall) -> Value {
    Value::TimestampTz(wall.0 as i64 - EPOCH_MICROS)
}

fn or_null<T>(value: Option<T>, of: impl Fn(T) -> Value) -> Value {
    value.map_or(Value::Null, of)
}

impl Core {
    pub fn system_table(&mut self, name: &str) -> Option<Vec<Vec<Value>>> {
        if name == system::NODES.name {
            Some(self.node_rows())
        } else if name == system::SHARDS.name {
            Some(self.routing.shards().into_iter().map(|s| self.shard_row(s)).collect())
        } else if name == system::REPLICAS.name {
            Some(self.replica_rows())
        } else if name == system::SCRUB.name {
            Some(self.replicas.iter().map(|(shard, replica)| scrub_row(*shard, self.config.node, &replica.shard.scrub_status())).collect())
        } else if name == system::SESSIONS.name {
            Some(self.session_rows())
        } else if name == system::ACTIVITY.name {
            Some(self.activity_rows())
        } else if name == system::SETTINGS.name {
            Some(self.setting_rows())
        } else {
            None
        }
    }

    fn leads(&self, node: NodeId) -> usize {
        self.routing.shards().into_iter().filter(|&s| self.routing.leader(s) == Some(node)).count()
    }

    fn node_rows(&self) -> Vec<Vec<Value>> {
        let here = self.config.node;
        let row = |n: &cluster::NodeRecord| {
            let peer = self.members.peer(n.node);
            let (boot, sessions) = match n.node == here {
                true => (Some(self.config.boot), Some(self.client_sessions() as u32)),
                false => (peer.map(|p| p.status.boot), peer.map(|p| p.status.sessions)),
            };
            let (draining, full) = match n.node == here {
                true => (self.draining_since.is_some(), self.disk_full),
                false => peer.map_or((false, false), |p| (p.status.draining, p.status.disk_full)),
            };
            let state = match n.state {
                NodeState::Removed => "removed",
                NodeState::Draining => "draining",
                NodeState::Active if draining => "draining",
                NodeState::Active if full => "disk full",
                NodeState::Active => "active",
            };
            vec![
                int4(n.node.0 as usize),
                text(&n.address),
                text(&n.sql_address),
                text(&n.locality.city),
                text(&n.locality.zone),
                text(state),
                Value::Bool(n.node == here || self.members.is_alive(self.now.mono, n.node)),
                or_null(boot, |b| int8(u64::from(b))),
                or_null(sessions, |s| int4(s as usize)),
                int4(self.leads(n.node)),
                or_null(self.members.round_trip_micros(n.node), int8),
            ]
        };
        self.registry.nodes.values().map(row).collect()
    }

    fn shard_row(&self, shard: ShardId) -> Vec<Value> {
        let leader = self.routing.leader(shard);
        let mut row = vec![int4(shard.0 as usize), or_null(leader, |n| int4(n.0 as usize)), int8(self.routing.term(shard))];
        let Some(replica) = self.replicas.get(&shard) else {
            row.extend(std::iter::repeat_n(Value::Null, system::SHARDS.columns.len() - row.len()));
            return row;
        };
        let members = replica.shard.members();
        let mut list = String::new();
        for node in members.voters.iter().chain(&members.witnesses).chain(&members.learners) {
            let comma = if list.is_empty() { "" } else { "," };
            let _ = write!(list, "{comma}{}", node.0);
        }
        row.extend([
            int4(members.voters.len() + members.witnesses.len()),
            int4(members.witnesses.len()),
            int4(members.learners.len()),
            text(list),
            int8(replica.shard.status().applied),
            int8(replica.shard.status().store_bytes),
        ]);
        row
    }

    fn replica_rows(&mut self) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        for shard in self.replica_shards() {
            let Some((mut row, mut hashing)) = self.replica_row(shard) else { continue };
            while !self.hash_replica(shard, &mut row, &mut hashing) {}
            rows.push(row);
        }
        rows
    }

    pub(crate) fn replica_shards(&self) -> Vec<ShardId> {
        self.replicas.keys().copied().collect()
    }

    /// A row of `florin.replicas` without its checksum, and what makes that. Replicas that have applied the same entries have the same newest
    /// version. `None`: there is no such replica any more.
    pub(crate) fn replica_row(&self, shard: ShardId) -> Option<(Vec<Value>, Option<Hashing>)> {
        let here = self.config.node;
        let replica = self.replicas.get(&shard)?;
        let members = replica.shard.members();
        let kind = if members.witnesses.contains(&here) {
            "witness"
        } else if members.voters.contains(&here) {
            "voter"
        } else {
            "learner"
        };
        let status = replica.shard.status();
        let row = vec![
            int4(shard.0 as usize),
            int4(here.0 as usize),
            text(kind),
            Value::Bool(replica.leader == Some(here)),
            int8(status.applied),
            Value::Null,
            int8(status.store_bytes),
        ];
        Some((row, status.rows.then(|| replica.shard.start_hash())))
    }

    /// One step of a row's checksum, which stays NULL if it cannot be made. True at its end.
    pub(crate) fn hash_replica(&mut self, shard: ShardId, row: &mut [Value], hashing: &mut Option<Hashing>) -> bool {
        let (Some(under_way), Some(replica)) = (hashing.as_mut(), self.replicas.get_mut(&shard)) else { return true };
        match replica.shard.hash_rows(under_way) {
            Ok(false) => return false,
            Ok(true) => row[REPLICA_HASH] = text(format!("{:016x}", under_way.value())),
            Err(_) => {}
        }
        true
    }

    fn clients(&self) -> impl Iterator<Item = &crate::session::SessionState> {
        self.sessions.values().map(|s| &**s).filter(|s| !s.is_internal())
    }

    pub fn client_sessions(&self) -> usize {
        self.clients().count()
    }

    fn session_rows(&self) -> Vec<Vec<Value>> {
        self.clients()
            .map(|s| {
                vec![
                    int8(s.id.0),
                    text(&s.user),
                    text(&s.database),
                    text(&s.application),
                    text(state_of(s)),
                    time(s.opened),
                    time(s.changed.get()),
                ]
            })
            .collect()
    }

    fn activity_rows(&self) -> Vec<Vec<Value>> {
        self.clients()
            .map(|s| {
                vec![
                    text(&s.database),
                    Value::Int4(s.id.0 as i32),
                    text(&s.user),
                    text(&s.application),
                    time(s.opened),
                    time(s.changed.get()),
                    text(state_of(s)),
                    text("client backend"),
                ]
            })
            .collect()
    }

    fn setting_rows(&self) -> Vec<Vec<Value>> {
        let zones: Vec<String> = self.registry.zones.iter().map(ToString::to_string).collect();
        let row = |name: &str, value: String, note: &str| vec![text(name), text(value), text(note)];
        vec![
            row("mode", self.registry.mode.to_string(), "where voters stand; SELECT florin.mode('…') changes it"),
            row("zones", zones.join(", "), "in order of preference for leadership; SELECT florin.primary_zone('city', 'zone') changes it"),
            row("shards", self.registry.shards.to_string(), "fixed when the cluster is made"),
            row("node", self.config.node.0.to_string(), "the node that answers"),
        ]
    }

    pub fn status_text(&self) -> String {
        let mut out = format!("mode {}, node {}\n", self.registry.mode, self.config.node.0);
        if let Some(zone) = &self.registry.downgraded {
            let _ = writeln!(out, "downgraded to {zone}, until the other zone has caught up");
        }
        for node in self.registry.members() {
            let alive = node.node == self.config.node || self.members.is_alive(self.now.mono, node.node);
            let _ = writeln!(out, "node {} {} {}", node.node.0, node.locality, if alive { "up" } else { "down" });
        }
        for shard in self.routing.shards() {
            let leader = self.routing.leader(shard).map_or_else(|| "nobody".to_owned(), |n| format!("node {}", n.0));
            let _ = writeln!(out, "shard {} led by {leader}, term {}", shard.0, self.routing.term(shard));
        }
        out
    }
}

fn scrub_row(shard: ShardId, node: NodeId, status: &shard::ScrubStatus) -> Vec<Value> {
    vec![
        int4(shard.0 as usize),
        int4(node.0 as usize),
        int8(status.passes),
        int8(status.chunks),
        int8(status.rows),
        or_null(status.pass_ended, time),
        int8(status.differences),
        int8(status.recorded),
        int8(status.unrecorded),
        int8(status.dropped),
        status.finding.as_deref().map_or(Value::Null, text),
    ]
}

fn state_of(session: &crate::session::SessionState) -> &'static str {
    match (session.busy.get(), session.status.get()) {
        (true, _) => "active",
        (false, TxnStatus::Idle) => "idle",
        (false, TxnStatus::InTransaction) => "idle in transaction",
        (false, TxnStatus::Failed) => "idle in transaction (aborted)",
    }
}
