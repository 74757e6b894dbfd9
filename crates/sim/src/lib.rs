//! The world for nodes: network, disks, clocks, faults, workloads and checkers, in one thread and from one seed.
//!
//! A run is a function of its seed and plan: the same ones give the same events in the same order. Nothing here reads a
//! clock, draws ambient randomness or touches a file.

pub mod check;
pub mod clock;
pub mod disk;
pub mod network;
pub mod queue;
pub mod rows;
pub mod client;
pub mod plan;
pub mod work;
