//! What a shard states about its ledger, as text to be signed (C2SP tlog-checkpoint, <https://c2sp.org/tlog-checkpoint>).
//!
//! ```text
//! florin/pay.example/3
//! 70000
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//! timestamp 1795380000000000000
//! chain qOoWYyxCOYr0JGIQIBpMgkKm+D1CTgnCdFwhMPTGYzI=
//! ```
//!
//! The extension lines are the log's own statement. A witness vouches for the first three lines only: the chain is checked from the
//! batches.

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::key::{KeyKind, SigningKey};
use crate::merkle::SIZE_MAX;
use crate::note::SignedNote;
use base::ShardId;
use std::fmt;
use std::str::FromStr;

const WHAT: &str = "a checkpoint";
const PREFIX: &str = "florin";

/// Which log: `florin/<cluster>/<shard>`. It is also the name of the log's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    cluster: String,
    shard: ShardId,
}

impl Origin {
    /// # Errors
    /// `Malformed` unless the cluster's name is 1 to 128 of ASCII letters, digits, `.`, `-` and `_`: so that no two clusters look alike.
    pub fn new(cluster: &str, shard: ShardId) -> Result<Origin> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if cluster.is_empty() || cluster.len() > 128 || !cluster.bytes().all(is_plain) {
            return Err(Error::malformed(
                "an origin",
                format!("the cluster's name {cluster:?} is not 1 to 128 of letters, digits, '.', '-', '_'"),
            ));
        }
        Ok(Origin { cluster: cluster.to_owned(), shard })
    }

    /// # Errors
    /// `Malformed` with what was expected.
    pub fn parse(text: &str) -> Result<Origin> {
        let mut parts = text.split('/');
        let (Some(PREFIX), Some(cluster), Some(shard), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(Error::malformed("an origin", format!("{text:?} is not {PREFIX}/CLUSTER/SHARD")));
        };
        Origin::new(cluster, ShardId(decimal("an origin", shard)?))
    }

    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    pub fn shard(&self) -> ShardId {
        self.shard
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}/{}/{}", self.cluster, self.shard.0)
    }
}

/// The tree and the chain of a shard at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: Origin,
    /// The number of leaves.
    pub size: u64,
    pub root: Hash,
    /// That of the last batch: nanoseconds since 1970-01-01 00:00 UTC; 0 before the first.
    pub timestamp: u64,
    /// See [`crate::BatchLink::chain_after`].
    pub chain: Hash,
    /// Lines of later versions, which this one does not understand. Not empty, without control characters.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// The note's text, with its last newline.
    pub fn text(&self) -> String {
        let Checkpoint { origin, size, root, timestamp, chain, extensions } = self;
        let mut text = format!("{origin}\n{size}\n{root}\ntimestamp {timestamp}\nchain {chain}\n");
        extensions.iter().for_each(|line| text += &format!("{line}\n"));
        text
    }

    /// # Errors
    /// `Malformed` with the line that is wrong.
    pub fn parse(text: &str) -> Result<Checkpoint> {
        let body = text.strip_suffix('\n').ok_or_else(|| Error::malformed(WHAT, "it does not end with a newline"))?;
        let mut lines = body.split('\n');
        let mut line = |what: &str| lines.next().ok_or_else(|| Error::malformed(WHAT, format!("the line with the {what} is missing")));
        let origin = Origin::parse(line("origin")?)?;
        let size = decimal(WHAT, line("size")?)?;
        let root = Hash::parse(line("root")?)?;
        let timestamp = decimal(WHAT, labelled(line("timestamp")?, "timestamp")?)?;
        let chain = Hash::parse(labelled(line("chain")?, "chain")?)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(|line| line.is_empty() || line.chars().any(char::is_control)) {
            return Err(Error::malformed(WHAT, "an extension line is empty or has control characters"));
        }
        if size > SIZE_MAX || size == 0 && root != Hash::EMPTY_ROOT {
            return Err(Error::malformed(WHAT, format!("no tree has the size {size} and this root")));
        }
        Ok(Checkpoint { origin, size, root, timestamp, chain, extensions })
    }

    /// Signs the checkpoint with the log's key. See [`crate::policy`] for what a log must never sign.
    ///
    /// # Errors
    /// `Malformed` if an extension line is; `Policy` if the key is not one of this origin's log.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedNote> {
        let verifier = key.verifier();
        if verifier.kind() != KeyKind::Log || verifier.name() != self.origin.to_string() {
            return Err(Error::Policy(format!("{} is not a key of the log {}", verifier.name(), self.origin)));
        }
        let text = self.text();
        Checkpoint::parse(&text)?;
        let signature = key.sign(&text, 0);
        SignedNote::new(text, signature)
    }
}

fn labelled<'a>(line: &'a str, label: &str) -> Result<&'a str> {
    let value = line.strip_prefix(label).and_then(|rest| rest.strip_prefix(' '));
    value.ok_or_else(|| Error::malformed(WHAT, format!("{line:?} should be {label:?}, a space and a value")))
}

/// A number of decimal digits in its only form: without sign and leading zeros.
fn decimal<N: FromStr + fmt::Display>(what: &'static str, text: &str) -> Result<N> {
    let number = text.parse::<N>().ok().filter(|number| number.to_string() == text);
    number.ok_or_else(|| Error::malformed(what, format!("{text:?} is not a whole number without sign and leading zeros, or too large")))
}
