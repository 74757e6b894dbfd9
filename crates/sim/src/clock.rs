//! The clocks of one node: each runs at its own rate, and the wall clock may be set to anything.

use crate::queue::Micros;
use base::{Mono, Now, Prng, Wall};

/// The world's time zero, in microseconds since 1970: all runs live in the same year.
pub const EPOCH_MICROS: u64 = 1_800_000_000_000_000;

/// How wrong clocks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockConfig {
    /// Largest difference of a clock's rate from true time, in parts of a million.
    pub drift_ppm_max: u32,
    /// Largest error of a wall clock at start, in microseconds.
    pub skew_micros_max: u64,
}

#[derive(Clone, Debug)]
pub struct Clock {
    drift_ppm: i64,
    wall_offset: i64,
    mono_base: u64,
    started: Micros,
}

impl Clock {
    pub fn new(config: ClockConfig, prng: &mut Prng, now: Micros) -> Clock {
        let drift = u64::from(config.drift_ppm_max);
        let drift_ppm = prng.between(0, drift * 2) as i64 - drift as i64;
        let wall_offset = prng.between(0, config.skew_micros_max * 2) as i64 - config.skew_micros_max as i64;
        Clock { drift_ppm, wall_offset, mono_base: prng.between(1, 1_000_000_000), started: now }
    }

    /// What the node reads when it is truly `now`.
    pub fn read(&self, now: Micros) -> Now {
        let since_start = now.saturating_sub(self.started);
        let mono = self.mono_base + self.drifted(since_start);
        let wall = (EPOCH_MICROS + self.drifted(now)).saturating_add_signed(self.wall_offset);
        Now { mono: Mono(mono), wall: Wall(wall) }
    }

    /// Sets the wall clock forwards or back; the other clock is not affected.
    pub fn jump(&mut self, micros: i64) {
        self.wall_offset += micros;
    }

    /// A daemon put the wall clock right.
    pub fn correct(&mut self, now: Micros) {
        self.wall_offset = now as i64 - self.drifted(now) as i64;
    }

    /// The process starts anew: its monotonic clock has another origin, the machine's rate and wall clock stay.
    pub fn restart(&mut self, prng: &mut Prng, now: Micros) {
        self.mono_base = prng.between(1, 1_000_000_000);
        self.started = now;
    }

    fn drifted(&self, micros: u64) -> u64 {
        let drift = micros as i128 * i128::from(self.drift_ppm) / 1_000_000;
        (micros as i128 + drift).max(0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(seed: u64) -> Clock {
        Clock::new(ClockConfig { drift_ppm_max: 500, skew_micros_max: 50_000 }, &mut Prng::new(seed), 0)
    }

    #[test]
    fn the_monotonic_clock_grows_whatever_is_done_to_the_wall_clock() {
        for seed in 0..20 {
            let mut clock = clock(seed);
            let mut last = clock.read(0).mono;
            for step in 1..100u64 {
                clock.jump(if step % 2 == 0 { -3_000_000 } else { 2_000_000 });
                let mono = clock.read(step * 10_000).mono;
                assert!(mono > last);
                last = mono;
            }
        }
    }

    #[test]
    fn clocks_of_two_nodes_differ_within_the_bounds() {
        let (a, b) = (clock(1).read(60_000_000).wall.0, clock(2).read(60_000_000).wall.0);
        assert_ne!(a, b);
        assert!(a.abs_diff(b) <= 2 * 50_000 + 2 * 60_000_000 * 500 / 1_000_000);
    }

    #[test]
    fn a_corrected_clock_tells_the_true_time() {
        let mut clock = clock(3);
        clock.jump(9_000_000);
        clock.correct(5_000_000);
        assert_eq!(clock.read(5_000_000).wall.0, EPOCH_MICROS + 5_000_000);
    }
}
