//! TPC-C after revision 5.11 of its specification: an own driver, the same for both sides.
//!
//! What differs from the specification: terminals neither key nor think and compose no screens, a Delivery is not queued, and all run at
//! READ COMMITTED, so that an Order-Status that is overtaken may read two states. Its figures are not comparable with published results.

mod conditions;
mod inputs;
mod load;
mod numeric;
mod random;
mod schema;
mod session;
mod terminals;
mod transactions;

use super::{Figure, Options, Side};
use inputs::{KINDS, Kind};
use load::Loaded;
use std::time::Duration;
use terminals::Tally;

/// What a row gave, of Florin first.
pub struct Outcome {
    /// With tpmC in place of transactions a second, and the mean latency of New-Order.
    pub figures: [Vec<Figure>; 2],
    /// Latencies of each kind of transaction, and what the conditions say.
    pub note: String,
    /// What is wrong with the data after the run.
    pub broken: Vec<String>,
}

/// Loads both sides, lets them run in alternation, and checks the data of both.
pub fn compare(options: &Options, sides: &[Side; 2]) -> Result<Outcome, String> {
    let warehouses = i32::try_from(options.warehouses).map_err(|_| "too many warehouses")?;
    let of = |side: usize, said: String| format!("{}: {said}", sides[side].user);
    let mut loads = [Loaded::default(); 2];
    for (at, side) in sides.iter().enumerate() {
        loads[at] = load::load(side, warehouses).map_err(|said| of(at, said))?;
    }
    let runs = super::alternate(options, sides, |side, round| run(side, warehouses, options.seconds, round as u64))?;
    let mut figures = [Vec::new(), Vec::new()];
    let mut tallies = [Tally::default(), Tally::default()];
    for (at, (figure, tally)) in runs.into_iter().enumerate().flat_map(|(at, runs)| runs.into_iter().map(move |run| (at, run))) {
        figures[at].push(figure);
        tallies[at].add(&tally);
    }
    let mut broken = Vec::new();
    for (at, side) in sides.iter().enumerate() {
        let mut found = conditions::broken(side).map_err(|said| of(at, said))?;
        found.extend(conditions::lost(side, warehouses, &tallies[at]).map_err(|said| of(at, said))?);
        broken.extend(found.into_iter().map(|said| of(at, said)));
    }
    let note = note(warehouses, &tallies, &loads, broken.is_empty());
    Ok(Outcome { figures, note, broken })
}

/// Makes the tables on one side and fills them.
pub fn prepare(side: &Side, warehouses: u32) -> Result<(), String> {
    let warehouses = i32::try_from(warehouses).map_err(|_| "too many warehouses")?;
    load::load(side, warehouses).map(drop)
}

/// One run on one side that was prepared.
pub fn drive(side: &Side, options: &Options, round: usize) -> Result<Figure, String> {
    let warehouses = i32::try_from(options.warehouses).map_err(|_| "too many warehouses")?;
    run(side, warehouses, options.seconds, round as u64).map(|(figure, _)| figure)
}

fn run(side: &Side, warehouses: i32, seconds: u64, round: u64) -> Result<(Figure, Tally), String> {
    let before = (side.cpu)();
    let tally = terminals::run(side.port, side.user, warehouses, seconds, round)?;
    let after = (side.cpu)();
    // Orders that were rolled back as intended count (clause 5.4), orders that ended late do not.
    let orders = tally.of(Kind::NewOrder);
    let tpm = orders.len() as f64 * 60.0 / seconds as f64;
    let mean_ms = orders.iter().sum::<Duration>().as_secs_f64() * 1000.0 / orders.len() as f64;
    let transactions = tally.done.iter().sum::<u64>() as f64;
    Ok((Figure::new(tpm, mean_ms, transactions, &before, &after), tally))
}

fn note(warehouses: i32, tallies: &[Tally; 2], loads: &[Loaded; 2], holds: bool) -> String {
    let mut note = "| tpcc, latency ms: p50 / p95 / p99 | Florin | PostgreSQL |\n| --- | --- | --- |\n".to_owned();
    for kind in KINDS {
        let [ours, peer] = tallies.each_ref().map(|tally| percentiles(tally.of(kind)));
        note.push_str(&format!("| {} | {ours} | {peer} |\n", kind.name()));
    }
    let told = |at: usize| {
        let (tally, loaded) = (&tallies[at], &loads[at]);
        let done: u64 = tally.done.iter().sum();
        let mut said = format!("{done} transactions, {} tried again, loaded in {:.0} s", tally.retried, loaded.seconds);
        if loaded.retried > 0 {
            said.push_str(&format!(" with {} COPYs sent again", loaded.retried));
        }
        if tally.skipped > 0 {
            said.push_str(&format!(", {} districts of Deliveries without a waiting order", tally.skipped));
        }
        said
    };
    let conditions = if holds { "12 of 12 conditions hold on both sides" } else { "the data is wrong (see below)" };
    note.push_str(&format!("\ntpcc, {warehouses} warehouses: {conditions}; Florin: {}; PostgreSQL: {}.", told(0), told(1)));
    note
}

fn percentiles(latencies: &[Duration]) -> String {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    // The nearest rank: the smallest value that so many percent do not exceed.
    let at = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1));
    let ms = |percent| at(percent).map_or(f64::NAN, |took| took.as_secs_f64() * 1000.0);
    format!("{:.1} / {:.1} / {:.1}", ms(50), ms(95), ms(99))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let hundred: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentiles(&hundred), "50.0 / 95.0 / 99.0");
        assert_eq!(percentiles(&hundred[..1]), "100.0 / 100.0 / 100.0");
        assert_eq!(percentiles(&[]), "NaN / NaN / NaN");
    }
}
