//! Carries out what `cluster::commit` decides: commits of this gateway's sessions, and recoveries of transactions whose gateway is silent.

use crate::calls::Owner;
use crate::core::{Core, Work};
use crate::slot::Slot;
use base::{SessionId, ShardId, TxnId, Version};
use cluster::commit::{Commit, Failure, Output, Part, Recovery};
use sql::backend::{CallError, CommitPart};
use storage::access::{Context, Response};

pub(crate) type CommitSlot = Slot<Result<Version, CallError>>;

#[derive(Debug)]
pub(crate) enum Machine {
    Commit { machine: Commit, session: SessionId, slot: CommitSlot },
    Recovery { machine: Recovery, txn: TxnId },
}

impl Core {
    pub fn begin_commit(&mut self, session: SessionId, context: &Context, parts: Vec<CommitPart>) -> CommitSlot {
        if let Some(state) = self.sessions.get(&session) {
            state.release(context.txn);
        }
        let slot = CommitSlot::new();
        let parts = parts
            .into_iter()
            .map(|CommitPart { shard, writes, reads, parts, holds_locks, seen }| Part { shard, writes, reads, parts, holds_locks, seen })
            .collect();
        let mut outputs = Vec::new();
        let machine = Commit::start(context, parts, &mut outputs);
        let number = self.new_commit(Machine::Commit { machine, session, slot: slot.clone() });
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
        let number = self.new_commit(Machine::Recovery { machine, txn });
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
                Output::Finished => {
                    self.commits.remove(&number);
                }
            }
        }
    }

    fn commit_answer(&mut self, number: u64, answer: Result<Version, Failure>) {
        let Some(Machine::Commit { session, slot, .. }) = self.commits.get(&number) else { return };
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

    /// True if a commit of this gateway's own is under way for it.
    pub fn is_committing(&self, txn: TxnId) -> bool {
        self.commits.values().any(|m| matches!(m, Machine::Commit { machine, .. } if machine.txn() == txn))
    }
}
