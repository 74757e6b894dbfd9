//! The world for nodes: network, disks, clocks, faults, workloads and checkers, in one thread and from one seed.
//!
//! A run is a function of its seed and plan: the same ones give the same events in the same order. Nothing here reads a
//! clock, draws ambient randomness or touches a file.

pub mod check;
pub mod client;
pub mod clock;
pub mod disk;
pub mod faults;
pub mod machine;
pub mod minimise;
pub mod network;
pub mod nodes;
pub mod plan;
pub mod process;
pub mod queue;
pub mod rows;
pub mod run;
pub mod trace;
pub mod verdict;
pub mod work;
pub mod world;

pub use machine::Factory;
pub use plan::Plan;
pub use run::Options;
pub use verdict::{Outcome, Verdict};

/// The plan that a seed stands for where none is named.
pub fn plan_of(seed: u64) -> base::Result<Plan> {
    let (name, _) = plan::BUILT_IN[(seed % plan::BUILT_IN.len() as u64) as usize];
    Plan::built_in(name)
}

/// Runs one seed of a plan against real nodes.
pub fn run(plan: &Plan, options: &Options) -> Verdict {
    run::run(plan, options, std::rc::Rc::new(nodes::Nodes))
}
