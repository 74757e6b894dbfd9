//! Is the history of one register linearizable?
//!
//! Just-in-time linearization (Lowe, "Testing for linearizability", 2017; after Wing and Gong, 1993): walk through calls and
//! returns in time order and keep every state the register may be in together with the open calls that have taken effect.
//! A call whose answer was lost stays open for ever: it may take effect at any later time, or never.

use super::{Violation, seconds};
use crate::queue::Micros;
use std::collections::{BTreeMap, BTreeSet};

/// Most states considered at one moment; beyond it the history is given up as undecided.
const STATES_MAX: usize = 200_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Read,
    Write(i64),
    /// Write `new` if the value is `expected`.
    Swap {
        expected: i64,
        new: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Value(i64),
    Written,
    Swapped(bool),
    /// Nobody knows.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    pub client: u32,
    pub invoked: Micros,
    /// Not looked at if the answer was lost.
    pub returned: Micros,
    pub call: Call,
    pub answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    Linearizable,
    Violated(String),
    /// Too many states: nothing is known.
    Undecided,
}

/// The register's value, and the open calls (by position in the history) that have taken effect.
type State = (i64, BTreeSet<u32>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Return(u32),
    Invoke(u32),
}

/// Judges one register that starts as `initial`.
pub fn judge(initial: i64, history: &[Operation]) -> Judgement {
    let mut moments: Vec<(Micros, Moment)> = Vec::with_capacity(history.len() * 2);
    for (position, operation) in history.iter().enumerate() {
        let lost = operation.answer == Answer::Lost;
        if lost && operation.call == Call::Read {
            continue;
        }
        // At one time calls come before returns: then they overlap, which accuses nobody wrongly.
        moments.push((operation.invoked * 2, Moment::Invoke(position as u32)));
        if !lost {
            moments.push((operation.returned * 2 + 1, Moment::Return(position as u32)));
        }
    }
    moments.sort_unstable();
    let mut open = BTreeSet::new();
    let mut states: BTreeSet<State> = BTreeSet::from([(initial, BTreeSet::new())]);
    for (_, moment) in moments {
        match moment {
            Moment::Invoke(position) => {
                open.insert(position);
            }
            Moment::Return(position) => {
                let before = states;
                match after_return(history, &open, &before, position) {
                    None => return Judgement::Undecided,
                    Some(after) if after.is_empty() => return Judgement::Violated(accuse(history, &before, position)),
                    Some(after) => states = after,
                }
                open.remove(&position);
            }
        }
    }
    Judgement::Linearizable
}

/// All states in which `position` has taken effect; it is taken out of their sets, as nobody asks for it again.
fn after_return(history: &[Operation], open: &BTreeSet<u32>, states: &BTreeSet<State>, position: u32) -> Option<BTreeSet<State>> {
    let mut result = BTreeSet::new();
    let mut seen: BTreeSet<State> = BTreeSet::new();
    let mut todo: Vec<State> = states.iter().cloned().collect();
    while let Some(state) = todo.pop() {
        if state.1.contains(&position) {
            let mut state = state;
            state.1.remove(&position);
            result.insert(state);
            continue;
        }
        if !seen.insert(state.clone()) {
            continue;
        }
        if seen.len() + result.len() > STATES_MAX {
            return None;
        }
        for next in open.iter().filter(|next| !state.1.contains(next)) {
            if let Some(value) = effect(&history[*next as usize], state.0) {
                let mut taken = state.1.clone();
                taken.insert(*next);
                todo.push((value, taken));
            }
        }
    }
    Some(result)
}

/// The value after the operation, if it could have been answered as it was.
fn effect(operation: &Operation, value: i64) -> Option<i64> {
    match (operation.call, operation.answer) {
        (Call::Read, Answer::Value(read)) => (read == value).then_some(value),
        (Call::Write(new), Answer::Written | Answer::Lost) => Some(new),
        (Call::Swap { expected, new }, Answer::Swapped(true) | Answer::Lost) => (expected == value).then_some(new),
        (Call::Swap { expected, .. }, Answer::Swapped(false)) => (expected != value).then_some(value),
        _ => None,
    }
}

fn accuse(history: &[Operation], states: &BTreeSet<State>, position: u32) -> String {
    let operation = &history[position as usize];
    let values: BTreeSet<i64> = states.iter().map(|state| state.0).collect();
    let values: Vec<String> = values.iter().take(8).map(i64::to_string).collect();
    format!(
        "client {} called {:?} at {} and got {:?} at {}, but the value could only be {}",
        operation.client,
        operation.call,
        seconds(operation.invoked),
        operation.answer,
        seconds(operation.returned),
        values.join(" or ")
    )
}

/// Histories by register, all starting as `initial`. Answers how many stayed undecided.
pub fn check(initial: i64, histories: &BTreeMap<u64, Vec<Operation>>, violations: &mut Vec<Violation>) -> u32 {
    let mut undecided = 0;
    for (register, history) in histories {
        match judge(initial, history) {
            Judgement::Linearizable => {}
            Judgement::Violated(why) => violations.push(Violation::new("linearizability", format!("register {register}: {why}"))),
            Judgement::Undecided => undecided += 1,
        }
    }
    undecided
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Prng;

    fn op(client: u32, invoked: Micros, returned: Micros, call: Call, answer: Answer) -> Operation {
        Operation { client, invoked, returned, call, answer }
    }

    fn read(invoked: Micros, returned: Micros, value: i64) -> Operation {
        op(1, invoked, returned, Call::Read, Answer::Value(value))
    }

    fn write(invoked: Micros, returned: Micros, value: i64) -> Operation {
        op(2, invoked, returned, Call::Write(value), Answer::Written)
    }

    fn lost(invoked: Micros, value: i64) -> Operation {
        op(3, invoked, 0, Call::Write(value), Answer::Lost)
    }

    fn swap(invoked: Micros, returned: Micros, expected: i64, new: i64, done: bool) -> Operation {
        op(4, invoked, returned, Call::Swap { expected, new }, Answer::Swapped(done))
    }

    #[test]
    fn good_histories_pass() {
        let good: Vec<Vec<Operation>> = vec![
            vec![write(0, 10, 1), read(20, 30, 1)],
            vec![write(0, 100, 1), read(10, 20, 0), read(30, 40, 1)],
            vec![lost(0, 5), read(10, 20, 0), read(30, 40, 5)],
            vec![lost(0, 5), write(10, 20, 6), read(30, 40, 6), read(50, 60, 5)],
            vec![swap(0, 10, 0, 3, true), swap(20, 30, 0, 4, false), read(40, 50, 3)],
            vec![write(0, 50, 1), write(0, 50, 2), read(60, 70, 1), read(80, 90, 1)],
        ];
        for (number, history) in good.iter().enumerate() {
            assert_eq!(judge(0, history), Judgement::Linearizable, "history {number}");
        }
    }

    #[test]
    fn bad_histories_are_caught() {
        let bad: Vec<(&str, Vec<Operation>)> = vec![
            ("stale read", vec![write(0, 10, 1), read(20, 30, 0)]),
            ("read from nowhere", vec![read(0, 10, 9)]),
            ("lost write", vec![write(0, 10, 1), write(20, 30, 2), read(40, 50, 2), read(60, 70, 1)]),
            ("new then old", vec![write(0, 100, 1), read(10, 20, 1), read(30, 40, 0)]),
            ("unknown write seen before it was sent", vec![read(0, 10, 5), lost(20, 5)]),
            ("unknown write undone", vec![lost(0, 5), read(10, 20, 5), read(30, 40, 0)]),
            ("two swaps of one value", vec![swap(0, 10, 0, 1, true), swap(0, 10, 0, 2, true)]),
            ("swap refused for nothing", vec![swap(0, 10, 0, 1, false)]),
        ];
        for (name, history) in bad {
            assert!(matches!(judge(0, &history), Judgement::Violated(_)), "{name}");
        }
    }

    #[test]
    fn histories_of_a_real_register_pass_and_a_changed_answer_is_noticed() {
        let mut caught = 0;
        for seed in 0..60 {
            let mut prng = Prng::new(seed);
            let mut history = random_history(&mut prng, 60);
            assert_eq!(judge(0, &history), Judgement::Linearizable, "seed {seed}");
            if let Some(read) = history.iter_mut().rev().find(|op| matches!(op.answer, Answer::Value(_))) {
                read.answer = Answer::Value(-7);
            }
            caught += u32::from(matches!(judge(0, &history), Judgement::Violated(_)));
        }
        assert!(caught > 50);
    }

    /// Operations of four clients that overlap; each takes effect at a moment between its call and its return.
    fn random_history(prng: &mut Prng, count: u64) -> Vec<Operation> {
        let mut points: Vec<(Micros, Operation)> = (0..count)
            .map(|n| {
                let invoked = prng.below(count * 20);
                let returned = invoked + prng.between(2, 80);
                let call = match prng.below(3) {
                    0 => Call::Read,
                    1 => Call::Write(n as i64 + 1),
                    _ => Call::Swap { expected: prng.below(count) as i64, new: n as i64 + 1 },
                };
                (prng.between(invoked + 1, returned - 1), op(n as u32, invoked, returned, call, Answer::Lost))
            })
            .collect();
        points.sort_by_key(|(at, op)| (*at, op.client));
        let mut value = 0;
        for (_, operation) in &mut points {
            operation.answer = match operation.call {
                Call::Read => Answer::Value(value),
                Call::Write(_) => Answer::Written,
                Call::Swap { expected, .. } => Answer::Swapped(expected == value),
            };
            value = effect(operation, value).expect("answered as it happened");
            if operation.call != Call::Read && prng.one_in(12) {
                operation.answer = Answer::Lost;
            }
        }
        points.into_iter().map(|(_, operation)| operation).collect()
    }
}
