//! Columns of the tables whose rows the node itself answers (`Backend::system_table`), so that all who read them agree.

/// One such table. `name`: as `Backend::system_table` takes it.
#[derive(Clone, Copy, Debug)]
pub struct SystemTable {
    pub name: &'static str,
    /// Names and type oids.
    pub columns: &'static [(&'static str, u32)],
}

const BOOL: u32 = 16;
const INT8: u32 = 20;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const TIMESTAMPTZ: u32 = 1184;

/// Members of the cluster.
pub const NODES: SystemTable = SystemTable {
    name: "florin.nodes",
    columns: &[
        ("node", INT4),
        ("address", TEXT),
        ("sql_address", TEXT),
        ("city", TEXT),
        ("zone", TEXT),
        // active, disk full, draining or removed
        ("state", TEXT),
        ("alive", BOOL),
        ("boot", INT8),
        ("sessions", INT4),
        ("leads", INT4),
        // NULL for the node itself and for one not measured yet
        ("round_trip_micros", INT8),
    ],
};

/// Shards as this node knows them; sizes are NULL where it has no replica.
pub const SHARDS: SystemTable = SystemTable {
    name: "florin.shards",
    columns: &[
        ("shard", INT4),
        ("leader", INT4),
        ("term", INT8),
        // Replicas that vote, witnesses included
        ("voters", INT4),
        ("witnesses", INT4),
        ("learners", INT4),
        // Node numbers with commas between
        ("members", TEXT),
        ("applied", INT8),
        ("bytes", INT8),
    ],
};

/// This node's own replicas.
pub const REPLICAS: SystemTable = SystemTable {
    name: "florin.replicas",
    columns: &[
        ("shard", INT4),
        ("node", INT4),
        // voter, witness or learner
        ("kind", TEXT),
        ("leads", BOOL),
        ("applied", INT8),
        // Equal on replicas that hold the same rows; hexadecimal
        ("state_hash", TEXT),
        ("bytes", INT8),
    ],
};

/// What the scrub of this node's replicas has come to; passes count where it leads.
pub const SCRUB: SystemTable = SystemTable {
    name: "florin.scrub",
    columns: &[
        ("shard", INT4),
        ("node", INT4),
        ("passes", INT8),
        ("chunks", INT8),
        ("rows", INT8),
        ("pass_ended", TIMESTAMPTZ),
        // Chunks in which replicas differed
        ("differences", INT8),
        // Rows of the ledger that were looked for in its evidence, and those that are not what was committed
        ("recorded", INT8),
        ("unrecorded", INT8),
        // How often this replica's rows were found damaged and fetched anew
        ("dropped", INT8),
        // The last finding
        ("finding", TEXT),
    ],
};

/// Sessions of this node.
pub const SESSIONS: SystemTable = SystemTable {
    name: "florin.sessions",
    columns: &[
        ("session", INT8),
        ("user_name", TEXT),
        ("database", TEXT),
        ("application_name", TEXT),
        // idle, active, idle in transaction, idle in transaction (aborted)
        ("state", TEXT),
        ("opened", TIMESTAMPTZ),
        ("changed", TIMESTAMPTZ),
    ],
};

/// What the cluster is set to.
pub const SETTINGS: SystemTable = SystemTable { name: "florin.settings", columns: &[("name", TEXT), ("value", TEXT), ("note", TEXT)] };

/// PostgreSQL's view of sessions, with the columns that have a meaning here.
pub const ACTIVITY: SystemTable = SystemTable {
    name: "pg_stat_activity",
    columns: &[
        ("datname", TEXT),
        ("pid", INT4),
        ("usename", TEXT),
        ("application_name", TEXT),
        ("backend_start", TIMESTAMPTZ),
        ("state_change", TIMESTAMPTZ),
        ("state", TEXT),
        ("backend_type", TEXT),
    ],
};

pub const ALL: &[SystemTable] = &[NODES, SHARDS, REPLICAS, SESSIONS, SETTINGS, ACTIVITY, SCRUB];
