//! Whom to believe, and what a witness does before it signs.
//!
//! A log must never sign two checkpoints of which neither is the beginning of the other: whoever has both can show that it cheated. So
//! that it cannot show different trees to different auditors, independent witnesses sign only what continues what they have signed
//! before.

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::key::{KeyKind, SigningKey, VerifierKey};
use crate::merkle::verify_consistency;
use crate::note::{NoteSignature, SignedNote};
use std::collections::BTreeMap;

mod text;

/// Which keys are the log's, and how many of which witnesses must have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<VerifierKey>,
    quorum: usize,
}

/// A checkpoint that met the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    pub checkpoint: Checkpoint,
    /// Each witness of the policy that signed, by its name, and when: seconds since 1970.
    pub witnesses: BTreeMap<String, u64>,
}

impl Policy {
    /// `logs`: keys named after their origins, of which one must have signed (several for a change of keys, or for several shards).
    /// `quorum` of the `witnesses` must have signed, too.
    ///
    /// # Errors
    /// `Policy` if no log's key is given, a key is of the wrong kind or occurs twice, or more witnesses are wanted than there are.
    pub fn new(logs: Vec<VerifierKey>, witnesses: Vec<VerifierKey>, quorum: usize) -> Result<Policy> {
        if logs.is_empty() {
            return Err(Error::Policy("the policy names no key of a log".to_owned()));
        }
        if let Some(key) = logs.iter().find(|key| key.kind() != KeyKind::Log) {
            return Err(Error::Policy(format!("{} is not the key of a log", key.name())));
        }
        if let Some(key) = witnesses.iter().find(|key| key.kind() != KeyKind::Witness) {
            return Err(Error::Policy(format!("{} is not the key of a witness", key.name())));
        }
        // One key under two names, or the log's own, would count as two witnesses.
        let mut publics: Vec<&[u8; 32]> = witnesses.iter().map(VerifierKey::public).collect();
        publics.sort_unstable();
        let mut names: Vec<&str> = witnesses.iter().map(VerifierKey::name).collect();
        names.sort_unstable();
        let is_logs = |key: &VerifierKey| logs.iter().any(|log| log.public() == key.public());
        if publics.windows(2).any(|pair| pair[0] == pair[1])
            || names.windows(2).any(|pair| pair[0] == pair[1])
            || witnesses.iter().any(is_logs)
        {
            return Err(Error::Policy("the policy has a witness's key or name twice, or the log's own key as a witness's".to_owned()));
        }
        if quorum > witnesses.len() {
            return Err(Error::Policy(format!("the policy asks for {quorum} of {} witnesses", witnesses.len())));
        }
        Ok(Policy { logs, witnesses, quorum })
    }

    /// The keys of the logs.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// Reads a signed checkpoint and believes it if the log and enough witnesses signed it. Signatures by unknown keys are ignored, as
    /// signed-note demands.
    ///
    /// # Errors
    /// `Malformed`, `Signature` for a wrong signature by a key of this policy, `Policy` if signatures are missing.
    pub fn verify(&self, note: &str) -> Result<VerifiedCheckpoint> {
        let note = SignedNote::parse(note)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        let origin = checkpoint.origin.to_string();
        let mut logs = self.logs.iter().filter(|key| key.name() == origin).peekable();
        if logs.peek().is_none() {
            return Err(Error::Policy(format!("the policy names no key for {origin}")));
        }
        let mut is_signed = false;
        for key in logs {
            is_signed |= signed_at(key, &note)?.is_some();
        }
        if !is_signed {
            return Err(Error::Policy(format!("{origin} is not signed by its key")));
        }
        let mut witnesses = BTreeMap::new();
        for key in &self.witnesses {
            if let Some(time) = signed_at(key, &note)? {
                witnesses.insert(key.name().to_owned(), time);
            }
        }
        if witnesses.len() < self.quorum {
            return Err(Error::Policy(format!("{} of the policy's witnesses signed, {} are needed", witnesses.len(), self.quorum)));
        }
        Ok(VerifiedCheckpoint { checkpoint, witnesses })
    }
}

/// When the key signed, the latest time of several; None if it did not. Every signature that names the key must be right.
fn signed_at(key: &VerifierKey, note: &SignedNote) -> Result<Option<u64>> {
    let signatures = note.signatures().iter().filter(|signature| key.is_named_by(signature));
    let times = signatures.map(|signature| key.verify(note.text(), signature)).collect::<Result<Vec<u64>>>()?;
    Ok(times.into_iter().max())
}

/// What a witness remembers of a log, and must have stored before its signature leaves: the largest tree that it signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witnessed {
    pub size: u64,
    pub root: Hash,
}

impl Default for Witnessed {
    fn default() -> Witnessed {
        Witnessed { size: 0, root: Hash::EMPTY_ROOT }
    }
}

impl Witnessed {
    /// Decides whether to sign a log's checkpoint that is said to continue what was witnessed (C2SP tlog-witness, `add-checkpoint`).
    /// `path` is the consistency proof from the witnessed size. Answers with what to store from now on and the signature; `time` is now,
    /// in seconds since 1970.
    ///
    /// # Errors
    /// As [`Policy::verify`]; `Disproved` if the checkpoint does not continue what was witnessed: the log shows different trees.
    pub fn cosign(
        self,
        log: &VerifierKey,
        note: &str,
        path: &[Hash],
        witness: &SigningKey,
        time: u64,
    ) -> Result<(Witnessed, NoteSignature)> {
        if witness.verifier().kind() != KeyKind::Witness {
            return Err(Error::Policy(format!("{} is not the key of a witness", witness.verifier().name())));
        }
        let policy = Policy::new(vec![log.clone()], Vec::new(), 0)?;
        let Checkpoint { size, root, .. } = policy.verify(note)?.checkpoint;
        verify_consistency(self.size, self.root, size, root, path)?;
        Ok((Witnessed { size, root }, witness.sign(SignedNote::parse(note)?.text(), time)))
    }
}
