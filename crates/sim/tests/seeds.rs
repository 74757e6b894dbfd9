//! A fixed set of seeds, short enough for every change; longer runs are `florin sim`'s.

use sim::{Options, Plan};

fn passes(plan: &str, seed: u64, seconds: u64) {
    let plan = Plan::built_in(plan).expect("it comes with the program");
    let verdict = sim::run(&plan, &Options::new(seed, seconds));
    println!("{verdict}");
    assert!(verdict.passed(), "{verdict}");
}

#[test]
fn nothing_goes_wrong_when_nothing_goes_wrong() {
    passes("calm", 1, 30);
}

#[test]
fn crashes_lose_nothing() {
    passes("crashes", 1, 60);
}

#[test]
fn partitions_lose_nothing() {
    passes("partitions", 1, 60);
}

#[test]
fn bad_disks_lose_nothing() {
    passes("disks", 1, 60);
}

#[test]
fn bad_clocks_lose_nothing() {
    passes("clocks", 1, 60);
}

#[test]
fn cities_can_be_cut_off() {
    passes("cities", 1, 40);
}

#[test]
fn a_witness_decides_and_loses_nothing() {
    passes("witness", 1, 60);
}

#[test]
fn planned_switches_fail_no_request_and_hardly_pause() {
    passes("switches", 1, 60);
}

#[test]
fn failovers_are_over_within_the_promised_time() {
    passes("failovers", 1, 60);
}

#[test]
fn a_leader_whose_rows_find_no_space_makes_way() {
    passes("full_stores", 1, 60);
}

#[test]
fn everything_at_once_loses_nothing() {
    passes("mixed", 1, 60);
}

#[test]
fn a_seed_plays_the_same_run_again() {
    let plan = Plan::built_in("mixed").expect("it comes with the program");
    let (first, again) = (sim::run(&plan, &Options::new(7, 20)), sim::run(&plan, &Options::new(7, 20)));
    assert_eq!(first.hash, again.hash);
}

/// A reader that had waited for a cross-shard decision was shown the state before it.
#[test]
fn a_reader_that_waits_for_a_decision_sees_it() {
    passes("partitions", 128, 60);
}

/// Of many readers and writers of few rows, who are answered before the majority has what they saw.
#[test]
fn hot_rows_lose_nothing() {
    passes("hot", 1, 60);
}

/// Once a transaction that changed the schema was told of an internal error when its lock was lost with a leader.
#[test]
fn a_schema_change_whose_lock_was_lost_may_be_tried_again() {
    passes("cities", 122, 60);
    passes("two_cities", 1, 60);
}

/// A lock that was taken for a request which was sent again is not the one under which its transaction read.
#[test]
fn an_answer_of_an_earlier_leader_is_noticed() {
    passes("cities", 3, 120);
}

/// A name that was made through another node a moment ago was not known.
#[test]
fn a_catalog_that_is_behind_is_read_anew() {
    passes("two_cities", 106, 60);
    passes("two_cities", 142, 60);
    // Names that no plan holds, too.
    passes("partitions", 900_256, 20);
}

/// A witness that alone had the newest log.
#[test]
fn a_witness_hands_its_log_on() {
    passes("witness", 1, 60);
    passes("witness", 159, 60);
}

/// A damaged replica had flushed more than its leader, whose rows then left a gap before its log.
#[test]
fn rows_of_a_leader_that_flushed_less_join_the_log() {
    passes("disks", 3005, 120);
}

/// A commit whose decision was refused once was never ended, and its gateway kept it for ever.
#[test]
fn a_commit_whose_decision_was_refused_ends() {
    passes("mixed", 9047, 120);
    passes("disks", 20031, 120);
    passes("disks", 3024, 120);
}

/// Who only looks, from the side of a leader that was cut off.
#[test]
fn what_is_told_beside_a_leader_that_was_cut_off_holds() {
    passes("watched", 1, 60);
}

/// A request that waited for a lock while its gateway was cut off was told that it had been canceled.
#[test]
fn who_waits_behind_a_cut_may_try_again() {
    passes("hot", 500_358, 120);
}

/// The simulated network let what was sent after a cut began overtake what was on its way to a client, which took the end of its session
/// for the answer to its COMMIT.
#[test]
fn a_commit_that_was_answered_before_its_session_ended_counts() {
    passes("hot", 700_126, 120);
}

/// A replica was rebuilt with rows older than the last change of members, and wrote the members of old down with its next flush: after a restart it
/// took itself for the only voter and led alone.
#[test]
fn a_rebuilt_replica_does_not_lead_alone() {
    passes("disks", 1_000_038, 120);
    passes("disks", 2_000_233, 120);
}

/// The books of the ledger, replayed by somebody else's rules.
#[test]
fn the_ledger_keeps_its_books() {
    passes("ledger", 1, 60);
    passes("ledger", 2, 60);
}

/// A replica was getting rows, lost power, and kept a log that nobody could read without the rows before it.
#[test]
fn a_transfer_of_rows_that_was_cut_off_begins_anew() {
    passes("ledger", 500_346, 60);
}
