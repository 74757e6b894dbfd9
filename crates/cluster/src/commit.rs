//! Who decides a transaction, and how its outcome becomes certain.
//!
//! A [`Commit`] is the gateway's side: one shard commits in one phase, several in two. A [`Recovery`] is run by the leader
//! of a participant that has waited too long for the decision. Neither keeps durable state: the participants' logs decide. All
//! prepared means committed at the largest of their versions; one that durably never will means aborted.
//!
//! The invariant that everything here serves: a client hears "failed" only if no copy of a message still under way can commit
//! the transaction. So a refusal of a request that was sent more than once counts only after an inquiry that makes it durable.

use base::{Error, SchemaVersion, ShardId, TxnId, Version};
use storage::access::{Context, LogPosition, Outcome, ReadSet, Refusal, Request, Response, Write};

/// A transaction's changes in one shard.
#[derive(Clone, Debug)]
pub struct Part {
    pub shard: ShardId,
    pub writes: Vec<Write>,
    pub reads: ReadSet,
    pub parts: u32,
    pub holds_locks: bool,
    /// See [`Context::seen`].
    pub seen: Option<LogPosition>,
}

/// Why a commit did not happen. Nothing of it ever will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    StaleSchema(SchemaVersion),
    Error(Error),
}

#[derive(Debug)]
pub enum Output {
    Send {
        shard: ShardId,
        request: Request,
    },
    /// The request under way to this shard is not needed any more.
    Forget {
        shard: ShardId,
    },
    /// What the client hears. Once.
    Answer(Result<Version, Failure>),
    /// An answer that the protocol does not allow: to be reported.
    Fault(Error),
    Finished,
}

#[derive(Debug)]
enum Phase {
    One,
    /// One-phase, refused after more than one send: asking whether a copy went through.
    OneInquiry(Failure),
    /// `refused`: by a shard that was sent the request more than once, so it was asked what became of it.
    Preparing {
        refused: Option<Failure>,
    },
    Deciding,
}

#[derive(Debug)]
struct Participant {
    shard: ShardId,
    prepared: Option<Version>,
    acknowledged: bool,
}

#[derive(Debug)]
pub struct Commit {
    txn: TxnId,
    participants: Vec<Participant>,
    phase: Phase,
}

impl Commit {
    /// `parts`: at least one, each of another shard.
    pub fn start(context: &Context, parts: Vec<Part>, outputs: &mut Vec<Output>) -> Commit {
        assert!(!parts.is_empty(), "a commit has a part in at least one shard");
        let shards: Vec<ShardId> = parts.iter().map(|p| p.shard).collect();
        let one = parts.len() == 1;
        for part in parts {
            let Part { shard, writes, reads, parts, holds_locks, seen } = part;
            let context = Context { holds_locks, seen, ..context.clone() };
            let request = if one {
                Request::Commit { context, writes, reads, parts }
            } else {
                Request::Prepare { context, writes, reads, parts, participants: shards.clone() }
            };
            outputs.push(Output::Send { shard, request });
        }
        let participants = shards.into_iter().map(|shard| Participant { shard, prepared: None, acknowledged: false }).collect();
        Commit { txn: context.txn, participants, phase: if one { Phase::One } else { Phase::Preparing { refused: None } } }
    }

    pub fn txn(&self) -> TxnId {
        self.txn
    }

    /// A shard's answer. `resent`: the request was sent more than once, so a copy may still be on its way.
    pub fn answered(&mut self, shard: ShardId, resent: bool, response: Response, outputs: &mut Vec<Output>) {
        match &self.phase {
            Phase::One => self.one(shard, resent, response, outputs),
            Phase::OneInquiry(_) => self.one_inquiry(response, outputs),
            Phase::Preparing { .. } => self.prepared(shard, resent, response, outputs),
            Phase::Deciding => self.acknowledged(shard, response, outputs),
        }
    }

    fn one(&mut self, shard: ShardId, resent: bool, response: Response, outputs: &mut Vec<Output>) {
        match response {
            Response::Committed { version } => outputs.extend([Output::Answer(Ok(version)), Output::Finished]),
            other => {
                let failure = failure_of(other);
                if resent {
                    outputs.push(Output::Send { shard, request: Request::Inquire { txn: self.txn, refuse: true } });
                    self.phase = Phase::OneInquiry(failure);
                } else {
                    outputs.extend([Output::Answer(Err(failure)), Output::Finished]);
                }
            }
        }
    }

    fn one_inquiry(&mut self, response: Response, outputs: &mut Vec<Output>) {
        let Phase::OneInquiry(failure) = &self.phase else { return };
        match response {
            Response::Outcome(Outcome::Committed(version)) => outputs.extend([Output::Answer(Ok(version)), Output::Finished]),
            Response::Outcome(Outcome::Aborted) => outputs.extend([Output::Answer(Err(failure.clone())), Output::Finished]),
            other => outputs.extend([Output::Answer(Err(unknown_outcome(self.txn))), Output::Fault(unexpected(&other)), Output::Finished]),
        }
    }

    /// The decision follows from what the participants hold durably and from nothing else, because a recovery decides by it too.
    fn prepared(&mut self, shard: ShardId, resent: bool, response: Response, outputs: &mut Vec<Output>) {
        match response {
            Response::Prepared { version } | Response::Outcome(Outcome::Prepared(version)) => {
                self.participant(shard).prepared = Some(version);
                if let Some(version) = all_prepared(&self.participants) {
                    self.answer_and_decide(Ok(version), outputs);
                }
            }
            // Someone recovered the transaction meanwhile: all had prepared.
            Response::Committed { version } | Response::Outcome(Outcome::Committed(version)) => {
                self.answer_and_decide(Ok(version), outputs);
            }
            Response::Outcome(Outcome::Aborted) => {
                let Phase::Preparing { refused } = &mut self.phase else { return };
                let failure = refused.take().unwrap_or_else(|| Failure::Error(aborted(self.txn)));
                self.answer_and_decide(Err(failure), outputs);
            }
            // It has forgotten transactions as old as this one: a recovery of those that prepared will say the same.
            other @ Response::Outcome(Outcome::Active | Outcome::Unknown) => {
                outputs.extend([Output::Answer(Err(unknown_outcome(self.txn))), Output::Fault(unexpected(&other)), Output::Finished]);
            }
            refusal if resent => {
                self.phase = Phase::Preparing { refused: Some(failure_of(refusal)) };
                self.inquire(shard, outputs);
            }
            refusal => self.answer_and_decide(Err(failure_of(refusal)), outputs),
        }
    }

    fn inquire(&self, shard: ShardId, outputs: &mut Vec<Output>) {
        outputs.push(Output::Send { shard, request: Request::Inquire { txn: self.txn, refuse: true } });
    }

    fn answer_and_decide(&mut self, answer: Result<Version, Failure>, outputs: &mut Vec<Output>) {
        let version = answer.as_ref().ok().copied();
        outputs.push(Output::Answer(answer));
        self.decide(version, outputs);
    }

    fn decide(&mut self, version: Option<Version>, outputs: &mut Vec<Output>) {
        self.phase = Phase::Deciding;
        for participant in &self.participants {
            let shard = participant.shard;
            outputs.extend([Output::Forget { shard }, Output::Send { shard, request: Request::Decide { txn: self.txn, version } }]);
        }
    }

    fn acknowledged(&mut self, shard: ShardId, response: Response, outputs: &mut Vec<Output>) {
        if response != Response::Done {
            outputs.push(Output::Fault(unexpected(&response)));
        }
        self.participant(shard).acknowledged = true;
        if self.participants.iter().all(|p| p.acknowledged) {
            outputs.push(Output::Finished);
        }
    }

    fn participant(&mut self, shard: ShardId) -> &mut Participant {
        self.participants.iter_mut().find(|p| p.shard == shard).expect("only participants are asked")
    }
}

/// Ends a prepared transaction whose coordinator is silent.
#[derive(Debug)]
pub struct Recovery {
    txn: TxnId,
    participants: Vec<Participant>,
    decided: bool,
}

impl Recovery {
    pub fn start(txn: TxnId, participants: &[ShardId], outputs: &mut Vec<Output>) -> Recovery {
        for &shard in participants {
            outputs.push(Output::Send { shard, request: Request::Inquire { txn, refuse: true } });
        }
        let participants = participants.iter().map(|&shard| Participant { shard, prepared: None, acknowledged: false }).collect();
        Recovery { txn, participants, decided: false }
    }

    pub fn answered(&mut self, shard: ShardId, response: Response, outputs: &mut Vec<Output>) {
        if self.decided {
            if response != Response::Done {
                outputs.push(Output::Fault(unexpected(&response)));
            }
            self.participant(shard).acknowledged = true;
            if self.participants.iter().all(|p| p.acknowledged) {
                outputs.push(Output::Finished);
            }
            return;
        }
        match response {
            Response::Outcome(Outcome::Prepared(version)) => {
                self.participant(shard).prepared = Some(version);
                if let Some(version) = all_prepared(&self.participants) {
                    self.decide(Some(version), outputs);
                }
            }
            Response::Outcome(Outcome::Committed(version)) => self.decide(Some(version), outputs),
            Response::Outcome(Outcome::Aborted) => self.decide(None, outputs),
            // Also one that has forgotten transactions as old as this: it may have committed it. Without its word nothing may be
            // decided; the participant reports the transaction again.
            other => outputs.extend([Output::Fault(unexpected(&other)), Output::Finished]),
        }
    }

    fn decide(&mut self, version: Option<Version>, outputs: &mut Vec<Output>) {
        self.decided = true;
        for participant in &self.participants {
            let shard = participant.shard;
            outputs.extend([Output::Forget { shard }, Output::Send { shard, request: Request::Decide { txn: self.txn, version } }]);
        }
    }

    fn participant(&mut self, shard: ShardId) -> &mut Participant {
        self.participants.iter_mut().find(|p| p.shard == shard).expect("only participants are asked")
    }
}

fn all_prepared(participants: &[Participant]) -> Option<Version> {
    participants.iter().map(|p| p.prepared).try_fold(Version::ZERO, |a, b| b.map(|b| a.max(b)))
}

fn aborted(txn: TxnId) -> Error {
    Error::new(
        base::SqlState::SERIALIZATION_FAILURE,
        format!("transaction {txn} was aborted because a shard did not hear from its gateway"),
    )
}

fn failure_of(response: Response) -> Failure {
    match response {
        Response::Refused(Refusal::StaleSchema(version)) => Failure::StaleSchema(version),
        Response::Refused(Refusal::Error(error)) => Failure::Error(error),
        other => Failure::Error(unexpected(&other)),
    }
}

fn unexpected(response: &Response) -> Error {
    match response {
        Response::Refused(Refusal::Error(error)) => error.clone(),
        other => Error::internal(format!("a shard answered a commit with {other:?}")),
    }
}

fn unknown_outcome(txn: TxnId) -> Failure {
    Failure::Error(Error::new(
        base::SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
        format!("it is not known whether transaction {txn} was committed"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{NodeId, Prng, SqlState};
    use std::collections::BTreeMap;
    use storage::access::{Isolation, Snapshot};

    fn txn() -> TxnId {
        TxnId { started: 1, node: NodeId(1), boot: 1, sequence: 1 }
    }

    fn context() -> Context {
        Context {
            txn: txn(),
            isolation: Isolation::ReadCommitted,
            snapshot: Snapshot::Latest,
            schema: SchemaVersion(1),
            holds_locks: false,
            seen: None,
            follower: false,
            sees_staged: false,
        }
    }

    fn parts(shards: u32) -> Vec<Part> {
        let part =
            |shard| Part { shard: ShardId(shard), writes: Vec::new(), reads: ReadSet::default(), parts: 0, holds_locks: true, seen: None };
        (0..shards).map(part).collect()
    }

    fn conflict() -> Response {
        Response::Refused(Refusal::Error(Error::new(SqlState::SERIALIZATION_FAILURE, "conflict")))
    }

    /// What a participant keeps in its log.
    #[derive(Clone, Copy, Default)]
    struct Model {
        prepared: Option<Version>,
        outcome: Option<Option<Version>>,
        /// Refuses the first prepare it sees.
        conflict: bool,
    }

    impl Model {
        fn step(&mut self, at: u64, request: &Request) -> Response {
            match request {
                Request::Prepare { .. } => match (self.outcome, self.prepared) {
                    (Some(Some(version)), _) => Response::Committed { version },
                    (Some(None), _) => conflict(),
                    (None, Some(version)) => Response::Prepared { version },
                    (None, None) if std::mem::take(&mut self.conflict) => conflict(),
                    (None, None) => {
                        self.prepared = Some(Version(at));
                        Response::Prepared { version: Version(at) }
                    }
                },
                Request::Inquire { .. } => Response::Outcome(match (self.outcome, self.prepared) {
                    (Some(Some(version)), _) => Outcome::Committed(version),
                    (Some(None), _) => Outcome::Aborted,
                    (None, Some(version)) => Outcome::Prepared(version),
                    (None, None) => {
                        self.outcome = Some(None);
                        Outcome::Aborted
                    }
                }),
                Request::Decide { version, .. } => {
                    assert!(version.is_none() || self.prepared.is_some(), "committed without a prepare");
                    if self.prepared.is_some() {
                        assert!(self.outcome.is_none_or(|o| o == *version), "decided two ways");
                        self.outcome = Some(*version);
                    }
                    Response::Done
                }
                other => panic!("not part of the protocol: {other:?}"),
            }
        }
    }

    /// One run in a world that loses answers (so that requests are sent again) and starts recoveries at any time.
    fn run(seed: u64) {
        let mut prng = Prng::new(seed);
        let shards = 2 + prng.below(3) as u32;
        let mut models: BTreeMap<ShardId, Model> =
            (0..shards).map(|s| (ShardId(s), Model { conflict: prng.one_in(3), ..Model::default() })).collect();
        let mut outputs = Vec::new();
        let mut commit = Commit::start(&context(), parts(shards), &mut outputs);
        let mut recovery: Option<Recovery> = None;
        // (of the recovery?, shard, request, sent before)
        let mut sends: Vec<(bool, ShardId, Request, bool)> = Vec::new();
        let mut answer: Option<Result<Version, Failure>> = None;
        let mut at = 100;
        let all: Vec<ShardId> = models.keys().copied().collect();
        for _ in 0..200 {
            take(&mut outputs, false, &mut sends, &mut answer);
            if recovery.is_none() && prng.one_in(8) && models.values().any(|m| m.prepared.is_some() && m.outcome.is_none()) {
                recovery = Some(Recovery::start(txn(), &all, &mut outputs));
                take(&mut outputs, true, &mut sends, &mut answer);
            }
            if sends.is_empty() {
                break;
            }
            let (of_recovery, shard, request, resent) = sends.remove(prng.below(sends.len() as u64) as usize);
            at += 1;
            let response = models.get_mut(&shard).expect("a participant").step(at, &request);
            if prng.one_in(4) {
                sends.push((of_recovery, shard, request, true)); // The answer is lost.
                continue;
            }
            match (of_recovery, &mut recovery) {
                (true, Some(recovery)) => recovery.answered(shard, response, &mut outputs),
                _ => commit.answered(shard, resent, response, &mut outputs),
            }
            take(&mut outputs, of_recovery, &mut sends, &mut answer);
        }
        let answer = answer.expect("the client hears the outcome");
        for model in models.values() {
            match &answer {
                Ok(version) => assert_eq!(model.outcome, Some(Some(*version)), "seed {seed}"),
                Err(_) => assert!(!matches!(model.outcome, Some(Some(_))), "seed {seed}: told failed, committed"),
            }
        }
        if answer.is_err() {
            assert!(models.values().any(|m| m.prepared.is_none() || m.outcome == Some(None)), "seed {seed}: a recovery could commit it");
        }
    }

    fn take(
        outputs: &mut Vec<Output>,
        of_recovery: bool,
        sends: &mut Vec<(bool, ShardId, Request, bool)>,
        answer: &mut Option<Result<Version, Failure>>,
    ) {
        for output in outputs.drain(..) {
            match output {
                Output::Send { shard, request } => sends.push((of_recovery, shard, request, false)),
                Output::Forget { shard } => sends.retain(|s| s.0 != of_recovery || s.1 != shard),
                Output::Answer(result) => assert!(answer.replace(result).is_none(), "answered twice"),
                Output::Fault(error) => panic!("{error}"),
                Output::Finished => {}
            }
        }
    }

    #[test]
    fn whatever_is_lost_the_client_hears_what_the_participants_hold() {
        for seed in 0..20_000 {
            run(seed);
        }
    }

    #[test]
    fn a_refused_one_phase_commit_that_was_sent_once_is_answered_at_once() {
        let mut outputs = Vec::new();
        let mut commit = Commit::start(&context(), parts(1), &mut outputs);
        outputs.clear();
        commit.answered(ShardId(0), false, conflict(), &mut outputs);
        assert!(matches!(&outputs[..], [Output::Answer(Err(Failure::Error(_))), Output::Finished]));
    }

    #[test]
    fn a_refused_one_phase_commit_that_was_sent_again_is_asked_for() {
        let mut outputs = Vec::new();
        let mut commit = Commit::start(&context(), parts(1), &mut outputs);
        outputs.clear();
        commit.answered(ShardId(0), true, conflict(), &mut outputs);
        assert!(matches!(&outputs[..], [Output::Send { request: Request::Inquire { refuse: true, .. }, .. }]));
        outputs.clear();
        commit.answered(ShardId(0), false, Response::Outcome(Outcome::Committed(Version(7))), &mut outputs);
        assert!(matches!(&outputs[..], [Output::Answer(Ok(Version(7))), Output::Finished]));
    }
}
