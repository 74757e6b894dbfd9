//! Time as it is handed to the pure cores: they are told the time and never ask for it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Microseconds of a clock that never goes back and stops with the process. Leases, timers, timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Mono(pub u64);

impl Mono {
    pub fn after(self, duration: Duration) -> Mono {
        Mono(self.0.saturating_add(duration.as_micros() as u64))
    }

    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Microseconds since 1970-01-01 00:00 UTC, as the machine believes. May jump either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Wall(pub u64);

/// Both clocks, read once by the shell for one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Now {
    pub mono: Mono,
    pub wall: Wall,
}

/// The hybrid logical timestamp at which a commit becomes visible: 48 bits of milliseconds since 1970, 16 of logic.
///
/// Source: Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots in Globally Distributed Databases" (2014).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Version(pub u64);

impl Version {
    pub const ZERO: Version = Version(0);
    pub const MAX: Version = Version(u64::MAX);

    pub fn from_millis(millis: u64) -> Version {
        Version(millis << 16)
    }

    pub fn millis(self) -> u64 {
        self.0 >> 16
    }

    pub fn logical(self) -> u16 {
        self.0 as u16
    }

    pub fn plus(self, duration: Duration) -> Version {
        Version(self.0.saturating_add((duration.as_millis() as u64) << 16))
    }

    pub fn minus(self, duration: Duration) -> Version {
        Version(self.0.saturating_sub((duration.as_millis() as u64) << 16))
    }

    /// The version just below this one.
    pub fn before(self) -> Version {
        Version(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.millis(), self.logical())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A clock whose readings only grow, follow the wall clock, and are never behind anything it was shown.
#[derive(Clone, Debug, Default)]
pub struct HybridClock {
    last: Version,
}

impl HybridClock {
    /// A version above every one returned by `tick` or shown to `observe` before.
    pub fn tick(&mut self, wall: Wall) -> Version {
        let physical = Version::from_millis(wall.0 / 1000);
        self.last =
            if physical > self.last { physical } else { Version(self.last.0.checked_add(1).expect("version 2^64 lies in the year 10889")) };
        self.last
    }

    /// A version not below anything seen, without using it up: what a reader may take as its snapshot.
    pub fn read(&mut self, wall: Wall) -> Version {
        self.last = self.last.max(Version::from_millis(wall.0 / 1000));
        self.last
    }

    pub fn observe(&mut self, version: Version) {
        self.last = self.last.max(version);
    }

    pub fn last(&self) -> Version {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_grow_when_the_wall_clock_jumps_back() {
        let mut clock = HybridClock::default();
        let first = clock.tick(Wall(5_000_000));
        let second = clock.tick(Wall(1_000_000));
        assert!(second > first);
        assert_eq!(second.millis(), 5000);
    }

    #[test]
    fn a_clock_is_never_behind_what_it_was_shown() {
        let mut clock = HybridClock::default();
        clock.observe(Version::from_millis(9_000));
        assert!(clock.tick(Wall(1_000_000)) > Version::from_millis(9_000));
        assert!(clock.read(Wall(10_000_000)) >= Version::from_millis(10_000));
    }
}
