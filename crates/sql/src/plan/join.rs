//! Joins by look-up: from few rows of one table by key to the rows of the next.
//!
//! What a join costs here depends on the rows that it finds, not on the sizes of its tables; that is what payments ask. All other joins are
//! the engine's.

use super::Planning;
use super::access::{Access, Known, choose_among, score};
use super::from::From;
use super::table::TableInfo;
use crate::expr::{BindError, Binder, Expr, Parameters};
use std::collections::BTreeSet;
use std::sync::Arc;

pub struct Join {
    /// In the order in which they are run. The first is reached by what the statement says alone.
    pub steps: Vec<Step>,
    /// Columns of all tables together, in FROM's order.
    pub width: usize,
}

pub struct Step {
    pub info: Arc<TableInfo>,
    /// Position of its first column in the joined row.
    pub first: usize,
    /// Its values may use columns of the tables before.
    pub access: Access,
    /// Of a LEFT JOIN, whose rows stay without a match: its condition.
    pub left: Option<Option<Expr>>,
    /// What can be judged once this table's columns are there.
    pub filter: Option<Expr>,
    /// Columns that anything looks at, counted from the table's first.
    pub needed: Vec<usize>,
}

/// The conditions of a join, each of which must hold for a row.
pub struct Conditions {
    /// Of WHERE and of inner joins.
    all: Vec<Expr>,
    /// Of a LEFT JOIN, by the position of its table.
    left: Vec<Option<Expr>>,
}

impl Conditions {
    /// Binds what the joins of FROM say.
    pub fn bind(from: &From<'_>, parameters: &mut Parameters) -> Planning<Conditions> {
        let mut conditions = Conditions { all: Vec::new(), left: Vec::new() };
        for joined in &from.joined {
            let scope = from.scope.part(joined.visible.clone());
            let on = joined.on.map(|on| Binder::new(&scope, parameters).condition(on, "JOIN/ON")).transpose()?;
            match on {
                Some(on) if !joined.left => {
                    conditions.all.extend(parts(on));
                    conditions.left.push(None);
                }
                on => conditions.left.push(on),
            }
        }
        Ok(conditions)
    }

    /// Adds WHERE's.
    pub fn add(&mut self, filter: Option<Expr>) {
        self.all.extend(filter.map(parts).unwrap_or_default());
    }

    fn is_volatile(&self) -> bool {
        self.all.iter().chain(self.left.iter().flatten()).any(Expr::is_volatile)
    }

    /// Positions of the columns that they read.
    fn columns(&self) -> impl Iterator<Item = usize> {
        self.all.iter().chain(self.left.iter().flatten()).flat_map(Expr::columns)
    }
}

fn parts(condition: Expr) -> Vec<Expr> {
    match condition {
        Expr::And(parts) => parts,
        other => vec![other],
    }
}

/// `used`: columns that the statement's answer is made of.
pub fn plan(from: &From<'_>, conditions: Conditions, used: &BTreeSet<usize>) -> Planning<Join> {
    if conditions.is_volatile() {
        return Err(BindError::NeedsEngine("a volatile condition"));
    }
    let ordered = from.joined.iter().any(|joined| joined.left);
    let needed: BTreeSet<usize> = conditions.columns().chain(used.iter().copied()).collect();
    let Conditions { mut all, left } = conditions;
    let mut open: Vec<usize> = (0..from.tables.len()).collect();
    let mut known: BTreeSet<usize> = BTreeSet::new();
    let mut steps = Vec::with_capacity(open.len());
    while !open.is_empty() {
        let reach = |at: &usize| {
            let table = &from.tables[*at];
            let condition = if from.joined[*at].left { left[*at].as_slice() } else { &all };
            let parts: Vec<&Expr> = condition.iter().flat_map(Expr::conjuncts).collect();
            choose_among(&table.info, &parts, &Known { first: table.first, columns: &known })
        };
        // Outer joins do not change places.
        let candidates = if ordered { &open[..1] } else { &open[..] };
        let reached = candidates.iter().enumerate().map(|(place, at)| (place, reach(at))).filter(|(_, access)| access.is_short());
        let best = reached.max_by_key(|(place, access)| (score(access), usize::MAX - place));
        let Some((place, access)) = best else { return Err(BindError::NeedsEngine("a join without keys")) };
        let at = open.remove(place);
        let table = &from.tables[at];
        known.extend(table.columns());
        let (now, later) = all.into_iter().partition(|part: &Expr| part.columns().iter().all(|column| known.contains(column)));
        all = later;
        steps.push(Step {
            info: table.info.clone(),
            first: table.first,
            access,
            left: from.joined[at].left.then(|| left[at].clone()),
            filter: all_of(now),
            needed: needed.range(table.columns()).map(|column| column - table.first).collect(),
        });
    }
    Ok(Join { steps, width: from.scope.width() })
}

fn all_of(mut parts: Vec<Expr>) -> Option<Expr> {
    if parts.len() < 2 { parts.pop() } else { Some(Expr::And(parts)) }
}
