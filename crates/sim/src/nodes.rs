//! Real nodes as the world's machines.

use crate::machine::{Birth, Factory, Fingerprint, Holdings, Machine, Start, address, sql_address};
use base::{Now, Result, ShardId};
use node::config::{EvidenceIdentity, Sizes};
use node::event::{Effect, Event};
use node::{Node, NodeConfig};
use proof::{Hash, SigningSeed};
use std::sync::Arc;
use storage::log::{LogFiles, LogOptions};
use storage::rows::RowStores;

/// Small, so that rows are flushed, the log is truncated and its segments are used again, often, and large transactions cost little.
const MEMORY_BYTES: u64 = 1024 * 1024;
/// See `node::config::Sizes`.
pub const COMMIT_BYTES_MAX: usize = 64 * 1024;
pub const SEGMENT_BYTES: usize = 256 * 1024;

/// What the nodes sign the ledger's evidence with.
pub const EVIDENCE_SEED: [u8; 32] = [7; 32];

pub struct Nodes;

impl Factory for Nodes {
    fn open(&self, start: Start, now: Now, files: &dyn LogFiles, stores: Arc<dyn RowStores>) -> Result<Box<dyn Machine>> {
        let config = NodeConfig {
            node: start.node,
            boot: start.boot,
            locality: start.place,
            address: address(start.node),
            sql_address: sql_address(start.node),
            seed: start.seed,
            shards: start.shards,
            start: match start.birth {
                Birth::New(mode) => node::Start::New { mode },
                Birth::Join(peers) => node::Start::Join { peers },
                Birth::Restart => node::Start::Restart,
            },
            memory_bytes: MEMORY_BYTES,
            sizes: Sizes { commit_bytes_max: COMMIT_BYTES_MAX, log: LogOptions { segment_bytes: SEGMENT_BYTES, ..LogOptions::default() } },
            evidence: EvidenceIdentity { cluster: "simulated".to_owned(), seed: SigningSeed(EVIDENCE_SEED) },
        };
        Ok(Box::new(Simulated(Node::open(config, now, files, stores)?)))
    }
}

struct Simulated(Node);

impl Machine for Simulated {
    fn step(&mut self, now: Now, event: Event, effects: &mut Vec<Effect>) {
        self.0.step(now, event, effects);
    }

    fn tick_micros(&self) -> u64 {
        self.0.tick_micros()
    }

    fn voters(&self) -> Vec<(ShardId, usize)> {
        let led = self.0.led().into_iter();
        let counted = led.filter_map(|(shard, _)| {
            let members = self.0.with_shard(shard, |replica| replica.members())?;
            (!members.changing).then(|| (shard, members.voters.len() + members.witnesses.len()))
        });
        counted.collect()
    }

    fn holdings(&self) -> Holdings {
        let counts = self.0.counts();
        Holdings {
            sessions: counts.sessions,
            calls: counts.calls,
            commits: counts.commits,
            timers: counts.timers,
            log_segments: counts.log_segments,
        }
    }

    fn fingerprints(&mut self) -> Vec<Fingerprint> {
        let mut prints = Vec::new();
        for shard in self.0.replicas() {
            let print = self.0.with_shard_mut(shard, |replica| {
                let status = replica.status();
                let hash = if status.rows { replica.state_hash().ok() } else { None };
                let evidence = replica.evidence();
                // What is not recorded yet will be: until then it is at no version.
                let applied = if evidence.as_ref().is_none_or(|evidence| evidence.idle) { status.applied } else { 0 };
                let chain = evidence.map_or(0, |evidence| short(&evidence.chain));
                hash.map(|hash| Fingerprint { shard, applied, hash: hash.rotate_left(1) ^ chain })
            });
            prints.extend(print.flatten());
        }
        prints
    }
}

fn short(hash: &Hash) -> u64 {
    let Hash([a, b, c, d, e, f, g, h, ..]) = *hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
