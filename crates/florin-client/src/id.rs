//! Ids and timestamps.

use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bits of an id below its milliseconds, without version and variant.
const RANDOM_BITS: u32 = 74;
/// So many are drawn at random for each millisecond: the highest stays free, so that there is always room to count.
const DRAWN_BITS: u32 = RANDOM_BITS - 1;

/// An id of an account or a transfer, 128 bits wide; in SQL a uuid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u128);

/// The last id that this process made: its milliseconds, and what stands below them.
struct Last {
    millis: u64,
    below: u128,
}

static LAST: Mutex<Last> = Mutex::new(Last { millis: 0, below: 0 });

impl Id {
    /// The id that means none.
    pub const NONE: Id = Id(0);

    /// A new id, greater than all that this process made before: a UUID of version 7 (RFC 9562, section 6.2, method 2).
    #[allow(clippy::new_without_default, reason = "each one is another")]
    pub fn new() -> Id {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        *last = next(&last, millis, random);
        Id(assemble(&last))
    }
}

/// `millis` may stand still or go back: then the id counts on from the last one.
fn next(last: &Last, millis: u64, random: impl FnOnce() -> u128) -> Last {
    if millis > last.millis {
        return Last { millis, below: random() & ((1 << DRAWN_BITS) - 1) };
    }
    match last.below + 1 {
        below if below >> RANDOM_BITS == 0 => Last { millis: last.millis, below },
        _ => Last { millis: last.millis + 1, below: random() & ((1 << DRAWN_BITS) - 1) },
    }
}

fn assemble(last: &Last) -> u128 {
    let millis = u128::from(last.millis & ((1 << 48) - 1));
    let (high, low) = (last.below >> 62, last.below & ((1 << 62) - 1));
    millis << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low
}

fn random() -> u128 {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives random bytes");
    u128::from_le_bytes(bytes)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            n >> 96,
            n >> 80 & 0xffff,
            n >> 64 & 0xffff,
            n >> 48 & 0xffff,
            n & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = crate::Error;

    /// A uuid as SQL writes it, with or without hyphens.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for anything else.
    fn from_str(text: &str) -> Result<Id, crate::Error> {
        let digits: String = text.trim().chars().filter(|letter| *letter != '-').collect();
        let is_plain = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let id = is_plain.then(|| u128::from_str_radix(&digits, 16).ok()).flatten();
        id.map(Id).ok_or_else(|| crate::Error::invalid(format!("{text:?} is no id: write a uuid, 32 hexadecimal digits")))
    }
}

impl From<u128> for Id {
    fn from(id: u128) -> Id {
        Id(id)
    }
}

/// Nanoseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub fn system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.0)
    }

    /// As SQL's bigint holds it: the ledger's times end in 2262.
    pub(crate) fn bigint(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

impl From<SystemTime> for Timestamp {
    /// Times before 1970 become 1970.
    fn from(time: SystemTime) -> Timestamp {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{time:.9}")
    }
}

impl FromStr for Timestamp {
    type Err = crate::Error;

    /// RFC 3339, as `2026-11-22T10:00:00Z`.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for anything else, and before 1970.
    fn from_str(text: &str) -> Result<Timestamp, crate::Error> {
        let time: Option<jiff::Timestamp> = text.trim().parse().ok();
        let nanoseconds = time.and_then(|time| u64::try_from(time.as_nanosecond()).ok());
        nanoseconds
            .map(Timestamp)
            .ok_or_else(|| crate::Error::invalid(format!("{text:?} is no time from 1970 on: write it as 2026-11-22T10:00:00Z")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_version_7_and_grow() {
        let ids: Vec<Id> = (0..10_000).map(|_| Id::new()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        for id in ids {
            assert_eq!((id.0 >> 76 & 0xf, id.0 >> 62 & 3), (7, 0b10), "{id}");
        }
    }

    #[test]
    fn ids_grow_where_the_clock_stands_goes_back_or_the_count_is_full() {
        let full = Last { millis: 9, below: (1 << RANDOM_BITS) - 1 };
        let later = next(&full, 5, || 3);
        assert_eq!((later.millis, later.below), (10, 3));
        assert!(assemble(&later) > assemble(&full));
        let counted = next(&later, 10, || 0);
        assert_eq!((counted.millis, counted.below), (10, 4));
        assert!(assemble(&counted) > assemble(&later));
    }

    #[test]
    fn ids_and_times_survive_their_text_form() {
        let id = Id::new();
        assert_eq!(id.to_string().parse::<Id>().expect("a uuid"), id);
        assert_eq!("00000000-0000-0000-0000-00000000002A".parse::<Id>().expect("a uuid"), Id(42));
        assert!("42".parse::<Id>().is_err() && "+0000000000000000000000000000042".parse::<Id>().is_err());
        let time = Timestamp(1_795_341_600_123_456_789);
        assert_eq!(time.to_string(), "2026-11-22T10:00:00.123456789Z");
        assert_eq!(time.to_string().parse::<Timestamp>().expect("a time"), time);
        assert!("1969-12-31T23:59:59Z".parse::<Timestamp>().is_err() && "yesterday".parse::<Timestamp>().is_err());
    }
}
