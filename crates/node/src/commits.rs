//! Carries out what `cluster::commit` decides: commits of this gateway's sessions, and recoveries of transactions whose gateway is silent.

use crate::calls::{Owner, leaderless};
use crate::core::{Core, Work};
use crate::limits::{BACKGROUND_MAX, COMMIT_INTERRUPTED_MAX, COMMIT_WAIT_MAX};
use crate::slot::Slot;
use base::{Error, Mono, SessionId, ShardId, TxnId, Version};
use cluster::commit::{Commit, Failure, Output, Part, Recovery};
use sql::backend::{CallError, CommitPart};
use storage::access::{Context, Request, Response};

pub(crate) type CommitSlot = Slot<Result<Version, CallError>>;

#[derive(Debug)]
pub(crate) enum Machine {
    Commit { machine: Commit, session: SessionId, slot: CommitSlot, patience: Patience },
    Recovery { machine: Recovery, txn: TxnId, dropped_at: Mono },
}

/// How long a commit is waited for.
#[derive(Debug)]
pub(crate) enum Patience {
    /// By its client, which hears then what is known.
    Until(Mono),
    /// The client was interrupted: it hears at once if that is certain to end the transaction, else when the time has come.
    Interrupted(Mono, Error),
    /// By nobody: the client was answered. Participants that are left without the decision find it by themselves.
    Answered { dropped_at: Mono },
}

impl Core {
    pub fn begin_commit(&mut self, session: SessionId, context: &Context, parts: Vec<CommitPart>) -> CommitSlot {
        if let Some(state) = self.sessions.get(&session) {
            state.release(context.txn);
        }
        self.running.remove(&context.txn);
        let slot = CommitSlot::new();
        let parts = parts
            .into_iter()
            .map(|CommitPart { shard, writes, reads, parts, holds_locks, seen }| Part { shard, writes, reads, parts, holds_locks, seen })
            .collect();
        let mut outputs = Vec::new();
        let machine = Commit::start(context, parts, &mut outputs);
        let patience = Patience::Until(self.now.mono.after(COMMIT_WAIT_MAX));
        let number = self.new_commit(Machine::Commit { machine, session, slot: slot.clone(), patience });
        self.apply_outputs(number, outputs);
        self.pump();
        slot
    }

    pub fn begin_recovery(&mut self, txn: TxnId, participants: &[ShardId]) {
        let known = |m: &Machine| matches!(m, Machine::Recovery { txn: t, .. } if *t == txn);
        let own = |m: &Machine| matches!(m, Machine::Commit { machine, .. } if machine.txn() == txn);
        if self.commits.values().any(|m| known(m) || own(m)) {
            return;
        }
        let mut outputs = Vec::new();
        let machine = Recovery::start(txn, participants, &mut outputs);
        let dropped_at = self.now.mono.after(BACKGROUND_MAX);
        let number = self.new_commit(Machine::Recovery { machine, txn, dropped_at });
        self.apply_outputs(number, outputs);
    }

    fn new_commit(&mut self, machine: Machine) -> u64 {
        self.next_commit += 1;
        self.commits.insert(self.next_commit, machine);
        self.next_commit
    }

    pub fn commit_answered(&mut self, number: u64, shard: ShardId, resent: bool, response: Response) {
        let mut outputs = Vec::new();
        match self.commits.get_mut(&number) {
            Some(Machine::Commit { machine, .. }) => machine.answered(shard, resent, response, &mut outputs),
            Some(Machine::Recovery { machine, .. }) => machine.answered(shard, response, &mut outputs),
            None => return,
        }
        self.apply_outputs(number, outputs);
    }

    fn apply_outputs(&mut self, number: u64, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { shard, request } => {
                    if let Some(response) = self.start_call(shard, request, Owner::Commit(number)) {
                        self.work.push_back(Work::Commit { number, shard, resent: false, response });
                    }
                }
                Output::Forget { shard } => self.forget_calls(number, shard),
                Output::Answer(answer) => self.commit_answer(number, answer),
                Output::Fault(error) => self.fault(error),
                Output::Settled { shard } => self.tell(shard, Request::Settled { txn: self.txn_of(number) }),
                Output::Finished => {
                    self.commits.remove(&number);
                }
            }
        }
    }

    fn commit_answer(&mut self, number: u64, answer: Result<Version, Failure>) {
        let dropped_at = self.now.mono.after(BACKGROUND_MAX);
        let Some(Machine::Commit { session, slot, patience, .. }) = self.commits.get_mut(&number) else { return };
        *patience = Patience::Answered { dropped_at };
        let answer = answer.map_err(|failure| match failure {
            Failure::StaleSchema(version) => CallError::StaleSchema(version),
            Failure::Error(error) => CallError::Error(error),
        });
        if let Ok(version) = answer {
            self.clock.observe(version);
        }
        slot.fill(answer);
        let session = *session;
        self.wake(session);
    }

    fn txn_of(&self, number: u64) -> TxnId {
        match self.commits.get(&number).expect("a machine's outputs are carried out while it is there") {
            Machine::Commit { machine, .. } => machine.txn(),
            Machine::Recovery { txn, .. } => *txn,
        }
    }

    /// The session's commits are not waited for as long any more.
    pub fn interrupt_commits(&mut self, session: SessionId, error: &Error) {
        let until = self.now.mono.after(COMMIT_INTERRUPTED_MAX);
        for machine in self.commits.values_mut() {
            if let Machine::Commit { session: s, patience, .. } = machine
                && *s == session
                && let Patience::Until(at) = patience
            {
                *patience = Patience::Interrupted(until.min(*at), error.clone());
            }
        }
        self.commit_round();
    }

    /// Commits that were waited for long enough are given up; machines that nobody needs any more are dropped.
    pub fn commit_round(&mut self) {
        let now = self.now.mono;
        let (mut late, mut over) = (Vec::new(), Vec::new());
        for (&number, machine) in &self.commits {
            match machine {
                Machine::Commit { patience: Patience::Until(at), .. } if now >= *at => late.push((number, None)),
                Machine::Commit { machine, patience: Patience::Interrupted(at, error), .. } => {
                    let unsent = self.unsent(number);
                    if now >= *at || machine.is_certain(&|shard| unsent.contains(&shard)) {
                        late.push((number, Some(error.clone())));
                    }
                }
                Machine::Commit { patience: Patience::Answered { dropped_at }, .. } | Machine::Recovery { dropped_at, .. }
                    if now >= *dropped_at =>
                {
                    over.push(number);
                }
                _ => {}
            }
        }
        for (number, reason) in late {
            self.give_up_commit(number, reason);
        }
        for number in over {
            self.commits.remove(&number);
            self.forget_calls_of(number);
        }
    }

    fn give_up_commit(&mut self, number: u64, reason: Option<Error>) {
        let unsent = self.unsent(number);
        let Some(Machine::Commit { machine, .. }) = self.commits.get_mut(&number) else { return };
        let reason = reason.unwrap_or_else(|| {
            let shards: Vec<String> = unsent.iter().map(|shard| shard.0.to_string()).collect();
            leaderless(format!("nothing was committed: shard {} has no leader that can be reached", shards.join(", ")))
        });
        let mut outputs = Vec::new();
        machine.give_up(&|shard| unsent.contains(&shard), reason, &mut outputs);
        self.apply_outputs(number, outputs);
    }

    /// True if a commit of this gateway's own is under way for it.
    pub fn is_committing(&self, txn: TxnId) -> bool {
        self.commits.values().any(|m| matches!(m, Machine::Commit { machine, .. } if machine.txn() == txn))
    }
}
