//! Membership, locality, placement, slot map, routing, cross-shard commit, deadlock probes, failover policy. Pure.
