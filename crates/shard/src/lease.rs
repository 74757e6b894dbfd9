//! The span of time in which a leader may serve without asking anyone.
//!
//! A heartbeat sent at `t` and answered by a majority gives the lease until `t` + [`LEASE`]: each follower that answered grants no
//! vote for one election timeout after it got the heartbeat, which was not before `t`. Only the leader's own clock is read,
//! so clocks need not agree, they must only run at nearly the same speed.

use crate::consensus::{ELECTION_TICKS, TICK_MICROS};
use base::Mono;
use raft::eraftpb::ConfState;
use std::collections::BTreeMap;
use std::time::Duration;

/// By how much two clocks may drift apart within one election timeout.
pub const DRIFT: Duration = Duration::from_millis(15);
/// How long a majority's answer lasts: the shortest election timeout, less the tick that a follower's counter may be ahead, less drift.
pub const LEASE: Duration = Duration::from_micros((ELECTION_TICKS as u64 - 1) * TICK_MICROS - DRIFT.as_micros() as u64);

#[derive(Debug, Default)]
pub struct Lease {
    /// When the newest heartbeat was sent that each member answered.
    answered: BTreeMap<u64, Mono>,
    until: Mono,
    /// The lease was given up for a transfer of leadership and cannot come back in this term.
    given_up: bool,
}

impl Lease {
    /// For a new term.
    pub fn reset(&mut self) {
        *self = Lease::default();
    }

    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    pub fn answered(&mut self, member: u64, sent: Mono, me: u64, conf: &ConfState) {
        let newest = self.answered.entry(member).or_default();
        *newest = (*newest).max(sent);
        self.recompute(me, conf);
    }

    pub fn recompute(&mut self, me: u64, conf: &ConfState) {
        let mut sent = self.majority(&conf.voters, me);
        if !conf.voters_outgoing.is_empty() {
            sent = sent.min(self.majority(&conf.voters_outgoing, me));
        }
        self.until = sent.after(LEASE);
    }

    pub fn holds(&self, now: Mono) -> bool {
        !self.given_up && now < self.until
    }

    /// The newest send time that a majority of these voters has answered.
    fn majority(&self, voters: &[u64], me: u64) -> Mono {
        let mut times: Vec<Mono> = voters
            .iter()
            .map(|voter| if *voter == me { Mono(u64::MAX) } else { self.answered.get(voter).copied().unwrap_or_default() })
            .collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.get(voters.len() / 2).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(voters: &[u64], outgoing: &[u64]) -> ConfState {
        let mut conf = ConfState::default();
        conf.voters = voters.to_vec();
        conf.voters_outgoing = outgoing.to_vec();
        conf
    }

    #[test]
    fn a_majority_gives_the_lease_and_a_minority_does_not() {
        let mut lease = Lease::default();
        let conf = conf(&[1, 2, 3, 4, 5], &[]);
        lease.answered(2, Mono(1_000_000), 1, &conf);
        assert!(!lease.holds(Mono(1_000_001)));
        lease.answered(3, Mono(1_100_000), 1, &conf);
        assert!(lease.holds(Mono(1_000_001)));
        assert!(!lease.holds(Mono(1_000_000).after(LEASE)));
    }

    #[test]
    fn a_joint_membership_needs_both_majorities() {
        let mut lease = Lease::default();
        let conf = conf(&[1, 2, 3], &[1, 4, 5]);
        lease.answered(2, Mono(1_000_000), 1, &conf);
        assert!(!lease.holds(Mono(1_000_001)));
        lease.answered(5, Mono(1_000_000), 1, &conf);
        assert!(lease.holds(Mono(1_000_001)));
        lease.give_up();
        assert!(!lease.holds(Mono(1_000_001)));
    }

    #[test]
    fn a_sole_voter_always_has_the_lease() {
        let mut lease = Lease::default();
        lease.recompute(1, &conf(&[1], &[]));
        assert!(lease.holds(Mono(u64::MAX - 1)));
    }
}
