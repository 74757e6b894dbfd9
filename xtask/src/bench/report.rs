//! The tables: printed as they grow, and put into docs/benchmarks.md.

use super::pgbench::Load;
use super::workloads::Workload;
use super::{Figure, Options, median};
use crate::marks;
use std::path::Path;

/// Rows of pgbench's accounts for each step of its scale.
const ACCOUNTS: f64 = 100_000.0;

pub struct Report {
    lines: Vec<String>,
    /// Data that is wrong: the bench fails with it after its last row.
    broken: Vec<String>,
}

impl Report {
    pub fn new(options: &Options) -> Report {
        let mut report = Report { lines: Vec::new(), broken: Vec::new() };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        report.say(&format!(
            "{cores} cores; scale {}; {} rounds of {} s for each side, alternating; medians.",
            options.scale, options.rounds, options.seconds
        ));
        report
    }

    fn say(&mut self, line: &str) {
        println!("{line}");
        self.lines.push(line.to_owned());
    }

    pub fn loads(&mut self, [ours, peer]: &[Load; 2], scale: u32, peaks: Vec<f64>) {
        let rate = |load: &Load| ACCOUNTS * f64::from(scale) / load.copy_seconds.max(0.001);
        self.say("");
        self.say("| load (`pgbench -i`) | Florin | PostgreSQL | ratio |");
        self.say("| --- | --- | --- | --- |");
        self.say(&format!("| COPY, rows/s | {:.0} | {:.0} | {:.2} |", rate(ours), rate(peer), rate(ours) / rate(peer)));
        let keys = (ours.keys_seconds, peer.keys_seconds);
        self.say(&format!("| primary keys, s | {:.2} | {:.2} | {:.2} |", keys.0, keys.1, keys.1 / keys.0.max(0.001)));
        self.say("");
        self.say(&format!("Peak memory of the nodes after the load: {} MiB.", joined(&peaks, 0)));
    }

    pub fn head(&mut self) {
        self.say("");
        self.say(
            "| row | work | Florin tps | PostgreSQL tps | ratio (rounds) | aim | latency ms | CPU ms per transaction, sum (each server) |",
        );
        self.say("| --- | --- | --- | --- | --- | --- | --- | --- |");
    }

    pub fn row(&mut self, row: &Workload, outcome: Result<[Vec<Figure>; 2], String>) {
        let [ours, peer] = match outcome {
            Ok(figures) => figures,
            Err(error) => {
                self.say(&format!("| {} | {} | not measured: {} | | | {} | | |", row.name, row.what, first_line(&error), row.aim));
                return eprintln!("{error}");
            }
        };
        let middle = |side: &[Figure], value: fn(&Figure) -> f64| median(side.iter().map(value).collect());
        let ratios: Vec<f64> = ours.iter().zip(&peer).map(|(a, b)| a.tps / b.tps).collect();
        let (low, high) = ratios.iter().fold((f64::MAX, 0.0f64), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)));
        let (a, b) = (middle(&ours, |figure| figure.tps), middle(&peer, |figure| figure.tps));
        let line = format!(
            "| {} | {} | {a:.0} | {b:.0} | {:.2} ({low:.2}–{high:.2}) | {} | {:.2} / {:.2} | {} / {} |",
            row.name,
            row.what,
            a / b,
            row.aim,
            middle(&ours, |figure| figure.latency_ms),
            middle(&peer, |figure| figure.latency_ms),
            cpu(&ours),
            cpu(&peer),
        );
        self.say(&line);
    }

    pub fn memory(&mut self, peaks: Vec<f64>) {
        self.say("");
        self.say(&format!("Peak memory of the nodes after all rows: {} MiB.", joined(&peaks, 0)));
    }

    /// A part that compares nothing.
    pub fn section(&mut self, name: &str, outcome: Result<String, String>) {
        self.say("");
        match outcome {
            Ok(text) => self.say(text.trim_end()),
            Err(error) => self.trouble(name, &error),
        }
    }

    pub fn trouble(&mut self, name: &str, error: &str) {
        eprintln!("{error}");
        self.say(&format!("{name}: not measured: {}", first_line(error)));
    }

    pub fn broken(&mut self, name: &str, broken: Vec<String>) {
        for said in broken {
            self.say(&format!("{name}: {said}"));
            self.broken.push(format!("{name}: {said}"));
        }
    }

    /// # Errors
    /// Everything that was found to be wrong with a server's data.
    pub fn verdict(&self) -> Result<(), String> {
        if self.broken.is_empty() { Ok(()) } else { Err(self.broken.join("\n")) }
    }

    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Replaces what stands between the marks.
    pub fn write_into(&self, path: &Path) -> Result<(), String> {
        marks::write(path, "bench", &self.text())
    }
}

/// Median sum over the servers, and the median of each.
fn cpu(side: &[Figure]) -> String {
    let sum = median(side.iter().map(|figure| figure.cpu_ms.iter().sum()).collect());
    let servers = side.first().map_or(0, |figure| figure.cpu_ms.len());
    let each: Vec<f64> = (0..servers).map(|at| median(side.iter().map(|figure| figure.cpu_ms[at]).collect())).collect();
    format!("{sum:.3} ({})", joined(&each, 3))
}

fn joined(values: &[f64], decimals: usize) -> String {
    values.iter().map(|value| format!("{value:.decimals$}")).collect::<Vec<_>>().join(", ")
}

/// Within a table's cell.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().replace('|', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_summed_and_told_for_each_server() {
        let figure = |a: f64, b: f64| Figure::new(1.0, 1.0, 1000.0, &[0.0, 0.0], &[a, b]);
        assert_eq!(cpu(&[figure(0.1, 0.2), figure(0.2, 0.2), figure(0.3, 0.2)]), "0.400 (0.200, 0.200)");
    }

    #[test]
    fn wrong_data_is_told_in_the_report_and_fails_it() {
        let mut report = Report { lines: Vec::new(), broken: Vec::new() };
        report.broken("tpcc", Vec::new());
        assert_eq!(report.verdict(), Ok(()));
        report.broken("tpcc", vec!["condition 3.3.2.1 is broken by 1 rows".to_owned()]);
        assert_eq!(report.verdict(), Err("tpcc: condition 3.3.2.1 is broken by 1 rows".to_owned()));
        assert!(report.text().contains("condition 3.3.2.1"));
    }
}
