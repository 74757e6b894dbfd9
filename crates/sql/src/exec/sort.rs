//! Sorting and making distinct of rows in memory.

use crate::plan::order::SortKey;
use crate::value::Value;
use std::cmp::Ordering;

pub fn compare(a: &[Value], b: &[Value], keys: &[SortKey]) -> Ordering {
    for key in keys {
        let (x, y) = (&a[key.column], &b[key.column]);
        let order = match (x.is_null(), y.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => {
                if key.nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (false, true) => {
                if key.nulls_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (false, false) => {
                if key.descending {
                    y.compare(x)
                } else {
                    x.compare(y)
                }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

pub fn sort(rows: &mut [Vec<Value>], keys: &[SortKey]) {
    if !keys.is_empty() {
        rows.sort_by(|a, b| compare(a, b, keys));
    }
}

/// Rows that differ in their first `visible` columns.
pub fn distinct(rows: &mut Vec<Vec<Value>>, visible: usize) {
    let order = |a: &Vec<Value>, b: &Vec<Value>| by_value(&a[..visible], &b[..visible]);
    rows.sort_by(order);
    rows.dedup_by(|a, b| order(a, b).is_eq());
}

pub fn by_value(a: &[Value], b: &[Value]) -> Ordering {
    for (x, y) in a.iter().zip(b) {
        let order = match (x.is_null(), y.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => x.compare(y),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}
