//! Who decides a transaction, and how its outcome becomes certain.
//!
//! A [`Commit`] is the gateway's side: one shard commits in one phase, several in two. A [`Recovery`] is run by the leader
//! of a participant that has waited too long for the decision. Neither keeps durable state: the participants' logs decide. All
//! prepared means committed at the largest of their versions; one that durably never will means aborted.
//!
//! The invariant that everything here serves: a client hears "failed" only if no copy of a message still under way can commit
//! the transaction. So a refusal of a request that was sent more than once counts only after an inquiry that makes it durable.

use base::{Error, SchemaVersion, ShardId, TxnId, Version};
use std::sync::Arc;
use storage::access::{Context, LogPosition, Outcome, ReadSet, Refusal, Request, Response, Write};

/// A transaction's changes in one shard.
#[derive(Clone, Debug)]
pub struct Part {
    pub shard: ShardId,
    pub writes: Arc<Vec<Write>>,
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
#[allow(clippy::large_enum_variant, reason = "moved once, from here to the sender: a box would cost an allocation for each request")]
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
    /// Every participant has logged that the transaction is committed: this one need not remember it for the others.
    Settled {
        shard: ShardId,
    },
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
    Deciding {
        committed: bool,
    },
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
    /// The client was answered.
    told: bool,
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
        let phase = if one { Phase::One } else { Phase::Preparing { refused: None } };
        Commit { txn: context.txn, participants, phase, told: false }
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
            Phase::Deciding { .. } => self.acknowledged(shard, response, outputs),
        }
    }

    /// The client waits no longer. `unsent`: says of a participant that its request had no effect and, once forgotten, never will.
    ///
    /// The client hears `reason` if that makes it certain that nothing is ever committed, else that the outcome is not known. In the
    /// latter case the machine goes on, but now asks the shards to refuse what they have not logged: no commit comes out of the
    /// blue long after the client turned to something else.
    pub fn give_up(&mut self, unsent: &dyn Fn(ShardId) -> bool, reason: Error, outputs: &mut Vec<Output>) {
        if self.told {
            return;
        }
        match &self.phase {
            Phase::One => {
                let shard = self.participants[0].shard;
                if unsent(shard) {
                    outputs.push(Output::Forget { shard });
                    self.end(Err(Failure::Error(reason)), outputs);
                    return;
                }
                self.tell(Err(unknown_outcome(self.txn)), outputs);
                outputs.push(Output::Forget { shard });
                self.inquire(shard, outputs);
                self.phase = Phase::OneInquiry(Failure::Error(reason));
            }
            Phase::Preparing { .. } => {
                if self.participants.iter().any(|p| p.prepared.is_none() && unsent(p.shard)) {
                    self.answer_and_decide(Err(Failure::Error(reason)), outputs);
                    return;
                }
                self.tell(Err(unknown_outcome(self.txn)), outputs);
                for shard in self.participants.iter().filter(|p| p.prepared.is_none()).map(|p| p.shard) {
                    outputs.push(Output::Forget { shard });
                    self.inquire(shard, outputs);
                }
            }
            Phase::OneInquiry(_) => self.tell(Err(unknown_outcome(self.txn)), outputs),
            Phase::Deciding { .. } => unreachable!("who decides has answered"),
        }
    }

    /// True if `give_up` would leave no doubt.
    pub fn is_certain(&self, unsent: &dyn Fn(ShardId) -> bool) -> bool {
        match self.phase {
            Phase::One => unsent(self.participants[0].shard),
            Phase::Preparing { .. } => self.participants.iter().any(|p| p.prepared.is_none() && unsent(p.shard)),
            Phase::OneInquiry(_) | Phase::Deciding { .. } => false,
        }
    }

    fn tell(&mut self, answer: Result<Version, Failure>, outputs: &mut Vec<Output>) {
        if !std::mem::replace(&mut self.told, true) {
            outputs.push(Output::Answer(answer));
        }
    }

    fn end(&mut self, answer: Result<Version, Failure>, outputs: &mut Vec<Output>) {
        self.tell(answer, outputs);
        outputs.push(Output::Finished);
    }

    fn one(&mut self, shard: ShardId, resent: bool, response: Response, outputs: &mut Vec<Output>) {
        match response {
            Response::Committed { version } => self.end(Ok(version), outputs),
            other => {
                let failure = failure_of(other);
                if resent {
                    self.inquire(shard, outputs);
                    self.phase = Phase::OneInquiry(failure);
                } else {
                    self.end(Err(failure), outputs);
                }
            }
        }
    }

    fn one_inquiry(&mut self, response: Response, outputs: &mut Vec<Output>) {
        let Phase::OneInquiry(failure) = &self.phase else { return };
        match response {
            Response::Outcome(Outcome::Committed(version)) => self.end(Ok(version), outputs),
            Response::Outcome(Outcome::Aborted) => self.end(Err(failure.clone()), outputs),
            other => {
                outputs.push(Output::Fault(unexpected(&other)));
                self.end(Err(unknown_outcome(self.txn)), outputs);
            }
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
            // It has forgotten transactions as old as this one. Participants that wait for the decision find it among themselves.
            other @ Response::Outcome(Outcome::Active | Outcome::Unknown) => {
                outputs.push(Output::Fault(unexpected(&other)));
                self.end(Err(unknown_outcome(self.txn)), outputs);
            }
            refusal if resent => {
                self.phase = Phase::Preparing { refused: Some(failure_of(refusal)) };
                self.inquire(shard, outputs);
            }
            refusal => self.answer_and_decide(Err(failure_of(refusal)), outputs),
        }
    }

    fn inquire(&self, shard: ShardId, outputs: &mut Vec<Output>) {
        outputs.push(Output::Send { shard, request: Request::Inquire { txn: self.txn, refuse: true, recovery: false } });
    }

    fn answer_and_decide(&mut self, answer: Result<Version, Failure>, outputs: &mut Vec<Output>) {
        let version = answer.as_ref().ok().copied();
        self.tell(answer, outputs);
        self.decide(version, outputs);
    }

    fn decide(&mut self, version: Option<Version>, outputs: &mut Vec<Output>) {
        self.phase = Phase::Deciding { committed: version.is_some() };
        for participant in &self.participants {
            let shard = participant.shard;
            outputs.extend([Output::Forget { shard }, Output::Send { shard, request: Request::Decide { txn: self.txn, version } }]);
        }
    }

    fn acknowledged(&mut self, shard: ShardId, response: Response, outputs: &mut Vec<Output>) {
        if !is_acknowledgement(&response, outputs) {
            return;
        }
        self.participant(shard).acknowledged = true;
        if self.participants.iter().all(|p| p.acknowledged) {
            let committed = matches!(self.phase, Phase::Deciding { committed: true });
            finish(&self.participants, committed, outputs);
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
    /// `Some(None)`: aborted.
    decided: Option<Option<Version>>,
}

impl Recovery {
    pub fn start(txn: TxnId, participants: &[ShardId], outputs: &mut Vec<Output>) -> Recovery {
        for &shard in participants {
            outputs.push(Output::Send { shard, request: Request::Inquire { txn, refuse: true, recovery: true } });
        }
        let participants = participants.iter().map(|&shard| Participant { shard, prepared: None, acknowledged: false }).collect();
        Recovery { txn, participants, decided: None }
    }

    pub fn answered(&mut self, shard: ShardId, response: Response, outputs: &mut Vec<Output>) {
        if let Some(version) = self.decided {
            if !is_acknowledgement(&response, outputs) {
                return;
            }
            self.participant(shard).acknowledged = true;
            if self.participants.iter().all(|p| p.acknowledged) {
                finish(&self.participants, version.is_some(), outputs);
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
            // The participant reports the transaction again.
            other => outputs.extend([Output::Fault(unexpected(&other)), Output::Finished]),
        }
    }

    fn decide(&mut self, version: Option<Version>, outputs: &mut Vec<Output>) {
        self.decided = Some(version);
        for participant in &self.participants {
            let shard = participant.shard;
            outputs.extend([Output::Forget { shard }, Output::Send { shard, request: Request::Decide { txn: self.txn, version } }]);
        }
    }

    fn participant(&mut self, shard: ShardId) -> &mut Participant {
        self.participants.iter_mut().find(|p| p.shard == shard).expect("only participants are asked")
    }
}

/// Only a decision's own answer says that it is logged. The answer of an earlier request may have waited its turn meanwhile: the
/// decision's is still to come. After a refusal nobody may forget the transaction.
fn is_acknowledgement(response: &Response, outputs: &mut Vec<Output>) -> bool {
    match response {
        Response::Done => true,
        Response::Refused(refusal) => {
            if matches!(refusal, Refusal::Error(error) if error.state() == base::SqlState::INTERNAL_ERROR) {
                outputs.push(Output::Fault(unexpected(response)));
            }
            // A full disk, for one. Who is still prepared asks the others in time.
            outputs.push(Output::Finished);
            false
        }
        _ => false,
    }
}

/// All have logged the decision. Aborted transactions are not asked for: who has none of it says so at any time.
fn finish(participants: &[Participant], committed: bool, outputs: &mut Vec<Output>) {
    if committed {
        outputs.extend(participants.iter().map(|p| Output::Settled { shard: p.shard }));
    }
    outputs.push(Output::Finished);
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
    Failure::Error(
        Error::new(base::SqlState::TRANSACTION_RESOLUTION_UNKNOWN, format!("it is not known whether transaction {txn} was committed"))
            .with_hint("It is committed as a whole or not at all. Look whether its rows are there before trying again."),
    )
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
        let part = |shard| Part {
            shard: ShardId(shard),
            writes: Arc::default(),
            reads: ReadSet::default(),
            parts: 0,
            holds_locks: true,
            seen: None,
        };
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
            if answer.is_none() && prng.one_in(40) {
                let asked: Vec<ShardId> = sends.iter().filter(|s| !s.0 && !s.3).map(|s| s.1).collect();
                commit.give_up(&|shard| asked.contains(&shard), interrupted(), &mut outputs);
                take(&mut outputs, false, &mut sends, &mut answer);
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
        let unknown = |e: &Failure| matches!(e, Failure::Error(e) if e.state() == SqlState::TRANSACTION_RESOLUTION_UNKNOWN);
        if answer.as_ref().is_err_and(unknown) {
            let outcomes: Vec<_> = models.values().filter_map(|m| m.outcome).collect();
            assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}: decided two ways");
            return;
        }
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

    fn interrupted() -> Error {
        Error::new(SqlState::QUERY_CANCELED, "canceled")
    }

    #[test]
    fn a_commit_that_reached_nobody_is_given_up_with_certainty() {
        for shards in 1..4 {
            let mut outputs = Vec::new();
            let mut commit = Commit::start(&context(), parts(shards), &mut outputs);
            outputs.clear();
            commit.give_up(&|shard| shard.0 + 1 == shards, interrupted(), &mut outputs);
            let told = outputs.iter().find_map(|o| if let Output::Answer(answer) = o { Some(answer.clone()) } else { None });
            assert_eq!(told, Some(Err(Failure::Error(interrupted()))));
            assert!(!outputs.iter().any(|o| matches!(o, Output::Send { request: Request::Commit { .. } | Request::Prepare { .. }, .. })));
        }
    }

    #[test]
    fn only_the_decisions_own_answer_lets_a_participant_forget() {
        let mut outputs = Vec::new();
        let mut commit = Commit::start(&context(), parts(2), &mut outputs);
        for shard in 0..2 {
            commit.answered(ShardId(shard), false, Response::Prepared { version: Version(7) }, &mut outputs);
        }
        outputs.clear();
        // Answers of earlier requests that had waited their turn.
        for shard in 0..2 {
            commit.answered(ShardId(shard), true, Response::Outcome(Outcome::Prepared(Version(7))), &mut outputs);
            commit.answered(ShardId(shard), true, Response::Prepared { version: Version(7) }, &mut outputs);
        }
        assert!(outputs.is_empty(), "{outputs:?}");
        for shard in 0..2 {
            commit.answered(ShardId(shard), false, Response::Done, &mut outputs);
        }
        assert!(matches!(&outputs[..], [Output::Settled { .. }, Output::Settled { .. }, Output::Finished]), "{outputs:?}");
    }

    #[test]
    fn a_commit_that_may_have_happened_is_given_up_as_unknown_and_does_not_happen_later() {
        let mut outputs = Vec::new();
        let mut commit = Commit::start(&context(), parts(1), &mut outputs);
        outputs.clear();
        commit.give_up(&|_| false, interrupted(), &mut outputs);
        assert!(matches!(
            &outputs[..],
            [
                Output::Answer(Err(Failure::Error(e))),
                Output::Forget { .. },
                Output::Send { request: Request::Inquire { refuse: true, recovery: false, .. }, .. }
            ] if e.state() == SqlState::TRANSACTION_RESOLUTION_UNKNOWN
        ));
        outputs.clear();
        commit.answered(ShardId(0), false, Response::Outcome(Outcome::Aborted), &mut outputs);
        assert!(matches!(&outputs[..], [Output::Finished]), "the client is not told twice: {outputs:?}");
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
                Output::Settled { .. } | Output::Finished => {}
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
