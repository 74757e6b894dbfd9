//! A policy as text, to be kept in a file (C2SP tlog-policy, <https://c2sp.org/tlog-policy>).
//!
//! ```text
//! log florin/pay.example/3+8115dd15+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs
//! witness auditor witness.example/w1+ea2ad007+BNYvAWoe/R5P33k+tCzYRHHhup8M8E0Sh7XMcfYWKHy4
//! witness bank witness.example/w2+6446244b+BDS02QQxVsttzwvrCilJt1WclA0ry22+jFOpswJ446dG
//! group both all auditor bank
//! quorum both
//! ```
//!
//! Of that format this is the part without groups of groups. Witnesses that the quorum does not ask for are left out of the policy.

use super::Policy;
use crate::error::Error;
use crate::key::VerifierKey;
use std::collections::BTreeMap;

const WHAT: &str = "a policy";
/// A longer text is refused before it is looked at.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The quorum that asks for no witness.
const NONE: &str = "none";

/// What was read so far. A name means witnesses and how many of them are needed.
#[derive(Default)]
struct Reader {
    logs: Vec<VerifierKey>,
    named: BTreeMap<String, (Vec<VerifierKey>, usize)>,
    quorum: Option<(Vec<VerifierKey>, usize)>,
}

impl Policy {
    /// # Errors
    /// `Malformed` with the line and what is wrong with it; `Policy` as [`Policy::new`].
    pub fn parse(text: &str) -> Result<Policy, Error> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Error::malformed(WHAT, format!("it has {} bytes, more than {TEXT_BYTES_MAX}", text.len())));
        }
        let mut reader = Reader::default();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            if words.first().is_some_and(|word| !word.starts_with('#')) {
                reader.line(&words).map_err(|error| Error::malformed(WHAT, format!("line {}: {error}", number + 1)))?;
            }
        }
        let (witnesses, quorum) = reader.quorum.ok_or_else(|| Error::malformed(WHAT, "the line with the quorum is missing"))?;
        Policy::new(reader.logs, witnesses, quorum)
    }
}

impl Reader {
    fn line(&mut self, words: &[&str]) -> Result<(), String> {
        // The last word of a log and a witness may be an address to talk to, which verifying needs not.
        match words {
            ["log", key] | ["log", key, _] => self.logs.push(key_of(key)?),
            ["witness", name, key] | ["witness", name, key, _] => {
                let key = key_of(key)?;
                self.name(name, vec![key], 1)?;
            }
            ["group", name, needed, members @ ..] => {
                let witnesses = members.iter().map(|member| self.witness(member)).collect::<Result<Vec<_>, String>>()?;
                let needed = match *needed {
                    "all" => witnesses.len(),
                    "any" => 1,
                    number => number.parse().map_err(|_| format!("{number:?} is neither all, any nor a number"))?,
                };
                if needed == 0 || needed > witnesses.len() {
                    return Err(format!("a group of {} cannot need {needed}", witnesses.len()));
                }
                self.name(name, witnesses, needed)?;
            }
            ["quorum", _] if self.quorum.is_some() => return Err("there is a quorum already".to_owned()),
            ["quorum", NONE] => self.quorum = Some((Vec::new(), 0)),
            ["quorum", name] => self.quorum = Some(self.known(name)?.clone()),
            _ => return Err(format!("{:?} is not a line of a policy", words.join(" "))),
        }
        Ok(())
    }

    fn name(&mut self, name: &str, witnesses: Vec<VerifierKey>, needed: usize) -> Result<(), String> {
        if name == NONE || self.named.insert(name.to_owned(), (witnesses, needed)).is_some() {
            return Err(format!("the name {name:?} is taken"));
        }
        Ok(())
    }

    fn known(&self, name: &str) -> Result<&(Vec<VerifierKey>, usize), String> {
        self.named.get(name).ok_or_else(|| format!("{name:?} is not named on a line before"))
    }

    fn witness(&self, name: &str) -> Result<VerifierKey, String> {
        match &self.known(name)?.0[..] {
            [witness] => Ok(witness.clone()),
            _ => Err(format!("{name:?} is a group: groups of groups are not supported")),
        }
    }
}

fn key_of(text: &str) -> Result<VerifierKey, String> {
    VerifierKey::parse(text).map_err(|error| error.to_string())
}
