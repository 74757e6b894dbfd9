//! From stacks and how often each was seen to the largest costs of each layer.

use super::layers::{self, LAYERS};
use super::stacks::Stacks;
use std::collections::BTreeMap;

const OTHER: &str = "other";
/// Of a function's name.
const LETTERS_MAX: usize = 140;
/// Rows of each layer's table.
const LARGEST: usize = 10;

/// Samples by layer and function, and by thread.
#[derive(Default)]
pub struct Costs {
    functions: BTreeMap<&'static str, BTreeMap<String, u64>>,
    threads: BTreeMap<String, u64>,
    samples: u64,
}

impl Costs {
    pub fn of(stacks: &Stacks) -> Costs {
        let mut costs = Costs::default();
        for (stack, count) in &stacks.0 {
            let Some((thread, functions)) = stack.split_first() else { continue };
            let (layer, function) = charged(functions);
            *costs.functions.entry(layer).or_default().entry(function.to_owned()).or_default() += count;
            *costs.threads.entry(thread.clone()).or_default() += count;
            costs.samples += count;
        }
        costs
    }

    pub fn samples(&self) -> u64 {
        self.samples
    }

    fn share(&self, samples: u64) -> f64 {
        samples as f64 * 100.0 / self.samples.max(1) as f64
    }

    fn largest(&self, counts: &BTreeMap<String, u64>, at_most: usize) -> Vec<(String, f64)> {
        let mut all: Vec<(&String, u64)> = counts.iter().map(|(name, count)| (name, *count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        all.into_iter().take(at_most).map(|(name, count)| (name.clone(), self.share(count))).collect()
    }

    /// Shares of threads and layers, and of each layer its largest costs, in percent of all samples.
    pub fn text(&self) -> String {
        let threads: Vec<String> =
            self.largest(&self.threads, usize::MAX).iter().map(|(name, share)| format!("{name} {share:.1} %")).collect();
        let mut text = format!("{} samples; threads: {}\n", self.samples, threads.join(", "));
        for layer in LAYERS.iter().chain([&OTHER]) {
            let Some(functions) = self.functions.get(layer) else {
                text.push_str(&format!("\n{layer}  0.0 %\n"));
                continue;
            };
            text.push_str(&format!("\n{layer}  {:.1} %\n", self.share(functions.values().sum())));
            for (function, share) in self.largest(functions, LARGEST) {
                text.push_str(&format!("  {share:>5.2} %  {function:.LETTERS_MAX$}\n"));
            }
        }
        text
    }
}

/// The layer that a stack is charged to, and the function that says so; the innermost function where none does.
fn charged(functions: &[String]) -> (&'static str, &str) {
    let known = functions.iter().rev().find_map(|function| layers::of(function).map(|layer| (layer, function.as_str())));
    known.unwrap_or_else(|| (OTHER, functions.last().map_or("nothing is known of the stack", String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(functions: &str) -> Vec<String> {
        functions.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn libraries_are_charged_to_who_calls_them() {
        assert_eq!(charged(&stack("server::run sql::exec::select::run core::fmt::write memcpy")), ("execute", "sql::exec::select::run"));
        assert_eq!(charged(&stack("start_thread write")), ("other", "write"));
    }

    #[test]
    fn shares_are_of_all_samples() {
        let stacks = Stacks(BTreeMap::from([
            (stack("node server::run node::node::Node::step sql::exec::select::run malloc"), 6),
            (stack("node server::run sql::session::output::Output::row"), 3),
            (stack("log start_thread write"), 1),
        ]));
        let text = Costs::of(&stacks).text();
        assert!(text.starts_with("10 samples; threads: node 90.0 %, log 10.0 %\n"), "{text}");
        let layers = ["\nexecute  60.0 %\n  60.00 %  sql::exec::select::run\n", "\nreply  30.0 %\n", "\nother  10.0 %\n  10.00 %  write\n"];
        for said in layers.iter().chain(&["\nplan  0.0 %\n"]) {
            assert!(text.contains(said), "{said:?} is not in {text}");
        }
    }
}
