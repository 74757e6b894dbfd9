//! Constraints as statements give them, and their names.

use crate::parse::names::fold;
use base::{Error, Result, SqlState};
use sqlparser::ast;

/// A constraint of CREATE TABLE or ALTER TABLE. Columns by name.
#[derive(Clone, Debug)]
pub enum Constraint {
    PrimaryKey {
        name: Option<String>,
        columns: Vec<String>,
    },
    Unique {
        name: Option<String>,
        columns: Vec<String>,
    },
    /// `column`: where it was written.
    Check {
        name: Option<String>,
        /// Its text.
        expression: String,
        column: Option<String>,
    },
}

pub fn of_table(constraint: &ast::TableConstraint) -> Result<Constraint> {
    match constraint {
        ast::TableConstraint::PrimaryKey(key) => {
            Ok(Constraint::PrimaryKey { name: key.name.as_ref().map(fold), columns: columns(&key.columns)? })
        }
        ast::TableConstraint::Unique(unique) => {
            if matches!(unique.nulls_distinct, ast::NullsDistinctOption::NotDistinct) {
                return Err(Error::unsupported("UNIQUE NULLS NOT DISTINCT"));
            }
            Ok(Constraint::Unique { name: unique.name.as_ref().map(fold), columns: columns(&unique.columns)? })
        }
        ast::TableConstraint::Check(check) => {
            Ok(Constraint::Check { name: check.name.as_ref().map(fold), expression: crate::parse::kept_text(&check.expr)?, column: None })
        }
        ast::TableConstraint::ForeignKey(_) => Err(foreign_key()),
        other => Err(Error::unsupported(format!("the constraint {other}"))),
    }
}

pub fn foreign_key() -> Error {
    Error::unsupported("a foreign key")
}

/// Plain columns of a key or index.
pub fn columns(list: &[ast::IndexColumn]) -> Result<Vec<String>> {
    let column = |item: &ast::IndexColumn| {
        if item.operator_class.is_some() {
            return Err(Error::unsupported("an operator class"));
        }
        if item.column.options.asc == Some(false) || item.column.options.nulls_first == Some(true) {
            return Err(Error::unsupported("an index column in descending order or with NULLs first"));
        }
        match &item.column.expr {
            ast::Expr::Identifier(ident) => Ok(fold(ident)),
            _ => Err(Error::unsupported("an index on an expression")),
        }
    };
    let columns = list.iter().map(column).collect::<Result<Vec<String>>>()?;
    for (at, name) in columns.iter().enumerate() {
        if columns[..at].contains(name) {
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" appears twice in a constraint or index")));
        }
    }
    Ok(columns)
}
