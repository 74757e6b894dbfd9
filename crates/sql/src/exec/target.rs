//! From a plan's access and the statement's parameters to keys and ranges of shards.

use super::Run;
use crate::expr::{Columns, Expr};
use crate::key;
use crate::plan::access::{Access, Any};
use crate::plan::table::TableInfo;
use crate::session::Session;
use crate::types::Type;
use crate::value::Value;
use base::{Result, ShardId, SlotId};
use bytes::Bytes;
use storage::access::{Key, KeyRange};

/// What to read.
#[derive(Clone, Debug)]
pub enum Target {
    /// Whole keys, of rows or (see [`Access::index`]) of entries of a unique index.
    Keys(Vec<(ShardId, Key)>),
    /// Ranges to scan one after the other.
    Ranges(Vec<(ShardId, KeyRange)>),
}

/// A bound of a range, and whether it belongs to it.
type Bound = (Value, bool);

/// A value made to fit the type of a key's column.
enum Fit {
    Exact(Value),
    /// Less, or greater, than every value of the type.
    Below,
    Above,
    Null,
}

fn fit(value: Value, ty: Type) -> Fit {
    if value.is_null() {
        return Fit::Null;
    }
    let Some(number) = value.as_i64().filter(|_| ty.is_integer()) else { return Fit::Exact(value) };
    let exact = match ty {
        Type::Int2 => i16::try_from(number).ok().map(Value::Int2),
        Type::Int4 => i32::try_from(number).ok().map(Value::Int4),
        _ => Some(Value::Int8(number)),
    };
    match exact {
        Some(value) => Fit::Exact(value),
        None if number < 0 => Fit::Below,
        None => Fit::Above,
    }
}

impl Session {
    /// `row`: what the access's values may use, if it is reached from another table's rows.
    pub(crate) fn resolve<C: Columns + ?Sized>(&self, info: &TableInfo, access: &Access, row: &C, run: &Run) -> Result<Target> {
        let nothing = Ok(Target::Keys(Vec::new()));
        let columns = access.columns(info);
        let storage = access.index.map_or(info.table.storage, |index| info.table.indexes[index].storage);
        let mut prefix = Vec::with_capacity(24);
        prefix.extend_from_slice(&storage.0.to_be_bytes());
        let env = run.env();
        let mut known: Vec<(usize, Value)> = Vec::with_capacity(columns.len());
        for (expr, column) in access.equal.iter().zip(columns) {
            let Fit::Exact(value) = fit(expr.eval(row, &env)?, info.types[*column]) else { return nothing };
            key::encode(&value, info.types[*column], &mut prefix)?;
            known.push((*column, value));
        }
        let next = columns.get(access.equal.len()).copied();
        match (&access.any, next) {
            (Some(any), Some(column)) => {
                let values: Vec<Value> = match any {
                    Any::List(list) => list.iter().map(|expr| expr.eval(row, &env)).collect::<Result<_>>()?,
                    Any::Array(array) => match array.eval(row, &env)? {
                        Value::Array(elements) => elements.to_vec(),
                        _ => Vec::new(),
                    },
                };
                self.resolve_any(info, access.unique, values, column, prefix, known)
            }
            _ if access.unique => Ok(Target::Keys(vec![(self.shard_of_known(info, &known)?[0], Bytes::from(prefix))])),
            _ => {
                let bound = |bound: &Option<(Expr, bool)>| match bound {
                    Some((expr, inclusive)) => Ok::<_, base::Error>(Some((expr.eval(row, &env)?, *inclusive))),
                    None => Ok(None),
                };
                self.resolve_range(info, (bound(&access.low)?, bound(&access.high)?), next, prefix, &known)
            }
        }
    }

    fn resolve_any(
        &self,
        info: &TableInfo,
        unique: bool,
        values: Vec<Value>,
        column: usize,
        prefix: Vec<u8>,
        mut known: Vec<(usize, Value)>,
    ) -> Result<Target> {
        let ty = info.types[column];
        let mut found = Vec::with_capacity(values.len());
        for value in values {
            let Fit::Exact(value) = fit(value, ty) else { continue };
            let mut key = prefix.clone();
            key::encode(&value, ty, &mut key)?;
            known.push((column, value));
            for shard in self.shard_of_known(info, &known)? {
                found.push((shard, Bytes::from(key.clone())));
            }
            known.pop();
        }
        found.sort_unstable();
        found.dedup();
        if unique {
            return Ok(Target::Keys(found));
        }
        Ok(Target::Ranges(found.into_iter().map(|(shard, key)| (shard, key::prefix_range(&key))).collect()))
    }

    fn resolve_range(
        &self,
        info: &TableInfo,
        (low, high): (Option<Bound>, Option<Bound>),
        next: Option<usize>,
        prefix: Vec<u8>,
        known: &[(usize, Value)],
    ) -> Result<Target> {
        let nothing = Ok(Target::Ranges(Vec::new()));
        let mut range = key::prefix_range(&prefix);
        if let Some(column) = next {
            let ty = info.types[column];
            let bound = |value: &Value| -> Result<Vec<u8>> {
                let mut key = prefix.clone();
                key::encode(value, ty, &mut key)?;
                Ok(key)
            };
            if low.is_some() || high.is_some() {
                range.end = key::before_nulls(&prefix);
            }
            if let Some((value, inclusive)) = low {
                range.start = match fit(value, ty) {
                    Fit::Exact(value) if inclusive => Bytes::from(bound(&value)?),
                    Fit::Exact(value) => key::prefix_end(&bound(&value)?),
                    Fit::Below => range.start,
                    Fit::Above | Fit::Null => return nothing,
                };
            }
            if let Some((value, inclusive)) = high {
                range.end = match fit(value, ty) {
                    Fit::Exact(value) if inclusive => key::prefix_end(&bound(&value)?),
                    Fit::Exact(value) => Bytes::from(bound(&value)?),
                    Fit::Above => range.end,
                    Fit::Below | Fit::Null => return nothing,
                };
            }
        }
        if !range.end.is_empty() && range.start >= range.end {
            return nothing;
        }
        Ok(Target::Ranges(self.shard_of_known(info, known)?.into_iter().map(|shard| (shard, range.clone())).collect()))
    }

    /// The one shard, if the shard key is known, else all.
    fn shard_of_known(&self, info: &TableInfo, known: &[(usize, Value)]) -> Result<Vec<ShardId>> {
        let shard_key = &info.table.shard_key;
        if shard_key.is_empty() {
            return Ok(vec![self.backend.shard_of(SlotId(0))]);
        }
        let value = |column: &usize| known.iter().find(|(c, _)| c == column).map(|(c, value)| (value, info.types[*c]));
        match shard_key.iter().map(value).collect::<Option<Vec<_>>>() {
            Some(values) => Ok(vec![self.backend.shard_of(key::slot_of(values)?)]),
            None => Ok(self.backend.shards()),
        }
    }

    /// Where a row with these values lives.
    pub(crate) fn shard_of_row(&self, info: &TableInfo, values: &[Value]) -> Result<ShardId> {
        if info.table.shard_key.is_empty() {
            return Ok(self.backend.shard_of(SlotId(0)));
        }
        let slot = key::slot_of(info.table.shard_key.iter().map(|column| (&values[*column], info.types[*column])))?;
        Ok(self.backend.shard_of(slot))
    }
}
