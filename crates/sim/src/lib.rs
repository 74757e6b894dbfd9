//! The world for nodes: network, disk, clock, faults, workloads, checkers. One thread, one seed.
