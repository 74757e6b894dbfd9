//! Plain facts: rows that must or must not be there, numbers that must not repeat, sums that must not change.

use super::{Fate, Violation};
use crate::queue::Micros;
use std::collections::BTreeMap;

/// Rows inserted once under a key, by what their clients heard.
#[derive(Clone, Debug, Default)]
pub struct Inserts {
    pub tried: BTreeMap<u64, (i64, Fate)>,
}

impl Inserts {
    /// A later answer to the same insert replaces "unknown".
    pub fn record(&mut self, key: u64, content: i64, fate: Fate) {
        let entry = self.tried.entry(key).or_insert((content, fate));
        if entry.1 == Fate::Unknown {
            *entry = (content, fate);
        }
    }

    /// `found`: all rows of the table at the end, as often as they were found.
    pub fn check(&self, table: &str, found: &[(u64, i64)], violations: &mut Vec<Violation>) {
        let mut rows: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        found.iter().for_each(|(key, content)| rows.entry(*key).or_default().push(*content));
        for (key, (content, fate)) in &self.tried {
            match (fate, rows.get(key).map(Vec::as_slice)) {
                (Fate::Done, None) => accuse(violations, "lost write", format!("{table}: acknowledged row {key} is gone")),
                (Fate::Refused, Some(_)) => accuse(violations, "phantom write", format!("{table}: refused row {key} is there")),
                (_, Some(found)) if found != [*content] => {
                    accuse(violations, "wrong row", format!("{table}: row {key} is {found:?}, written was {content}"));
                }
                _ => {}
            }
        }
        for key in rows.keys().filter(|key| !self.tried.contains_key(key)) {
            accuse(violations, "phantom write", format!("{table}: nobody wrote row {key}"));
        }
    }
}

/// Numbers of a sequence as clients got them.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    given: BTreeMap<i64, Given>,
    twice: Vec<(i64, Given, Given)>,
}

/// To which client, and when.
type Given = (u32, Micros);

impl Numbers {
    pub fn record(&mut self, number: i64, client: u32, at: Micros) {
        if let Some(first) = self.given.get(&number) {
            self.twice.push((number, *first, (client, at)));
        } else {
            self.given.insert(number, (client, at));
        }
    }

    pub fn len(&self) -> usize {
        self.given.len()
    }

    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    pub fn check(&self, violations: &mut Vec<Violation>) {
        for (number, first, second) in &self.twice {
            accuse(violations, "sequence", format!("{number} was given to client {} and to client {}", at(*first), at(*second)));
        }
    }
}

fn at((client, at): (u32, Micros)) -> String {
    format!("{client} at {}", super::seconds(at))
}

/// Everything a snapshot showed of all balances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balances {
    pub client: u32,
    pub at: Micros,
    pub accounts: u64,
    pub sum: i64,
}

pub fn check_money(accounts: u64, total: i64, seen: &[Balances], violations: &mut Vec<Violation>) {
    for b in seen.iter().filter(|b| b.sum != total || b.accounts != accounts) {
        let text = format!(
            "client {} at {} saw {} accounts with {} in all; there are {accounts} with {total}",
            b.client,
            super::seconds(b.at),
            b.accounts,
            b.sum
        );
        accuse(violations, "money", text);
    }
}

/// Jobs of a work queue: each done at most once, and done exactly if its row says so.
pub fn check_jobs(done_rows: &[u64], marked: &BTreeMap<u64, bool>, violations: &mut Vec<Violation>) {
    let mut times: BTreeMap<u64, u32> = BTreeMap::new();
    done_rows.iter().for_each(|job| *times.entry(*job).or_default() += 1);
    for (job, count) in times.iter().filter(|(_, count)| **count > 1) {
        accuse(violations, "work queue", format!("job {job} was done {count} times"));
    }
    for (job, marked) in marked {
        if *marked != times.contains_key(job) {
            accuse(violations, "work queue", format!("job {job} is marked as done: {marked}, but its work is there: {}", !marked));
        }
    }
    for job in times.keys().filter(|job| !marked.contains_key(job)) {
        accuse(violations, "work queue", format!("job {job} was done but does not exist"));
    }
}

fn accuse(violations: &mut Vec<Violation>, checker: &'static str, message: String) {
    violations.push(Violation::new(checker, message));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(inserts: &Inserts, found: &[(u64, i64)]) -> Vec<&'static str> {
        let mut violations = Vec::new();
        inserts.check("t", found, &mut violations);
        violations.into_iter().map(|v| v.checker).collect()
    }

    #[test]
    fn acknowledged_rows_are_there_and_refused_ones_are_not() {
        let mut inserts = Inserts::default();
        inserts.record(1, 10, Fate::Done);
        inserts.record(2, 20, Fate::Refused);
        inserts.record(3, 30, Fate::Unknown);
        inserts.record(4, 40, Fate::Unknown);
        inserts.record(4, 40, Fate::Done);
        assert!(checked(&inserts, &[(1, 10), (4, 40)]).is_empty());
        assert!(checked(&inserts, &[(1, 10), (3, 30), (4, 40)]).is_empty());
        assert_eq!(checked(&inserts, &[(4, 40)]), ["lost write"]);
        assert_eq!(checked(&inserts, &[(1, 10), (2, 20), (4, 40)]), ["phantom write"]);
        assert_eq!(checked(&inserts, &[(1, 11), (4, 40)]), ["wrong row"]);
        assert_eq!(checked(&inserts, &[(1, 10), (1, 10), (4, 40)]), ["wrong row"]);
        assert_eq!(checked(&inserts, &[(1, 10), (4, 40), (9, 1)]), ["phantom write"]);
    }

    #[test]
    fn a_number_given_twice_is_noticed() {
        let mut numbers = Numbers::default();
        let mut violations = Vec::new();
        [1, 2, 4].into_iter().for_each(|n| numbers.record(n, 1, 0));
        numbers.check(&mut violations);
        assert!(violations.is_empty());
        numbers.record(2, 3, 9);
        numbers.check(&mut violations);
        assert_eq!(violations.len(), 1);
    }

    #[test]
    fn a_snapshot_with_another_sum_is_noticed() {
        let mut violations = Vec::new();
        let good = Balances { client: 1, at: 5, accounts: 4, sum: 400 };
        check_money(4, 400, std::slice::from_ref(&good), &mut violations);
        assert!(violations.is_empty());
        check_money(4, 400, &[Balances { sum: 399, ..good.clone() }, Balances { accounts: 3, ..good }], &mut violations);
        assert_eq!(violations.len(), 2);
    }

    #[test]
    fn a_job_is_done_once_and_marked() {
        let check = |done: &[u64], marked: &[(u64, bool)]| {
            let mut violations = Vec::new();
            check_jobs(done, &marked.iter().copied().collect(), &mut violations);
            violations.len()
        };
        assert_eq!(check(&[1], &[(1, true), (2, false)]), 0);
        assert_eq!(check(&[1, 1], &[(1, true)]), 1);
        assert_eq!(check(&[], &[(1, true)]), 1);
        assert_eq!(check(&[1], &[(1, false)]), 1);
        assert_eq!(check(&[1], &[]), 1);
    }
}
