//! `florin ledger cosign`: a witness signs each log's newest checkpoint, after it has seen that it continues the one it signed before.
//!
//! Its directory holds `witness.key` (64 hexadecimal digits, the secret of RFC 8032, readable by its owner only) and for each log the last checkpoint that it
//! signed, written before the signature leaves: that is what keeps it honest.

use super::Ended;
use super::proofs::{Keys, Told, checkpoints, consistency, read};
use crate::commands::client::Connection;
use base::{Error, Result, SqlState};
use proof::note::SignedNote;
use proof::policy::Witnessed;
use proof::{Checkpoint, KeyKind, Origin, Policy, ProofFile, SigningKey};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

const KEY_FILE: &str = "witness.key";
const SEED_BYTES: usize = 32;

#[derive(clap::Args)]
pub struct Cosign {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    keys: Keys,
    /// The witness's name, as policies know it
    #[arg(long)]
    name: String,
    /// Where the witness keeps its key and what it signed; made if need be
    #[arg(long, value_name = "DIRECTORY")]
    dir: PathBuf,
}

impl Cosign {
    pub async fn run(self) -> Ended {
        let policy = self.keys.policy()?;
        std::fs::create_dir_all(&self.dir).map_err(|error| failed(&self.dir, &error))?;
        let key = signing_key(&self.dir, &self.name)?;
        println!("# witness {} {}", self.name, key.verifier());
        for told in checkpoints(&self.connection).await? {
            let path = self.sign(&told, &policy, &key).await?;
            println!("{}", path.display());
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Signs one log's checkpoint and keeps it; answers where.
    async fn sign(&self, told: &Told, policy: &Policy, key: &SigningKey) -> Result<PathBuf> {
        let origin = &told.checkpoint.origin;
        let path = self.dir.join(file_name(origin));
        let older = if path.exists() { Some(read(&path)?) } else { None };
        let (witnessed, proof) = match &older {
            None => (Witnessed::default(), Vec::new()),
            Some(older) => {
                let Checkpoint { size, root, .. } = Checkpoint::parse(SignedNote::parse(older)?.text())?;
                let ProofFile::Consistency { path, .. } =
                    ProofFile::parse(consistency(&self.connection, older, Some(&told.note)).await?.as_bytes())?
                else {
                    return Err(Error::new(SqlState::DATA_CORRUPTED, "the cluster answered with another proof than was asked for"));
                };
                (Witnessed { size, root }, path)
            }
        };
        let mut note = SignedNote::parse(&told.note)?;
        let is_named = |log: &&proof::VerifierKey| note.signatures().iter().any(|signature| log.is_named_by(signature));
        let unknown = || Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("{origin} is not signed with a key of the policy"));
        let log = policy.logs().iter().find(is_named).ok_or_else(unknown)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs());
        let (_, signature) = witnessed.cosign(log, &told.note, &proof, key, now)?;
        note.add(signature)?;
        keep(&path, &note.to_string(), 0o644)?;
        Ok(path)
    }
}

fn file_name(origin: &Origin) -> String {
    format!("{}.checkpoint", origin.to_string().replace('/', "-"))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(SqlState::IO_ERROR, format!("{} could not be written: {error}", path.display()))
}

/// Durably, whole or not at all.
fn keep(path: &Path, text: &str, mode: u32) -> Result<()> {
    let beside = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error| failed(path, &error))
}

/// The witness's key, made at its first use.
fn signing_key(directory: &Path, name: &str) -> Result<SigningKey> {
    let path = directory.join(KEY_FILE);
    if !path.exists() {
        let mut seed = [0; SEED_BYTES];
        let random = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut seed));
        random.map_err(|error| Error::new(SqlState::IO_ERROR, format!("the machine gives no randomness: {error}")))?;
        let text: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        keep(&path, &(text + "\n"), 0o600)?;
    }
    let text = read(&path)?;
    let text = text.trim();
    let wrong =
        || Error::new(SqlState::DATA_CORRUPTED, format!("{} is no witness's key: it has not 64 hexadecimal digits", path.display()));
    if text.len() != 2 * SEED_BYTES || !text.is_ascii() {
        return Err(wrong());
    }
    let mut seed = [0; SEED_BYTES];
    for (at, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(SigningKey::from_seed(name, KeyKind::Witness, &seed)?)
}
