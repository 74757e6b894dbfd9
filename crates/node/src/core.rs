//! Everything of a node but its sessions' tasks: what an event changes, and what is handed out at the end of a step.
//!
//! Effects of shards are carried out in the order they were given; what follows from an answer waits in a queue of work, so
//! that no shard is stepped from within its own step and no append overtakes an earlier one.

use crate::bookings::Bookings;
use crate::calls::Call;
use crate::catalog::CatalogCache;
use crate::commits::Machine;
use crate::config::NodeConfig;
use crate::event::{Effect, Event, QUIET_TICK_MICROS, Report};
use crate::ledger_clock::LedgerClock;
use crate::limits::POLLS_PER_STEP;
use crate::local::{LOCAL, LocalStore};
use crate::log::NodeLog;
use crate::replicas::Replica;
use crate::session::SessionState;
use crate::timers::{Timer, Timers};
use base::{Error, HybridClock, Mono, NodeId, Now, Prng, RequestId, SessionId, ShardId, SqlState, TxnId};
use cluster::deadlock::Waits;
use cluster::membership::Membership;
use cluster::message::{Link, Outgoing};
use cluster::registry::Registry;
use cluster::routing::Routing;
use rustc_hash::FxHashSet;
use sql::engine::{EngineEvent, QueryId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use storage::RowStores;
use storage::access::Response;

/// What follows from an answer or an effect, done after the step that caused it.
#[derive(Debug)]
pub(crate) enum Work {
    Commit { number: u64, shard: ShardId, resent: bool, response: Response },
    Dispatch(RequestId),
    RemoveReplica(ShardId),
}

/// When the slower rounds are due.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    pub heartbeat: Mono,
    pub placement: Mono,
    pub horizon: Mono,
}

pub(crate) struct Core {
    pub config: NodeConfig,
    pub now: Now,
    pub prng: Prng,
    pub clock: HybridClock,
    pub ledger_clock: LedgerClock,
    pub bookings: Bookings,
    pub log: NodeLog,
    pub stores: Arc<dyn RowStores>,
    pub local: LocalStore,
    pub replicas: BTreeMap<ShardId, Replica>,
    pub routing: Routing,
    pub members: Membership,
    pub registry: Registry,
    pub waits: Waits,
    pub links: BTreeMap<NodeId, Link>,
    pub out: Outgoing,
    pub malformed_frames: u64,
    pub calls: BTreeMap<RequestId, Call>,
    /// The request that is being asked of a local shard right now, and its answer if that came at once.
    pub immediate: Option<(RequestId, Option<Response>)>,
    pub next_request: u64,
    pub commits: BTreeMap<u64, Machine>,
    pub next_commit: u64,
    pub next_txn: u64,
    /// Requests of other nodes that local replicas work on.
    pub remote: BTreeMap<ShardId, BTreeSet<(NodeId, RequestId)>>,
    pub work: VecDeque<Work>,
    pub sessions: BTreeMap<SessionId, Rc<SessionState>>,
    /// The transactions of all sessions that may hold locks or staged parts. Asked for each holder of each lock that is waited for long.
    pub running: FxHashSet<TxnId>,
    pub ready: VecDeque<SessionId>,
    /// Sessions that did enough for one poll: they go on with the next event.
    pub yielded: Vec<SessionId>,
    pub dirty: Vec<Rc<SessionState>>,
    /// Client sessions that wait for the catalog before they start.
    pub opening: Vec<SessionId>,
    pub timers: Timers,
    pub catalog: CatalogCache,
    pub engine: bool,
    pub queries: BTreeMap<QueryId, SessionId>,
    pub next_query: u64,
    pub rounds: Rounds,
    pub full: crate::log::Full,
    /// Of either.
    pub disk_full: bool,
    pub told_peers: Option<Vec<crate::event::Peer>>,
    pub told_removed: Vec<NodeId>,
    pub told_own_address: bool,
    pub draining_since: Option<Mono>,
    pub stopped: bool,
    pub shard_effects: Vec<shard::event::ShardEffect>,
    pub effects: Vec<Effect>,
}

impl Core {
    /// All events but `Client`, which needs the tasks.
    pub fn event(&mut self, event: Event) {
        match event {
            Event::Tick => self.tick(),
            Event::Peer { from, frame } => self.frame(from, &frame),
            Event::LogWritten { sequence, result } => self.log_written(sequence, result),
            Event::JobDone { shard: LOCAL, done } => self.registry_saved(done.result.err()),
            Event::JobDone { shard, done } => self.step_shard(shard, shard::event::ShardEvent::Job(done)),
            Event::Client { .. } => {}
            Event::ClientGone { session } => self.client_gone(session),
            Event::ClientDrained { session, responses } => {
                // A session that was not held back has nothing to go on with.
                if self.sessions.get(&session).is_some_and(|state| state.client_took(responses)) {
                    self.wake(session);
                }
            }
            Event::Cancel { session } => {
                let error = Error::new(SqlState::QUERY_CANCELED, "canceling statement due to user request");
                self.interrupt(session, error);
            }
            Event::Engine { query, event } => self.engine_event(query, event),
            Event::Drain => self.drain(),
        }
        self.pump();
    }

    fn tick(&mut self) {
        let shards: Vec<ShardId> = self.replicas.keys().copied().collect();
        for shard in shards {
            self.step_shard(shard, shard::event::ShardEvent::Tick);
        }
        self.pump();
        while let Some(timer) = self.timers.due(self.now.mono) {
            self.timer(timer);
        }
        self.retry_parked();
        self.log.tick(self.now.mono);
        self.watch_stores();
        self.peer_round();
        self.placement_round();
        self.horizon_round();
        self.drain_round();
    }

    /// Nothing is under way that the next tick would bring forward.
    pub fn is_quiet(&self) -> bool {
        let soon = self.now.mono.after(Duration::from_micros(QUIET_TICK_MICROS));
        self.calls.is_empty()
            && self.commits.is_empty()
            && self.ready.is_empty()
            && self.yielded.is_empty()
            && self.draining_since.is_none()
            && self.timers.next().is_none_or(|at| at > soon)
            && self.replicas.values().all(|replica| replica.shard.is_quiet())
    }

    fn timer(&mut self, timer: Timer) {
        match timer {
            Timer::Sleep { session, slot } => {
                slot.fill(());
                self.wake(session);
            }
            Timer::Deadline { session } => self.deadline_timer(session),
            Timer::Open { session } => self.refuse_opening(session),
        }
    }

    fn deadline_timer(&mut self, session: SessionId) {
        let Some(state) = self.sessions.get(&session) else { return };
        state.deadline_timer.set(false);
        match state.deadline.get() {
            Some(at) if at <= self.now.mono => {
                state.deadline.set(None);
                self.interrupt(session, Error::new(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout"));
            }
            Some(at) => {
                state.deadline_timer.set(true);
                state.deadline_timer_at.set(at);
                self.timers.set(at, Timer::Deadline { session });
            }
            None => {}
        }
    }

    /// Sets the session's interrupt and ends what it waits for; a commit only if its outcome is certain or does not come.
    pub fn interrupt(&mut self, session: SessionId, error: Error) {
        let Some(state) = self.sessions.get(&session) else { return };
        state.interrupt(error.clone());
        self.interrupt_calls(session, &error);
        self.interrupt_commits(session, &error);
        self.wake(session);
    }

    fn client_gone(&mut self, session: SessionId) {
        let Some(state) = self.sessions.get(&session) else { return };
        state.gone.set(true);
        self.interrupt(session, Error::new(SqlState::CONNECTION_FAILURE, "the client is gone"));
    }

    fn engine_event(&mut self, query: QueryId, event: EngineEvent) {
        let Some(&session) = self.queries.get(&query) else { return };
        if matches!(event, EngineEvent::Done { .. } | EngineEvent::Failed(_)) {
            self.queries.remove(&query);
        }
        if let Some(state) = self.sessions.get(&session) {
            state.engine_events.borrow_mut().push_back((query, event));
            self.wake(session);
        }
    }

    /// The session has something to go on with.
    pub fn wake(&mut self, session: SessionId) {
        if let Some(state) = self.sessions.get(&session)
            && !state.queued.replace(true)
        {
            self.ready.push_back(session);
        }
    }

    /// The session goes on with the next event, after all others.
    pub fn yield_session(&mut self, session: SessionId) {
        self.yielded.push(session);
    }

    pub fn resume_yielded(&mut self) {
        for session in std::mem::take(&mut self.yielded) {
            self.wake(session);
        }
    }

    pub fn next_ready(&mut self) -> Option<SessionId> {
        let session = self.ready.pop_front()?;
        if let Some(state) = self.sessions.get(&session) {
            state.queued.set(false);
            state.spent.set(0);
        }
        Some(session)
    }

    /// Works off what followed. Ends, because each piece is either an answer that takes a machine a step on or a send.
    pub fn pump(&mut self) {
        loop {
            while let Some(work) = self.work.pop_front() {
                match work {
                    Work::Commit { number, shard, resent, response } => self.commit_answered(number, shard, resent, response),
                    Work::Dispatch(id) => self.dispatch_astray(id),
                    Work::RemoveReplica(shard) => self.remove_replica(shard),
                }
            }
            if !self.log.has_durable() {
                return;
            }
            self.tell_durable();
        }
    }

    pub fn fault(&mut self, error: Error) {
        self.effects.push(Effect::Report(Report::Fault(error)));
    }

    pub fn info(&mut self, text: impl Into<String>) {
        self.effects.push(Effect::Report(Report::Info(text.into())));
    }

    /// At the end of a step: one log write, one frame for each peer, what clients hear.
    pub fn finish(&mut self, effects: &mut Vec<Effect>) {
        if let Some(write) = self.log.next_write() {
            self.effects.push(Effect::WriteLog(write));
        }
        self.send_frames();
        for state in self.dirty.drain(..) {
            let responses = state.take_responses();
            if !responses.is_empty() && !state.gone.get() && !state.is_internal() {
                self.effects.push(Effect::Client { session: state.id, responses });
            }
        }
        effects.append(&mut self.effects);
    }
}

const _: () = assert!(POLLS_PER_STEP >= crate::limits::SESSIONS_MAX, "one step can poll every session once");
