//! Dual-active mode with one zone gone: an operator lets the other serve alone, and that ends by itself.
//!
//! Both steps are ordinary changes of the registry and of the shards' memberships: each needs a majority, so whatever the operator does, no two sides ever
//! serve. The design and what it costs: docs/design/2026-11-22-dual-active.md.

use crate::backend::NodeBackend;
use crate::core::Core;
use crate::session::INTERNAL_SESSIONS;
use base::locality::LocalityMode;
use base::{Error, Locality, NodeId, Result, SessionId, SqlState};
use cluster::placement::{self, Replicas};
use sql::backend::Backend;
use std::time::Duration;

/// The task that ends a downgrade.
pub(crate) const KEEPER: SessionId = SessionId(INTERNAL_SESSIONS + 2);
/// Between two looks at whether a downgrade is over.
const LOOK: Duration = Duration::from_secs(1);

fn refused(message: String) -> Error {
    Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
}

impl Core {
    /// # Errors
    /// `55000` if there is nothing to downgrade, or the zone could not serve alone.
    pub fn may_downgrade(&self, place: &Locality) -> Result<()> {
        if self.registry.mode != LocalityMode::DualActive {
            return Err(refused(format!("a cluster of mode {} is not downgraded: a majority of its voters serves", self.registry.mode)));
        }
        if let Some(zone) = &self.registry.downgraded {
            return Err(refused(format!("the cluster is downgraded to {zone} already")));
        }
        let stands = |n: &NodeId| self.registry.nodes.get(n).is_some_and(|record| record.locality == *place);
        let alive = |n: NodeId| n == self.config.node || self.members.is_alive(self.now.mono, n);
        for (shard, replica) in &self.replicas {
            let members = replica.shard.members();
            if !members.voters.iter().any(|n| stands(n) && alive(*n)) {
                return Err(refused(format!("{place} has no running voter of shard {}", shard.0))
                    .with_hint("Downgrade to the zone that still serves, through a node of that zone."));
            }
            if let Some(up) = members.voters.iter().find(|n| !stands(n) && alive(**n)) {
                return Err(refused(format!("node {}, in the other zone, is up: there is nothing to downgrade", up.0)));
            }
        }
        if self.replicas.is_empty() {
            return Err(refused("this node has no replica".into()).with_hint("Ask a node of the zone that still serves."));
        }
        Ok(())
    }

    /// Says so once, on every node that hears of it.
    pub fn tell_downgrade(&mut self, before: Option<&Locality>) {
        match (before, self.registry.downgraded.clone()) {
            (None, Some(zone)) => self.info(format!("downgraded: {zone} serves alone until the other zone has caught up")),
            (Some(_), None) => self.info("the downgrade is over: both zones and the witness vote again"),
            _ => {}
        }
    }

    /// This node leads the shard of the registry, and each shard led here could have its other zone back.
    fn downgrade_is_over(&self) -> bool {
        let led = self.led();
        let system = self.routing.shard_of(base::SlotId(0));
        self.registry.downgraded.is_some()
            && led.iter().any(|(shard, _)| *shard == system)
            && led.iter().all(|(shard, _)| {
                let Some(replica) = self.replicas.get(shard) else { return false };
                let members = replica.shard.members();
                let current = Replicas { voters: members.voters, witnesses: members.witnesses, learners: members.learners };
                placement::is_downgrade_over(&self.registry, &self.candidates(*shard), &current)
            })
    }
}

impl NodeBackend {
    /// The keeper's task: never ends.
    pub(crate) async fn keep_downgrade(self) {
        loop {
            self.sleep(LOOK).await;
            if !self.core.borrow().downgrade_is_over() {
                continue;
            }
            let ended = crate::admin::change(&self, |registry| {
                registry.downgraded = None;
                Ok(())
            });
            if let Err(error) = ended.await {
                // Tried again at the next look.
                self.core.borrow_mut().info(format!("the downgrade could not be ended: {error}"));
            }
        }
    }
}
