//! Builds the SELECT of a page: conditions with their values, an order, one row more than asked for.

use super::query::Query;
use crate::http::problem::Problem;
use crate::role_session::Parameter;

/// Oids of PostgreSQL's types.
const INT8: u32 = 20;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const NUMERIC: u32 = 1700;
const TIMESTAMPTZ: u32 = 1184;
const UUID: u32 = 2950;
const JSONB: u32 = 3802;

pub fn int8(value: i64) -> Parameter {
    Parameter { type_oid: INT8, text: value.to_string() }
}

pub fn text(text: String) -> Parameter {
    Parameter { type_oid: TEXT, text }
}

pub fn int4(value: i32) -> Parameter {
    Parameter { type_oid: INT4, text: value.to_string() }
}

pub fn numeric(value: u64) -> Parameter {
    Parameter { type_oid: NUMERIC, text: value.to_string() }
}

pub fn uuid(text: impl Into<String>) -> Parameter {
    Parameter { type_oid: UUID, text: text.into() }
}

pub fn timestamptz(text: String) -> Parameter {
    Parameter { type_oid: TIMESTAMPTZ, text }
}

pub fn jsonb(text: String) -> Parameter {
    Parameter { type_oid: JSONB, text }
}

#[derive(Default)]
pub struct Select {
    conditions: Vec<String>,
    pub parameters: Vec<Parameter>,
}

impl Select {
    /// A condition; each `?` in it stands for one of the values.
    pub fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Parameter>) {
        let mut text = String::new();
        let mut parts = condition.split('?');
        text.push_str(parts.next().unwrap_or_default());
        for (part, value) in parts.zip(values) {
            self.parameters.push(value);
            text.push_str(&format!("${}{part}", self.parameters.len()));
        }
        self.conditions.push(text);
    }

    /// The conditions that a query may name of accounts and of transfers.
    ///
    /// # Errors
    /// 400 for what is no such value.
    pub fn and_attributes(&mut self, query: &Query) -> Result<(), Problem> {
        for (name, max) in [("ledger", u64::from(u32::MAX)), ("user_data_32", u64::from(u32::MAX))] {
            if let Some(value) = query.number(name, max)? {
                self.and(&format!("{name} = ?"), [int8(value as i64)]);
            }
        }
        if let Some(code) = query.number("code", u64::from(u16::MAX))? {
            self.and("code = ?", [int4(code as i32)]);
        }
        if let Some(value) = query.number("user_data_64", u64::MAX)? {
            self.and("user_data_64 = ?", [numeric(value)]);
        }
        for name in ["parent", "user_data_128"] {
            if let Some(id) = query.id(name)? {
                self.and(&format!("{name} = ?"), [uuid(id)]);
            }
        }
        Ok(())
    }

    pub fn sql(&self, columns: &str, table: &str, order: &str, limit: u32) -> String {
        let filter = if self.conditions.is_empty() { String::new() } else { format!(" WHERE {}", self.conditions.join(" AND ")) };
        format!("SELECT {columns} FROM {table}{filter} ORDER BY {order} LIMIT {}", u64::from(limit) + 1)
    }
}

/// `$1, $2, …`.
pub fn places(count: usize) -> String {
    let places: Vec<String> = (1..=count).map(|place| format!("${place}")).collect();
    places.join(", ")
}
