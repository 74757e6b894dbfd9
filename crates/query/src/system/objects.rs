//! Oids of catalog objects and their names: `regclass`, `regtype`, `regnamespace`, `regrole`.

use super::find;
use crate::context::QueryContext;
use crate::names::{self, Relation};
use crate::rewrite::typenames;
use crate::types::oid;
use base::{Error, Result, SqlState};
use sql::catalog::{Index, Sequence, Table};
use sql::functions::quote_identifier;
use std::sync::Arc;

pub const PG_CATALOG_OID: u32 = 11;
pub const INFORMATION_SCHEMA_OID: u32 = 13_183;
pub const FLORIN_SCHEMA_OID: u32 = 14_999;
/// Owner of what has no owner of its own; PostgreSQL's bootstrap superuser.
pub const SUPERUSER_OID: u32 = 10;

/// What an oid in `pg_class` stands for.
pub enum Object<'a> {
    Table(&'a Arc<Table>),
    Index(&'a Arc<Table>, &'a Index),
    Sequence(&'a Arc<Sequence>),
    System(&'static super::Definition),
}

impl Object<'_> {
    pub fn schema(&self) -> &str {
        match self {
            Object::Table(table) | Object::Index(table, _) => &table.schema,
            Object::Sequence(sequence) => &sequence.schema,
            Object::System(definition) => &definition.schema,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Object::Table(table) => &table.name,
            Object::Index(_, index) => &index.name,
            Object::Sequence(sequence) => &sequence.name,
            Object::System(definition) => &definition.name,
        }
    }
}

pub fn object(context: &QueryContext, oid: u32) -> Option<Object<'_>> {
    if let Some(table) = context.catalog.tables.get(&oid) {
        return Some(Object::Table(table));
    }
    if let Some(sequence) = context.catalog.sequences.get(&oid) {
        return Some(Object::Sequence(sequence));
    }
    if let Some(definition) = super::all().find(|definition| definition.oid == oid) {
        return Some(Object::System(definition));
    }
    context
        .catalog
        .tables
        .values()
        .find_map(|table| table.indexes.iter().find(|index| index.oid == oid).map(|index| Object::Index(table, index)))
}

pub fn schema_oid(context: &QueryContext, name: &str) -> Option<u32> {
    match name {
        "pg_catalog" => Some(PG_CATALOG_OID),
        "information_schema" => Some(INFORMATION_SCHEMA_OID),
        "florin" => Some(FLORIN_SCHEMA_OID),
        _ => context.catalog.schemas.get(name).map(|schema| schema.oid),
    }
}

pub fn schema_name(context: &QueryContext, oid: u32) -> Option<String> {
    match oid {
        PG_CATALOG_OID => Some(String::from("pg_catalog")),
        INFORMATION_SCHEMA_OID => Some(String::from("information_schema")),
        FLORIN_SCHEMA_OID => Some(String::from("florin")),
        _ => context.catalog.schemas.values().find(|schema| schema.oid == oid).map(|schema| schema.name.clone()),
    }
}

pub fn role_name(context: &QueryContext, oid: u32) -> Option<String> {
    let found = context.catalog.roles.values().find(|role| role.oid == oid).map(|role| role.name.clone());
    found.or_else(|| (oid == SUPERUSER_OID).then(|| owner(context)))
}

/// The name of the role that owns everything.
fn owner(context: &QueryContext) -> String {
    let superuser = context.catalog.roles.values().filter(|role| role.superuser).min_by_key(|role| role.oid);
    superuser.map_or_else(|| String::from("florin"), |role| role.name.clone())
}

/// The owner of every relation: the oldest superuser.
pub fn owner_oid(context: &QueryContext) -> u32 {
    context.catalog.roles.values().filter(|role| role.superuser).map(|role| role.oid).min().unwrap_or(SUPERUSER_OID)
}

/// A relation's oid by its name as SQL writes it, perhaps with a schema; `None`: there is none.
pub fn relation_oid(context: &QueryContext, name: &str) -> Result<Option<u32>> {
    let parts = identifiers(name)?;
    let (schema, relation) = match parts.as_slice() {
        [relation] => (None, relation.as_str()),
        [schema, relation] => (Some(schema.as_str()), relation.as_str()),
        [database, schema, relation] if *database == context.settings.database => (Some(schema.as_str()), relation.as_str()),
        _ => return Err(Error::new(SqlState::INVALID_NAME, "invalid name syntax")),
    };
    let schemas = match schema {
        Some(schema) => vec![schema.to_owned()],
        None => context.search_path(),
    };
    for schema in schemas {
        if let Some(definition) = find(&schema, relation) {
            return Ok(Some(definition.oid));
        }
        if let Some(oid) = context.catalog.schemas.get(&schema).and_then(|schema| schema.relations.get(relation)) {
            return Ok(Some(*oid));
        }
    }
    Ok(None)
}

/// Splits a possibly quoted, possibly qualified name, folding what is not quoted.
pub fn identifiers(name: &str) -> Result<Vec<String>> {
    let invalid = || Error::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = name.trim();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_identifier(quoted).ok_or_else(invalid)?,
            None => {
                let end = rest.find(['.', '"']).unwrap_or(rest.len());
                (rest[..end].trim().to_lowercase(), &rest[end..])
            }
        };
        if part.is_empty() {
            return Err(invalid());
        }
        parts.push(part);
        let after = after.trim_start();
        if after.is_empty() {
            return Ok(parts);
        }
        rest = after.strip_prefix('.').ok_or_else(invalid)?.trim_start();
    }
}

/// Up to the closing quote; two quotes are one.
fn quoted_identifier(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        part.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                part.push('"');
                rest = after;
            }
            None => return Some((part, rest)),
        }
    }
}

/// What a literal of type `regclass` and its kin means.
pub fn oid_of_name(context: &QueryContext, type_oid: u32, name: &str) -> Result<u32> {
    let name = name.trim();
    if name == "-" {
        return Ok(0);
    }
    if let Ok(oid) = name.parse::<u32>() {
        return Ok(oid);
    }
    match type_oid {
        oid::REGCLASS => relation_oid(context, name)?.ok_or_else(|| names::undefined_table(None, name)),
        oid::REGTYPE => type_oid_of(name).ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))),
        oid::REGNAMESPACE => {
            let parts = identifiers(name)?;
            schema_oid(context, &parts[0])
                .ok_or_else(|| Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist")))
        }
        oid::REGROLE => {
            let parts = identifiers(name)?;
            let role = context.catalog.roles.get(&parts[0]).map(|role| role.oid);
            role.ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))
        }
        _ => super::functions::oid_of(name.strip_prefix("pg_catalog.").unwrap_or(name))
            .ok_or_else(|| Error::new(SqlState::UNDEFINED_FUNCTION, format!("function \"{name}\" does not exist"))),
    }
}

/// Types that print as the name of a catalog object.
pub fn is_named(ty: crate::types::PgType) -> bool {
    matches!(ty.oid, oid::REGCLASS | oid::REGTYPE | oid::REGPROC | oid::REGNAMESPACE | oid::REGROLE)
}

pub fn type_oid_of(name: &str) -> Option<u32> {
    let plain = name.strip_prefix("pg_catalog.").unwrap_or(name);
    let quoted = plain.starts_with('"');
    typenames::by_name(plain.trim_matches('"'), quoted).map(|ty| ty.oid)
}

/// The other way; an oid that names nothing prints as a number.
pub fn name_of_oid(context: &QueryContext, type_oid: u32, oid: u32) -> String {
    if oid == 0 {
        return String::from("-");
    }
    let name = match type_oid {
        oid::REGCLASS => object(context, oid).map(|object| visible_name(context, &object)),
        oid::REGTYPE => sql::types::Type::from_oid(oid).map(|ty| ty.to_string()),
        oid::REGNAMESPACE => schema_name(context, oid).map(|name| quote_identifier(&name)),
        oid::REGROLE => role_name(context, oid).map(|name| quote_identifier(&name)),
        _ => super::functions::name_of(oid).map(str::to_owned),
    };
    name.unwrap_or_else(|| oid.to_string())
}

/// With its schema, unless the search path finds it without.
fn visible_name(context: &QueryContext, object: &Object<'_>) -> String {
    if is_visible(context, object) {
        quote_identifier(object.name())
    } else {
        format!("{}.{}", quote_identifier(object.schema()), quote_identifier(object.name()))
    }
}

/// The search path finds this relation under its bare name.
pub fn is_visible(context: &QueryContext, object: &Object<'_>) -> bool {
    for schema in context.search_path() {
        if schema == object.schema() {
            return true;
        }
        let taken = find(&schema, object.name()).is_some()
            || context.catalog.schemas.get(&schema).is_some_and(|schema| schema.relations.contains_key(object.name()));
        if taken {
            return false;
        }
    }
    false
}

/// The relation that a name in a function's argument means.
pub fn named_table<'a>(context: &'a QueryContext, name: &str) -> Result<Option<&'a Arc<Table>>> {
    let parts = identifiers(name)?;
    let (schema, relation) = match parts.as_slice() {
        [relation] => (None, relation.as_str()),
        [.., schema, relation] => (Some(schema.as_str()), relation.as_str()),
        [] => return Ok(None),
    };
    match names::resolve(context, schema, relation, |_, _| false)? {
        Relation::Stored(table) => Ok(context.catalog.tables.get(&table.oid)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_and_folded_as_sql_does() {
        assert_eq!(identifiers("Public.\"Ord\"\"ers\"").expect("a name"), ["public", "Ord\"ers"]);
        assert_eq!(identifiers(" a ").expect("a name"), ["a"]);
        assert!(identifiers("a.").is_err());
        assert!(identifiers("\"a").is_err());
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        assert_eq!(quote_identifier("abc_1"), "abc_1");
        assert_eq!(quote_identifier("Abc"), "\"Abc\"");
        assert_eq!(quote_identifier("select"), "\"select\"");
    }
}
