//! Requests of this node to shards, wherever they lead, until each is answered.
//!
//! A request to a shard that leads here is a function call and is usually answered within it. Every request may be sent again: shards
//! answer a repeated one with the same outcome, and a commit that was sent more than once is told apart (see `cluster::commit`).

use crate::core::{Core, Work};
use crate::limits::BACKGROUND_MAX;
use crate::slot::Slot;
use base::{Error, Mono, NodeId, RequestId, Retry, SessionId, ShardId, SqlState, TxnId};
use cluster::Message;
use cluster::routing::{LEADERLESS_MAX, RESEND_DELAY, RETRY_DELAY, Verdict};
use shard::event::ShardEvent;
use sql::backend::CallError;
use std::collections::BTreeSet;
use storage::access::{Context, LockWait, Refusal, Request, Response};

pub(crate) type CallSlot = Slot<Result<Response, CallError>>;

/// Who waits for the answer.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    Session {
        session: SessionId,
        slot: CallSlot,
    },
    /// A commit or a recovery, by its number.
    Commit(u64),
    /// Nobody: repeated for `BACKGROUND_MAX`.
    Background,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Sent {
        to: NodeId,
        at: Mono,
    },
    /// No leader is known, or it was busy.
    Parked {
        until: Mono,
    },
}

#[derive(Debug)]
pub(crate) struct Call {
    pub shard: ShardId,
    pub request: Request,
    pub owner: Owner,
    pub place: Place,
    /// How often it was sent without it being certain that the copy had no effect and never will.
    copies: u32,
    redirects: u32,
    started: Mono,
    /// Since when no node answered it or could be asked.
    leaderless_since: Option<Mono>,
}

pub(crate) fn context_of(request: &Request) -> Option<&Context> {
    match request {
        Request::Read { context, .. }
        | Request::Scan { context, .. }
        | Request::LockTables { context, .. }
        | Request::Stage { context, .. }
        | Request::Commit { context, .. }
        | Request::Prepare { context, .. } => Some(context),
        _ => None,
    }
}

/// The transaction, if this request may wait for locks or leaves some.
fn locking_txn(request: &Request) -> Option<TxnId> {
    match request {
        Request::Read { context, reads, .. } if reads.iter().any(|r| r.lock.is_some()) => Some(context.txn),
        Request::LockTables { context, .. } | Request::Stage { context, .. } => Some(context.txn),
        _ => None,
    }
}

fn may_wait(request: &Request) -> bool {
    matches!(request, Request::Read { wait: LockWait::Wait(_), .. } | Request::LockTables { wait: LockWait::Wait(_), .. })
}

/// It was waited for long enough: the statement is not run again unseen.
pub(crate) fn leaderless(message: String) -> Error {
    Error::new(SqlState::CANNOT_CONNECT_NOW, message).with_retry(Retry::Never)
}

/// What a session sees of a shard's answer.
pub(crate) fn to_session(response: Response) -> Result<Response, CallError> {
    match response {
        Response::Refused(Refusal::StaleSchema(version)) => Err(CallError::StaleSchema(version)),
        Response::Refused(Refusal::Error(error)) => Err(CallError::Error(error)),
        Response::Refused(other) => Err(CallError::Error(Error::internal(format!("a shard refused for good: {other:?}")))),
        response => Ok(response),
    }
}

impl Core {
    pub fn new_request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(u64::from(self.config.boot) << 40 | self.next_request)
    }

    /// Calls a shard for a session. `Ok` if it was answered at once.
    pub fn session_call(&mut self, session: SessionId, shard: ShardId, request: Request) -> Result<Result<Response, CallError>, CallSlot> {
        if let (Some(txn), Some(state)) = (locking_txn(&request), self.sessions.get(&session)) {
            state.touches(txn, shard);
            self.running.insert(txn);
        }
        let slot = CallSlot::new();
        let owner = Owner::Session { session, slot: slot.clone() };
        match self.start_call(shard, request, owner) {
            Some(response) => Ok(to_session(response)),
            None => Err(slot),
        }
    }

    /// The answer, if it came at once; else its owner hears it later.
    pub fn start_call(&mut self, shard: ShardId, request: Request, owner: Owner) -> Option<Response> {
        let id = self.new_request();
        let now = self.now.mono;
        let follower = context_of(&request).is_some_and(|c| c.follower) && self.replicas.contains_key(&shard);
        let to = if follower { Some(self.config.node) } else { self.target(shard) };
        let mut call = Call {
            shard,
            request,
            owner,
            place: Place::Parked { until: now },
            copies: 0,
            redirects: 0,
            started: now,
            leaderless_since: None,
        };
        let Some(to) = to else {
            call.place = Place::Parked { until: now.after(RETRY_DELAY) };
            call.leaderless_since = Some(now);
            self.calls.insert(id, call);
            return None;
        };
        call.copies = 1;
        call.place = Place::Sent { to, at: now };
        if to != self.config.node {
            self.out.push(to, Message::Request { shard, id, request: call.request.clone() });
            self.calls.insert(id, call);
            return None;
        }
        match self.ask_here(shard, id, call.request.clone()) {
            None => {
                self.calls.insert(id, call);
                None
            }
            Some(response) => self.judge(id, call, to, response),
        }
    }

    /// Where to send: the known leader, else this node's own replica, which may know more.
    fn target(&self, shard: ShardId) -> Option<NodeId> {
        let here = || self.replicas.contains_key(&shard).then_some(self.config.node);
        self.routing.leader(shard).filter(|&n| n != self.config.node || self.replicas.contains_key(&shard)).or_else(here)
    }

    /// Steps the local replica; the answer if it came within the step.
    fn ask_here(&mut self, shard: ShardId, id: RequestId, request: Request) -> Option<Response> {
        let outer = self.immediate.replace((id, None));
        self.step_shard(shard, ShardEvent::Request { from: self.config.node, id, request });
        let answered = std::mem::replace(&mut self.immediate, outer);
        answered.and_then(|(_, response)| response)
    }

    /// A shard's answer to one of this node's requests.
    pub fn answered(&mut self, from: NodeId, id: RequestId, response: Response) {
        if let Some((waiting, slot)) = &mut self.immediate
            && *waiting == id
        {
            *slot = Some(response);
            return;
        }
        let Some(call) = self.calls.get(&id) else { return };
        if !matches!(call.place, Place::Sent { to, .. } if to == from) {
            return;
        }
        let call = self.calls.remove(&id).expect("it was just found");
        self.ended_wait(&call);
        let resent = call.copies > 1;
        let (owner, shard) = (call.owner.clone(), call.shard);
        if let Some(response) = self.judge(id, call, from, response) {
            self.deliver(owner, shard, resent, response);
        }
    }

    /// The response if it is final; else the call is kept and goes on.
    fn judge(&mut self, id: RequestId, mut call: Call, asked: NodeId, response: Response) -> Option<Response> {
        let now = self.now.mono;
        // The only copy was turned away at the door.
        if call.copies == 1 && matches!(response, Response::Refused(Refusal::NotLeader(_) | Refusal::Busy)) {
            call.copies = 0;
        }
        match self.routing.judge(call.shard, asked, call.redirects, &response) {
            Verdict::Answer => return Some(response),
            Verdict::Redirect => {
                call.redirects += 1;
                call.place = Place::Parked { until: now };
                self.work.push_back(Work::Dispatch(id));
            }
            Verdict::Later => {
                call.redirects = 0;
                call.place = Place::Parked { until: now.after(RETRY_DELAY) };
                call.leaderless_since.get_or_insert(now);
            }
        }
        self.calls.insert(id, call);
        None
    }

    fn deliver(&mut self, owner: Owner, shard: ShardId, resent: bool, response: Response) {
        match owner {
            Owner::Session { session, slot } => {
                slot.fill(to_session(response));
                self.wake(session);
            }
            Owner::Commit(number) => self.work.push_back(Work::Commit { number, shard, resent, response }),
            Owner::Background => {
                if let Response::Refused(Refusal::Error(error)) = response {
                    self.fault(error);
                }
            }
        }
    }

    /// Sends a call unless it went to the present leader in the meantime: a second copy that waits for a lock would get it when the
    /// transaction is over.
    pub fn dispatch_astray(&mut self, id: RequestId) {
        let Some(call) = self.calls.get(&id) else { return };
        let (shard, place) = (call.shard, call.place);
        if !matches!(place, Place::Sent { to, .. } if self.target(shard) == Some(to)) {
            self.dispatch(id);
        }
    }

    /// Sends a parked call if there is someone to send it to.
    pub fn dispatch(&mut self, id: RequestId) {
        let Some(call) = self.calls.get(&id) else { return };
        let (shard, now) = (call.shard, self.now.mono);
        let to = self.target(shard);
        let call = self.calls.get_mut(&id).expect("it was just found");
        let Some(to) = to else {
            call.place = Place::Parked { until: now.after(RETRY_DELAY) };
            call.leaderless_since.get_or_insert(now);
            return;
        };
        call.copies += 1;
        call.place = Place::Sent { to, at: now };
        let request = call.request.clone();
        if to != self.config.node {
            self.out.push(to, Message::Request { shard, id, request });
            return;
        }
        if let Some(response) = self.ask_here(shard, id, request) {
            self.answered(to, id, response);
        }
    }

    /// With each tick: parked calls whose time has come, and those nobody may wait for any more.
    pub fn retry_parked(&mut self) {
        let now = self.now.mono;
        let due: Vec<RequestId> =
            self.calls.iter().filter(|(_, c)| matches!(c.place, Place::Parked { until } if until <= now)).map(|(&id, _)| id).collect();
        for id in due {
            if self.is_given_up(id) { self.give_up(id) } else { self.dispatch(id) }
        }
    }

    /// With each heartbeat: unanswered requests to other nodes are sent again, to whoever leads now.
    pub fn resend(&mut self) {
        let (now, here) = (self.now.mono, self.config.node);
        let late = |c: &Call| matches!(c.place, Place::Sent { to, at } if to != here && now.since(at) >= RESEND_DELAY);
        let due: Vec<RequestId> = self.calls.iter().filter(|(_, c)| late(c)).map(|(&id, _)| id).collect();
        for id in due {
            if self.is_given_up(id) { self.give_up(id) } else { self.dispatch(id) }
        }
    }

    /// The shard has a new leader: what was sent elsewhere or waits for one goes there now.
    pub fn reroute(&mut self, shard: ShardId) {
        let Some(leader) = self.routing.leader(shard) else { return };
        let astray = |c: &Call| c.shard == shard && !matches!(c.place, Place::Sent { to, .. } if to == leader);
        let due: Vec<RequestId> = self.calls.iter().filter(|(_, c)| astray(c)).map(|(&id, _)| id).collect();
        self.work.extend(due.into_iter().map(Work::Dispatch));
    }

    fn is_given_up(&self, id: RequestId) -> bool {
        let Some(call) = self.calls.get(&id) else { return false };
        let now = self.now.mono;
        let lost = |since: Option<Mono>| since.is_some_and(|s| now.since(s) >= LEADERLESS_MAX);
        match &call.owner {
            Owner::Session { slot, .. } => {
                slot.is_abandoned() || (lost(call.leaderless_since) && matches!(call.place, Place::Parked { .. }))
            }
            // The commit itself gives up (see `commits`).
            Owner::Commit(_) => false,
            Owner::Background => now.since(call.started) >= BACKGROUND_MAX,
        }
    }

    fn give_up(&mut self, id: RequestId) {
        let Some(call) = self.calls.remove(&id) else { return };
        self.ended_wait(&call);
        if let Owner::Session { session, slot } = call.owner {
            let message = format!("shard {} has no leader that can be reached", call.shard.0);
            slot.fill(Err(CallError::Error(leaderless(message))));
            self.wake(session);
        }
    }

    /// Shards to which a commit's request is still to be sent: no copy of it has had or will have an effect.
    pub fn unsent(&self, number: u64) -> BTreeSet<ShardId> {
        let of_commit = |c: &&Call| c.copies == 0 && matches!(c.owner, Owner::Commit(n) if n == number);
        self.calls.values().filter(of_commit).map(|c| c.shard).collect()
    }

    /// The session's waiting requests end with this error; its commits go on.
    pub fn interrupt_calls(&mut self, session: SessionId, error: &Error) {
        let theirs = |c: &Call| matches!(&c.owner, Owner::Session { session: s, .. } if *s == session);
        let ids: Vec<RequestId> = self.calls.iter().filter(|(_, c)| theirs(c)).map(|(&id, _)| id).collect();
        for id in ids {
            self.interrupt_call(id, error.clone());
        }
    }

    pub fn interrupt_call(&mut self, id: RequestId, error: Error) {
        let Some(call) = self.calls.remove(&id) else { return };
        self.ended_wait(&call);
        if may_wait(&call.request)
            && let Some(context) = context_of(&call.request)
        {
            self.tell(call.shard, Request::CancelWait { txn: context.txn });
        }
        if let Owner::Session { session, slot } = call.owner {
            slot.fill(Err(CallError::Error(error)));
            self.wake(session);
        }
    }

    /// Calls in which this transaction may be waiting for a lock.
    pub fn waiting_calls(&self, txn: TxnId) -> Vec<(RequestId, ShardId)> {
        let waits = |c: &Call| may_wait(&c.request) && context_of(&c.request).is_some_and(|x| x.txn == txn);
        self.calls.iter().filter(|(_, c)| waits(c)).map(|(&id, c)| (id, c.shard)).collect()
    }

    fn ended_wait(&mut self, call: &Call) {
        if !self.waits.is_empty()
            && let Some(context) = context_of(&call.request)
        {
            self.waits.ended(context.txn, call.shard);
        }
    }

    /// Tells a shard's leader something that has no answer.
    pub fn tell(&mut self, shard: ShardId, request: Request) {
        let id = self.new_request();
        match self.target(shard) {
            Some(to) if to == self.config.node => self.step_shard(shard, ShardEvent::Request { from: to, id, request }),
            Some(to) => self.out.push(to, Message::Request { shard, id, request }),
            None => {}
        }
    }

    pub fn forget_calls_of(&mut self, number: u64) {
        self.calls.retain(|_, c| !matches!(c.owner, Owner::Commit(n) if n == number));
    }

    /// Forgets what a commit has under way to a shard.
    pub fn forget_calls(&mut self, number: u64, shard: ShardId) {
        self.calls.retain(|_, c| c.shard != shard || !matches!(c.owner, Owner::Commit(n) if n == number));
    }
}
