//! Signed notes: text with signatures below it (C2SP signed-note, <https://c2sp.org/signed-note>).
//!
//! Parsing says nothing about the signatures: see [`crate::key`] and [`crate::policy`].

use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// A longer note is refused before it is looked at.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// The format asks for 16 at least.
pub const SIGNATURES_MAX: usize = 64;

const WHAT: &str = "a signed note";
const SIGNATURE_MARK: &str = "\u{2014} ";

/// A signature line: who says to have signed, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    pub name: String,
    pub key_id: [u8; 4],
    /// What follows the key's id; its form is the key's affair.
    pub signature: Vec<u8>,
}

/// A note with at least one signature. `text` ends with a newline and is what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// # Errors
    /// `Malformed` if the text is not one of a note.
    pub fn new(text: String, signature: NoteSignature) -> Result<SignedNote> {
        check_text(&text)?;
        Ok(SignedNote { text, signatures: vec![signature] })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature line, unless it is there already.
    ///
    /// # Errors
    /// `Range` if there are [`SIGNATURES_MAX`] of them.
    pub fn add(&mut self, signature: NoteSignature) -> Result<()> {
        if self.signatures.contains(&signature) {
            return Ok(());
        }
        if self.signatures.len() == SIGNATURES_MAX {
            return Err(Error::Range(format!("a note carries at most {SIGNATURES_MAX} signatures")));
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// # Errors
    /// `Malformed` with the line and what is wrong with it.
    pub fn parse(note: &str) -> Result<SignedNote> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(Error::malformed(WHAT, format!("it has {} bytes, more than {NOTE_BYTES_MAX}", note.len())));
        }
        check_characters(note)?;
        // The last empty line is the border: the text may have others.
        let border = note.rfind("\n\n").ok_or_else(|| Error::malformed(WHAT, "there is no empty line between text and signatures"))?;
        let (text, signatures) = (&note[..=border], &note[border + 2..]);
        check_text(text)?;
        let lines =
            signatures.strip_suffix('\n').ok_or_else(|| Error::malformed(WHAT, "the last signature does not end with a newline"))?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(Error::malformed(WHAT, format!("it has more than {SIGNATURES_MAX} signatures")));
        }
        let signatures = lines.split('\n').map(NoteSignature::parse).collect::<Result<Vec<_>>>()?;
        Ok(SignedNote { text: text.to_owned(), signatures })
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    /// A line without its newline: an em dash, a space, the key's name, a space, Base64 of the key's id (4 bytes) and the signature.
    ///
    /// # Errors
    /// `Malformed` with what is wrong.
    pub fn parse(line: &str) -> Result<NoteSignature> {
        let wrong = |detail: &str| Error::malformed(WHAT, format!("{detail} in the signature {line:?}"));
        let rest = line.strip_prefix(SIGNATURE_MARK).ok_or_else(|| wrong("no em dash and space"))?;
        let (name, signature) = rest.split_once(' ').ok_or_else(|| wrong("no space behind the name"))?;
        check_name(name)?;
        let bytes = STANDARD.decode(signature).map_err(|error| wrong(&format!("{error}")))?;
        let (key_id, signature) = bytes.split_first_chunk().ok_or_else(|| wrong("fewer than four bytes"))?;
        if signature.is_empty() {
            return Err(wrong("nothing behind the key's id"));
        }
        Ok(NoteSignature { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id[..], &self.signature].concat();
        write!(f, "{SIGNATURE_MARK}{} {}", self.name, STANDARD.encode(bytes))
    }
}

fn check_text(text: &str) -> Result<()> {
    if !text.ends_with('\n') {
        return Err(Error::malformed(WHAT, "its text does not end with a newline"));
    }
    check_characters(text)
}

fn check_characters(text: &str) -> Result<()> {
    match text.chars().find(|character| *character < ' ' && *character != '\n') {
        Some(character) => Err(Error::malformed(WHAT, format!("it has the control character {character:?}"))),
        None => Ok(()),
    }
}

/// # Errors
/// `Malformed` if the name is empty or has a space, a plus or a control character.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.chars().any(|character| character.is_whitespace() || character.is_control() || character == '+') {
        return Err(Error::malformed("a key's name", format!("{name:?} is empty or has a space, a plus or a control character")));
    }
    Ok(())
}
