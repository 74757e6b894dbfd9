//! Which relation a name means: the search path, the schemas of the catalog, and the schemas that the system itself has.

use crate::context::QueryContext;
use base::{Error, SqlState};
use sql::catalog::Table;
use std::sync::Arc;

/// What a name in `FROM` stands for.
#[derive(Debug)]
pub enum Relation {
    Stored(Arc<Table>),
    Sequence,
    /// A table of `pg_catalog`, `information_schema` or `florin`.
    System {
        schema: String,
        name: String,
    },
}

/// Schemas that exist without being in the catalog.
pub fn is_system_schema(name: &str) -> bool {
    matches!(name, "pg_catalog" | "information_schema" | "florin")
}

/// Looks a name up; without a schema along the search path.
pub fn resolve(
    context: &QueryContext,
    schema: Option<&str>,
    name: &str,
    is_system: impl Fn(&str, &str) -> bool,
) -> Result<Relation, Error> {
    let found = match schema {
        Some(schema) => resolve_in(context, schema, name, &is_system)?,
        None => {
            let mut found = None;
            for schema in context.search_path() {
                found = resolve_in(context, &schema, name, &is_system)?;
                if found.is_some() {
                    break;
                }
            }
            found
        }
    };
    found.ok_or_else(|| undefined_table(schema, name))
}

pub fn undefined_table(schema: Option<&str>, name: &str) -> Error {
    let full = schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
    Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{full}\" does not exist"))
}

fn resolve_in(
    context: &QueryContext,
    schema: &str,
    name: &str,
    is_system: &impl Fn(&str, &str) -> bool,
) -> Result<Option<Relation>, Error> {
    if is_system_schema(schema) && is_system(schema, name) {
        return Ok(Some(Relation::System { schema: schema.to_owned(), name: name.to_owned() }));
    }
    let Some(oid) = context.catalog.schemas.get(schema).and_then(|schema| schema.relations.get(name)) else { return Ok(None) };
    if let Some(table) = context.catalog.tables.get(oid) {
        return Ok(Some(Relation::Stored(table.clone())));
    }
    if context.catalog.sequences.contains_key(oid) {
        return Ok(Some(Relation::Sequence));
    }
    Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot open relation \"{name}\""))
        .with_detail("This operation is not supported for indexes."))
}
