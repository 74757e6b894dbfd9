//! What text forms and functions depend on beside their arguments: the session's settings, and the statement's time.

use super::zone::Zone;
use base::Wall;
use std::sync::Arc;

/// Of one statement. Made anew for each, cheaply: everything large is shared.
#[derive(Clone, Debug)]
pub struct Settings {
    pub user: Arc<str>,
    pub session_user: Arc<str>,
    pub database: Arc<str>,
    pub search_path: Arc<[String]>,
    pub time_zone: Zone,
    pub transaction_start: Wall,
    pub statement_start: Wall,
    pub backend_pid: i32,
}

impl Default for Settings {
    /// For what depends on none of it.
    fn default() -> Settings {
        Settings {
            user: Arc::from("florin"),
            session_user: Arc::from("florin"),
            database: Arc::from("florin"),
            search_path: Arc::from([String::from("public")]),
            time_zone: Zone::utc(),
            transaction_start: Wall(0),
            statement_start: Wall(0),
            backend_pid: 0,
        }
    }
}

/// Microseconds from 1970-01-01 to 2000-01-01.
pub const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Days between 1970-01-01 and 2000-01-01, from which dates are counted.
pub const EPOCH_DAYS: i32 = 10_957;

/// As a `timestamptz`.
pub fn timestamp_of(wall: Wall) -> i64 {
    i64::try_from(wall.0).unwrap_or(i64::MAX).saturating_sub(EPOCH_MICROS)
}
