//! Requests whose rows are in no memory while the store may make its readers wait: a job reads for them, and the thread goes on with others.
//!
//! A store on disk makes readers wait while it changes its list of files, for as long as the disk takes to sync that. All shards of a node share one thread; if
//! it waited, leaders would lose their leases. At other times the thread reads by itself: a job costs more than a read.
//!
//! What was read counts only if nothing has moved between memory, layers and store since it was asked for ([`crate::state::State::layout`]); otherwise it is read again.

use crate::below::{Fetch, Fetched, Part, Wanted};
use crate::event::{Job, JobDone, JobResult, ShardEffect};
use crate::read::{FETCHED_KEYS_MAX, after, chunk_keys};
use crate::requests::Pending;
use crate::shard::Shard;
use crate::txn::{SCANNED_RUN_MIN, new_run};
use base::{Mono, Result, TxnId, Version};
use std::collections::BTreeMap;
use std::time::Duration;
use storage::access::{BASE_GUARDED, Context, Isolation, Key, KeyRange, ReadSet, Refusal, Request, Snapshot, Write};

/// Requests for which jobs read at once, or that wait for one; more are refused as busy.
const FETCHING_MAX: usize = 16 * 1024;
/// Jobs under way. What comes meanwhile shares the next one.
const JOBS_MAX: usize = 2;
/// After so many readings in vain the thread reads by itself.
const FETCHES_MAX: u32 = 3;
/// How long a request waits for a disk.
const FETCH_WAIT: Duration = Duration::from_secs(10);

enum Reader {
    Request(Box<Pending>),
    Scrub,
}

struct Waiting {
    reader: Reader,
    /// As it was when the rows were asked for.
    layout: u64,
    /// Whose staged rows are read as well, and how many parts of them there were.
    own: Option<(TxnId, u32)>,
    deadline: Mono,
}

#[derive(Default)]
pub(crate) struct Fetching {
    waiting: BTreeMap<u64, Waiting>,
    queued: Vec<(u64, Fetch)>,
    /// The requests that each job reads for.
    jobs: BTreeMap<u64, Vec<u64>>,
    last: u64,
}

type Read = Vec<(u64, Result<Fetched>)>;

impl Fetching {
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// All requests: what is read for them comes too late.
    pub fn take(&mut self) -> Vec<Pending> {
        self.take_where(|_| true)
    }

    /// Those that would lock rows for this transaction, which is over.
    pub fn take_locking(&mut self, txn: TxnId) -> Vec<Pending> {
        self.take_where(|pending| pending.locks_for(txn))
    }

    fn take_where(&mut self, which: impl Fn(&Pending) -> bool) -> Vec<Pending> {
        let taken = self.waiting.extract_if(.., |_, waiting| matches!(&waiting.reader, Reader::Request(pending) if which(pending)));
        let requests = taken.filter_map(|(_, waiting)| match waiting.reader {
            Reader::Request(pending) => Some(*pending),
            Reader::Scrub => None,
        });
        requests.collect()
    }
}

fn snapshot_of(context: &Context) -> Version {
    match context.snapshot {
        Snapshot::Latest => Version::MAX,
        Snapshot::At(version) => version,
    }
}

/// Gives a read that asks for the latest a snapshot.
pub(crate) fn set_snapshot(request: &mut Request, snapshot: Version) {
    if let Request::Read { context, .. } | Request::Scan { context, .. } = request {
        context.snapshot = Snapshot::At(snapshot);
    }
}

fn read_all(fetches: &[(u64, Fetch)]) -> JobResult {
    let read: Read = fetches.iter().map(|(number, fetch)| (*number, fetch.carry_out())).collect();
    Ok(Box::new(read))
}

impl Shard {
    /// Gives the request back if it can go on at once; else it is kept until a job has read what it needs.
    pub(crate) fn fetch_first(&mut self, mut pending: Pending) -> Option<Pending> {
        let own = self.own_of(&pending.request);
        if pending.fetches >= FETCHES_MAX || !self.state.may_wait_below(own.is_some()) {
            return Some(pending);
        }
        let wanted = self.wanted(&pending, own);
        if wanted.is_empty() {
            return Some(pending);
        }
        if self.requests.fetching.len() >= FETCHING_MAX {
            self.refuse(pending.from, pending.id, Refusal::Busy);
            return None;
        }
        pending.fetches += 1;
        self.fetch(Reader::Request(Box::new(pending)), own, wanted);
        None
    }

    /// The first part of a chunk for the scrub.
    pub(crate) fn fetch_chunk(&mut self, part: Part) {
        self.fetch(Reader::Scrub, None, Wanted { scan: Some(part), ..Wanted::default() });
    }

    fn fetch(&mut self, reader: Reader, own: Option<TxnId>, wanted: Wanted) {
        let staged = own.and_then(|txn| self.state.staged.get(&txn).map(|staged| (txn, staged)));
        let fetch = Fetch {
            store: self.state.store.clone(),
            flushed: self.state.flushed,
            layers: self.state.layers.clone(),
            own: staged.map(|(txn, staged)| (txn, staged.storages.clone())),
            room: self.state.cache.has_room(),
            wanted,
        };
        let (layout, own) = (self.state.layout, staged.map(|(txn, staged)| (txn, staged.parts)));
        let deadline = self.now.mono.after(FETCH_WAIT);
        let fetching = &mut self.requests.fetching;
        fetching.last += 1;
        fetching.waiting.insert(fetching.last, Waiting { reader, layout, own, deadline });
        fetching.queued.push((fetching.last, fetch));
    }

    /// The transaction whose staged rows the request sees.
    fn own_of(&self, request: &Request) -> Option<TxnId> {
        let (Request::Read { context, .. } | Request::Scan { context, .. }) = request else { return None };
        (context.sees_staged && self.state.staged.contains_key(&context.txn)).then_some(context.txn)
    }

    fn wanted(&self, pending: &Pending, own: Option<TxnId>) -> Wanted {
        let mut wanted = Wanted::default();
        match &pending.request {
            Request::Read { context, reads, .. } => {
                for read in reads.get(pending.next..).unwrap_or_default() {
                    let snapshot = if read.lock.is_some() { Version::MAX } else { snapshot_of(context) };
                    if own.is_some() || self.state.looks_below(&read.key, snapshot) {
                        wanted.keys.push((read.key.clone(), snapshot));
                    }
                }
            }
            Request::Scan { context, range, reverse, rows_max } if range.end.is_empty() || range.start < range.end => {
                let limit = chunk_keys(*rows_max as usize, FETCHED_KEYS_MAX);
                wanted.scan = Some(Part { range: range.clone(), reverse: *reverse, limit, snapshot: snapshot_of(context) });
            }
            Request::Commit { context, writes, reads, .. } | Request::Prepare { context, writes, reads, .. } => {
                self.wanted_to_commit(context, writes, reads, &mut wanted);
            }
            Request::Sequence { key, .. } => self.want(key, &mut wanted.keys),
            _ => {}
        }
        wanted
    }

    fn want(&self, key: &Key, keys: &mut Vec<(Key, Version)>) {
        if self.state.looks_below(key, Version::MAX) {
            keys.push((key.clone(), Version::MAX));
        }
    }

    /// What its validation looks at.
    fn wanted_to_commit(&self, context: &Context, writes: &[Write], reads: &ReadSet, wanted: &mut Wanted) {
        if self.state.outcomes.get(context.txn).is_some() {
            return;
        }
        let mut rest = writes;
        while let Some(first) = rest.first() {
            let (run, others) = rest.split_at(new_run(first, rest));
            rest = others;
            match run {
                [first, .., last] if run.len() >= SCANNED_RUN_MIN => {
                    let range = KeyRange { start: first.key.clone(), end: after(&last.key) };
                    let below = run.iter().filter(|write| self.state.looks_below(&write.key, Version::MAX));
                    wanted.runs.push((range, below.map(|write| write.key.clone()).collect()));
                }
                _ => run.iter().filter(|write| write.base != BASE_GUARDED).for_each(|write| self.want(&write.key, &mut wanted.keys)),
            }
        }
        if !self.locks.knows(context.txn) {
            reads.locked.iter().for_each(|(key, _)| self.want(key, &mut wanted.keys));
        }
        if context.isolation == Isolation::Serializable {
            reads.keys.iter().for_each(|key| self.want(key, &mut wanted.keys));
        }
    }

    /// At the end of a step: what came together is read together.
    pub(crate) fn dispatch_fetches(&mut self) {
        if self.requests.fetching.queued.is_empty() || self.requests.fetching.jobs.len() >= JOBS_MAX {
            return;
        }
        let fetches = std::mem::take(&mut self.requests.fetching.queued);
        let numbers = fetches.iter().map(|(number, _)| *number).collect();
        let id = self.next_job();
        self.requests.fetching.jobs.insert(id, numbers);
        let run = Box::new(move || read_all(&fetches));
        self.effects.push(ShardEffect::Job(Job { id, name: "fetch rows", urgent: true, run }));
    }

    pub(crate) fn fetch_job_done(&mut self, done: JobDone) -> Option<JobDone> {
        let Some(numbers) = self.requests.fetching.jobs.remove(&done.id) else { return Some(done) };
        match done.result {
            Ok(read) => {
                for (number, fetched) in *read.downcast::<Read>().expect("the job was started with this result") {
                    self.fetched(number, fetched);
                }
            }
            Err(error) => {
                for number in numbers {
                    self.fetched(number, Err(error.clone()));
                }
            }
        }
        None
    }

    fn fetched(&mut self, number: u64, fetched: Result<Fetched>) {
        let Some(Waiting { reader, layout, own, .. }) = self.requests.fetching.waiting.remove(&number) else { return };
        let parts = own.and_then(|(txn, _)| self.state.staged.get(&txn).map(|staged| (txn, staged.parts)));
        let moved = layout != self.state.layout || own != parts;
        match (reader, fetched) {
            (Reader::Scrub, fetched) => self.chunk_fetched(fetched.ok().filter(|_| !moved)),
            (Reader::Request(pending), Err(error)) => self.refuse(pending.from, pending.id, Refusal::Error(error)),
            (Reader::Request(pending), Ok(_)) if moved => self.take_up(*pending),
            (Reader::Request(pending), Ok(fetched)) => {
                self.state.take_fetched(fetched);
                self.go_on(*pending);
                self.state.forget_fetched();
            }
        }
    }

    pub(crate) fn tick_fetching(&mut self) {
        let now = self.now.mono;
        let waiting = &mut self.requests.fetching.waiting;
        let late: Vec<u64> = waiting.iter().take_while(|(_, waiting)| waiting.deadline <= now).map(|(number, _)| *number).collect();
        let late: Vec<Waiting> = late.iter().filter_map(|number| waiting.remove(number)).collect();
        for Waiting { reader, .. } in late {
            match reader {
                Reader::Request(pending) => self.refuse(pending.from, pending.id, Refusal::Busy),
                Reader::Scrub => self.chunk_fetched(None),
            }
        }
    }
}
