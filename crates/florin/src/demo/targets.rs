//! Where clients connect to, as a load balancer in front of the nodes sees it.
//!
//! Each node is asked again and again, over a connection of its own, whether it leads. One that answers neither this nor its clients is
//! taken out, and connections to it are closed; one that is being drained is left by clients when they have finished what they are doing.

use super::observe;
use super::posting;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::Client;

/// A node that does not answer for so long is taken out.
const CHECK_MILLIS_MAX: u64 = 300;
/// Between two questions to one node.
const CHECK_PAUSE_MILLIS: u64 = 100;

/// A node's SQL address and whether clients should use it.
pub struct Target {
    pub name: String,
    pub city: &'static str,
    pub zone: String,
    pub port: u16,
    /// Cleared while the node is drained.
    pub open: AtomicBool,
    /// Cleared when it answered neither the last check nor a client in that time.
    pub healthy: watch::Sender<bool>,
    answered: Mutex<Instant>,
}

impl Target {
    pub fn new(name: String, city: &'static str, zone: String, port: u16) -> Target {
        Target {
            name,
            city,
            zone,
            port,
            open: AtomicBool::new(true),
            healthy: watch::Sender::new(true),
            answered: Mutex::new(Instant::now()),
        }
    }

    /// A client got its answer.
    pub fn note_answer(&self) {
        *self.answered.lock().expect("no holder panics") = Instant::now();
    }

    fn answered_lately(&self) -> bool {
        self.answered.lock().expect("no holder panics").elapsed() < Duration::from_millis(CHECK_MILLIS_MAX)
    }

    pub fn usable(&self) -> bool {
        self.open.load(Ordering::Relaxed) && *self.healthy.borrow()
    }

    /// Ends when the node is taken out.
    pub async fn taken_out(&self) {
        // The sender lives as long as `self`, so this ends only with what is waited for.
        let _ = self.healthy.subscribe().wait_for(|healthy| !healthy).await;
    }
}

/// The nodes, and which of them clients go to first: the one that leads.
pub struct Targets {
    list: Vec<Target>,
    preferred: AtomicUsize,
}

impl Targets {
    pub fn new(list: Vec<Target>) -> Targets {
        Targets { list, preferred: AtomicUsize::new(0) }
    }

    /// The best node to use: the one that leads, else one of its city, else any. `attempt` goes on to the next of equals.
    pub fn best(&self, attempt: usize) -> Option<usize> {
        let preferred = self.preferred.load(Ordering::Relaxed);
        if attempt == 0 && self.list[preferred].usable() {
            return Some(preferred);
        }
        let mut usable: Vec<usize> = (0..self.list.len()).filter(|at| self.list[*at].usable()).collect();
        usable.sort_by_key(|at| self.list[*at].city != self.list[preferred].city);
        if attempt == 0 { usable.first().copied() } else { usable.get(attempt % usable.len().max(1)).copied() }
    }
}

impl std::ops::Deref for Targets {
    type Target = [Target];

    fn deref(&self) -> &[Target] {
        &self.list
    }
}

/// Checks all nodes until it is dropped.
pub fn check_all(targets: &Arc<Targets>) -> JoinSet<()> {
    let mut checks = JoinSet::new();
    for at in 0..targets.len() {
        checks.spawn(check(Arc::clone(targets), at));
    }
    checks
}

async fn check(targets: Arc<Targets>, at: usize) {
    let mut connection = None;
    loop {
        let leads = timeout(Duration::from_millis(CHECK_MILLIS_MAX), leads(&targets[at], &mut connection)).await;
        let leads = leads.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let alive = leads.is_ok() || targets[at].answered_lately();
        targets[at].healthy.send_if_modified(|healthy| std::mem::replace(healthy, alive) != alive);
        match leads {
            Ok(true) => targets.preferred.store(at, Ordering::Relaxed),
            Ok(false) => {}
            Err(_) => connection = None,
        }
        tokio::time::sleep(Duration::from_millis(CHECK_PAUSE_MILLIS)).await;
    }
}

/// Whether the node says that it leads the shard that holds the payments.
async fn leads(target: &Target, connection: &mut Option<(Client, String)>) -> Result<bool, String> {
    if connection.is_none() {
        let client = posting::connect(target).await?;
        let number = observe::number_of(&client, &target.zone).await?;
        *connection = Some((client, number));
    }
    let Some((client, number)) = connection else { return Err("it was just made".to_owned()) };
    let leader = observe::rows(client, "SELECT leader FROM florin.shards WHERE shard = 0").await?;
    Ok(leader.first().and_then(|row| row[0].as_ref()) == Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_go_to_the_leader_then_to_its_city_then_anywhere() {
        let target = |city: &'static str, zone: &str| Target::new(zone.to_owned(), city, zone.to_owned(), 1);
        let targets = Targets::new(vec![target("birch", "b1"), target("amber", "a1"), target("amber", "a2")]);
        targets.preferred.store(1, Ordering::Relaxed);
        assert_eq!(targets.best(0), Some(1));
        targets[1].open.store(false, Ordering::Relaxed);
        assert_eq!(targets.best(0), Some(2));
        assert_eq!(targets.best(1), Some(0), "another attempt goes elsewhere");
        targets[2].healthy.send_replace(false);
        assert_eq!(targets.best(0), Some(0));
        targets[0].healthy.send_replace(false);
        assert_eq!(targets.best(0), None);
    }
}
