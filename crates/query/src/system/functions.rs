//! Functions over the catalog: what psql, drivers and object mappers ask besides the tables.

use super::objects::{self, Object, object};
use super::{array, describe, fixed, oid_value, text};
use crate::context::QueryContext;
use crate::types::oid;
use base::{Error, Result, SqlState};
use sql::functions::quote_identifier;
use sql::types::Type;
use sql::value::Value;

type Run = fn(&QueryContext, &[Value]) -> Result<Value>;

/// One function; overloads share it and look at their arguments.
pub struct CatalogFunction {
    pub name: &'static str,
    pub arguments_min: usize,
    pub arguments_max: usize,
    pub returns: u32,
    /// NULL if any argument is.
    pub strict: bool,
    pub run: Run,
}

const fn function(name: &'static str, arguments_min: usize, arguments_max: usize, returns: u32, run: Run) -> CatalogFunction {
    CatalogFunction { name, arguments_min, arguments_max, returns, strict: true, run }
}

const fn lenient(name: &'static str, arguments_min: usize, arguments_max: usize, returns: u32, run: Run) -> CatalogFunction {
    CatalogFunction { name, arguments_min, arguments_max, returns, strict: false, run }
}

static FUNCTIONS: &[CatalogFunction] = &[
    function("pg_table_is_visible", 1, 1, oid::BOOL, is_visible),
    function("pg_type_is_visible", 1, 1, oid::BOOL, yes),
    function("pg_function_is_visible", 1, 1, oid::BOOL, yes),
    function("pg_operator_is_visible", 1, 1, oid::BOOL, yes),
    function("pg_opclass_is_visible", 1, 1, oid::BOOL, yes),
    function("pg_opfamily_is_visible", 1, 1, oid::BOOL, yes),
    function("pg_collation_is_visible", 1, 1, oid::BOOL, yes),
    function("pg_conversion_is_visible", 1, 1, oid::BOOL, yes),
    function("pg_statistics_obj_is_visible", 1, 1, oid::BOOL, yes),
    function("pg_get_userbyid", 1, 1, oid::NAME, user_by_id),
    lenient("format_type", 2, 2, oid::TEXT, format_type),
    function("pg_get_expr", 2, 3, oid::TEXT, first),
    function("pg_get_indexdef", 1, 3, oid::TEXT, index_definition),
    function("pg_get_constraintdef", 1, 2, oid::TEXT, constraint_definition),
    lenient("pg_get_viewdef", 1, 2, oid::TEXT, null),
    lenient("pg_get_ruledef", 1, 2, oid::TEXT, null),
    lenient("pg_get_triggerdef", 1, 2, oid::TEXT, null),
    lenient("pg_get_partkeydef", 1, 1, oid::TEXT, null),
    lenient("pg_get_partition_constraintdef", 1, 1, oid::TEXT, null),
    lenient("pg_get_statisticsobjdef_columns", 1, 1, oid::TEXT, null),
    lenient("pg_get_statisticsobjdef", 1, 1, oid::TEXT, null),
    lenient("pg_get_functiondef", 1, 1, oid::TEXT, null),
    lenient("pg_get_function_result", 1, 1, oid::TEXT, null),
    lenient("pg_get_function_arguments", 1, 1, oid::TEXT, null),
    lenient("pg_get_function_identity_arguments", 1, 1, oid::TEXT, null),
    lenient("pg_get_function_sqlbody", 1, 1, oid::TEXT, null),
    lenient("obj_description", 1, 2, oid::TEXT, null),
    lenient("col_description", 2, 2, oid::TEXT, null),
    lenient("shobj_description", 2, 2, oid::TEXT, null),
    lenient("acldefault", 2, 2, oid::ACLITEM_ARRAY, null),
    function("pg_encoding_to_char", 1, 1, oid::NAME, encoding_name),
    lenient("getdatabaseencoding", 0, 0, oid::NAME, database_encoding),
    function("pg_char_to_encoding", 1, 1, oid::INT4, encoding_number),
    function("pg_relation_is_publishable", 1, 1, oid::BOOL, is_publishable),
    lenient("has_table_privilege", 2, 3, oid::BOOL, yes),
    lenient("has_any_column_privilege", 2, 3, oid::BOOL, yes),
    lenient("has_column_privilege", 3, 4, oid::BOOL, yes),
    lenient("has_schema_privilege", 2, 3, oid::BOOL, yes),
    lenient("has_database_privilege", 2, 3, oid::BOOL, yes),
    lenient("has_sequence_privilege", 2, 3, oid::BOOL, yes),
    lenient("has_function_privilege", 2, 3, oid::BOOL, yes),
    lenient("has_type_privilege", 2, 3, oid::BOOL, yes),
    lenient("has_tablespace_privilege", 2, 3, oid::BOOL, yes),
    lenient("pg_has_role", 2, 3, oid::BOOL, yes),
    lenient("row_security_active", 1, 1, oid::BOOL, no),
    function("pg_get_serial_sequence", 2, 2, oid::TEXT, serial_sequence),
    function("to_regclass", 1, 1, oid::REGCLASS, to_regclass),
    function("to_regtype", 1, 1, oid::REGTYPE, to_regtype),
    function("to_regnamespace", 1, 1, oid::REGNAMESPACE, to_regnamespace),
    function("to_regrole", 1, 1, oid::REGROLE, to_regrole),
    lenient("to_regproc", 1, 1, oid::REGPROC, null),
    function("current_setting", 1, 2, oid::TEXT, current_setting),
    function("pg_relation_size", 1, 2, oid::INT8, zero),
    function("pg_table_size", 1, 1, oid::INT8, zero),
    function("pg_indexes_size", 1, 1, oid::INT8, zero),
    function("pg_total_relation_size", 1, 1, oid::INT8, zero),
    function("pg_database_size", 1, 1, oid::INT8, zero),
    function("pg_tablespace_size", 1, 1, oid::INT8, zero),
    function("pg_size_pretty", 1, 1, oid::TEXT, size_pretty),
    function("pg_tablespace_location", 1, 1, oid::TEXT, empty_text),
    function("current_schemas", 1, 1, oid::NAME_ARRAY, current_schemas),
    lenient("current_schema", 0, 0, oid::NAME, current_schema),
    lenient("current_database", 0, 0, oid::NAME, current_database),
    lenient("current_catalog", 0, 0, oid::NAME, current_database),
    lenient("current_user", 0, 0, oid::NAME, current_user),
    lenient("current_role", 0, 0, oid::NAME, current_user),
    lenient("session_user", 0, 0, oid::NAME, current_user),
    lenient("user", 0, 0, oid::NAME, current_user),
    lenient("version", 0, 0, oid::TEXT, version),
    lenient("pg_backend_pid", 0, 0, oid::INT4, backend_pid),
    lenient("pg_is_in_recovery", 0, 0, oid::BOOL, no),
    lenient("pg_my_temp_schema", 0, 0, oid::OID, zero),
    function("pg_is_other_temp_schema", 1, 1, oid::BOOL, no),
    lenient("inet_client_addr", 0, 0, oid::TEXT, null),
    lenient("inet_server_addr", 0, 0, oid::TEXT, null),
    lenient("inet_client_port", 0, 0, oid::INT4, null),
    lenient("inet_server_port", 0, 0, oid::INT4, null),
    function("pg_relation_filenode", 1, 1, oid::OID, filenode),
    lenient("pg_partition_root", 1, 1, oid::REGCLASS, first),
    function("pg_index_column_has_property", 3, 3, oid::BOOL, index_property),
    function("pg_indexam_has_property", 2, 2, oid::BOOL, no),
    function("pg_index_has_property", 2, 2, oid::BOOL, no),
    lenient("pg_stat_get_numscans", 1, 1, oid::INT8, zero),
];

pub fn find(name: &str) -> Option<&'static CatalogFunction> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// First of the oids that functions get in `regproc`.
const FUNCTION_OIDS: u32 = 12_000;

pub fn oid_of(name: &str) -> Option<u32> {
    FUNCTIONS.iter().position(|function| function.name == name).map(|index| FUNCTION_OIDS + index as u32)
}

pub fn name_of(oid: u32) -> Option<&'static str> {
    let index = usize::try_from(oid.checked_sub(FUNCTION_OIDS)?).ok()?;
    FUNCTIONS.get(index).map(|function| function.name)
}

fn oid_argument(arguments: &[Value], index: usize) -> u32 {
    match arguments.get(index) {
        Some(Value::Oid(oid)) => *oid,
        Some(Value::Int8(oid)) => u32::try_from(*oid).unwrap_or(0),
        Some(Value::Int4(oid)) => u32::try_from(*oid).unwrap_or(0),
        Some(Value::Int2(oid)) => u32::try_from(*oid).unwrap_or(0),
        Some(Value::Text(text)) => text.parse().unwrap_or(0),
        _ => 0,
    }
}

fn int_argument(arguments: &[Value], index: usize) -> Option<i64> {
    match arguments.get(index)? {
        Value::Int2(number) => Some(i64::from(*number)),
        Value::Int4(number) => Some(i64::from(*number)),
        Value::Int8(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn text_argument(arguments: &[Value], index: usize) -> &str {
    match arguments.get(index) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn yes(_: &QueryContext, _: &[Value]) -> Result<Value> {
    Ok(Value::Bool(true))
}

fn no(_: &QueryContext, _: &[Value]) -> Result<Value> {
    Ok(Value::Bool(false))
}

fn null(_: &QueryContext, _: &[Value]) -> Result<Value> {
    Ok(Value::Null)
}

fn zero(_: &QueryContext, _: &[Value]) -> Result<Value> {
    Ok(Value::Int8(0))
}

fn empty_text(_: &QueryContext, _: &[Value]) -> Result<Value> {
    Ok(text(""))
}

fn first(_: &QueryContext, arguments: &[Value]) -> Result<Value> {
    Ok(arguments.first().cloned().unwrap_or(Value::Null))
}

fn is_visible(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    let found = object(context, oid_argument(arguments, 0));
    Ok(found.map_or(Value::Null, |object| Value::Bool(objects::is_visible(context, &object))))
}

fn user_by_id(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    let oid = oid_argument(arguments, 0);
    Ok(text(objects::role_name(context, oid).unwrap_or_else(|| format!("unknown (OID={oid})"))))
}

fn format_type(_: &QueryContext, arguments: &[Value]) -> Result<Value> {
    if matches!(arguments[0], Value::Null) {
        return Ok(Value::Null);
    }
    let modifier = int_argument(arguments, 1).and_then(|modifier| i32::try_from(modifier).ok());
    Ok(text(type_name(oid_argument(arguments, 0), modifier)))
}

/// A type as SQL writes it. Without a modifier `character` stands for itself, with an empty one it is `bpchar`.
fn type_name(type_oid: u32, modifier: Option<i32>) -> String {
    match type_oid {
        0 => return String::from("-"),
        oid::INT2_VECTOR => return String::from("int2vector"),
        oid::OID_VECTOR => return String::from("oidvector"),
        oid::PG_NODE_TREE => return String::from("pg_node_tree"),
        oid::REGNAMESPACE => return String::from("regnamespace"),
        oid::REGROLE => return String::from("regrole"),
        oid::XID => return String::from("xid"),
        oid::ACLITEM_ARRAY => return String::from("aclitem[]"),
        _ => {}
    }
    match (Type::from_oid(type_oid), modifier) {
        (Some(ty), Some(modifier)) => ty.display(modifier).to_string(),
        (Some(ty), None) => ty.to_string(),
        (None, _) => String::from("???"),
    }
}

fn index_definition(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    let Some(Object::Index(table, index)) = object(context, oid_argument(arguments, 0)) else { return Ok(Value::Null) };
    let column = int_argument(arguments, 1).and_then(|column| i32::try_from(column).ok()).unwrap_or(0);
    if column != 0 {
        return Ok(describe::index_column(table, index, column).map_or(Value::Null, text));
    }
    let pretty = matches!(arguments.get(2), Some(Value::Bool(true)));
    let visible = objects::is_visible(context, &Object::Table(table));
    Ok(text(describe::index_definition(table, index, !(pretty && visible))))
}

fn constraint_definition(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    let tables = context.catalog.tables.values().map(|table| table.as_ref());
    Ok(describe::constraint_definition(tables, oid_argument(arguments, 0)).map_or(Value::Null, text))
}

fn encoding_name(_: &QueryContext, arguments: &[Value]) -> Result<Value> {
    Ok(text(match int_argument(arguments, 0) {
        Some(6) => "UTF8",
        Some(0) => "SQL_ASCII",
        _ => "",
    }))
}

fn database_encoding(_: &QueryContext, _: &[Value]) -> Result<Value> {
    Ok(text("UTF8"))
}

fn encoding_number(_: &QueryContext, arguments: &[Value]) -> Result<Value> {
    let name = text_argument(arguments, 0).to_ascii_uppercase().replace('-', "");
    Ok(Value::Int4(match name.as_str() {
        "UTF8" | "UNICODE" => 6,
        "SQL_ASCII" => 0,
        _ => -1,
    }))
}

fn is_publishable(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    Ok(Value::Bool(context.catalog.tables.contains_key(&oid_argument(arguments, 0))))
}

fn serial_sequence(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    let Some(table) = objects::named_table(context, text_argument(arguments, 0))? else { return Ok(Value::Null) };
    let name = text_argument(arguments, 1);
    let column = table.columns.iter().position(|column| column.name == name && !column.dropped);
    let column = column.ok_or_else(|| {
        Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" of relation \"{}\" does not exist", table.name))
    })?;
    let sequence = context.catalog.sequences.values().find(|sequence| sequence.owned_by == Some((table.oid, column)));
    Ok(sequence
        .map_or(Value::Null, |sequence| text(format!("{}.{}", quote_identifier(&sequence.schema), quote_identifier(&sequence.name)))))
}

/// NULL instead of an error where there is no such object.
fn found(result: Result<u32>) -> Result<Value> {
    match result {
        Ok(oid) => Ok(oid_value(oid)),
        Err(error) if error.state() == SqlState::INVALID_NAME => Err(error),
        Err(_) => Ok(Value::Null),
    }
}

fn to_regclass(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    found(objects::oid_of_name(context, oid::REGCLASS, text_argument(arguments, 0)))
}

fn to_regtype(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    found(objects::oid_of_name(context, oid::REGTYPE, text_argument(arguments, 0)))
}

fn to_regnamespace(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    found(objects::oid_of_name(context, oid::REGNAMESPACE, text_argument(arguments, 0)))
}

fn to_regrole(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    found(objects::oid_of_name(context, oid::REGROLE, text_argument(arguments, 0)))
}

fn current_setting(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    let name = text_argument(arguments, 0);
    let found = fixed::settings(context).into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    match found {
        Some((_, value)) => Ok(text(value)),
        None if matches!(arguments.get(1), Some(Value::Bool(true))) => Ok(Value::Null),
        None => Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))),
    }
}

/// Units as PostgreSQL prints them: up to 10240 of one before the next.
fn size_pretty(_: &QueryContext, arguments: &[Value]) -> Result<Value> {
    const LIMIT: i128 = 10 * 1024;
    let bytes = match arguments.first() {
        Some(Value::Numeric(numeric)) => numeric.digits / 10i128.pow(u32::from(numeric.scale)),
        _ => i128::from(int_argument(arguments, 0).unwrap_or(0)),
    };
    if bytes.abs() < LIMIT {
        return Ok(text(format!("{bytes} bytes")));
    }
    // Halves of the unit, so that the last step rounds.
    let mut halves = bytes / 512;
    for unit in ["kB", "MB", "GB", "TB"] {
        if halves.abs() < LIMIT * 2 - 1 {
            return Ok(text(format!("{} {unit}", (halves + halves.signum()) / 2)));
        }
        halves /= 1024;
    }
    Ok(text(format!("{} PB", (halves + halves.signum()) / 2)))
}

fn current_schemas(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    let implicit = matches!(arguments[0], Value::Bool(true));
    let schemas = context.search_path().into_iter().filter(|schema| implicit || schema != "pg_catalog");
    Ok(array(schemas.map(text)))
}

fn current_schema(context: &QueryContext, _: &[Value]) -> Result<Value> {
    Ok(context.search_path().into_iter().find(|schema| schema != "pg_catalog").map_or(Value::Null, text))
}

fn current_database(context: &QueryContext, _: &[Value]) -> Result<Value> {
    Ok(text(&context.settings.database))
}

fn current_user(context: &QueryContext, _: &[Value]) -> Result<Value> {
    Ok(text(&context.settings.user))
}

fn version(_: &QueryContext, _: &[Value]) -> Result<Value> {
    Ok(text(concat!("PostgreSQL 15.0 (Florin ", env!("CARGO_PKG_VERSION"), ")")))
}

fn backend_pid(context: &QueryContext, _: &[Value]) -> Result<Value> {
    Ok(Value::Int4(context.settings.backend_pid))
}

fn filenode(context: &QueryContext, arguments: &[Value]) -> Result<Value> {
    Ok(match object(context, oid_argument(arguments, 0)) {
        Some(Object::Table(table)) => oid_value(table.storage.0),
        Some(Object::Index(_, index)) => oid_value(index.storage.0),
        _ => Value::Null,
    })
}

fn index_property(_: &QueryContext, arguments: &[Value]) -> Result<Value> {
    Ok(match text_argument(arguments, 2) {
        "asc" | "nulls_last" | "orderable" | "returnable" | "search_nulls" => Value::Bool(true),
        "desc" | "nulls_first" | "distance_orderable" | "search_array" => Value::Bool(false),
        _ => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_print_with_their_modifiers() {
        assert_eq!(type_name(oid::NUMERIC, Some((12 << 16 | 2) + 4)), "numeric(12,2)");
        assert_eq!(type_name(oid::VARCHAR, Some(-1)), "character varying");
        assert_eq!(type_name(oid::TIMESTAMPTZ, None), "timestamp with time zone");
        assert_eq!(type_name(99_999, None), "???");
    }
}
