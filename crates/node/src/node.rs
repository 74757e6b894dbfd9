//! The node as the shell and the simulator see it: opened, stepped, looked into.

use crate::bookings::{BOOKERS, Bookings};
use crate::catalog::{BOOTSTRAP, CatalogCache, LOADER};
use crate::config::{EvidenceIdentity, NodeConfig, Start};
use crate::core::{Core, Rounds};
use crate::downgrade::KEEPER;
use crate::event::{Effect, Event, QUIET_TICK_MICROS, TICK_MICROS};
use crate::expiry::EXPIRER;
use crate::ledger_clock::LedgerClock;
use crate::limits::POLLS_PER_STEP;
use crate::local::{LOCAL, LocalStore};
use crate::log::{Full, NodeLog};
use crate::replicas::Replica;
use crate::sessions::Tasks;
use base::{HybridClock, NodeId, Now, Prng, Result, ShardId};
use cluster::registry::{NodeRecord, NodeState, Registry};
use proof::Origin;
use shard::{Bootstrap, Shard, ShardConfig};
use sql::catalog::Catalog;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use storage::RowStores;
use storage::access::COMMIT_BYTES_MAX;
use storage::log::{Log, LogFiles, Record, Recovered, ShardLog};

/// Bytes of row versions after which a shard flushes them, on however large a machine: while they are flushed as much again comes, and as much is on its
/// way into the cache.
const ACTIVE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Least memory for each purpose of a shard, in bytes.
const SHARD_BYTES_MIN: usize = 64 * 1024;

pub struct Node {
    core: Rc<RefCell<Core>>,
    tasks: Tasks,
}

impl Node {
    /// Reads what is there. Blocking; the first `step` starts the node.
    ///
    /// # Errors
    /// What the log, the stores or a shard's state say when they cannot be read.
    pub fn open(config: NodeConfig, now: Now, files: &dyn LogFiles, stores: Arc<dyn RowStores>) -> Result<Node> {
        assert!(config.sizes.commit_bytes_max <= COMMIT_BYTES_MAX, "a shard takes no larger commit");
        let (log, recovered) = Log::open_with(files, config.sizes.log)?;
        let local = LocalStore::open(&*stores)?;
        let mut core = new_core(config, now, log, stores, local);
        let fresh = core.open_registry()?;
        core.open_replicas(recovered)?;
        core.tell_peers();
        let mut node = Node { core: Rc::new(RefCell::new(core)), tasks: Tasks::default() };
        node.tasks.spawn_internal(&node.core, LOADER, |backend| Box::pin(backend.load_catalog()));
        node.tasks.spawn_internal(&node.core, KEEPER, |backend| Box::pin(backend.keep_downgrade()));
        node.tasks.spawn_internal(&node.core, EXPIRER, |backend| Box::pin(crate::expiry::expire(backend)));
        for booker in BOOKERS {
            node.tasks.spawn_internal(&node.core, booker, |backend| Box::pin(crate::bookings::book(backend)));
        }
        if fresh {
            node.tasks.spawn_internal(&node.core, BOOTSTRAP, |backend| Box::pin(backend.bootstrap()));
        }
        Ok(node)
    }

    /// Says that the shell carries out `Effect::Engine`; without it, statements that need the engine are refused.
    pub fn with_engine(self) -> Node {
        self.core.borrow_mut().engine = true;
        self
    }

    /// `handle` and `finish` in one.
    pub fn step(&mut self, now: Now, event: Event, effects: &mut Vec<Effect>) {
        self.handle(now, event);
        self.finish(effects);
    }

    /// Takes an event in. What follows comes out of the next `finish`: several events handled together share one write of the log and
    /// one frame for each peer.
    pub fn handle(&mut self, now: Now, event: Event) {
        self.core.borrow_mut().now = now;
        if matches!(event, Event::Tick) {
            self.core.borrow_mut().resume_yielded();
        }
        match event {
            Event::Client { session, requests } => self.tasks.client(&self.core, session, requests),
            event => self.core.borrow_mut().event(event),
        }
        self.poll_ready();
    }

    /// Lets sessions go on that had done enough for one turn. To be called when no event waits and `has_work` says so; every tick
    /// does it too.
    pub fn go_on(&mut self, now: Now, effects: &mut Vec<Effect>) {
        {
            let mut core = self.core.borrow_mut();
            core.now = now;
            core.resume_yielded();
        }
        self.poll_ready();
        self.finish(effects);
    }

    fn poll_ready(&mut self) {
        self.tasks.open_waiting(&self.core);
        for _ in 0..POLLS_PER_STEP {
            let next = self.core.borrow_mut().next_ready();
            let Some(session) = next else { break };
            self.tasks.poll(&self.core, session);
        }
    }

    /// Gives out all effects of what was handled.
    pub fn finish(&mut self, effects: &mut Vec<Effect>) {
        self.core.borrow_mut().finish(effects);
        self.tasks.close(effects);
    }

    /// True if sessions have something to go on with: the shell should not wait for an event, but call `go_on`.
    pub fn has_work(&self) -> bool {
        let core = self.core.borrow();
        !core.yielded.is_empty() || !core.ready.is_empty()
    }

    /// When the shell should give the next tick, in microseconds from now.
    pub fn tick_micros(&self) -> u64 {
        if self.core.borrow().is_quiet() { QUIET_TICK_MICROS } else { TICK_MICROS }
    }

    pub fn id(&self) -> NodeId {
        self.core.borrow().config.node
    }

    /// Looks into a replica of this node.
    pub fn with_shard<T>(&self, shard: ShardId, look: impl FnOnce(&Shard) -> T) -> Option<T> {
        self.core.borrow().replicas.get(&shard).map(|r| look(&r.shard))
    }

    /// As `with_shard`, for inspections that the shard does work for.
    pub fn with_shard_mut<T>(&mut self, shard: ShardId, look: impl FnOnce(&mut Shard) -> T) -> Option<T> {
        self.core.borrow_mut().replicas.get_mut(&shard).map(|r| look(&mut r.shard))
    }

    pub fn replicas(&self) -> Vec<ShardId> {
        self.core.borrow().replicas.keys().copied().collect()
    }

    /// The shards that this node leads, with their terms.
    pub fn led(&self) -> Vec<(ShardId, u64)> {
        self.core.borrow().led()
    }

    /// Who leads, as this node believes.
    pub fn leader(&self, shard: ShardId) -> Option<NodeId> {
        self.core.borrow().routing.leader(shard)
    }

    /// What exists, roles among it; `None` until the node has read it from its cluster.
    pub fn catalog(&self) -> Option<Arc<Catalog>> {
        let core = self.core.borrow();
        (core.catalog.current.version.0 > 0).then(|| Arc::clone(&core.catalog.current))
    }

    /// Rows of a table that the node answers itself; columns as `sql::system` has them. `None`: there is no such table.
    pub fn system_table(&self, name: &str) -> Option<Vec<Vec<sql::value::Value>>> {
        self.core.borrow_mut().system_table(name)
    }

    pub fn registry(&self) -> Registry {
        self.core.borrow().registry.clone()
    }

    pub fn is_stopped(&self) -> bool {
        self.core.borrow().stopped
    }

    pub fn counts(&self) -> Counts {
        let core = self.core.borrow();
        Counts {
            sessions: core.client_sessions(),
            calls: core.calls.len(),
            commits: core.commits.len(),
            timers: core.timers.len(),
            transactions: core.running.len(),
            malformed_frames: core.malformed_frames,
            log_pending_bytes: core.log.pending_bytes(),
            log_segments: core.log.usage().0,
            log_live_bytes: core.log.usage().1,
        }
    }
}

/// How much of what a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub sessions: usize,
    /// Requests to shards that are not answered yet.
    pub calls: usize,
    /// Commits and recoveries under way.
    pub commits: usize,
    pub timers: usize,
    /// Of sessions, that may hold locks.
    pub transactions: usize,
    pub malformed_frames: u64,
    pub log_pending_bytes: usize,
    pub log_segments: usize,
    pub log_live_bytes: u64,
}

fn new_core(config: NodeConfig, now: Now, log: Log, stores: Arc<dyn RowStores>, local: LocalStore) -> Core {
    // Two nodes with one seed must not draw the same election timeouts.
    let seed = config.seed ^ (u64::from(config.node.0) << 32) ^ u64::from(config.boot).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let ledger_clock = LedgerClock::new(config.node, config.boot);
    Core {
        prng: Prng::new(seed),
        config,
        now,
        clock: HybridClock::default(),
        ledger_clock,
        bookings: Bookings::default(),
        log: NodeLog::new(log),
        stores,
        local,
        replicas: BTreeMap::new(),
        routing: Default::default(),
        members: Default::default(),
        registry: Registry::empty(),
        waits: Default::default(),
        links: BTreeMap::new(),
        out: Default::default(),
        malformed_frames: 0,
        calls: BTreeMap::new(),
        immediate: None,
        next_request: 0,
        commits: BTreeMap::new(),
        next_commit: 0,
        next_txn: 0,
        remote: BTreeMap::new(),
        work: VecDeque::new(),
        sessions: BTreeMap::new(),
        running: Default::default(),
        ready: VecDeque::new(),
        yielded: Vec::new(),
        dirty: Vec::new(),
        opening: Vec::new(),
        timers: Default::default(),
        catalog: CatalogCache::default(),
        engine: false,
        queries: BTreeMap::new(),
        next_query: 0,
        rounds: Rounds { heartbeat: now.mono, placement: now.mono, horizon: now.mono },
        full: Full::default(),
        disk_full: false,
        told_peers: None,
        told_removed: Vec::new(),
        told_own_address: false,
        draining_since: None,
        stopped: false,
        shard_effects: Vec::new(),
        effects: Vec::new(),
    }
}

impl Core {
    /// True if the cluster is made by this node and may not be complete yet.
    fn open_registry(&mut self) -> Result<bool> {
        let kept = self.local.registry()?;
        self.registry = match (kept, &self.config.start) {
            (Some(registry), _) => registry,
            (None, Start::New { mode }) => {
                let first = NodeRecord {
                    node: self.config.node,
                    address: self.config.address.clone(),
                    sql_address: self.config.sql_address.clone(),
                    locality: self.config.locality.clone(),
                    state: NodeState::Active,
                };
                let registry = Registry::new(*mode, self.config.shards, first);
                let shards: Vec<ShardId> = (0..self.config.shards).map(ShardId).collect();
                // The list first: a cluster that has its registry has all its replicas.
                self.local.set_replicas(&shards, None)?;
                self.local.set_registry(&registry)?;
                registry
            }
            (None, Start::Join { .. } | Start::Restart) => Registry::empty(),
        };
        self.routing.set_shards(self.registry.shards);
        Ok(self.registry.version == 1 && self.registry.nodes.contains_key(&self.config.node))
    }

    fn open_replicas(&mut self, mut recovered: Recovered) -> Result<()> {
        let listed = self.local.replicas()?;
        for shard in listed {
            let mut log = recovered.shards.remove(&shard);
            if recovered.damaged_unknown && log.is_none() {
                log = Some(ShardLog { damaged: true, ..ShardLog::default() });
            }
            let replica = self.open_replica(shard, log)?;
            self.replicas.insert(shard, replica);
        }
        // Replicas whose removal was cut short by the end of the process.
        for &shard in recovered.shards.keys().filter(|&&s| s != LOCAL) {
            self.log.append_unwatched(shard, Record::Removed);
            self.stores.destroy(shard)?;
        }
        Ok(())
    }

    pub(crate) fn open_replica(&mut self, shard: ShardId, log: Option<ShardLog>) -> Result<Replica> {
        let alone = self.registry.version == 1 && self.registry.nodes.contains_key(&self.config.node);
        let count = u64::from(self.registry.shards.max(1));
        let share = |part: u64| usize::try_from(self.config.memory_bytes / part / count).unwrap_or(usize::MAX).max(SHARD_BYTES_MIN);
        let seed = self.prng.next_u64();
        let mut config = ShardConfig::new(shard, self.config.node, self.config.boot, seed);
        (config.active_bytes_max, config.cache_bytes_max) = (share(8).min(ACTIVE_BYTES_MAX), share(4));
        config.log_bytes_max = config.log_bytes_max.min(share(4));
        // What is there already is not made anew: the shard looks.
        config.bootstrap = alone.then(|| Bootstrap { voters: vec![self.config.node], ..Bootstrap::default() });
        let EvidenceIdentity { cluster, seed } = &self.config.evidence;
        (config.origin, config.signing) = (Origin::new(cluster, shard)?, Some(seed.clone()));
        let store = self.stores.open(shard)?;
        Ok(Replica::new(Shard::open(config, self.now, log, store)?))
    }
}
