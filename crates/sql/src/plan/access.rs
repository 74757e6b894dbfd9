//! How the rows of a table are reached: by key, by a range of the primary key or an index, or all of them.

use super::table::TableInfo;
use crate::expr::{CompareOp, Expr};
use crate::types::Type;
use std::collections::BTreeSet;

/// Bounds found in a condition, for the columns of the primary key or of one index. The condition itself is still evaluated on each
/// row, so bounds may be wider than it, never narrower.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Position among the table's indexes; `None`: the primary key.
    pub index: Option<usize>,
    /// Values of the first columns.
    pub equal: Vec<Expr>,
    /// Several values for the next column.
    pub any: Option<Any>,
    /// Bounds of the next column, and whether they belong to the range.
    pub low: Option<(Expr, bool)>,
    pub high: Option<(Expr, bool)>,
    /// At most one row for each combination of values.
    pub unique: bool,
}

#[derive(Clone, Debug)]
pub enum Any {
    List(Vec<Expr>),
    Array(Expr),
}

impl Access {
    pub fn is_full_scan(&self) -> bool {
        self.equal.is_empty() && self.any.is_none() && self.low.is_none() && self.high.is_none()
    }

    /// Rows that are found by their whole key.
    pub fn is_point(&self) -> bool {
        self.unique
    }

    /// Bounded on both sides, or by equality: likely to be short.
    pub fn is_short(&self) -> bool {
        !self.equal.is_empty() || self.any.is_some() || (self.low.is_some() && self.high.is_some())
    }

    pub fn columns<'a>(&self, info: &'a TableInfo) -> &'a [usize] {
        match self.index {
            Some(index) => &info.table.indexes[index].columns,
            None => &info.table.primary_key,
        }
    }
}

/// One usable part of a condition: a column compared with what is known before the first row is read.
enum Term<'a> {
    Compare(usize, CompareOp, &'a Expr),
    List(usize, &'a [Expr]),
    Array(usize, &'a Expr),
}

/// What a condition's values may be made of, and where the table's columns lie in the row that it is of.
pub struct Known<'a> {
    /// Position of the table's first column.
    pub first: usize,
    /// Columns of other tables whose values are known already.
    pub columns: &'a BTreeSet<usize>,
}

/// The best access for a condition on one table.
pub fn choose(info: &TableInfo, filter: Option<&Expr>) -> Access {
    let parts: Vec<&Expr> = filter.map_or(&[][..], Expr::conjuncts).iter().collect();
    choose_among(info, &parts, &Known { first: 0, columns: &BTreeSet::new() })
}

/// The best access for conditions that must all hold.
pub fn choose_among(info: &TableInfo, parts: &[&Expr], known: &Known<'_>) -> Access {
    let terms: Vec<Term<'_>> = parts.iter().filter_map(|part| term(part, info, known)).collect();
    if terms.is_empty() {
        return Access::default();
    }
    let mut best = bounds(None, &info.table.primary_key, true, &terms);
    if best.unique && best.any.is_none() {
        return best;
    }
    for (at, index) in info.table.indexes.iter().enumerate() {
        if !index.primary {
            let found = bounds(Some(at), &index.columns, index.unique, &terms);
            if score(&found) > score(&best) {
                best = found;
            }
        }
    }
    best
}

/// Larger for what is likely to find fewer rows.
pub fn score(access: &Access) -> usize {
    let range = usize::from(access.low.is_some()) + usize::from(access.high.is_some());
    usize::from(access.unique) * 1000 + access.equal.len() * 10 + usize::from(access.any.is_some()) * 8 + range * 3
}

fn bounds(index: Option<usize>, columns: &[usize], unique: bool, terms: &[Term<'_>]) -> Access {
    let mut access = Access { index, ..Access::default() };
    let mut columns_left = columns.iter();
    for column in columns_left.by_ref() {
        let equal = terms.iter().find_map(|term| match term {
            Term::Compare(c, CompareOp::Eq, value) if c == column => Some((*value).clone()),
            _ => None,
        });
        if let Some(value) = equal {
            access.equal.push(value);
            continue;
        }
        access.any = terms.iter().find_map(|term| match term {
            Term::List(c, list) if c == column => Some(Any::List(list.to_vec())),
            Term::Array(c, array) if c == column => Some(Any::Array((*array).clone())),
            _ => None,
        });
        if access.any.is_none() {
            range_bounds(*column, terms, &mut access);
        }
        break;
    }
    let covered = access.equal.len() + usize::from(access.any.is_some());
    access.unique = unique && !columns.is_empty() && covered == columns.len();
    access
}

fn range_bounds(column: usize, terms: &[Term<'_>], access: &mut Access) {
    for term in terms {
        let Term::Compare(c, op, value) = term else { continue };
        if *c != column {
            continue;
        }
        match op {
            CompareOp::Gt | CompareOp::GtEq if access.low.is_none() => access.low = Some(((*value).clone(), *op == CompareOp::GtEq)),
            CompareOp::Lt | CompareOp::LtEq if access.high.is_none() => access.high = Some(((*value).clone(), *op == CompareOp::LtEq)),
            _ => {}
        }
    }
}

fn term<'a>(part: &'a Expr, info: &TableInfo, known: &Known<'_>) -> Option<Term<'a>> {
    let column_of = |expr: &Expr| column_of(expr)?.checked_sub(known.first).filter(|at| *at < info.types.len());
    let usable = |value: &Expr, column: usize| known.has(value) && comparable(value.ty(), info.types[column]);
    match part {
        Expr::Compare { op, left, right, .. } => {
            if let Some(column) = column_of(left)
                && usable(right, column)
            {
                return Some(Term::Compare(column, *op, right));
            }
            let column = column_of(right)?;
            usable(left, column).then(|| Term::Compare(column, op.flipped(), left))
        }
        Expr::InList { expr, list, negated: false, .. } => {
            let column = column_of(expr)?;
            list.iter().all(|value| usable(value, column)).then_some(Term::List(column, list))
        }
        Expr::AnyAll { op: CompareOp::Eq, left, array, all: false, .. } => {
            let column = column_of(left)?;
            let element = array.ty().element()?;
            (known.has(array) && comparable(element, info.types[column])).then_some(Term::Array(column, array))
        }
        _ => None,
    }
}

impl Known<'_> {
    /// The value can be computed before the table's rows are read.
    fn has(&self, value: &Expr) -> bool {
        let unknown = |expr: &Expr| match expr {
            Expr::Column { index, .. } => !self.columns.contains(index),
            Expr::Aggregate { .. } | Expr::Sequence { .. } => true,
            _ => false,
        };
        !value.any(&unknown) && !value.is_volatile()
    }
}

/// A column, also under a cast that keeps its bytes and order.
fn column_of(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Column { index, .. } => Some(*index),
        Expr::Cast { expr, cast } if string(expr.ty()) && string(cast.to) && cast.modifier < 0 => column_of(expr),
        _ => None,
    }
}

fn string(ty: Type) -> bool {
    matches!(ty, Type::Text | Type::VarChar)
}

/// Values of one type can be turned into keys of the other without changing how they compare.
fn comparable(value: Type, column: Type) -> bool {
    value == column || (value.is_integer() && column.is_integer()) || (string(value) && string(column))
}
