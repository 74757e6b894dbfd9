//! The node's copy of the catalog: read as a whole from its shard when someone needs a newer one, by one task for all who wait.

use crate::backend::NodeBackend;
use crate::core::Core;
use crate::session::INTERNAL_SESSIONS;
use base::{Error, Result, SchemaVersion, SessionId, ShardId, SlotId, SqlState, Version};
use sql::backend::{Backend, CallError};
use sql::catalog::{Catalog, store};
use std::future::Future;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use storage::access::{Context, Found, Isolation, Key, KeyRange, Request, Response, SCAN_ROWS_MAX, Snapshot};

/// The task that reads the catalog.
pub(crate) const LOADER: SessionId = SessionId(INTERNAL_SESSIONS);
/// The task that makes a new cluster's first rows.
pub(crate) const BOOTSTRAP: SessionId = SessionId(INTERNAL_SESSIONS + 1);
/// After an error the loader tries again after this long.
const RETRY: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(crate) struct CatalogCache {
    pub current: Arc<Catalog>,
    wanted: SchemaVersion,
    waiters: Vec<SessionId>,
}

impl Core {
    /// Somebody has seen this version.
    pub fn want_catalog(&mut self, version: SchemaVersion) {
        if version > self.catalog.wanted {
            self.catalog.wanted = version;
            self.wake(LOADER);
        }
    }

    /// What is odd about it, if it is older than what a shard told: then it is read again.
    fn install_catalog(&mut self, catalog: Catalog) -> Option<String> {
        let behind = (catalog.version < self.catalog.wanted)
            .then(|| format!("the catalog's rows are of {}, but a shard told of {}", catalog.version, self.catalog.wanted));
        if catalog.version <= self.catalog.current.version {
            return behind;
        }
        self.catalog.wanted = self.catalog.wanted.max(catalog.version);
        self.catalog.current = Arc::new(catalog);
        for session in std::mem::take(&mut self.catalog.waiters) {
            self.wake(session);
        }
        behind
    }
}

impl NodeBackend {
    /// Waits until the catalog is at least this new; `Err` if the session is interrupted meanwhile.
    pub(crate) fn catalog_at_least(&self, at_least: SchemaVersion) -> impl Future<Output = Result<Arc<Catalog>>> {
        let (core, state) = (self.core.clone(), self.state.clone());
        std::future::poll_fn(move |_| {
            let mut core = core.borrow_mut();
            if core.catalog.current.version >= at_least {
                return Poll::Ready(Ok(Arc::clone(&core.catalog.current)));
            }
            if let Some(error) = state.interrupted() {
                return Poll::Ready(Err(error));
            }
            core.want_catalog(at_least);
            if !core.catalog.waiters.contains(&state.id) {
                core.catalog.waiters.push(state.id);
            }
            Poll::Pending
        })
    }

    /// The loader's task: never ends.
    pub(crate) async fn load_catalog(self) {
        loop {
            match self.read_catalog().await {
                Ok(catalog) => {
                    let behind = self.core.borrow_mut().install_catalog(catalog);
                    if let Some(message) = behind {
                        self.core.borrow_mut().fault(Error::internal(message));
                        self.sleep(RETRY).await;
                    }
                }
                Err(_) => {
                    self.sleep(RETRY).await;
                    continue;
                }
            }
            self.catalog_wanted().await;
        }
    }

    fn catalog_wanted(&self) -> impl Future<Output = ()> {
        let core = self.core.clone();
        std::future::poll_fn(move |_| {
            let core = core.borrow();
            if core.catalog.wanted > core.catalog.current.version { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    async fn read_catalog(&self) -> Result<Catalog> {
        let rows = self.read_all(store::range()).await?;
        if rows.is_empty() {
            return Err(Error::new(SqlState::CANNOT_CONNECT_NOW, "the cluster is not made yet"));
        }
        store::decode(rows.iter().map(|(k, f)| (&k[..], &f.row[..])))
    }

    /// The version that the catalog's shard has, which is told to any request that comes with an older one.
    pub(crate) async fn newest_schema(&self, known: SchemaVersion) -> Result<SchemaVersion> {
        let context = context(self.new_txn(), known, Snapshot::Latest, false);
        let request = Request::Read { context, reads: Vec::new(), wait: storage::access::LockWait::NoWait };
        match self.call(self.shard_of(SlotId(0)), request).await {
            Ok(_) => Ok(known),
            Err(CallError::StaleSchema(newer)) => Ok(newer),
            Err(CallError::Error(error)) => Err(error),
        }
    }

    /// All rows of a range in slot 0, at one snapshot.
    pub(crate) async fn read_all(&self, range: KeyRange) -> Result<Vec<(Key, Found)>> {
        let (mut all, mut start, mut at) = (Vec::new(), range.start.clone(), Snapshot::Latest);
        let txn = self.new_txn();
        loop {
            let part = KeyRange { start: start.clone(), end: range.end.clone() };
            let response = self
                .internal_call(self.shard_of(SlotId(0)), |schema| Request::Scan {
                    context: context(txn, schema, at, false),
                    range: part.clone(),
                    reverse: false,
                    rows_max: SCAN_ROWS_MAX,
                })
                .await?;
            let Response::Scanned { rows, resume, snapshot } = response else {
                return Err(Error::internal("a scan was answered with something else"));
            };
            all.extend(rows);
            at = Snapshot::At(snapshot);
            match resume {
                Some(next) => start = next,
                None => return Ok(all),
            }
        }
    }

    /// A request that does not depend on the schema: made with the version that the shard has.
    pub(crate) async fn internal_call(&self, shard: ShardId, request: impl Fn(SchemaVersion) -> Request) -> Result<Response> {
        let mut schema = self.core.borrow().catalog.current.version;
        loop {
            match self.call(shard, request(schema)).await {
                Ok(response) => return Ok(response),
                Err(CallError::StaleSchema(newer)) if newer > schema => schema = newer,
                Err(CallError::StaleSchema(_)) => return Err(Error::internal("a shard refuses its own schema version")),
                Err(CallError::Error(error)) => return Err(error),
            }
        }
    }

    /// Makes the first rows of a new cluster's shards; what is there already is left.
    pub(crate) async fn bootstrap(self) {
        while let Err(error) = self.try_bootstrap().await {
            self.core.borrow_mut().fault(error);
            self.sleep(RETRY).await;
        }
    }

    async fn try_bootstrap(&self) -> Result<()> {
        let system = self.shard_of(SlotId(0));
        let mut shards = self.shards();
        // The shard with the catalog comes last: once it is there, all is.
        shards.retain(|&s| s != system);
        shards.push(system);
        let registry = self.core.borrow().registry.clone();
        for shard in shards {
            let mut writes = store::bootstrap(shard == system);
            if shard == system {
                let write = |(key, row)| storage::access::Write { key, row: Some(row), base: Version::ZERO };
                writes.extend(registry.rows().into_iter().map(write));
            }
            self.commit_absent(shard, writes).await?;
        }
        Ok(())
    }

    /// Commits these rows of one shard if the first of them is not there yet.
    async fn commit_absent(&self, shard: ShardId, writes: Vec<storage::access::Write>) -> Result<()> {
        let Some(first) = writes.first() else { return Ok(()) };
        let (txn, key) = (self.new_txn(), first.key.clone());
        let read = |schema| Request::Read {
            context: context(txn, schema, Snapshot::Latest, false),
            reads: vec![storage::access::KeyRead { key: key.clone(), lock: None }],
            wait: storage::access::LockWait::NoWait,
        };
        let Response::Rows { rows, .. } = self.internal_call(shard, read).await? else {
            return Err(Error::internal("a read was answered with something else"));
        };
        if rows.iter().any(Option::is_some) {
            return Ok(());
        }
        let part =
            sql::backend::CommitPart { shard, writes: writes.into(), reads: Default::default(), parts: 0, holds_locks: false, seen: None };
        match self.commit(context(txn, SchemaVersion(0), Snapshot::Latest, false), vec![part]).await {
            Ok(_) => Ok(()),
            Err(CallError::Error(error)) => Err(error),
            Err(CallError::StaleSchema(_)) => Err(Error::internal("a new shard has a schema already")),
        }
    }
}

pub(crate) fn context(txn: base::TxnId, schema: SchemaVersion, snapshot: Snapshot, holds_locks: bool) -> Context {
    Context { txn, isolation: Isolation::ReadCommitted, snapshot, schema, holds_locks, seen: None, follower: false, sees_staged: false }
}
