//! Hot paths, each run a number of times in one thread and in memory, from a client's bytes to the answer's bytes, for a tool that counts instructions.
//!
//! `cargo xtask instructions` runs it: `instructions --list` prints the paths, `instructions PATH` runs one and prints how often. Only what
//! happens inside the functions of `counted` is meant to be counted: what the nodes do, not what stands around them.
//! Nothing waits and no time passes while it is counted, so that every run does the same.

#[allow(dead_code, reason = "made for the node's tests, which use more of it")]
#[path = "../../node/tests/world/mod.rs"]
mod world;

use base::NodeId;
use base::locality::LocalityMode;
use bytes::BytesMut;
use ledger::{Account, Batch, Code, Ledger, MemoryBooks, Outcome, Transfer, packed};
use node::Node;
use node::event::{Effect, Event};
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend;
use server::postgres::decode::{MESSAGE_BYTES_MAX, Message, message};
use sql::client::ClientRequest;
use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use world::{Answer, Client, World};

/// The allocator of the program that is given out.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The tool counts while one of these runs. Never inlined, as it knows them by their names.
mod counted {
    use super::*;
    use base::Now;
    use server::postgres::encode;
    use sql::client::ClientResponse;

    #[inline(never)]
    pub fn step(node: &mut Node, now: Now, event: Event, effects: &mut Vec<Effect>) {
        node.step(now, event, effects);
    }

    #[inline(never)]
    pub fn decode(input: &mut BytesMut) -> Vec<ClientRequest> {
        super::decode(input)
    }

    #[inline(never)]
    pub fn encode(responses: &[ClientResponse], output: &mut BytesMut) {
        responses.iter().for_each(|response| encode::response(output, response));
    }

    #[inline(never)]
    pub fn batch(books: &mut MemoryBooks, transfers: &[Transfer]) -> Vec<Outcome> {
        Batch::new(books).run(transfers, 1)
    }
}

const LEADER: NodeId = NodeId(1);
const FOLLOWER: NodeId = NodeId(2);
const ACCOUNTS: i64 = 1_000;
const ROWS_PER_INSERT: i64 = 100;
const TELLERS: i64 = 10;
/// Runs that fill caches and plans, not counted.
const WARM_UP: i64 = 50;
const RUNS: i64 = 200;
const TRANSFERS: u64 = 8_000;
const LEDGER_ACCOUNTS: u64 = 1_000;
/// Packed batches that are counted, after one that is not; and the accounts that their transfers are between.
const PACKED_BATCHES: u64 = 2;
const PACKED_ACCOUNTS: u64 = 8_000;
/// For new nodes to settle.
const SETTLE_TICKS: u32 = 500;
const OUTPUT_BYTES: usize = 64 << 10;

struct Path {
    name: &'static str,
    what: &'static str,
    /// Runs it, and says how many of what is counted.
    run: fn() -> u64,
}

const PATHS: &[Path] = &[
    Path { name: "point-read", what: "a prepared SELECT by primary key, outside a transaction", run: point_reads },
    Path { name: "update", what: "a prepared UPDATE by primary key in an open transaction", run: updates },
    Path { name: "commit", what: "the COMMIT of one updated row, at the leader of three replicas", run: || commits(LEADER) },
    Path { name: "commit-follower", what: "the same commit at one of the two followers", run: || commits(FOLLOWER) },
    Path { name: "tpcb", what: "pgbench's TPC-B-like transaction, prepared, seven statements, at the leader", run: tpcb },
    Path { name: "transfer", what: "two updates and an insert as one simple call with BEGIN and COMMIT, at the leader", run: transfers },
    Path {
        name: "ledger-batch",
        what: "one of 8,000 plain transfers of a packed batch over two shards, at the leader of three replicas",
        run: packed_batches,
    },
    Path { name: "ledger", what: "one of 8,000 plain transfers of a ledger batch on a map", run: ledger_batch },
];

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_default();
    if argument == "--list" {
        PATHS.iter().for_each(|path| println!("{}\t{}", path.name, path.what));
        return ExitCode::SUCCESS;
    }
    let Some(path) = PATHS.iter().find(|path| path.name == argument) else {
        eprintln!("usage: instructions --list | PATH");
        return ExitCode::FAILURE;
    };
    println!("{}", (path.run)());
    ExitCode::SUCCESS
}

/// pgbench's tables in a cluster of three, and a client of the leader with prepared statements.
struct Bench {
    world: World,
    client: Client,
    /// Whose steps are counted at the moment.
    counts: Rc<Cell<Option<NodeId>>>,
}

const STATEMENTS: &[(&str, &str)] = &[
    ("begin", "BEGIN"),
    ("update", "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2"),
    ("select", "SELECT abalance FROM pgbench_accounts WHERE aid = $1"),
    ("tellers", "UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2"),
    ("branches", "UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2"),
    ("history", "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)"),
    ("commit", "COMMIT"),
    ("open", "SELECT ledger.create_accounts($1)"),
    ("book", "SELECT ledger.create_transfers($1)"),
];

impl Bench {
    fn new() -> Bench {
        let mut world = World::grown(LocalityMode::ThreeZones, 3);
        world.until("the first node leads", |world| world.leader(0) == Some(LEADER) && world.leader(1) == Some(LEADER));
        fill(&mut world);
        world.ticks(SETTLE_TICKS);
        let counts = Rc::new(Cell::new(None));
        let (whose, mut output) = (Rc::clone(&counts), BytesMut::with_capacity(OUTPUT_BYTES));
        world.step = Box::new(move |node, now, event, effects| {
            if whose.get() != Some(node.id()) {
                return node.step(now, event, effects);
            }
            counted::step(node, now, event, effects);
            for effect in effects {
                if let Effect::Client { responses, .. } = effect {
                    output.clear();
                    counted::encode(responses, &mut output);
                }
            }
        });
        let client = world.connect(LEADER);
        let mut bench = Bench { world, client, counts };
        for (name, sql) in STATEMENTS {
            let mut message = BytesMut::new();
            frontend::parse(name, sql, [], &mut message).expect("short");
            frontend::sync(&mut message);
            bench.ask(message, None);
        }
        bench
    }

    /// Sends a message, and hears the answer before any time has passed. `counted`: the node whose part is counted, if any.
    fn ask(&mut self, message: BytesMut, counted: Option<NodeId>) -> Answer {
        self.send(message, counted);
        self.counts.set(None);
        self.world.heard(self.client).map(answered).expect("nothing is waited for")
    }

    /// The same for what takes some ticks, which are counted too.
    fn ask_at_length(&mut self, message: BytesMut, counted: Option<NodeId>) -> Answer {
        self.send(message, counted);
        let answer = self.world.wait(self.client);
        self.counts.set(None);
        answered(answer)
    }

    fn send(&mut self, mut message: BytesMut, counted: Option<NodeId>) {
        self.counts.set(counted);
        let requests = if counted == Some(LEADER) { counted::decode(&mut message) } else { decode(&mut message) };
        self.world.event(LEADER, Event::Client { session: self.client.session, requests });
    }

    fn run(&mut self, statement: &str, values: &[i64], counted: Option<NodeId>) -> Answer {
        self.ask(execute(statement, values), counted)
    }
}

fn answered(answer: Answer) -> Answer {
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
    answer
}

fn decode(input: &mut BytesMut) -> Vec<ClientRequest> {
    let mut requests = Vec::new();
    while let Some(message) = message(input, MESSAGE_BYTES_MAX).expect("well formed") {
        match message {
            Message::Request(request) => requests.push(request),
            other => panic!("{other:?} is no request"),
        }
    }
    requests
}

/// As libpq sends it for pgbench.
fn execute(statement: &str, values: &[i64]) -> BytesMut {
    let mut message = BytesMut::new();
    let text = |value: &i64, buffer: &mut BytesMut| {
        buffer.extend_from_slice(value.to_string().as_bytes());
        Ok(IsNull::No)
    };
    let bound = frontend::bind("", statement, [], values, text, [0], &mut message);
    assert!(bound.is_ok(), "numbers have a text");
    frontend::describe(b'P', "", &mut message).expect("short");
    frontend::execute("", 0, &mut message).expect("short");
    frontend::sync(&mut message);
    message
}

fn fill(world: &mut World) {
    let mut ask = |sql: &str| world.query(LEADER, sql).ok();
    ask("CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))");
    ask("CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84))");
    ask("CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88))");
    ask("CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))");
    ask("INSERT INTO pgbench_branches VALUES (1, 0)");
    let rows = |from: i64, count: i64| {
        let rows: Vec<String> = (from..from + count).map(|id| format!("({id}, 1, 0, '')")).collect();
        rows.join(", ")
    };
    ask(&format!("INSERT INTO pgbench_tellers VALUES {}", rows(1, TELLERS)));
    for from in (1..=ACCOUNTS).step_by(ROWS_PER_INSERT as usize) {
        ask(&format!("INSERT INTO pgbench_accounts VALUES {}", rows(from, ROWS_PER_INSERT)));
    }
}

/// Scattered over all accounts.
fn account(run: i64) -> i64 {
    run * 7_919 % ACCOUNTS + 1
}

/// Runs what is given with its number, first uncounted, then counted at a node.
fn repeat(node: NodeId, mut run: impl FnMut(&mut Bench, i64, Option<NodeId>)) -> u64 {
    let mut bench = Bench::new();
    (0..WARM_UP).for_each(|number| run(&mut bench, number, None));
    (WARM_UP..WARM_UP + RUNS).for_each(|number| run(&mut bench, number, Some(node)));
    RUNS as u64
}

fn point_reads() -> u64 {
    repeat(LEADER, |bench, number, counted| {
        let answer = bench.run("select", &[account(number)], counted);
        assert_eq!(answer.rows.len(), 1);
    })
}

fn updates() -> u64 {
    repeat(LEADER, |bench, number, counted| {
        bench.run("begin", &[], None);
        bench.run("update", &[1, account(number)], counted);
        bench.run("commit", &[], None);
    })
}

fn commits(node: NodeId) -> u64 {
    repeat(node, |bench, number, counted| {
        bench.run("begin", &[], None);
        bench.run("update", &[1, account(number)], None);
        bench.run("commit", &[], counted);
    })
}

fn tpcb() -> u64 {
    repeat(LEADER, |bench, number, counted| {
        let (aid, tid) = (account(number), number % TELLERS + 1);
        bench.run("begin", &[], counted);
        bench.run("update", &[number, aid], counted);
        bench.run("select", &[aid], counted);
        bench.run("tellers", &[number, tid], counted);
        bench.run("branches", &[number, 1], counted);
        bench.run("history", &[tid, 1, aid, number], counted);
        bench.run("commit", &[], counted);
    })
}

fn transfers() -> u64 {
    repeat(LEADER, |bench, number, counted| {
        let sql = format!(
            "BEGIN; UPDATE pgbench_accounts SET abalance = abalance - {number} WHERE aid = 1; \
             UPDATE pgbench_accounts SET abalance = abalance + {number} WHERE aid = 2; \
             INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, 2, {number}, CURRENT_TIMESTAMP); COMMIT"
        );
        let mut message = BytesMut::new();
        frontend::query(&sql, &mut message).expect("short");
        bench.ask(message, counted);
    })
}

fn ledger_batch() -> u64 {
    let mut books = MemoryBooks::default();
    let account = |id: u64| Account { id: u128::from(id) + 1, ledger: 1, code: 1, ..Account::default() };
    let accounts: Vec<Account> = (0..LEDGER_ACCOUNTS).map(account).collect();
    books.load_ledger(1, Some(Ledger { id: 1, name: "counted".to_owned(), ..Ledger::default() }));
    let opened = Batch::new(&mut books).run(&accounts, 1);
    let transfer = |number: u64| Transfer {
        id: u128::from(number) + 1,
        debit_account: u128::from(number * 7_919 % LEDGER_ACCOUNTS) + 1,
        credit_account: u128::from((number * 7_919 + 1) % LEDGER_ACCOUNTS) + 1,
        amount: u128::from(number % 100) + 1,
        ledger: 1,
        code: 1,
        ..Transfer::default()
    };
    let transfers: Vec<Transfer> = (0..TRANSFERS).map(transfer).collect();
    let done = counted::batch(&mut books, &transfers);
    assert!(opened.iter().chain(&done).all(|outcome| outcome.code == Code::Ok));
    TRANSFERS
}

/// A statement with a packed batch.
fn packed(statement: &str, batch: &[u8]) -> BytesMut {
    let mut message = BytesMut::new();
    let binary = |bytes: &[u8], buffer: &mut BytesMut| {
        buffer.extend_from_slice(bytes);
        Ok(IsNull::No)
    };
    let bound = frontend::bind("", statement, [1], [batch], binary, [1], &mut message);
    assert!(bound.is_ok(), "a batch is short enough");
    frontend::execute("", 0, &mut message).expect("short");
    frontend::sync(&mut message);
    message
}

/// Ids and accounts are scattered as a client's are: ids ascend, accounts do not.
fn packed_batches() -> u64 {
    let mut bench = Bench::new();
    bench.world.query(LEADER, "SELECT ledger.define('{\"id\": 1, \"name\": \"counted\"}')").ok();
    let id = |number: u64| (u128::from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) << 64) | (u128::from(number) + 1);
    let account = |number: u64| Account { id: id(number), ledger: 1, code: 1, ..Account::default() };
    let accounts: Vec<Account> = (0..PACKED_ACCOUNTS).map(account).collect();
    bench.ask_at_length(packed("open", &packed::encode_accounts(&accounts)), None);
    for batch in 0..=PACKED_BATCHES {
        let transfer = |number: u64| Transfer {
            id: u128::from(batch * TRANSFERS + number) + 1,
            debit_account: id(number * 7_919 % PACKED_ACCOUNTS),
            credit_account: id((number * 4_057 + 1) % PACKED_ACCOUNTS),
            amount: u128::from(number % 100) + 1,
            ledger: 1,
            code: 1,
            ..Transfer::default()
        };
        let transfers: Vec<Transfer> = (0..TRANSFERS).map(transfer).collect();
        let counted = (batch > 0).then_some(LEADER);
        let answer = bench.ask_at_length(packed("book", &packed::encode_transfers(&transfers)), counted);
        assert_eq!(answer.rows.len(), 1);
    }
    let found = bench.world.query(LEADER, "SELECT count(*) FROM ledger.transfers").ok();
    assert_eq!(found, [[Some(((PACKED_BATCHES + 1) * TRANSFERS).to_string())]], "all are booked");
    PACKED_BATCHES * TRANSFERS
}
