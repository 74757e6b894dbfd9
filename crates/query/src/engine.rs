//! The engine: takes commands from sessions, runs each query as a task of its own runtime.

use crate::dependencies::ForgetKeys;
use crate::literals::PlainConstants;
use crate::outer::ForgetConstants;
use crate::port::{Delivery, Outlet, Port};
use crate::run;
use base::{Error, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use futures::FutureExt;
use sql::engine::{CHUNK_ROWS, EngineCommand, EngineEvent, QueryId, QueryJob, ScanId};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

/// How much of the machine queries may use.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Threads that run queries.
    pub threads: usize,
    /// Bytes that all queries together may hold; above it they spill, or end with `53200`.
    pub memory_bytes: usize,
    /// Where sorts, joins and groupings spill to. `None`: they do not.
    pub spill_directory: Option<PathBuf>,
    /// Most bytes of spilled data.
    pub spill_bytes: u64,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions { threads: 2, memory_bytes: 256 << 20, spill_directory: None, spill_bytes: 4 << 30 }
    }
}

/// Stack of a thread that plans and runs queries; deeply nested statements need it.
const STACK_BYTES: usize = 8 << 20;
/// Memory that a sort keeps back for merging what it spilled, as a part of the whole.
const SORT_RESERVATION_PART: usize = 64;
/// The same, at most.
const SORT_RESERVATION_BYTES_MAX: usize = 4 << 20;
/// Above this many bytes a sort sorts its batches one by one instead of copying them together.
const SORT_IN_PLACE_BYTES: usize = 1 << 20;

struct Query {
    port: Arc<Port>,
    task: AbortHandle,
}

type Queries = Arc<Mutex<BTreeMap<QueryId, Query>>>;

/// What is made at the first query, so that an idle node stays small.
struct Machine {
    runtime: Runtime,
    state: Arc<SessionState>,
}

/// The vectorised engine. Dropping it ends all queries without an answer.
pub struct Engine {
    options: EngineOptions,
    out: Outlet,
    queries: Queries,
    machine: Mutex<Option<Machine>>,
}

impl Engine {
    pub fn new(options: EngineOptions, out: Box<dyn Fn(QueryId, EngineEvent) + Send + Sync>) -> Engine {
        Engine { options, out: Arc::from(out), queries: Queries::default(), machine: Mutex::new(None) }
    }

    /// Never blocks. What it starts answers through the outlet, from another thread.
    pub fn command(&self, command: EngineCommand) {
        match command {
            EngineCommand::Describe(job) => self.start(job, false),
            EngineCommand::Run(job) => self.start(job, true),
            EngineCommand::Rows { query, scan, rows, last } => self.deliver(query, scan, Delivery::Stored { rows, last }),
            EngineCommand::SystemRows { query, scan, rows } => self.deliver(query, scan, Delivery::System(rows)),
            EngineCommand::More { query } => self.with_port(query, Port::allow_more),
            EngineCommand::Cancel { query } => self.cancel(query),
        }
    }

    /// Queries that have not ended.
    pub fn running(&self) -> usize {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn with_port(&self, query: QueryId, act: impl FnOnce(&Port)) {
        let port = self.queries.lock().unwrap_or_else(PoisonError::into_inner).get(&query).map(|query| query.port.clone());
        if let Some(port) = port {
            act(&port);
        }
    }

    fn deliver(&self, query: QueryId, scan: ScanId, delivery: Delivery) {
        self.with_port(query, |port| port.deliver(scan, delivery));
    }

    fn cancel(&self, query: QueryId) {
        let removed = self.queries.lock().unwrap_or_else(PoisonError::into_inner).remove(&query);
        if let Some(query) = removed {
            query.task.abort();
        }
    }

    fn start(&self, job: QueryJob, run: bool) {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = match &mut *machine {
            Some(machine) => machine,
            empty => match Machine::new(&self.options) {
                Ok(new) => empty.insert(new),
                Err(error) => return (self.out)(job.id, EngineEvent::Failed(error)),
            },
        };
        let id = job.id;
        let port = Arc::new(Port::new(id, self.out.clone()));
        let queries = self.queries.clone();
        let work = run::run(job, run, machine.state.clone(), port.clone());
        let end = {
            let port = port.clone();
            async move {
                // A panic in an operator is a fault of the engine, not the end of the node.
                let result = AssertUnwindSafe(work).catch_unwind().await;
                let event = match result {
                    Ok(Ok(event)) => event,
                    Ok(Err(error)) => Some(EngineEvent::Failed(error)),
                    Err(panic) => Some(EngineEvent::Failed(panicked(panic.as_ref()))),
                };
                let known = queries.lock().unwrap_or_else(PoisonError::into_inner).remove(&id).is_some();
                if let (Some(event), true) = (event, known) {
                    port.send(event);
                }
            }
        };
        // The task waits for the lock until it is entered here, so it cannot end before it is known.
        let mut queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        let task = machine.runtime.spawn(end).abort_handle();
        if let Some(before) = queries.insert(id, Query { port, task }) {
            before.task.abort();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(machine) = self.machine.lock().unwrap_or_else(PoisonError::into_inner).take() {
            machine.runtime.shutdown_background();
        }
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    Error::internal(format!("the query engine failed: {}", message.unwrap_or_else(|| String::from("no message"))))
}

impl Machine {
    fn new(options: &EngineOptions) -> Result<Machine> {
        let threads = options.threads.max(1);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(threads)
            .thread_stack_size(STACK_BYTES)
            .thread_name("query")
            .build()
            .map_err(|error| Error::internal(format!("cannot start the query engine's threads: {error}")))?;
        let state = Machine::state(options).map_err(crate::error::translate)?;
        Ok(Machine { runtime, state: Arc::new(state) })
    }

    fn state(options: &EngineOptions) -> datafusion::common::Result<SessionState> {
        let disk = match &options.spill_directory {
            Some(directory) => DiskManagerMode::Directories(vec![directory.clone()]),
            None => DiskManagerMode::Disabled,
        };
        let disk = DiskManagerBuilder::default().with_mode(disk).with_max_temp_directory_size(options.spill_bytes);
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let reservation = (options.memory_bytes / SORT_RESERVATION_PART).min(SORT_RESERVATION_BYTES_MAX);
        // A scan is one stream, so more partitions would only add exchanges.
        let mut config = SessionConfig::new()
            .with_target_partitions(1)
            .with_batch_size(CHUNK_ROWS)
            .with_information_schema(false)
            .with_create_default_catalog_and_schema(false)
            .with_sort_spill_reservation_bytes(reservation)
            .with_sort_in_place_threshold_bytes(SORT_IN_PLACE_BYTES);
        config.options_mut().sql_parser.parse_float_as_decimal = true;
        config.options_mut().sql_parser.map_string_types_to_utf8view = false;
        config.options_mut().optimizer.prefer_hash_join = true;
        Ok(SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(environment)
            .with_default_features()
            .with_optimizer_rules(rules())
            .with_physical_optimizer_rules(physical_rules())
            .build())
    }
}

fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let sides = place("join_selection", rules.iter().map(|rule| rule.name()));
    rules.insert(sides + 1, Arc::new(ForgetConstants));
    rules
}

/// The library's rules, with ours in their places.
fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    let subqueries = place("decorrelate_lateral_join", rules.iter().map(|rule| rule.name()));
    rules.insert(subqueries + 1, Arc::new(ForgetKeys));
    let simplify = place("simplify_expressions", rules.iter().map(|rule| rule.name()));
    rules.insert(simplify, Arc::new(PlainConstants));
    rules
}

/// # Panics
/// If the library, which is pinned, has no such rule: our guards against its faults have no place then, which every test of the engine shows.
fn place<'a>(name: &str, mut names: impl Iterator<Item = &'a str>) -> usize {
    names.position(|known| known == name).unwrap_or_else(|| panic!("the library has no rule {name}"))
}
