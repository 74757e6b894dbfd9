//! Counters that only grow by one at a time: what is observed never goes back, and no step is taken twice.
//!
//! Weaker than linearizability of a register, but it needs no search, so histories may be as hot and as long as they like.

use super::{Fate, Violation, seconds};
use crate::queue::Micros;

/// What a client learnt of a counter by one call or one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub client: u32,
    pub invoked: Micros,
    pub returned: Micros,
    pub fact: Fact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The counter had this value at some time of the call.
    Value(i64),
    /// It had this value or a higher one.
    AtLeast(i64),
    /// It was below.
    Below(i64),
    /// The call made it this.
    Raised(i64),
    /// The call raised it, if it took effect.
    Tried,
}

impl Fact {
    /// The counter has reached this, for ever after.
    fn reached(self) -> Option<i64> {
        match self {
            Fact::Value(value) | Fact::AtLeast(value) | Fact::Raised(value) => Some(value),
            Fact::Below(_) | Fact::Tried => None,
        }
    }

    /// The counter must not have reached more than this before.
    fn ceiling(self) -> Option<i64> {
        match self {
            Fact::Value(value) => Some(value),
            Fact::Below(value) | Fact::Raised(value) => Some(value - 1),
            Fact::AtLeast(_) | Fact::Tried => None,
        }
    }

    fn raises(self) -> bool {
        matches!(self, Fact::Raised(_) | Fact::Tried)
    }
}

/// Judges one counter that began at 0. `last`: its value at the end.
pub fn check(name: &str, events: &[Event], last: i64, violations: &mut Vec<Violation>) {
    check_steps(name, events, last, violations);
    check_time(name, events, last, violations);
    check_sources(name, events, violations);
}

/// An event that raised the counter, as the client whose call ended so.
pub fn of_fate(fate: Fate, raised: Option<i64>) -> Option<Fact> {
    match (fate, raised) {
        (Fate::Done, Some(value)) => Some(Fact::Raised(value)),
        (Fate::Done, None) | (Fate::Unknown, _) => Some(Fact::Tried),
        (Fate::Refused, _) => None,
    }
}

/// Each step was taken by one, and all that were acknowledged are in the sum.
fn check_steps(name: &str, events: &[Event], last: i64, violations: &mut Vec<Violation>) {
    let mut steps: Vec<(i64, &Event)> = Vec::new();
    for event in events {
        if let Fact::Raised(value) = event.fact {
            steps.push((value, event));
        }
    }
    steps.sort_by_key(|(value, event)| (*value, event.invoked));
    for pair in steps.windows(2) {
        if pair[0].0 == pair[1].0 {
            accuse(violations, "lost update", format!("{name}: two made it {}: {:?} and {:?}", pair[0].0, pair[0].1, pair[1].1));
        }
    }
    let (done, tried) = (steps.len() as i64, events.iter().filter(|event| event.fact.raises()).count() as i64);
    if last < done {
        accuse(violations, "lost update", format!("{name}: it is {last} after {done} acknowledged steps"));
    }
    if last > tried {
        accuse(violations, "phantom write", format!("{name}: it is {last} after {tried} steps at most"));
    }
}

/// What was reached when a call began is not more than what that call found.
fn check_time(name: &str, events: &[Event], last: i64, violations: &mut Vec<Violation>) {
    let mut by_end: Vec<&Event> = events.iter().filter(|event| event.fact.reached().is_some()).collect();
    by_end.sort_by_key(|event| event.returned);
    let mut by_begin: Vec<&Event> = events.iter().filter(|event| event.fact.ceiling().is_some()).collect();
    by_begin.sort_by_key(|event| event.invoked);
    let mut highest: Option<(i64, &Event)> = None;
    let mut ended = by_end.into_iter().peekable();
    for event in by_begin {
        while let Some(before) = ended.next_if(|before| before.returned < event.invoked) {
            highest = higher(highest, before);
        }
        let ceiling = event.fact.ceiling().expect("others were left out");
        if let Some((reached, before)) = highest
            && reached > ceiling
        {
            accuse(violations, "went back", format!("{name}: {before:?} was over when {event:?} began, at {}", seconds(event.invoked)));
        }
    }
    highest = ended.fold(highest, higher);
    if let Some((reached, before)) = highest
        && reached > last
    {
        accuse(violations, "went back", format!("{name}: it is {last} at the end, after {before:?}"));
    }
}

fn higher<'e>(known: Option<(i64, &'e Event)>, event: &'e Event) -> Option<(i64, &'e Event)> {
    let reached = event.fact.reached().map(|reached| (reached, event));
    match (known, reached) {
        (Some(known), Some(reached)) if reached.0 <= known.0 => Some(known),
        (known, reached) => reached.or(known),
    }
}

/// A value is not higher than the steps that had been begun.
fn check_sources(name: &str, events: &[Event], violations: &mut Vec<Violation>) {
    let mut begun: Vec<Micros> = events.iter().filter(|event| event.fact.raises()).map(|event| event.invoked).collect();
    begun.sort_unstable();
    for event in events {
        let Some(reached) = event.fact.reached() else { continue };
        let steps = begun.partition_point(|invoked| *invoked <= event.returned) as i64;
        if reached > steps {
            accuse(violations, "phantom write", format!("{name}: {event:?} after {steps} steps at most"));
        }
    }
}

fn accuse(violations: &mut Vec<Violation>, checker: &'static str, message: String) {
    violations.push(Violation::new(checker, message));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(invoked: Micros, returned: Micros, fact: Fact) -> Event {
        Event { client: 1, invoked, returned, fact }
    }

    fn found(events: &[Event], last: i64) -> Vec<&'static str> {
        let mut violations = Vec::new();
        check("counter", events, last, &mut violations);
        violations.into_iter().map(|violation| violation.checker).collect()
    }

    #[test]
    fn a_counter_that_grows_passes() {
        let events = [
            at(0, 10, Fact::Raised(1)),
            at(5, 30, Fact::Raised(2)),
            at(11, 12, Fact::Value(2)),
            at(20, 25, Fact::Below(3)),
            at(20, 40, Fact::Tried),
            at(31, 50, Fact::AtLeast(3)),
        ];
        assert_eq!(found(&events, 3), Vec::<&str>::new());
        // One whose answer was lost may not have taken effect.
        assert_eq!(found(&events[..5], 2), Vec::<&str>::new());
    }

    #[test]
    fn two_who_made_the_same_step_lost_an_update() {
        assert_eq!(found(&[at(0, 10, Fact::Raised(1)), at(0, 10, Fact::Raised(1))], 1), ["lost update", "lost update"]);
    }

    #[test]
    fn an_acknowledged_step_that_is_gone_is_caught() {
        assert_eq!(found(&[at(0, 10, Fact::Raised(1)), at(0, 10, Fact::Raised(2))], 1), ["lost update", "went back"]);
    }

    #[test]
    fn a_value_that_was_told_and_then_taken_back_is_caught() {
        for later in [Fact::Value(1), Fact::Raised(2), Fact::Below(2)] {
            let events = [at(0, 5, Fact::Raised(1)), at(0, 9, Fact::Tried), at(6, 7, Fact::Value(2)), at(8, 9, later)];
            let last = 2;
            assert_eq!(found(&events, last), ["went back"], "{later:?}");
        }
    }

    #[test]
    fn a_conclusion_from_what_was_lost_is_caught() {
        let events = [at(0, 5, Fact::Raised(1)), at(0, 9, Fact::Tried), at(6, 7, Fact::AtLeast(2)), at(8, 9, Fact::Value(1))];
        assert_eq!(found(&events, 1), ["went back", "went back"]);
    }

    #[test]
    fn a_value_that_nobody_made_is_caught() {
        assert_eq!(found(&[at(0, 5, Fact::Raised(1)), at(6, 7, Fact::Value(2))], 1), ["went back", "phantom write"]);
        assert_eq!(found(&[at(0, 5, Fact::Raised(1))], 2), ["phantom write"]);
    }
}
