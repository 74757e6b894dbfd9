//! What an error means for whoever sent the request, and how long to wait before sending it again. Pure: told the time, never asking for it.

use base::SqlState;
use std::time::Duration;

/// The first pause before a request is sent again, at most.
pub const PAUSE_MIN: Duration = Duration::from_millis(10);
/// The longest pause: about as long as a failover takes.
pub const PAUSE_MAX: Duration = Duration::from_millis(500);

/// What to do about a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was done: send it again over the same connection.
    Again,
    /// Nothing was done: send it again over a new connection.
    Reconnect,
    /// It may have been done: send it again over a new connection. The ids make it safe.
    Unknown,
    /// It fails again however often it is sent.
    Final,
}

/// `sent`: whether the node may have got the request.
pub fn verdict(state: SqlState, sent: bool) -> Verdict {
    match state {
        SqlState::SERIALIZATION_FAILURE | SqlState::DEADLOCK_DETECTED => Verdict::Again,
        SqlState::CANNOT_CONNECT_NOW | SqlState::TOO_MANY_CONNECTIONS => Verdict::Reconnect,
        // The client broke the protocol: it would again.
        SqlState::PROTOCOL_VIOLATION => Verdict::Final,
        _ if state.as_str().starts_with("08") || state.as_str().starts_with("57P0") => {
            if sent {
                Verdict::Unknown
            } else {
                Verdict::Reconnect
            }
        }
        _ => Verdict::Final,
    }
}

/// Pauses that double, each drawn at random from its upper half, so that many clients do not come back at once.
#[derive(Debug, Default)]
pub struct Pauses {
    tries: u32,
}

impl Pauses {
    /// The pause before the next try; `None` if that would be after `give_up_after`, `elapsed` being since the first try. `random`: any number.
    pub fn next(&mut self, elapsed: Duration, give_up_after: Duration, random: u64) -> Option<Duration> {
        let longest = PAUSE_MIN.saturating_mul(1 << self.tries.min(16)).min(PAUSE_MAX);
        self.tries += 1;
        let half = longest.as_micros() as u64 / 2;
        let pause = Duration::from_micros(half + random % (half + 1));
        (elapsed + pause < give_up_after).then_some(pause)
    }

    pub fn tries(&self) -> u32 {
        self.tries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_of_states_has_its_verdict() {
        let cases = [
            (SqlState::SERIALIZATION_FAILURE, true, Verdict::Again),
            (SqlState::DEADLOCK_DETECTED, true, Verdict::Again),
            (SqlState::CONNECTION_FAILURE, true, Verdict::Unknown),
            (SqlState::CONNECTION_FAILURE, false, Verdict::Reconnect),
            (SqlState::TRANSACTION_RESOLUTION_UNKNOWN, true, Verdict::Unknown),
            (SqlState::ADMIN_SHUTDOWN, true, Verdict::Unknown),
            (SqlState(*b"57P02"), true, Verdict::Unknown),
            (SqlState::CANNOT_CONNECT_NOW, true, Verdict::Reconnect),
            (SqlState::TOO_MANY_CONNECTIONS, false, Verdict::Reconnect),
            (SqlState::QUERY_CANCELED, true, Verdict::Final),
            (SqlState::PROTOCOL_VIOLATION, true, Verdict::Final),
            (SqlState::DISK_FULL, true, Verdict::Final),
            (SqlState::INVALID_PASSWORD, false, Verdict::Final),
        ];
        for (state, sent, expected) in cases {
            assert_eq!(verdict(state, sent), expected, "{state} {sent}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_end_in_time() {
        let mut pauses = Pauses::default();
        let give_up = Duration::from_secs(10);
        let taken: Vec<u64> = (0..9).map(|_| pauses.next(Duration::ZERO, give_up, u64::MAX).expect("in time").as_millis() as u64).collect();
        assert!(taken[0] <= 10 && taken.is_sorted() && taken.iter().all(|pause| *pause <= 500), "{taken:?}");
        assert!(*taken.last().expect("nine") >= 250);
        assert_eq!(pauses.next(Duration::from_secs(10), give_up, 0), None);
    }
}
