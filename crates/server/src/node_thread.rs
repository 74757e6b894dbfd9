//! The thread that owns the node: takes what happened, steps the node, carries out what it wants done.
//!
//! It waits only for its inbox. Files and the engine are handed their work and answer through the inbox. So are sockets where there are cores for
//! threads of their own. Where there are few, this thread serves the sockets too, between its turns: handing each message from thread to
//! thread and back would cost more than the sockets do.

use crate::devices::Devices;
use crate::inbox::{Inbox, Input};
use crate::metrics::Metrics;
use crate::postgres::{Outbox, Outgoing};
use crate::shared::Shared;
use crate::transport::Transport;
use base::{Mono, Now, SessionId, Wall};
use node::event::{Effect, Event, Report};
use node::{Node, NodeConfig};
use rustc_hash::FxHashMap;
use sql::catalog::Catalog;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use storage::RowStores;
use storage::log::LogFiles;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Effects are carried out at least after so many events, so that the disk does not wait for a long batch.
const EVENTS_PER_DISPATCH: usize = 32;
/// Whoever waits for the node's thread notices when one turn takes so long, or when the thread does not get a processor for so long.
const SLOW: Duration = Duration::from_millis(100);
/// Up to so many cores, sockets are served on the node's thread.
const SHARED_CORES_MAX: usize = 2;
/// What the last answers may take to reach sockets that the ended node's thread serves.
const FAREWELL: Duration = Duration::from_millis(20);
/// Exit status when the node broke one of its own invariants: going on could damage data.
const EXIT_BROKEN: i32 = 70;

/// All that the thread needs.
pub struct Start<D> {
    pub config: NodeConfig,
    pub files: Box<dyn LogFiles + Send>,
    pub stores: Arc<dyn RowStores>,
    pub devices: D,
    pub inbox: Arc<Inbox>,
    pub transport: Arc<Transport>,
    pub shared: Arc<Shared>,
    pub metrics: Arc<Metrics>,
    /// Where sockets are served, if on the node's thread.
    pub sockets: Option<Runtime>,
}

/// The runtime for sockets on the node's thread, if there are too few cores for threads of their own.
///
/// # Errors
/// If the system refuses it.
pub fn shared_runtime() -> std::io::Result<Option<Runtime>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores > SHARED_CORES_MAX {
        return Ok(None);
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build().map(Some)
}

/// Opens the node on a thread of its own; the receiver hears how that went.
///
/// # Errors
/// If the thread cannot be started.
pub fn spawn<D: Devices + 'static>(mut start: Start<D>) -> std::io::Result<oneshot::Receiver<base::Result<()>>> {
    let (opened, hears) = oneshot::channel();
    let sockets = start.sockets.take();
    if sockets.is_some() {
        let inbox = Arc::clone(&start.inbox);
        std::thread::Builder::new().name("links".into()).spawn(move || inbox.release_delayed())?;
    }
    std::thread::Builder::new().name("node".into()).spawn(move || {
        let inbox = Arc::clone(&start.inbox);
        let stopped = Arc::clone(&start.shared);
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| match NodeThread::open(start) {
            Ok(thread) => {
                // Nobody may be waiting for this any more.
                let _ = opened.send(Ok(()));
                match &sockets {
                    Some(runtime) => runtime.block_on(thread.run_beside_sockets()),
                    None => thread.run(),
                }
            }
            Err(error) => {
                let _ = opened.send(Err(error));
            }
        }));
        if outcome.is_err() {
            tracing::error!("the node broke one of its own invariants and stops, so that no data is damaged; please report this");
            std::process::exit(EXIT_BROKEN);
        }
        inbox.close();
        stopped.stopped.send_replace(true);
    })?;
    Ok(hears)
}

struct NodeThread<D> {
    node: Node,
    clock: Clock,
    devices: D,
    inbox: Arc<Inbox>,
    transport: Arc<Transport>,
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    sessions: FxHashMap<SessionId, Outbox>,
    effects: Vec<Effect>,
    /// As last published.
    catalog: Option<Arc<Catalog>>,
    next_tick: Instant,
    stopped: bool,
}

struct Clock {
    started: Instant,
    shared: Arc<Shared>,
}

impl Clock {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
        let offset = self.shared.clock_offset.load(Ordering::Relaxed);
        Now { mono: Mono(self.started.elapsed().as_micros() as u64), wall: Wall(wall.saturating_add_signed(offset)) }
    }
}

impl<D: Devices> NodeThread<D> {
    fn open(start: Start<D>) -> base::Result<NodeThread<D>> {
        let Start { config, files, stores, devices, inbox, transport, shared, metrics, sockets: _ } = start;
        let clock = Clock { started: Instant::now(), shared: Arc::clone(&shared) };
        let node = Node::open(config, clock.now(), &*files, stores)?.with_engine();
        let (sessions, effects) = (FxHashMap::default(), Vec::new());
        let next_tick = Instant::now();
        Ok(NodeThread {
            node,
            clock,
            devices,
            inbox,
            transport,
            shared,
            metrics,
            sessions,
            effects,
            catalog: None,
            next_tick,
            stopped: false,
        })
    }

    fn run(mut self) {
        let mut batch = Vec::new();
        while !self.stopped {
            // Sessions that only let others go first do not wait for a tick.
            let until = if self.node.has_work() { Instant::now() } else { self.next_tick };
            self.inbox.take(until, &mut batch);
            self.turn(&mut batch);
        }
    }

    /// As `run`; the tasks of sockets run on this thread whenever the node waits, and after each of its turns.
    async fn run_beside_sockets(mut self) {
        let mut batch = Vec::new();
        let timer = tokio::time::sleep_until(self.next_tick.into());
        tokio::pin!(timer);
        while !self.stopped {
            if timer.deadline() != self.next_tick.into() {
                timer.as_mut().reset(self.next_tick.into());
            }
            let busy = self.node.has_work() || self.inbox.has_ready();
            if busy {
                tokio::task::yield_now().await;
            }
            poll_fn(|context| {
                let taken = self.inbox.poll_take(context, &mut batch).is_ready();
                let due = timer.as_mut().poll(context).is_ready();
                if busy || taken || due { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            self.turn(&mut batch);
        }
        tokio::time::sleep(FAREWELL).await;
    }

    /// Deals with what arrived, and with the tick if it is due.
    fn turn(&mut self, batch: &mut Vec<Input>) {
        let awake = Instant::now();
        let mut now = self.clock.now();
        let inputs = batch.len() as u64;
        if awake >= self.next_tick {
            let late = awake.duration_since(self.next_tick);
            if late >= SLOW {
                tracing::warn!(millis = late.as_millis(), "the node's thread was late for its tick");
            }
            self.node.handle(now, Event::Tick);
            // Counted from now on, not from when it was due: a late tick does not make the next one early.
            self.next_tick = awake + Duration::from_micros(self.node.tick_micros());
        }
        for (count, input) in batch.drain(..).enumerate() {
            match input {
                Input::Event(event) => self.step(now, event),
                Input::Connect { session, outbox } => {
                    self.sessions.insert(session, outbox);
                }
            }
            if count % EVENTS_PER_DISPATCH == EVENTS_PER_DISPATCH - 1 {
                self.dispatch();
                now = self.clock.now();
            }
        }
        if self.node.has_work() {
            self.node.go_on(self.clock.now(), &mut self.effects);
        }
        // Before the answers: who was told of a new password must not get in without it.
        self.publish();
        self.dispatch();
        self.metrics.node_batches.add(1);
        self.metrics.node_events.add(inputs);
        let busy = awake.elapsed();
        if busy >= SLOW {
            tracing::warn!(millis = busy.as_millis(), inputs, "the node's thread was busy with one turn");
        }
        self.metrics.node_busy_micros.add(busy.as_micros() as u64);
    }

    fn step(&mut self, now: Now, event: Event) {
        let gone = match &event {
            Event::ClientGone { session } => Some(*session),
            _ => None,
        };
        self.node.handle(now, event);
        if let Some(session) = gone {
            self.sessions.remove(&session);
        }
    }

    /// Events handled since the last time share one write of the log and one frame for each peer.
    fn dispatch(&mut self) {
        self.node.finish(&mut self.effects);
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        // Its memory is used again.
        self.effects = effects;
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, frame } => self.transport.send(to, frame),
            Effect::WriteLog(write) => {
                self.metrics.log_writes.add(1);
                self.metrics.log_bytes.add(write.bytes.len() as u64);
                self.devices.write_log(write);
            }
            Effect::Job { shard, job } => {
                self.metrics.jobs.add(1);
                self.devices.run_job(shard, job);
            }
            Effect::Client { session, responses } => self.answer(session, Outgoing::Responses(responses)),
            Effect::ReadClient { session, read } => self.answer(session, Outgoing::Read(read)),
            Effect::CloseClient { session } => {
                self.answer(session, Outgoing::Close);
                self.sessions.remove(&session);
            }
            Effect::Engine(command) => self.devices.engine(command),
            Effect::Peers(peers) => {
                self.transport.set_peers(&peers);
                *self.shared.members.lock().unwrap_or_else(PoisonError::into_inner) = peers;
            }
            Effect::Removed(nodes) => self.transport.set_removed(nodes),
            Effect::Report(report) => self.report(report),
            Effect::Stopped => self.stopped = true,
        }
    }

    fn answer(&self, session: SessionId, outgoing: Outgoing) {
        if let Some(outbox) = self.sessions.get(&session) {
            // The connection may have ended in the meantime; the node hears of that by an event of its own.
            let _ = outbox.send(outgoing);
        }
    }

    fn report(&self, report: Report) {
        match report {
            Report::Leader { shard, leader, term } => {
                match leader {
                    Some(leader) => tracing::info!(%shard, %leader, term, "leader"),
                    None => tracing::info!(%shard, term, "no leader"),
                }
                self.shared.leaders.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, (leader, term));
            }
            Report::Fault(error) => tracing::error!(%error, detail = error.detail(), "fault"),
            Report::Info(text) => tracing::info!("{text}"),
        }
    }

    /// Lets connections know the roles, once the node knows them and whenever they change.
    fn publish(&mut self) {
        let Some(catalog) = self.node.catalog() else { return };
        if self.catalog.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &catalog)) {
            self.shared.credentials.publish(Arc::clone(&catalog));
            self.catalog = Some(catalog);
        }
    }
}
