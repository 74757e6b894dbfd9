//! Carries the plan out while payments flow, and writes down when.

use super::board::Board;
use super::observe;
use super::plan::{Fault, Step};
use super::processes::Cluster;
use super::view::View;
use std::time::{Duration, Instant};

/// Longest wait for someone to say who leads, before a fault that needs to know.
const LEADER_SECONDS_MAX: u64 = 10;
/// Between the end of a drain and the stop of the process, so that nothing is on its way to it any more.
const DRAINED_MILLIS: u64 = 300;

/// One fault as it happened, with moments in microseconds from the first payment.
#[derive(Clone, Debug)]
pub struct Happened {
    pub fault: Fault,
    pub place: String,
    pub from: u64,
    /// The next fault, or the end: the gap is searched up to here.
    pub until: u64,
}

pub async fn inject(plan: &[Step], cluster: &mut Cluster, board: &Board, view: &View) -> Result<Vec<Happened>, String> {
    let mut happened: Vec<Happened> = Vec::new();
    for step in plan {
        sleep_until(board.start + step.at).await;
        let (index, place) = leading(cluster, step.fault).await?;
        let from = board.micros();
        if let Some(before) = happened.last_mut() {
            before.until = from;
        }
        view.event(format!("{}: {place}", step.fault));
        begin(step.fault, index, cluster).await?;
        sleep_until(board.start + step.at + step.lasts).await;
        end(step.fault, index, cluster).await?;
        view.event(format!("healed: {place}"));
        happened.push(Happened { fault: step.fault, place, from, until: u64::MAX });
    }
    Ok(happened)
}

async fn sleep_until(moment: Instant) {
    tokio::time::sleep_until(moment.into()).await;
}

/// Which node the fault strikes, and how to call the place.
async fn leading(cluster: &Cluster, fault: Fault) -> Result<(usize, String), String> {
    let targets = cluster.targets();
    let places = cluster.places();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(LEADER_SECONDS_MAX) {
        let picture = observe::picture(&targets).await.unwrap_or_default();
        // The catalog and unsharded tables live in shard 0: where it is led, most of the work is done.
        let zone = picture.leaders.get(&0).cloned().flatten();
        if let Some(index) = places.iter().position(|place| Some(place.zone) == zone.as_deref()) {
            let city = places[index].city;
            return match fault {
                Fault::CutLeadingCity => Ok((index, format!("city {city}"))),
                Fault::CutFollowingCity => {
                    let other = places.iter().position(|place| place.city != city).ok_or("there is only one city")?;
                    Ok((other, format!("city {}", places[other].city)))
                }
                Fault::CutLeadingZone => Ok((index, format!("zone {}", places[index].zone))),
                Fault::KillLeader | Fault::DrainLeader => Ok((index, format!("{} in {}", places[index].name, places[index].zone))),
            };
        }
    }
    Err(format!("nobody could say within {LEADER_SECONDS_MAX} s who leads"))
}

async fn begin(fault: Fault, index: usize, cluster: &mut Cluster) -> Result<(), String> {
    let places = cluster.places();
    match fault {
        Fault::CutLeadingZone => cluster.cut(&[places[index].zone]).await,
        Fault::CutLeadingCity | Fault::CutFollowingCity => {
            let zones: Vec<&'static str> = places.iter().filter(|place| place.city == places[index].city).map(|place| place.zone).collect();
            cluster.cut(&zones).await
        }
        Fault::KillLeader => cluster.kill(index).await,
        Fault::DrainLeader => {
            cluster.drain(index).await?;
            tokio::time::sleep(Duration::from_millis(DRAINED_MILLIS)).await;
            cluster.stop_one(index).await
        }
    }
}

async fn end(fault: Fault, index: usize, cluster: &mut Cluster) -> Result<(), String> {
    match fault {
        Fault::CutLeadingZone | Fault::CutLeadingCity | Fault::CutFollowingCity => cluster.cut(&[]).await,
        Fault::KillLeader => cluster.restart(index).await,
        Fault::DrainLeader => {
            cluster.restart(index).await?;
            cluster.undrain(index).await
        }
    }
}
