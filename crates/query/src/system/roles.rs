//! Roles as `pg_catalog` shows them. Passwords are never shown.

use super::{Row, oid_value, text};
use crate::context::QueryContext;
use sql::catalog::Role;
use sql::value::Value;

fn role_row(role: &Role) -> Row {
    vec![
        ("oid", oid_value(role.oid)),
        ("rolname", text(&role.name)),
        ("rolsuper", Value::Bool(role.superuser)),
        ("rolinherit", Value::Bool(true)),
        ("rolcreaterole", Value::Bool(role.create_role || role.superuser)),
        ("rolcreatedb", Value::Bool(role.create_database || role.superuser)),
        ("rolcanlogin", Value::Bool(role.login)),
        ("rolconnlimit", Value::Int4(-1)),
        ("rolbypassrls", Value::Bool(role.superuser)),
        ("rolpassword", Value::Null),
    ]
}

pub fn pg_authid(context: &QueryContext) -> Vec<Row> {
    context.catalog.roles.values().map(|role| role_row(role)).collect()
}

pub fn pg_roles(context: &QueryContext) -> Vec<Row> {
    let masked = |role: &Role| {
        let mut row = role_row(role);
        row.retain(|(name, _)| *name != "rolpassword");
        row.push(("rolpassword", text("********")));
        row
    };
    context.catalog.roles.values().map(|role| masked(role)).collect()
}

fn user_row(role: &Role) -> Row {
    vec![
        ("usename", text(&role.name)),
        ("usesysid", oid_value(role.oid)),
        ("usecreatedb", Value::Bool(role.create_database || role.superuser)),
        ("usesuper", Value::Bool(role.superuser)),
        ("usebypassrls", Value::Bool(role.superuser)),
        ("passwd", text("********")),
    ]
}

pub fn pg_user(context: &QueryContext) -> Vec<Row> {
    context.catalog.roles.values().filter(|role| role.login).map(|role| user_row(role)).collect()
}

pub fn pg_shadow(context: &QueryContext) -> Vec<Row> {
    pg_user(context)
}
