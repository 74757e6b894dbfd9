//! Which faults, when. From the mode and the seed alone.

use super::DemoOptions;
use base::Prng;
use base::locality::LocalityMode;
use std::fmt;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The data centre that leads loses its cable: packets vanish, no socket is closed.
    CutLeadingZone,
    /// The city that leads is cut off as a whole.
    CutLeadingCity,
    /// A city other than the leading one is cut off.
    CutFollowingCity,
    /// SIGKILL to the process that leads; started again later.
    KillLeader,
    /// As for an upgrade: leadership is moved away, clients go elsewhere, the process stops and starts again.
    DrainLeader,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::CutLeadingZone => "cable of the leading data centre cut",
            Fault::CutLeadingCity => "leading city cut off",
            Fault::CutFollowingCity => "following city cut off",
            Fault::KillLeader => "leading process killed (SIGKILL)",
            Fault::DrainLeader => "leading node drained and restarted",
        })
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub fault: Fault,
    /// From the first payment.
    pub at: Duration,
    /// How long until it is healed.
    pub lasts: Duration,
}

/// The faults that the mode must survive, spread over the time with a bit of chance from the seed.
pub fn plan(options: &DemoOptions) -> Vec<Step> {
    let faults: &[Fault] = match options.mode {
        LocalityMode::Single => &[],
        LocalityMode::ThreeZones | LocalityMode::DualActive => &[Fault::CutLeadingZone, Fault::KillLeader, Fault::DrainLeader],
        LocalityMode::TwoCities => &[Fault::CutLeadingZone, Fault::CutFollowingCity, Fault::KillLeader, Fault::DrainLeader],
        LocalityMode::ThreeCities => &[Fault::CutLeadingZone, Fault::CutLeadingCity, Fault::KillLeader, Fault::DrainLeader],
    };
    let mut prng = Prng::new(options.seed);
    let share = options.seconds * 1000 / (faults.len() as u64 + 1).max(1);
    let mut steps = Vec::new();
    for (index, fault) in faults.iter().enumerate() {
        let start = share * index as u64 + share / 3 + prng.below(share / 4 + 1);
        let lasts = share * 2 / 5 + prng.below(share / 5 + 1);
        steps.push(Step { fault: *fault, at: Duration::from_millis(start), lasts: Duration::from_millis(lasts) });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(seed: u64, mode: LocalityMode) -> DemoOptions {
        DemoOptions { mode, seconds: 60, seed, json: false, keep: false }
    }

    #[test]
    fn faults_never_overlap_and_end_before_the_payments() {
        for mode in [LocalityMode::ThreeZones, LocalityMode::TwoCities, LocalityMode::ThreeCities, LocalityMode::DualActive] {
            for seed in 0..200 {
                let steps = plan(&options(seed, mode));
                assert!(steps.windows(2).all(|pair| pair[0].at + pair[0].lasts < pair[1].at), "{mode} {seed}: {steps:?}");
                assert!(steps.iter().all(|step| step.at + step.lasts < Duration::from_secs(60)), "{mode} {seed}");
            }
        }
    }
}
