//! Do transactions on append-only lists keep what their isolation level promises?
//!
//! After Elle (Kingsbury and Alvaro, 2020): values are unique and lists only grow, so each read tells the order of the writes
//! before it. From the reads follow dependencies: `ww` (next writer), `wr` (reader of a write), `rw` (writer of what a
//! reader missed) and `rt` (ended before the other began). Anomalies are named after Adya (1999).
//!
//! - READ COMMITTED: no cycle of ww, wr and rt; no aborted, intermediate, stale or lost values.
//! - REPEATABLE READ (snapshot): (ww ∪ wr ∪ rt) ; rw? has no cycle (Cerone and Gotsman, 2018): no G-single, no lost update.
//! - SERIALIZABLE: no cycle at all.

use super::graph::Graph;
use super::{Fate, Violation, seconds};
use crate::queue::Micros;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Level {
    pub const ALL: [Level; 3] = [Level::ReadCommitted, Level::RepeatableRead, Level::Serializable];

    pub fn sql(self) -> &'static str {
        match self {
            Level::ReadCommitted => "READ COMMITTED",
            Level::RepeatableRead => "REPEATABLE READ",
            Level::Serializable => "SERIALIZABLE",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Append { list: u64, value: u64 },
    Read { list: u64, values: Vec<u64>, at: Micros },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Txn {
    pub client: u32,
    pub begun: Micros,
    /// When the client learned the fate.
    pub ended: Micros,
    pub fate: Fate,
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Ww,
    Wr,
    Rw,
    Rt,
}

struct Appended {
    txn: u32,
    list: u64,
    /// The same transaction appended to the same list again.
    followed: bool,
}

struct Checker<'a> {
    level: Level,
    txns: &'a [Txn],
    appended: BTreeMap<u64, Appended>,
    /// The longest reading of each list.
    orders: BTreeMap<u64, Vec<u64>>,
    violations: &'a mut Vec<Violation>,
}

/// `last`: the lists as read when all was over; what was acknowledged must be in them.
pub fn check(level: Level, txns: &[Txn], last: &BTreeMap<u64, Vec<u64>>, violations: &mut Vec<Violation>) {
    let mut checker = Checker { level, txns, appended: BTreeMap::new(), orders: last.clone(), violations };
    checker.index();
    checker.find_orders();
    checker.check_reads();
    checker.check_lost(last);
    // Orders that contradict each other make dependencies meaningless.
    if checker.violations.is_empty() {
        checker.check_stale();
        checker.check_cycles();
    }
}

impl Checker<'_> {
    fn accuse(&mut self, what: &str, txn: u32, detail: String) {
        let t = &self.txns[txn as usize];
        let text = format!(
            "{} at {}: {detail}; transaction {txn} of client {} from {} to {} ({:?}): {:?}",
            what,
            self.level.sql(),
            t.client,
            seconds(t.begun),
            seconds(t.ended),
            t.fate,
            t.steps
        );
        self.violations.push(Violation::new("isolation", text));
    }

    fn index(&mut self) {
        for (number, txn) in self.txns.iter().enumerate() {
            let mut last: BTreeMap<u64, u64> = BTreeMap::new();
            for step in &txn.steps {
                let Step::Append { list, value } = step else { continue };
                if let Some(earlier) = last.insert(*list, *value) {
                    self.appended.get_mut(&earlier).expect("inserted in an earlier step").followed = true;
                }
                let old = self.appended.insert(*value, Appended { txn: number as u32, list: *list, followed: false });
                assert!(old.is_none(), "the workload appends each value once");
            }
        }
    }

    /// What a read shows of others: without the reader's own values at its end.
    fn foreign<'v>(&self, txn: u32, values: &'v [u64]) -> &'v [u64] {
        let own = values.iter().rev().take_while(|value| self.appended.get(value).is_some_and(|a| a.txn == txn)).count();
        &values[..values.len() - own]
    }

    fn find_orders(&mut self) {
        let txns = self.txns;
        for (number, txn) in txns.iter().enumerate() {
            for step in &txn.steps {
                let Step::Read { list, values, .. } = step else { continue };
                // A transaction without a known end may show what never became visible to others.
                let shown = if txn.fate == Fate::Done { values } else { self.foreign(number as u32, values) };
                let order = self.orders.entry(*list).or_default();
                let common = order.len().min(shown.len());
                if order[..common] != shown[..common] {
                    let detail = format!("list {list} was read as {} and as {}", tail(order), tail(shown));
                    self.accuse("incompatible orders", number as u32, detail);
                } else if shown.len() > order.len() {
                    *order = shown.to_vec();
                }
            }
        }
    }

    fn check_reads(&mut self) {
        let txns = self.txns;
        for (number, txn) in txns.iter().enumerate() {
            let mut own: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
            for step in &txn.steps {
                match step {
                    Step::Append { list, value } => own.entry(*list).or_default().push(*value),
                    Step::Read { list, values, .. } => {
                        self.check_read(number as u32, *list, values, own.get(list).map_or(&[], Vec::as_slice));
                    }
                }
            }
        }
    }

    fn check_read(&mut self, reader: u32, list: u64, values: &[u64], own: &[u64]) {
        if !values.ends_with(own) {
            self.accuse("own write not seen", reader, format!("list {list} was read as {} after appending {own:?}", tail(values)));
            return;
        }
        let foreign = &values[..values.len() - own.len()];
        let mut seen = std::collections::BTreeSet::new();
        for value in values {
            if !seen.insert(*value) {
                self.accuse("applied twice", reader, format!("value {value} is twice in list {list}"));
                return;
            }
        }
        for value in foreign {
            match self.appended.get(value) {
                None => return self.accuse("value from nowhere", reader, format!("nobody appended {value} to list {list}")),
                Some(a) if a.list != list => {
                    let meant = a.list;
                    return self.accuse("value from nowhere", reader, format!("{value} was appended to list {meant}, not to {list}"));
                }
                Some(a) if self.txns[a.txn as usize].fate == Fate::Refused => {
                    return self.accuse("G1a (aborted read)", reader, format!("{value} in list {list} is of a refused transaction"));
                }
                Some(_) => {}
            }
        }
        if let Some(newest) = foreign.last()
            && self.appended.get(newest).is_some_and(|a| a.followed && a.txn != reader)
        {
            self.accuse("G1b (intermediate read)", reader, format!("list {list} ended with {newest}, which its writer had followed up"));
        }
    }

    fn check_lost(&mut self, last: &BTreeMap<u64, Vec<u64>>) {
        let mut lost = Vec::new();
        for (value, appended) in &self.appended {
            let done = self.txns[appended.txn as usize].fate == Fate::Done;
            if let Some(order) = last.get(&appended.list)
                && done
                && !order.contains(value)
            {
                lost.push((appended.txn, format!("acknowledged {value} is not in list {} at the end", appended.list)));
            }
        }
        lost.into_iter().for_each(|(txn, detail)| self.accuse("lost append", txn, detail));
    }

    /// A transaction that begins after an append was acknowledged sees it.
    fn check_stale(&mut self) {
        let mut stale = Vec::new();
        let places = self.places();
        // By list: (acknowledged at, place + 1), so that the longest prefix known at a time can be looked up.
        let mut known: BTreeMap<u64, Vec<(Micros, usize)>> = BTreeMap::new();
        for (value, appended) in &self.appended {
            let txn = &self.txns[appended.txn as usize];
            if let (Fate::Done, Some(place)) = (txn.fate, places.get(value)) {
                known.entry(appended.list).or_default().push((txn.ended, place + 1));
            }
        }
        for times in known.values_mut() {
            times.sort_unstable();
            let mut longest = 0;
            for (_, length) in times.iter_mut() {
                longest = longest.max(*length);
                *length = longest;
            }
        }
        for (number, txn) in self.txns.iter().enumerate() {
            for step in &txn.steps {
                let Step::Read { list, values, at } = step else { continue };
                // One that lost its locks with a leader sees its own writes over old rows, and is then refused.
                let over_own = self.foreign(number as u32, values).len() < values.len();
                if over_own && txn.fate != Fate::Done {
                    continue;
                }
                let since = if self.level == Level::ReadCommitted { *at } else { txn.begun };
                let Some(times) = known.get(list) else { continue };
                let before = times.partition_point(|(ended, _)| *ended < since);
                let least = if before == 0 { 0 } else { times[before - 1].1 };
                if values.len() < least {
                    stale
                        .push((number as u32, format!("list {list} was read with {} values when {least} were acknowledged", values.len())));
                }
            }
        }
        stale.into_iter().for_each(|(txn, detail)| self.accuse("stale read", txn, detail));
    }

    fn places(&self) -> BTreeMap<u64, usize> {
        self.orders.values().flat_map(|order| order.iter().enumerate().map(|(place, value)| (*value, place))).collect()
    }

    fn dependencies(&self) -> Vec<(u32, u32, Edge)> {
        let mut edges = Vec::new();
        let writer = |value: &u64| self.appended.get(value).map(|a| a.txn);
        for order in self.orders.values() {
            for pair in order.windows(2) {
                if let (Some(a), Some(b)) = (writer(&pair[0]), writer(&pair[1])) {
                    edges.push((a, b, Edge::Ww));
                }
            }
        }
        for (number, txn) in self.txns.iter().enumerate() {
            let reader = number as u32;
            if txn.fate == Fate::Refused {
                continue;
            }
            for step in &txn.steps {
                let Step::Read { list, values, .. } = step else { continue };
                let foreign = self.foreign(reader, values);
                if let Some(from) = foreign.last().and_then(writer) {
                    edges.push((from, reader, Edge::Wr));
                }
                let missed = self.orders.get(list).and_then(|order| order.get(values.len()));
                if let Some(to) = missed.and_then(writer) {
                    edges.push((reader, to, Edge::Rw));
                }
            }
        }
        edges.retain(|(from, to, _)| from != to);
        edges
    }

    /// Real-time order, through one helper node for each end: a number of edges linear in the transactions.
    fn real_time(&self) -> (usize, Vec<(u32, u32, Edge)>) {
        let count = self.txns.len() as u32;
        let mut ends: Vec<(Micros, u32)> =
            self.txns.iter().enumerate().filter(|(_, t)| t.fate == Fate::Done).map(|(n, t)| (t.ended, n as u32)).collect();
        ends.sort_unstable();
        let mut edges = Vec::new();
        for (position, (_, txn)) in ends.iter().enumerate() {
            edges.push((*txn, count + position as u32, Edge::Rt));
            if position > 0 {
                edges.push((count + position as u32 - 1, count + position as u32, Edge::Rt));
            }
        }
        for (number, txn) in self.txns.iter().enumerate().filter(|(_, t)| t.fate != Fate::Refused) {
            let before = ends.partition_point(|(ended, _)| *ended < txn.begun);
            if before > 0 {
                edges.push((count + before as u32 - 1, number as u32, Edge::Rt));
            }
        }
        (self.txns.len() + ends.len(), edges)
    }

    fn check_cycles(&mut self) {
        let (nodes, mut edges) = self.real_time();
        edges.extend(self.dependencies());
        let (name, cycle) = match self.level {
            Level::ReadCommitted => {
                let plain: Vec<(u32, u32)> = edges.iter().filter(|e| e.2 != Edge::Rw).map(|e| (e.0, e.1)).collect();
                ("G0 or G1c (cycle of writes and reads)", Graph::new(nodes, &plain).cycle())
            }
            Level::RepeatableRead => ("G-single or worse (no snapshot explains this)", self.snapshot_cycle(nodes, &edges)),
            Level::Serializable => {
                let plain: Vec<(u32, u32)> = edges.iter().map(|e| (e.0, e.1)).collect();
                ("G2 (no serial order explains this)", Graph::new(nodes, &plain).cycle())
            }
        };
        if let Some(cycle) = cycle {
            let shown: Vec<u32> = cycle.into_iter().filter(|node| (*node as usize) < self.txns.len()).collect();
            let first = shown.first().copied().unwrap_or(0);
            let detail = self.explain(&shown, &edges);
            self.accuse(name, first, detail);
        }
    }

    /// Each node twice: reached by an `rw` edge (from which no other `rw` leaves), or by another.
    fn snapshot_cycle(&self, nodes: usize, edges: &[(u32, u32, Edge)]) -> Option<Vec<u32>> {
        let second = nodes as u32;
        let mut doubled = Vec::with_capacity(edges.len() * 2);
        for (from, to, edge) in edges {
            if *edge == Edge::Rw {
                doubled.push((*from, second + *to));
            } else {
                doubled.push((*from, *to));
                doubled.push((second + *from, *to));
            }
        }
        let cycle = Graph::new(nodes * 2, &doubled).cycle()?;
        Some(cycle.into_iter().map(|node| node % second).collect())
    }

    fn explain(&self, cycle: &[u32], edges: &[(u32, u32, Edge)]) -> String {
        let parts: Vec<String> = cycle
            .iter()
            .zip(cycle.iter().cycle().skip(1))
            .map(|(from, to)| {
                let kinds: Vec<String> =
                    edges.iter().filter(|e| e.0 == *from && e.1 == *to).map(|e| format!("{:?}", e.2).to_lowercase()).collect();
                let t = &self.txns[*from as usize];
                let kinds = if kinds.is_empty() { "rt".to_string() } else { kinds.join("+") };
                format!("{from} [{}–{} {:?}] -{kinds}-> {to}", seconds(t.begun), seconds(t.ended), t.steps)
            })
            .collect();
        parts.join("; ")
    }
}

fn tail(values: &[u64]) -> String {
    if values.len() <= 12 {
        format!("{values:?}")
    } else {
        format!("[… {} values] {:?}", values.len() - 12, &values[values.len() - 12..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(list: u64, value: u64) -> Step {
        Step::Append { list, value }
    }

    fn read(list: u64, values: &[u64]) -> Step {
        Step::Read { list, values: values.to_vec(), at: 0 }
    }

    /// All transactions overlap, so that real time decides nothing.
    fn txn(steps: &[Step]) -> Txn {
        Txn { client: 0, begun: 0, ended: 100, fate: Fate::Done, steps: steps.to_vec() }
    }

    fn timed(begun: Micros, ended: Micros, steps: &[Step]) -> Txn {
        Txn { begun, ended, ..txn(steps) }
    }

    fn verdict(level: Level, txns: &[Txn]) -> Vec<String> {
        let mut violations = Vec::new();
        check(level, txns, &BTreeMap::new(), &mut violations);
        violations.into_iter().map(|v| v.message).collect()
    }

    /// Breaks the levels from `from` on, and none before.
    fn breaks(from: Option<Level>, named: &str, txns: &[Txn]) {
        for level in Level::ALL {
            let found = verdict(level, txns);
            let expected = from.is_some_and(|from| level >= from);
            assert_eq!(!found.is_empty(), expected, "{named} at {level:?}: {found:?}");
            if from == Some(level) {
                assert!(found[0].starts_with(named), "{named} expected: {found:?}");
            }
        }
    }

    #[test]
    fn a_serial_history_passes() {
        let txns = [timed(0, 1, &[append(1, 10)]), timed(2, 3, &[read(1, &[10]), append(1, 11)]), timed(4, 5, &[read(1, &[10, 11])])];
        breaks(None, "", &txns);
    }

    #[test]
    fn write_skew_is_allowed_by_snapshots_but_not_serializable() {
        let txns = [txn(&[read(1, &[]), append(2, 20)]), txn(&[read(2, &[]), append(1, 10)]), txn(&[read(1, &[10]), read(2, &[20])])];
        breaks(Some(Level::Serializable), "G2", &txns);
    }

    #[test]
    fn a_read_that_sees_half_of_a_transaction_is_no_snapshot() {
        let txns = [txn(&[append(1, 10), append(2, 20)]), txn(&[read(1, &[10]), read(2, &[])])];
        breaks(Some(Level::RepeatableRead), "G-single", &txns[..].iter().cloned().chain([txn(&[read(2, &[20])])]).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_fork_is_no_snapshot() {
        let txns =
            [txn(&[append(1, 10)]), txn(&[append(2, 20)]), txn(&[read(1, &[10]), read(2, &[])]), txn(&[read(1, &[]), read(2, &[20])])];
        breaks(Some(Level::RepeatableRead), "G-single", &txns);
        let txns = [txn(&[append(1, 10)]), txn(&[read(1, &[10]), append(2, 20)]), txn(&[read(2, &[20]), read(1, &[])])];
        breaks(Some(Level::RepeatableRead), "G-single", &txns);
    }

    #[test]
    fn information_that_flows_in_a_circle_breaks_every_level() {
        let txns = [txn(&[append(1, 10), read(2, &[20])]), txn(&[append(2, 20), read(1, &[10])])];
        breaks(Some(Level::ReadCommitted), "G0 or G1c", &txns);
    }

    #[test]
    fn writes_in_two_orders_break_every_level() {
        let txns =
            [txn(&[append(1, 10), append(2, 20)]), txn(&[append(1, 11), append(2, 21)]), txn(&[read(1, &[10, 11]), read(2, &[21, 20])])];
        breaks(Some(Level::ReadCommitted), "G0 or G1c", &txns);
    }

    #[test]
    fn values_of_refused_transactions_are_never_read() {
        let mut refused = txn(&[append(1, 10)]);
        refused.fate = Fate::Refused;
        breaks(Some(Level::ReadCommitted), "G1a", &[refused.clone(), txn(&[read(1, &[10])])]);
        refused.fate = Fate::Unknown;
        breaks(None, "", &[refused, txn(&[read(1, &[10])])]);
    }

    #[test]
    fn values_between_two_writes_of_a_transaction_are_never_read() {
        let txns = [txn(&[append(1, 10), append(1, 11)]), txn(&[read(1, &[10])])];
        breaks(Some(Level::ReadCommitted), "G1b", &txns);
    }

    #[test]
    fn a_transaction_sees_its_own_writes() {
        breaks(Some(Level::ReadCommitted), "own write not seen", &[txn(&[append(1, 10), read(1, &[])])]);
        breaks(None, "", &[txn(&[append(1, 10), read(1, &[10])])]);
    }

    #[test]
    fn a_value_is_applied_once_and_comes_from_somebody() {
        breaks(Some(Level::ReadCommitted), "applied twice", &[txn(&[append(1, 10)]), txn(&[read(1, &[10, 10])])]);
        breaks(Some(Level::ReadCommitted), "value from nowhere", &[txn(&[read(1, &[99])])]);
    }

    #[test]
    fn lists_that_do_not_extend_each_other_contradict() {
        let txns = [txn(&[append(1, 10)]), txn(&[append(1, 11)]), txn(&[read(1, &[10])]), txn(&[read(1, &[11])])];
        breaks(Some(Level::ReadCommitted), "incompatible orders", &txns);
    }

    #[test]
    fn what_was_acknowledged_before_is_seen() {
        let mut late = timed(20, 30, &[read(1, &[])]);
        if let Step::Read { at, .. } = &mut late.steps[0] {
            *at = 21;
        }
        let txns = [timed(0, 10, &[append(1, 10)]), late, timed(40, 50, &[read(1, &[10])])];
        // The last reader's own call time is 0, so that only the middle one can be stale.
        breaks(Some(Level::ReadCommitted), "stale read", &txns);
    }

    #[test]
    fn an_acknowledged_append_must_be_there_at_the_end() {
        let mut violations = Vec::new();
        let last = BTreeMap::from([(1, vec![11])]);
        check(Level::ReadCommitted, &[txn(&[append(1, 10)]), txn(&[append(1, 11)])], &last, &mut violations);
        assert!(violations[0].message.starts_with("lost append"), "{violations:?}");
    }

    #[test]
    fn a_lost_update_is_caught() {
        // Both read the same list and appended; only one append is there.
        let mut violations = Vec::new();
        let last = BTreeMap::from([(1, vec![10])]);
        let txns = [txn(&[read(1, &[]), append(1, 10)]), txn(&[read(1, &[]), append(1, 11)])];
        check(Level::RepeatableRead, &txns, &last, &mut violations);
        assert!(!violations.is_empty());
    }
}
