//! The workloads: one row of the table each, the same for both sides.

use super::ledger;

/// What makes the load.
pub enum Tool {
    /// Arguments, and a script instead of pgbench's own.
    Pgbench(&'static [&'static str], Option<&'static str>),
    /// A test of sysbench's, on its own tables.
    Sysbench(&'static str),
    /// Our own driver, on its own tables.
    Tpcc,
    /// The ledger: which of its loads. It has no peer that speaks the same.
    Ledger(ledger::Load),
}

pub struct Workload {
    pub name: &'static str,
    pub what: &'static str,
    pub tool: Tool,
    /// What the ratio of throughputs should reach.
    pub aim: f64,
}

const SIXTEEN: &[&str] = &["-c", "16", "-j", "2", "-M", "prepared"];

/// Two updates of one hot pair and a record of both, sent as one message: `\;` keeps pgbench from cutting there.
const HOT_TRANSFER: &str = "BEGIN\\; UPDATE pgbench_accounts SET abalance = abalance - 1 WHERE aid = 1\\; \
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = 2\\; \
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, 2, 1, CURRENT_TIMESTAMP)\\; COMMIT;\n";

/// What the rows of one table run against.
pub struct Servers {
    pub nodes: u16,
    /// The peer's primary has two, one of which must confirm each commit.
    pub standbys: bool,
    /// More of `florin start`.
    pub options: &'static [&'static str],
    /// More of `postgresql.conf`; what is said last counts.
    pub settings: &'static str,
    /// How many times the scale that was asked for.
    pub scale: u32,
}

/// Three nodes in one city beside a primary with its standbys.
pub const REPLICATED: Servers = Servers { nodes: 3, standbys: true, options: &[], settings: "", scale: 1 };

/// Each table's servers and rows.
pub const TABLES: &[(&Servers, &[Workload])] = &[
    (&REPLICATED, ALL),
    (
        &Servers { nodes: 1, standbys: false, ..REPLICATED },
        &[Workload {
            name: "alone",
            what: "TPC-B-like, prepared, 16 clients, one server each",
            tool: Tool::Pgbench(SIXTEEN, None),
            aim: 1.2,
        }],
    ),
    (
        // At scale 10 the peer's tables and indexes take 750 MB.
        &Servers { options: &["--memory-mib", "150"], settings: "shared_buffers = 150MB\n", scale: 5, ..REPLICATED },
        &[Workload {
            name: "large",
            what: "TPC-B-like, prepared, 16 clients, five times the cache",
            tool: Tool::Pgbench(SIXTEEN, None),
            aim: 1.0,
        }],
    ),
];

pub const ALL: &[Workload] = &[
    Workload { name: "tpcb", what: "TPC-B-like, prepared, 16 clients", tool: Tool::Pgbench(SIXTEEN, None), aim: 1.0 },
    Workload {
        name: "select",
        what: "select-only, prepared, 16 clients",
        tool: Tool::Pgbench(&["-c", "16", "-j", "2", "-M", "prepared", "-S"], None),
        aim: 0.8,
    },
    Workload {
        name: "tpcb-simple",
        what: "TPC-B-like, simple protocol, 16 clients",
        tool: Tool::Pgbench(&["-c", "16", "-j", "2", "-M", "simple"], None),
        aim: 1.5,
    },
    Workload {
        name: "tpcb-one",
        what: "TPC-B-like, prepared, 1 client",
        tool: Tool::Pgbench(&["-c", "1", "-j", "1", "-M", "prepared"], None),
        aim: 1.0,
    },
    Workload {
        name: "hot-row",
        what: "one hot row, autocommit updates, 16 clients",
        tool: Tool::Pgbench(SIXTEEN, Some("UPDATE pgbench_branches SET bbalance = bbalance + 1 WHERE bid = 1;\n")),
        aim: 20.0,
    },
    Workload {
        name: "hot-transfer",
        what: "transfers in one call between one hot pair, 16 clients",
        tool: Tool::Pgbench(&["-c", "16", "-j", "2", "-M", "simple"], Some(HOT_TRANSFER)),
        aim: 10.0,
    },
    Workload { name: "oltp-rw", what: "sysbench oltp_read_write, 16 threads", tool: Tool::Sysbench("oltp_read_write"), aim: 1.5 },
    Workload { name: "oltp-wo", what: "sysbench oltp_write_only, 16 threads", tool: Tool::Sysbench("oltp_write_only"), aim: 1.5 },
    Workload {
        name: "tpcc",
        what: "TPC-C, 16 terminals that do not think: tpmC instead of tps, latency of New-Order",
        tool: Tool::Tpcc,
        aim: 1.5,
    },
];
