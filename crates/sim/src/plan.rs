//! What goes wrong and when, as data. A plan names places, faults with their times or rates, and the load; with a seed it becomes
//! a schedule: a list of single faults, any of which can be left out without changing the others.

use crate::network::NetworkConfig;
use crate::queue::{MILLI, Micros};
use base::locality::LocalityMode;
use base::{Error, Locality, Prng, Result, SqlState};
use serde::Deserialize;

/// Most faults of one schedule: more is a mistake in the plan.
const FAULTS_MAX: usize = 10_000;
/// Most nodes of a plan.
pub const NODES_MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Power is gone; after a while the machine starts again.
    Crash,
    /// All at once.
    CrashAll,
    /// Stopped in an orderly way and started again, one after the other.
    RollingRestart,
    /// The process stands still and then goes on, as after SIGSTOP and SIGCONT.
    Pause,
    /// A zone hears nothing and is not heard, but those inside hear each other.
    CutZone,
    CutCity,
    CutNode,
    /// A node is not heard, but hears.
    MuteNode,
    /// A node does not hear, but is heard.
    DeafNode,
    /// `amount`: frames lost, in parts of a million.
    Loss,
    /// `amount`: times slower.
    Slow,
    /// All connections of a node break.
    Reset,
    /// Writes do not end.
    DiskStall,
    DiskFull,
    /// Rows cannot be written; the log has files that were made ahead.
    StoreFull,
    /// One bit of a stopped node's log changes.
    BitFlip,
    /// A node loses its data for good and is replaced by a new one.
    LoseData,
    /// One bit of a row changes in the store of a replica that runs and does not lead: only the scrub can notice.
    RotRow,
    /// `amount`: milliseconds, either way.
    ClockJump,
}

impl FaultKind {
    /// Destroys what a replica had promised to keep: only a majority of others makes up for it.
    pub fn destroys(self) -> bool {
        matches!(self, FaultKind::BitFlip | FaultKind::LoseData | FaultKind::RotRow)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    #[default]
    Any,
    /// The leader of some shard, at the time.
    Leader,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    pub fault: FaultKind,
    #[serde(default)]
    pub target: Target,
    /// At these times after the load began.
    #[serde(default)]
    pub at_ms: Vec<u64>,
    /// Again and again, with pauses drawn from this range.
    pub every_ms: Option<[u64; 2]>,
    /// How long it lasts.
    #[serde(default = "momentary")]
    pub for_ms: [u64; 2],
    #[serde(default = "nothing")]
    pub amount: [u64; 2],
}

fn momentary() -> [u64; 2] {
    [500, 3000]
}

fn nothing() -> [u64; 2] {
    [0, 0]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadKind {
    Bank,
    Registers,
    Lists,
    Inserts,
    Numbers,
    Jobs,
    Schema,
    Large,
    Hot,
    Watch,
    Ledger,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadPlan {
    pub kind: WorkloadKind,
    #[serde(default = "two")]
    pub clients: u32,
    /// Pause between two transactions of a client.
    #[serde(default = "short_pause")]
    pub pause_ms: [u64; 2],
}

fn two() -> u32 {
    2
}

fn short_pause() -> [u64; 2] {
    [10, 250]
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub name: String,
    pub about: String,
    pub mode: String,
    /// City and zone of each node.
    pub nodes: Vec<[String; 2]>,
    #[serde(default = "two")]
    pub shards: u32,
    #[serde(default)]
    pub loss_ppm: u32,
    /// One way, between cities.
    #[serde(default = "far")]
    pub far_ms: u64,
    #[serde(default = "drift")]
    pub drift_ppm: u32,
    #[serde(default = "skew")]
    pub skew_ms: u64,
    #[serde(default = "usual_load")]
    pub workloads: Vec<WorkloadPlan>,
    /// Longest time without any commit while faults strike.
    pub pause_ms_max: Option<u64>,
    /// The only errors that clients may be told, if there are fewer than usual.
    pub errors: Option<Vec<String>>,
    pub faults: Vec<FaultRule>,
}

fn far() -> u64 {
    8
}

fn drift() -> u32 {
    200
}

fn skew() -> u64 {
    50
}

fn usual_load() -> Vec<WorkloadPlan> {
    use WorkloadKind::{Bank, Hot, Inserts, Jobs, Large, Lists, Numbers, Registers, Schema};
    [(Bank, 3), (Registers, 3), (Lists, 4), (Inserts, 2), (Numbers, 1), (Jobs, 2), (Schema, 2), (Large, 1), (Hot, 3)]
        .into_iter()
        .map(|(kind, clients)| WorkloadPlan { kind, clients, pause_ms: short_pause() })
        .collect()
}

/// One fault at its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub fault: FaultKind,
    pub target: Target,
    /// After the load began.
    pub start: Micros,
    pub end: Micros,
    pub amount: u64,
    /// Decides what is open until then: which node, which zone.
    pub seed: u64,
}

/// The plans that come with the program, by name.
pub const BUILT_IN: [(&str, &str); 15] = [
    ("calm", include_str!("../plans/calm.json")),
    ("crashes", include_str!("../plans/crashes.json")),
    ("partitions", include_str!("../plans/partitions.json")),
    ("disks", include_str!("../plans/disks.json")),
    ("full_stores", include_str!("../plans/full_stores.json")),
    ("clocks", include_str!("../plans/clocks.json")),
    ("cities", include_str!("../plans/cities.json")),
    ("hot", include_str!("../plans/hot.json")),
    ("ledger", include_str!("../plans/ledger.json")),
    ("witness", include_str!("../plans/witness.json")),
    ("two_cities", include_str!("../plans/two_cities.json")),
    ("switches", include_str!("../plans/switches.json")),
    ("failovers", include_str!("../plans/failovers.json")),
    ("mixed", include_str!("../plans/mixed.json")),
    ("watched", include_str!("../plans/watched.json")),
];

impl Plan {
    /// # Errors
    /// `22023` with what is wrong where.
    pub fn parse(text: &str) -> Result<Plan> {
        let plan: Plan = serde_json::from_str(text).map_err(|e| wrong(format!("the fault plan cannot be read: {e}")))?;
        plan.locality_mode()?;
        if plan.nodes.is_empty() || plan.nodes.len() > NODES_MAX {
            return Err(wrong(format!("fault plan {:?}: 1 to {NODES_MAX} nodes, not {}", plan.name, plan.nodes.len())));
        }
        for rule in &plan.faults {
            let ranges = [Some(rule.for_ms), Some(rule.amount), rule.every_ms];
            if ranges.iter().flatten().any(|[low, high]| low > high) || rule.every_ms.is_some_and(|[low, _]| low == 0) {
                return Err(wrong(format!("fault plan {:?}: {:?} has an empty range", plan.name, rule.fault)));
            }
        }
        Ok(plan)
    }

    /// # Errors
    /// `22023` if there is none of this name.
    pub fn built_in(name: &str) -> Result<Plan> {
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Plan::parse(text),
            None => {
                let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
                Err(wrong(format!("there is no fault plan {name:?}; there are {}", names.join(", "))))
            }
        }
    }

    /// # Errors
    /// `22023` if the plan's mode does not exist.
    pub fn locality_mode(&self) -> Result<LocalityMode> {
        self.mode.parse().map_err(wrong)
    }

    pub fn place(&self, node: usize) -> Locality {
        let [city, zone] = &self.nodes[node];
        Locality { city: city.clone(), zone: zone.clone() }
    }

    pub fn network(&self) -> NetworkConfig {
        NetworkConfig { far_micros: self.far_ms * MILLI, loss_ppm: self.loss_ppm, ..NetworkConfig::default() }
    }

    /// Single faults within `0..length`, in the order of their start.
    pub fn schedule(&self, prng: &mut Prng, length: Micros) -> Vec<Planned> {
        let mut planned = Vec::new();
        for rule in &self.faults {
            let mut prng = prng.fork();
            let mut starts: Vec<Micros> = rule.at_ms.iter().map(|ms| ms * MILLI).collect();
            if let Some([low, high]) = rule.every_ms {
                let mut at = prng.between(0, high) * MILLI;
                while at < length && starts.len() < FAULTS_MAX {
                    starts.push(at);
                    at += prng.between(low, high) * MILLI;
                }
            }
            for start in starts.into_iter().filter(|start| *start < length) {
                let lasts = prng.between(rule.for_ms[0], rule.for_ms[1]) * MILLI;
                planned.push(Planned {
                    fault: rule.fault,
                    target: rule.target,
                    start,
                    end: (start + lasts).min(length),
                    amount: prng.between(rule.amount[0], rule.amount[1]),
                    seed: prng.next_u64(),
                });
            }
        }
        planned.sort_by_key(|fault| (fault.start, fault.seed));
        planned.truncate(FAULTS_MAX);
        planned
    }
}

fn wrong(message: String) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::SECOND;

    #[test]
    fn every_plan_that_comes_with_the_program_can_be_read() {
        for (name, text) in BUILT_IN {
            let plan = Plan::parse(text).expect(name);
            assert_eq!(plan.name, name);
            assert!(plan.nodes.len() >= plan.locality_mode().expect("parsed").voters());
        }
    }

    #[test]
    fn one_seed_gives_one_schedule_within_its_bounds() {
        let plan = Plan::built_in("mixed").expect("it comes with the program");
        let schedule = plan.schedule(&mut Prng::new(5), 60 * SECOND);
        assert_eq!(schedule, plan.schedule(&mut Prng::new(5), 60 * SECOND));
        assert_ne!(schedule, plan.schedule(&mut Prng::new(6), 60 * SECOND));
        assert!(schedule.len() > 5 && schedule.iter().all(|f| f.start <= f.end && f.end <= 60 * SECOND));
    }

    #[test]
    fn a_wrong_plan_is_refused_with_a_reason() {
        let nodes = r#""about": "", "nodes": [["a","1"]], "name": "x""#;
        for (text, reason) in [
            ("{".to_string(), "cannot be read"),
            (format!(r#"{{{nodes}, "mode": "3dc", "faults": [{{"fault": "meteor"}}]}}"#), "meteor"),
            (format!(r#"{{{nodes}, "mode": "4dc", "faults": []}}"#), "4dc"),
            (format!(r#"{{{nodes}, "mode": "3dc", "faults": [{{"fault": "crash", "for_ms": [5, 1]}}]}}"#), "empty range"),
            (format!(r#"{{{nodes}, "mode": "3dc", "faults": [], "extra": 1}}"#), "extra"),
        ] {
            let error = Plan::parse(&text).expect_err(reason);
            assert!(error.message().contains(reason), "{error}");
        }
        assert!(Plan::built_in("nothing").is_err());
    }
}
