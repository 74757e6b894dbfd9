//! Who is there: what each node told of itself, when it was last heard, how far away it is.
//!
//! Liveness is a guess from silence. It chooses where requests go and who should lead, and gives up the locks of gateways that
//! are gone; nothing that must be right depends on it.

use crate::message::{Echo, NodeStatus};
use base::{Mono, NodeId, Version};
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two statuses to each peer.
pub const HEARTBEAT: Duration = Duration::from_millis(100);
/// A node that was silent for this long is taken for dead.
pub const SILENCE_MAX: Duration = Duration::from_millis(1_000);
/// Weight of the newest of the round trips in the average: one in this many.
const SMOOTHING: u64 = 8;

const _: () = assert!(SILENCE_MAX.as_millis() >= 5 * HEARTBEAT.as_millis(), "a few lost heartbeats are no death");

#[derive(Clone, Debug)]
pub struct Peer {
    pub heard: Mono,
    /// Since when it has been heard without a pause of `SILENCE_MAX`.
    pub alive_since: Mono,
    pub status: NodeStatus,
    pub round_trip_micros: Option<u64>,
    /// Its `sent` of the last status and when that came, to be echoed.
    echo: (Mono, Mono),
    declared_dead: bool,
}

/// What changed by hearing from a node, or by not hearing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is heard for the first time, or again.
    Alive(NodeId),
    /// Sessions of this boot and those before it are taken for gone.
    Dead { node: NodeId, boot: u32 },
    /// It has a new life: what earlier boots had open is gone.
    Restarted { node: NodeId, boot: u32 },
}

#[derive(Clone, Debug, Default)]
pub struct Membership {
    peers: BTreeMap<NodeId, Peer>,
}

impl Membership {
    pub fn heard(&mut self, now: Mono, from: NodeId, status: NodeStatus, changes: &mut Vec<Change>) {
        let round_trip = status.echo.map(|e| (now.0.saturating_sub(e.sent.0)).saturating_sub(e.held_micros));
        let echo = (status.sent, now);
        let Some(peer) = self.peers.get_mut(&from) else {
            let peer = Peer { heard: now, alive_since: now, status, round_trip_micros: round_trip, echo, declared_dead: false };
            self.peers.insert(from, peer);
            changes.push(Change::Alive(from));
            return;
        };
        if status.boot < peer.status.boot {
            return;
        }
        if status.boot > peer.status.boot {
            changes.push(Change::Restarted { node: from, boot: status.boot });
        }
        if peer.declared_dead || now.since(peer.heard) >= SILENCE_MAX || status.boot > peer.status.boot {
            peer.alive_since = now;
            changes.push(Change::Alive(from));
        }
        peer.declared_dead = false;
        peer.round_trip_micros = match (peer.round_trip_micros, round_trip) {
            (Some(old), Some(new)) => Some((old * (SMOOTHING - 1) + new) / SMOOTHING),
            (old, new) => new.or(old),
        };
        (peer.heard, peer.echo, peer.status) = (now, echo, status);
    }

    /// To be called every heartbeat.
    pub fn silence(&mut self, now: Mono, changes: &mut Vec<Change>) {
        for (&node, peer) in &mut self.peers {
            if !peer.declared_dead && now.since(peer.heard) >= SILENCE_MAX {
                peer.declared_dead = true;
                changes.push(Change::Dead { node, boot: peer.status.boot });
            }
        }
    }

    pub fn is_alive(&self, now: Mono, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(|p| now.since(p.heard) < SILENCE_MAX)
    }

    pub fn alive_for(&self, now: Mono, node: NodeId) -> Duration {
        match self.peers.get(&node) {
            Some(peer) if now.since(peer.heard) < SILENCE_MAX => now.since(peer.alive_since),
            _ => Duration::ZERO,
        }
    }

    /// How long it has been silent; `None` if it was never heard.
    pub fn silent_for(&self, now: Mono, node: NodeId) -> Option<Duration> {
        self.peers.get(&node).map(|p| now.since(p.heard))
    }

    pub fn peer(&self, node: NodeId) -> Option<&Peer> {
        self.peers.get(&node)
    }

    pub fn forget(&mut self, node: NodeId) {
        self.peers.remove(&node);
    }

    pub fn echo_for(&self, now: Mono, to: NodeId) -> Option<Echo> {
        self.peers.get(&to).map(|p| Echo { sent: p.echo.0, held_micros: now.0.saturating_sub(p.echo.1.0) })
    }

    pub fn round_trip_micros(&self, node: NodeId) -> Option<u64> {
        self.peers.get(&node).and_then(|p| p.round_trip_micros)
    }

    /// The oldest snapshot held on any other node that may still be running: a dead one's sessions are taken for gone.
    pub fn oldest_snapshot(&self, now: Mono) -> Option<Version> {
        self.peers.values().filter(|p| now.since(p.heard) < SILENCE_MAX).filter_map(|p| p.status.oldest_snapshot).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(boot: u32, sent: u64, echo: Option<Echo>) -> NodeStatus {
        NodeStatus {
            boot,
            clock: Version::ZERO,
            oldest_snapshot: None,
            registry: 1,
            schema: base::SchemaVersion(1),
            led: Vec::new(),
            held: Vec::new(),
            sessions: 0,
            draining: false,
            disk_full: false,
            sent: Mono(sent),
            echo,
        }
    }

    const OTHER: NodeId = NodeId(2);

    #[test]
    fn silence_is_death_once_and_a_word_is_life() {
        let (mut members, mut changes) = (Membership::default(), Vec::new());
        members.heard(Mono(0), OTHER, status(1, 0, None), &mut changes);
        members.silence(Mono(999_999), &mut changes);
        members.silence(Mono(1_000_000), &mut changes);
        members.silence(Mono(2_000_000), &mut changes);
        members.heard(Mono(2_000_001), OTHER, status(1, 9, None), &mut changes);
        assert_eq!(changes, [Change::Alive(OTHER), Change::Dead { node: OTHER, boot: 1 }, Change::Alive(OTHER)]);
        assert!(members.is_alive(Mono(2_000_002), OTHER));
    }

    #[test]
    fn a_new_boot_is_told_and_an_old_one_ignored() {
        let (mut members, mut changes) = (Membership::default(), Vec::new());
        members.heard(Mono(0), OTHER, status(1, 0, None), &mut changes);
        members.heard(Mono(5), OTHER, status(2, 0, None), &mut changes);
        members.heard(Mono(6), OTHER, status(1, 0, None), &mut changes);
        assert_eq!(changes, [Change::Alive(OTHER), Change::Restarted { node: OTHER, boot: 2 }, Change::Alive(OTHER)]);
        assert_eq!(members.peer(OTHER).expect("heard").status.boot, 2);
    }

    #[test]
    fn the_round_trip_leaves_out_how_long_the_peer_held_it() {
        let (mut members, mut changes) = (Membership::default(), Vec::new());
        let echo = Echo { sent: Mono(1_000), held_micros: 50_000 };
        members.heard(Mono(61_000), OTHER, status(1, 0, Some(echo)), &mut changes);
        assert_eq!(members.round_trip_micros(OTHER), Some(10_000));
    }
}
