//! Sequences: a row whose numbers are taken outside of any transaction and never given back.
//!
//! The row: the last number (8 bytes, big-endian, two's complement) and 1 if it was given out, 0 if it is the next to be.

use crate::entry::{Change, LogEntry};
use crate::requests::Answer;
use crate::shard::Shard;
use base::{Error, SqlState};
use bytes::Bytes;
use storage::access::{Key, Refusal, Response, Row};

/// The row of a sequence.
pub fn sequence_row(value: i64, called: bool) -> Row {
    let mut row = value.to_be_bytes().to_vec();
    row.push(u8::from(called));
    Bytes::from(row)
}

/// The last number of a sequence's row, and whether it was given out.
pub fn read_sequence_row(row: &[u8]) -> Option<(i64, bool)> {
    let (value, called) = row.split_first_chunk::<8>()?;
    match called {
        [0] => Some((i64::from_be_bytes(*value), false)),
        [1] => Some((i64::from_be_bytes(*value), true)),
        _ => None,
    }
}

/// The next numbers: the first, the last, and how many there are up to the bound.
fn take(
    state: Option<(i64, bool)>,
    start: i64,
    increment: i64,
    min: i64,
    max: i64,
    cycle: bool,
    count: u32,
) -> Result<(i64, i64, u32), Error> {
    let limit = |message: String| Error::new(SqlState::SEQUENCE_LIMIT_EXCEEDED, message);
    if increment == 0 || min > max || count == 0 {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "a sequence needs an increment, a range and a count"));
    }
    let fits = |value: i64| (min..=max).contains(&value);
    let next = match state {
        None => Some(start),
        Some((value, false)) => Some(value),
        Some((value, true)) => value.checked_add(increment),
    };
    let first = match next.filter(|next| fits(*next)) {
        Some(first) => first,
        None if cycle => {
            if increment > 0 {
                min
            } else {
                max
            }
        }
        None if increment > 0 => return Err(limit(format!("nextval: reached maximum value of sequence ({max})"))),
        None => return Err(limit(format!("nextval: reached minimum value of sequence ({min})"))),
    };
    let room = if increment > 0 { i128::from(max) - i128::from(first) } else { i128::from(first) - i128::from(min) };
    let steps = (room / i128::from(increment).abs()).min(i128::from(count) - 1);
    let last = i64::try_from(i128::from(first) + steps * i128::from(increment)).expect("the last number lies between the bounds");
    Ok((first, last, steps as u32 + 1))
}

impl Shard {
    #[expect(clippy::too_many_arguments, reason = "the parameters of a sequence")]
    pub(crate) fn sequence(&mut self, key: &Key, start: i64, increment: i64, min: i64, max: i64, cycle: bool, count: u32) -> Answer {
        let state = self.sequence_state(key)?;
        let (first, last, count) = take(state, start, increment, min, max, cycle, count).map_err(Refusal::Error)?;
        let index = self.put(key, sequence_row(last, true))?;
        Ok((Response::Sequence { first, count }, index))
    }

    pub(crate) fn set_sequence(&mut self, key: &Key, value: i64, called: bool) -> Answer {
        let index = self.put(key, sequence_row(value, called))?;
        Ok((Response::Done, index))
    }

    fn sequence_state(&mut self, key: &Key) -> Result<Option<(i64, bool)>, Refusal> {
        let Some(row) = self.state.newest(key).map_err(Refusal::Error)?.row else { return Ok(None) };
        let state = read_sequence_row(&row);
        state.map(Some).ok_or_else(|| Refusal::Error(Error::internal("the row is not one of a sequence")))
    }

    fn put(&mut self, key: &Key, row: Row) -> Result<u64, Refusal> {
        if self.state.prepared_keys.get(key).is_some() {
            return Err(Refusal::Busy);
        }
        let version = self.clock.tick(self.now.wall);
        let change = Change { key: key.clone(), row: Some(row) };
        self.propose(LogEntry::Put { version, change })
    }
}

#[cfg(test)]
mod tests {
    use super::take;

    #[test]
    fn numbers_run_to_the_bound_and_then_stop_or_cycle() {
        assert_eq!(take(None, 1, 1, 1, 10, false, 3).unwrap(), (1, 3, 3));
        assert_eq!(take(Some((3, true)), 1, 1, 1, 10, false, 100).unwrap(), (4, 10, 7));
        assert!(take(Some((10, true)), 1, 1, 1, 10, false, 1).is_err());
        assert_eq!(take(Some((10, true)), 1, 1, 1, 10, true, 1).unwrap(), (1, 1, 1));
        assert_eq!(take(Some((5, false)), 1, -2, 0, 10, false, 9).unwrap(), (5, 1, 3));
        assert_eq!(take(Some((i64::MAX - 1, true)), 1, 5, 1, i64::MAX, true, 1).unwrap(), (1, 1, 1));
        assert_eq!(take(None, i64::MIN, i64::MAX, i64::MIN, i64::MAX, false, 9).unwrap(), (i64::MIN, i64::MAX - 1, 3));
    }
}
