//! The names that an expression can use.

use crate::catalog::Table;
use crate::types::Type;
use base::{Error, Result, SqlState};

#[derive(Clone, Debug)]
pub struct ScopeColumn {
    pub name: String,
    pub ty: Type,
    pub modifier: i32,
    /// Cannot be named (dropped columns, which keep their position).
    pub hidden: bool,
}

#[derive(Clone, Debug)]
pub struct Relation {
    pub schema: Option<String>,
    /// Its alias if it has one.
    pub name: String,
    pub columns: Vec<ScopeColumn>,
    /// Position of its first column in the row.
    pub first: usize,
    /// Its columns are found only with the relation's name before them (`excluded` of ON CONFLICT).
    pub qualified_only: bool,
}

/// Relations whose columns lie one after the other in the row.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    relations: Vec<Relation>,
}

impl Scope {
    /// For constants: defaults, `VALUES`, `SELECT` without `FROM`.
    pub fn empty() -> Scope {
        Scope::default()
    }

    /// Of one table, under its alias if it has one.
    ///
    /// # Errors
    /// `XX001` if the descriptor names a type that does not exist.
    pub fn of_table(table: &Table, alias: Option<&str>) -> Result<Scope> {
        let mut scope = Scope::empty();
        scope.add_table(table, alias)?;
        Ok(scope)
    }

    /// Adds a table behind the others; the answer is the position of its first column.
    pub fn add_table(&mut self, table: &Table, alias: Option<&str>) -> Result<usize> {
        let columns = table.columns.iter().map(|column| {
            let ty = Type::from_oid(column.type_oid).ok_or_else(|| crate::row::corrupted("table descriptor"))?;
            Ok(ScopeColumn { name: column.name.clone(), ty, modifier: column.type_modifier, hidden: column.dropped })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let schema = alias.is_none().then(|| table.schema.clone());
        Ok(self.add(schema, alias.unwrap_or(&table.name), columns, false))
    }

    /// Adds a relation behind the others; the answer is the position of its first column.
    pub fn add(&mut self, schema: Option<String>, name: &str, columns: Vec<ScopeColumn>, qualified_only: bool) -> usize {
        let first = self.width();
        self.relations.push(Relation { schema, name: name.to_owned(), columns, first, qualified_only });
        first
    }

    /// Some of the relations: their columns keep their positions.
    pub fn part(&self, relations: std::ops::Range<usize>) -> Scope {
        Scope { relations: self.relations[relations].to_vec() }
    }

    pub fn relations(&self) -> &[Relation] {
        &self.relations
    }

    /// Columns of all relations together.
    pub fn width(&self) -> usize {
        self.relations.last().map_or(0, |last| last.first + last.columns.len())
    }

    /// Position and column of `name`, `relation.name` or `schema.relation.name`.
    ///
    /// # Errors
    /// `42703`, `42P01` or `42702`.
    pub fn resolve(&self, path: &[String]) -> Result<(usize, &ScopeColumn)> {
        let (name, qualifier) = path.split_last().ok_or_else(|| Error::internal("a column without a name"))?;
        let mut found = None;
        let mut relation_found = false;
        for relation in &self.relations {
            if !relation.answers_to(qualifier) {
                continue;
            }
            relation_found = true;
            let Some(at) = relation.columns.iter().position(|column| !column.hidden && column.name == *name) else {
                continue;
            };
            if found.is_some() {
                return Err(Error::new(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{name}\" is ambiguous")));
            }
            found = Some((relation.first + at, &relation.columns[at]));
        }
        found.ok_or_else(|| missing(name, qualifier, relation_found))
    }
}

impl Relation {
    fn answers_to(&self, qualifier: &[String]) -> bool {
        match qualifier {
            [] => !self.qualified_only,
            [relation] => self.name == *relation,
            [schema, relation] => self.name == *relation && self.schema.as_deref() == Some(schema),
            _ => false,
        }
    }
}

fn missing(name: &str, qualifier: &[String], relation_found: bool) -> Error {
    match qualifier {
        [] => Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist")),
        _ if relation_found => {
            Error::new(SqlState::UNDEFINED_COLUMN, format!("column {}.{name} does not exist", qualifier[qualifier.len() - 1]))
        }
        _ => {
            let relation = qualifier.last().map_or("", String::as_str);
            Error::new(SqlState::UNDEFINED_TABLE, format!("missing FROM-clause entry for table \"{relation}\""))
        }
    }
}
