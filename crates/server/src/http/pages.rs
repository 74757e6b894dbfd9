//! `/health`, `/metrics` and `/status`: for probes and scrapers.

use super::wire::Response;
use crate::metrics::Metrics;
use crate::postgres::SqlServer;
use crate::shared::Shared;
use crate::transport::join::PeerRecord;
use serde_json::json;
use std::sync::{Arc, PoisonError};

pub struct Pages {
    pub own: PeerRecord,
    pub server: Arc<SqlServer>,
    pub shared: Arc<Shared>,
    pub metrics: Arc<Metrics>,
}

impl Pages {
    /// The page at a path; `None` if there is none.
    pub fn page(&self, path: &str) -> Option<Response> {
        match path {
            "/health" => Some(self.health()),
            "/metrics" => Some(Response::ok("text/plain; version=0.0.4", self.metrics())),
            "/status" => Some(Response::ok("application/json", self.status())),
            _ => None,
        }
    }

    fn health(&self) -> Response {
        let mut response = Response::ok("text/plain", "ok\n".to_owned());
        if !self.shared.credentials.is_known() {
            response.status = 503;
            response.body = "the node has not reached a majority of its cluster yet\n".to_owned();
        }
        response
    }

    fn metrics(&self) -> String {
        let leaders = self.shared.leaders.lock().unwrap_or_else(PoisonError::into_inner);
        let leads = leaders.values().filter(|(leader, _)| *leader == Some(self.own.node)).count();
        let gauges = [
            ("sql_sessions", "Open sessions of PostgreSQL clients", self.server.connections() as u64),
            ("inbox_waiting", "Inputs that wait for the node's thread", self.server.inbox.waiting() as u64),
            ("shards_led", "Shards that this node leads", leads as u64),
            ("resident_bytes", "Memory of the process that is resident", resident_bytes()),
        ];
        self.metrics.text(&gauges)
    }

    fn status(&self) -> String {
        let members = self.shared.members.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let leaders = self.shared.leaders.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "node": self.own.node.0,
            "city": self.own.locality.city,
            "zone": self.own.locality.zone,
            "address": self.own.address,
            "sql_address": self.own.sql_address,
            "sessions": self.server.connections(),
            "members": members.iter().map(|peer| json!({
                "node": peer.node.0, "city": peer.locality.city, "zone": peer.locality.zone,
                "address": peer.address, "sql_address": peer.sql_address,
            })).collect::<Vec<_>>(),
            "shards": leaders.iter().map(|(shard, (leader, term))| json!({
                "shard": shard.0, "leader": leader.map(|leader| leader.0), "term": term,
            })).collect::<Vec<_>>(),
        });
        format!("{status}\n")
    }
}

/// 0 where the system does not tell.
fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).map_or(0, |pages| pages * PAGE_BYTES)
}
