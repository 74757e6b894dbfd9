//! Bounds of a node, each with its unit.

use std::time::Duration;

/// Client connections of one node; more are refused with `53300`. Sessions of the node itself are not counted.
pub const SESSIONS_MAX: usize = 10_000;
/// Requests of one client that wait; above it the client is not read from.
pub const REQUESTS_PAUSE: usize = 1_024;
/// Bytes of requests of one client that wait; above it the client is not read from.
pub const REQUEST_BYTES_PAUSE: usize = 4 * 1024 * 1024;
/// Responses that a client has not taken yet; above it the session waits.
pub const RESPONSES_IN_FLIGHT: usize = 64;
/// How long a new session waits for the catalog before it is refused with `57P03`.
pub const OPEN_WAIT: Duration = Duration::from_secs(10);
/// How long old versions are kept, whether or not a snapshot is known to need them.
pub const RETENTION: Duration = Duration::from_secs(60);
/// Between two looks at how far old versions may be given up.
pub const HORIZON_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks at where replicas and leaders should be.
pub const PLACEMENT_INTERVAL: Duration = Duration::from_millis(200);
/// Between two transfers of one shard's leadership that this node asks for.
pub const TRANSFER_PAUSE: Duration = Duration::from_millis(1_500);
/// How long a draining node lets its sessions work on before it ends them with `57P01`.
pub const DRAIN_PATIENCE: Duration = Duration::from_secs(10);
/// How long `florin.drain` waits for the node's leaders to be elsewhere, and how often it looks.
pub const DRAIN_HANDOVER_MAX: Duration = Duration::from_secs(10);
pub const DRAIN_LOOK: Duration = Duration::from_millis(10);
/// After a full disk, the log is tried again after this long.
pub const DISK_FULL_PAUSE: Duration = Duration::from_millis(250);
/// A wait for a lock that a transaction of the registry or the catalog accepts.
pub const ADMIN_LOCK_WAIT: Duration = Duration::from_secs(5);
/// Tries of an administrative transaction before its conflict is told.
pub const ADMIN_TRIES: u32 = 5;
/// Rollbacks and decisions that nobody waits for are repeated this long; then locks left over are found by those who wait.
pub const BACKGROUND_MAX: Duration = Duration::from_secs(60);
/// How long a client waits for its commit. Then it hears that nothing was committed, if that is certain, else `08007`.
pub const COMMIT_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a canceled, timed out or abandoned commit is still waited for, so that in a healthy cluster its outcome is known.
pub const COMMIT_INTERRUPTED_MAX: Duration = Duration::from_secs(3);
/// Bytes of messages joined in one frame (it may go over by one message).
pub const FRAME_BYTES: usize = 4 * 1024 * 1024;
/// Polls of sessions in one step; the rest goes on with the next event, so that no step takes long.
pub const POLLS_PER_STEP: usize = 10_000;
/// Work that a session does in one poll before the others have their turn. A scan's chunk of rows counts most; see `backend::cost`.
pub const WORK_PER_POLL: u32 = 16;
/// A replica of a node that is no member is dropped after its leader has seen it for this long.
pub const STRAY_REPLICA: Duration = Duration::from_secs(5);
/// Requests of one peer that are worked on here; more are refused as busy.
pub const REMOTE_REQUESTS_MAX: usize = 20_000;

const _: () = assert!(OPEN_WAIT.as_millis() < cluster::routing::LEADERLESS_MAX.as_millis(), "a new session gives up first");
