//! Evidence, when all is over: what was answered as booked is proved as an auditor would prove it, and everything is recorded exactly once.

use super::{Ledger, text};
use crate::client::{Client, Failure, Reply};
use crate::nodes::EVIDENCE_SEED;
use crate::queue::SECOND;
use base::SqlState;
use proof::{Policy, ProofFile, SigningSeed, Verified, VerifierKey};

/// Transfers that are proved at the end of a run.
const PROVED_MAX: usize = 24;

impl Ledger {
    /// Each shard's tree has a leaf for each transfer and each entry, and some of the transfers are proved.
    pub(super) async fn check_evidence(&self, client: &Client) {
        let logs = loop {
            let rows = rows_of(client).await;
            let checkpoints = client.insist("SELECT * FROM ledger.checkpoints()").await;
            // Something may have expired meanwhile.
            if rows_of(client).await == rows {
                let leaves: i64 = (0..checkpoints.rows.len()).filter_map(|row| checkpoints.number(row, 1)).sum();
                if leaves != rows as i64 {
                    self.doubt(format!("{leaves} records are in the trees, {rows} transfers and entries in the tables"));
                }
                break checkpoints;
            }
        };
        let Some(policy) = self.policy(&logs) else { return };
        let ids: Vec<u128> = self.record.borrow().last.transfers.keys().copied().collect();
        for id in ids.iter().step_by(ids.len().div_ceil(PROVED_MAX).max(1)) {
            if let Err(error) = prove(client, *id, &policy).await {
                self.doubt(format!("transfer {}: {error}", text::uuid(*id)));
            }
        }
    }

    fn doubt(&self, text: String) {
        self.record.borrow_mut().wrong.push(("evidence", text));
    }

    /// The keys must be those that the cluster was made with.
    fn policy(&self, logs: &Reply) -> Option<Policy> {
        let keys = logs.rows.iter().filter_map(|row| VerifierKey::parse(row.get(3)?.as_deref()?).ok());
        let keys: Vec<VerifierKey> = keys.collect();
        let known = |key: &VerifierKey| {
            let origin = proof::checkpoint::Origin::parse(key.name()).ok()?;
            Some(SigningSeed(EVIDENCE_SEED).key(&origin).ok()?.verifier() == key)
        };
        if keys.len() != logs.rows.len() || !keys.iter().all(|key| known(key) == Some(true)) {
            self.doubt("a checkpoint comes with a key that is not the cluster's".to_owned());
            return None;
        }
        Policy::new(keys, Vec::new(), 0).map_err(|error| self.doubt(error.to_string())).ok()
    }
}

async fn rows_of(client: &Client) -> usize {
    let transfers = client.insist("SELECT id FROM ledger.transfers").await.rows.len();
    transfers + client.insist("SELECT account FROM ledger.entries").await.rows.len()
}

async fn prove(client: &Client, id: u128, policy: &Policy) -> Result<(), String> {
    let text = loop {
        if client.connect().await {
            match client.run(&format!("SELECT ledger.prove('{}')", text::uuid(id))).await {
                Ok(reply) => break reply.rows.first().and_then(|row| row.first().cloned()).flatten().ok_or("no proof")?,
                Err(Failure::Refused(state, message)) if [SqlState::DATA_CORRUPTED, SqlState::UNDEFINED_OBJECT].contains(&state) => {
                    return Err(message);
                }
                Err(_) => client.close(),
            }
        }
        client.sleep(SECOND / 10).await;
    };
    let file = ProofFile::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    file.check_description(sql::ledger::describe).map_err(|error| error.to_string())?;
    let Verified::Included { record, .. } = proof::verify(&file, policy).map_err(|error| error.to_string())? else {
        return Err("the proof is of another kind".to_owned());
    };
    let said = sql::ledger::describe(&record)?;
    if said["id"] != text::uuid(id) || said["table"] != "ledger.transfers" { Err(format!("the proof is one of {said}")) } else { Ok(()) }
}
