//! Identifiers as PostgreSQL folds them, and names with or without a schema.

use base::{Error, Result, SqlState};
use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

/// Longest identifier in bytes; longer ones are cut, as PostgreSQL does.
pub const NAME_BYTES_MAX: usize = 63;

/// Lower case unless quoted.
pub fn fold(ident: &Ident) -> String {
    let mut name = if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() };
    truncate(&mut name);
    name
}

pub fn truncate(name: &mut String) {
    if name.len() > NAME_BYTES_MAX {
        let end = (0..=NAME_BYTES_MAX).rev().find(|at| name.is_char_boundary(*at)).expect("0 is a boundary");
        name.truncate(end);
    }
}

/// A table's, sequence's or index's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationName {
    pub schema: Option<String>,
    pub name: String,
}

impl std::fmt::Display for RelationName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

pub fn parts(name: &ObjectName) -> Result<Vec<String>> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => Ok(fold(ident)),
            ObjectNamePart::Function(_) => Err(Error::new(SqlState::SYNTAX_ERROR, format!("improper name: {name}"))),
        })
        .collect()
}

pub fn relation(name: &ObjectName) -> Result<RelationName> {
    let mut parts = parts(name)?;
    match parts.len() {
        1 => Ok(RelationName { schema: None, name: parts.remove(0) }),
        2 => Ok(RelationName { schema: Some(parts.remove(0)), name: parts.remove(0) }),
        // database.schema.table: there is one database.
        3 => Ok(RelationName { schema: Some(parts.remove(1)), name: parts.remove(1) }),
        _ => Err(Error::new(SqlState::SYNTAX_ERROR, format!("improper relation name (too many dotted names): {name}"))),
    }
}

/// A name as text: `a`, `"A"`, `s.a`, as `nextval('…')` takes it.
pub fn relation_from_text(text: &str) -> Result<RelationName> {
    let invalid = || Error::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let part = if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or_else(invalid)?;
            let part = quoted[..end].to_owned();
            rest = &quoted[end + 1..];
            part
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let part = rest[..end].trim().to_lowercase();
            rest = &rest[end..];
            part
        };
        if part.is_empty() {
            return Err(invalid());
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(more) => rest = more,
            None if rest.is_empty() => break,
            None => return Err(invalid()),
        }
    }
    match parts.len() {
        1 => Ok(RelationName { schema: None, name: parts.remove(0) }),
        2 => Ok(RelationName { schema: Some(parts.remove(0)), name: parts.remove(0) }),
        _ => Err(invalid()),
    }
}

/// As it must be written in SQL to mean itself.
pub fn quote(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
