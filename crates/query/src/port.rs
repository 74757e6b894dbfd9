//! A query's way to its session: events out, rows and permissions in.

use base::{Error, SqlState};
use bytes::Bytes;
use sql::engine::{EngineEvent, QueryId, ScanId};
use sql::value::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use storage::access::KeyRange;
use tokio::sync::{Semaphore, mpsc};

/// Where events go.
pub type Outlet = Arc<dyn Fn(QueryId, EngineEvent) + Send + Sync>;

/// The answer to one scan request.
#[derive(Debug)]
pub enum Delivery {
    Stored { rows: Vec<Bytes>, last: bool },
    System(Vec<Vec<Value>>),
}

/// A scan has at most one request on its way, so at most one answer waits.
const DELIVERIES_MAX: usize = 1;
/// Scans of one query; a plan has one for each table it names.
const SCANS_MAX: usize = 4096;

/// Shared by a query's task, its scans, and the engine that hands in the session's commands.
pub struct Port {
    query: QueryId,
    out: Outlet,
    scans: Mutex<BTreeMap<u32, mpsc::Sender<Delivery>>>,
    /// One permit for each `More`.
    more: Semaphore,
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Port({:?})", self.query)
    }
}

impl Port {
    pub fn new(query: QueryId, out: Outlet) -> Port {
        Port { query, out, scans: Mutex::new(BTreeMap::new()), more: Semaphore::new(0) }
    }

    pub fn send(&self, event: EngineEvent) {
        (self.out)(self.query, event);
    }

    /// A new scan: its id, and where its rows arrive.
    pub fn open_scan(&self) -> Result<(ScanId, mpsc::Receiver<Delivery>), Error> {
        let mut scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        if scans.len() >= SCANS_MAX {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, format!("a query cannot scan more than {SCANS_MAX} tables")));
        }
        let id = u32::try_from(scans.len()).expect("below SCANS_MAX");
        let (sender, receiver) = mpsc::channel(DELIVERIES_MAX);
        scans.insert(id, sender);
        Ok((ScanId(id), receiver))
    }

    pub fn request(&self, scan: ScanId, table_oid: u32, range: Option<KeyRange>) {
        self.send(EngineEvent::Scan { scan, table_oid, range });
    }

    pub fn request_system(&self, scan: ScanId, name: String) {
        self.send(EngineEvent::SystemScan { scan, name });
    }

    /// Rows for a scan that nobody reads any more are dropped: a `LIMIT` may have ended it.
    pub fn deliver(&self, scan: ScanId, delivery: Delivery) {
        let scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = scans.get(&scan.0) {
            let _dropped_if_unread = sender.try_send(delivery);
        }
    }

    pub fn allow_more(&self) {
        self.more.add_permits(1);
    }

    /// Waits for the session to take the last chunk.
    pub async fn wait_for_more(&self) {
        if let Ok(permit) = self.more.acquire().await {
            permit.forget();
        }
    }
}
