//! Which system tables there are, with their columns and where their rows come from.

use super::{Definition, Definitions, Rows, attributes, fixed, information, relations, roles};
use crate::types::oid;

static COLUMNS: &str = include_str!("columns.txt");
/// First oid of the tables that the node fills; PostgreSQL's own end below.
const NODE_TABLE_OIDS: u32 = 15_000;

pub fn read() -> Definitions {
    let mut definitions: Definitions = COLUMNS.lines().filter(|line| !line.starts_with('#')).filter_map(read_line).map(keyed).collect();
    for (index, table) in sql::system::ALL.iter().enumerate() {
        let columns = table.columns.iter().map(|(name, oid)| ((*name).to_owned(), *oid)).collect();
        let (schema, name) = table.name.split_once('.').unwrap_or(("pg_catalog", table.name));
        let oid = NODE_TABLE_OIDS + index as u32;
        let (key, definition) = keyed(Definition { oid, schema: schema.to_owned(), name: name.to_owned(), columns, rows: Rows::Session });
        definitions.insert(key, definition);
    }
    definitions
}

fn keyed(definition: Definition) -> ((String, String), Definition) {
    ((definition.schema.clone(), definition.name.clone()), definition)
}

fn read_line(line: &str) -> Option<Definition> {
    let mut words = line.split(' ');
    let (schema, name) = words.next()?.split_once('.')?;
    let oid = words.next()?.parse().ok()?;
    let column = |word: &str| word.rsplit_once(':').map(|(name, oid)| (name.to_owned(), oid.parse().unwrap_or(oid::TEXT)));
    let columns = words.filter_map(column).collect();
    let rows = if schema == "pg_catalog" { catalog_rows(name) } else { information_rows(name) };
    Some(Definition { oid, schema: schema.to_owned(), name: name.to_owned(), columns, rows })
}

fn catalog_rows(name: &str) -> Rows {
    Rows::Computed(match name {
        "pg_class" => relations::pg_class,
        "pg_namespace" => relations::pg_namespace,
        "pg_index" => relations::pg_index,
        "pg_constraint" => relations::pg_constraint,
        "pg_sequence" => relations::pg_sequence,
        "pg_depend" => relations::pg_depend,
        "pg_tables" => relations::pg_tables,
        "pg_indexes" => relations::pg_indexes,
        "pg_sequences" => relations::pg_sequences,
        "pg_attribute" => attributes::pg_attribute,
        "pg_attrdef" => attributes::pg_attrdef,
        "pg_roles" => roles::pg_roles,
        "pg_authid" => roles::pg_authid,
        "pg_user" => roles::pg_user,
        "pg_shadow" => roles::pg_shadow,
        "pg_database" => fixed::pg_database,
        "pg_type" => fixed::pg_type,
        "pg_am" => fixed::pg_am,
        "pg_collation" => fixed::pg_collation,
        "pg_tablespace" => fixed::pg_tablespace,
        "pg_language" => fixed::pg_language,
        "pg_opclass" => fixed::pg_opclass,
        "pg_settings" => fixed::pg_settings,
        _ => return Rows::Empty,
    })
}

fn information_rows(name: &str) -> Rows {
    Rows::Computed(match name {
        "tables" => information::tables,
        "columns" => information::columns,
        "schemata" => information::schemata,
        "sequences" => information::sequences,
        "table_constraints" => information::table_constraints,
        "key_column_usage" => information::key_column_usage,
        "constraint_column_usage" => information::constraint_column_usage,
        "check_constraints" => information::check_constraints,
        "information_schema_catalog_name" => information::catalog_name,
        "enabled_roles" => information::enabled_roles,
        "applicable_roles" | "administrable_role_authorizations" => return Rows::Empty,
        "table_privileges" | "role_table_grants" => information::table_privileges,
        _ => return Rows::Empty,
    })
}
