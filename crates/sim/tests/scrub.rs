//! A row that changes silently under a replica that runs is found by the scrub, told, and put right.

use sim::{Options, Outcome, Plan, Verdict};

/// A new leader compares all rows a few seconds after it began: so the leader dies shortly before the row rots. Rows are only
/// inserted: none that rots is written over before anybody looks.
fn plan(rots_at_ms: u64) -> Plan {
    let text = format!(
        r#"{{
            "name": "rot",
            "about": "One bit of a row changes in the store of a replica that does not lead.",
            "mode": "3dc",
            "nodes": [["a", "1"], ["a", "2"], ["a", "3"]],
            "shards": 1,
            "workloads": [{{"kind": "inserts", "clients": 3, "pause_ms": [10, 50]}}],
            "faults": [
                {{"fault": "crash", "target": "leader", "at_ms": [30000], "for_ms": [500, 1000]}},
                {{"fault": "rot_row", "at_ms": [{rots_at_ms}]}}
            ]
        }}"#
    );
    Plan::parse(&text).expect("the plan above")
}

fn played(rots_at_ms: u64, seed: u64) -> Verdict {
    let verdict = sim::run(&plan(rots_at_ms), &Options { trace: true, ..Options::new(seed, 70) });
    assert!(verdict.trace.iter().any(|line| line.contains("rots at")), "seed {seed}: no row rotted");
    let told = verdict.reports.iter().any(|(text, _)| text.contains("damaged rows on node"));
    assert!(told, "seed {seed}: {:?}", verdict.reports);
    verdict
}

#[test]
fn a_row_that_rots_is_told_and_put_right() {
    for seed in 1..=3 {
        // The preferred node leads again by then.
        let verdict = played(36_500, seed);
        assert!(verdict.passed(), "seed {seed}: {:?}", verdict.outcome);
    }
}

/// Leadership goes to the damaged replica before its pass. The simulator's store has no checksums, so until then clients see what
/// became of the row; it must not stay so, and all replicas are equal in the end.
#[test]
fn a_damaged_replica_that_is_preferred_as_leader_does_not_keep_its_rows() {
    for seed in [2, 3, 4] {
        let verdict = played(33_000, seed);
        let read = match &verdict.outcome {
            Outcome::Wrong(violations) => violations.iter().all(|violation| violation.checker == "index"),
            outcome => *outcome == Outcome::Pass,
        };
        assert!(read, "seed {seed}: {:?}", verdict.outcome);
    }
}
