//! One node's process with its machine: disk, row stores, clocks, and what waits to be stepped.

use crate::clock::{Clock, ClockConfig};
use crate::disk::{DiskConfig, LogDisk};
use crate::machine::Machine;
use crate::nodes::SEGMENT_BYTES;
use crate::queue::Micros;
use crate::rows::SimStores;
use base::{Locality, NodeId, Prng, SessionId, ShardId};
use node::event::Event;
use shard::event::Job;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Events that wait while a process stands still; more peer frames than this are dropped, as a full socket would do.
pub const INBOX_EVENTS_MAX: usize = 50_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Running,
    /// Down; a connection attempt is refused or not answered at all.
    Down {
        silent: bool,
    },
    /// Its data is gone: it never comes back.
    Gone,
}

pub struct Process {
    pub id: NodeId,
    pub place: Locality,
    pub life: Life,
    pub machine: Option<Box<dyn Machine>>,
    /// Counts the lives; events of earlier ones are void.
    pub boot: u32,
    pub disk: LogDisk,
    pub stores: Arc<SimStores>,
    pub clock: Clock,
    pub inbox: VecDeque<Event>,
    pub step_planned: bool,
    /// Pauses in force.
    pub paused: u32,
    pub tick_waits: bool,
    pub busy_until: Micros,
    pub sessions: BTreeMap<SessionId, u32>,
    pub jobs: BTreeMap<u64, (ShardId, Job)>,
    pub jobs_begun: u64,
    /// Periods in force during which the log finds no space.
    pub full: u32,
    /// The same for the stores: at least as many.
    pub stores_full: u32,
    pub damaged_at: Option<Micros>,
}

impl Process {
    pub fn new(id: NodeId, place: Locality, clocks: ClockConfig, disk: DiskConfig, prng: &mut Prng, now: Micros) -> Process {
        Process {
            id,
            place,
            life: Life::Down { silent: false },
            machine: None,
            boot: 0,
            disk: LogDisk::new(disk, SEGMENT_BYTES, prng.next_u64()),
            stores: Arc::new(SimStores::default()),
            clock: Clock::new(clocks, prng, now),
            inbox: VecDeque::new(),
            step_planned: false,
            paused: 0,
            tick_waits: false,
            busy_until: 0,
            sessions: BTreeMap::new(),
            jobs: BTreeMap::new(),
            jobs_begun: 0,
            full: 0,
            stores_full: 0,
            damaged_at: None,
        }
    }

    pub fn runs(&self, boot: u32) -> bool {
        self.boot == boot && self.life == Life::Running
    }

    pub fn is_up(&self) -> bool {
        self.life == Life::Running
    }

    /// The process ends; what its machine keeps depends on `power_lost`. Answers the clients that were connected.
    pub fn end(&mut self, now: Micros, power_lost: bool, silent: bool, prng: &mut Prng) -> BTreeMap<SessionId, u32> {
        self.life = Life::Down { silent };
        self.machine = None;
        self.inbox.clear();
        self.step_planned = false;
        self.tick_waits = false;
        let jobs = std::mem::take(&mut self.jobs);
        if power_lost {
            self.interrupt_jobs(jobs, prng);
            self.disk.crash(now, prng);
            self.stores.crash(prng);
        } else {
            self.disk.settle(Micros::MAX);
        }
        std::mem::take(&mut self.sessions)
    }

    /// Some jobs had got somewhere when the power went.
    fn interrupt_jobs(&self, jobs: BTreeMap<u64, (ShardId, Job)>, prng: &mut Prng) {
        for (_, job) in jobs.into_values() {
            if prng.one_in(2) {
                self.stores.set_fuse(Some(prng.below(12) as u32));
                // Its result reaches nobody: the process is dead.
                drop((job.run)());
                self.stores.set_fuse(None);
            }
        }
    }
}
