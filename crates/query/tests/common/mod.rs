//! A session in miniature: a small catalog, rows in vectors, and answers to whatever the engine asks.
#![allow(dead_code)]

use base::{Error, SchemaVersion, StorageId, Wall};
use bytes::Bytes;
use query::{Engine, EngineOptions};
use sql::catalog::*;
use sql::engine::*;
use sql::key;
use sql::row::RowLayout;
use sql::types::{NumericModifier, Settings, Type, text};
use sql::value::Value;
use sqlparser::ast::{Query, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Long enough for a slow machine; a test that waits so long has failed.
const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// Rows in one answer to a scan: small, so that scans go on.
pub const SCAN_ROWS: usize = 7;

pub struct Harness {
    pub engine: Engine,
    pub catalog: Arc<Catalog>,
    data: BTreeMap<u32, Vec<(Bytes, Bytes)>>,
    events: Mutex<Receiver<(QueryId, EngineEvent)>>,
    next: AtomicU64,
    pub time_zone: String,
}

/// What a query gave.
#[derive(Debug, Default)]
pub struct Answer {
    pub names: Vec<String>,
    pub types: Vec<u32>,
    pub modifiers: Vec<i32>,
    pub parameter_types: Vec<u32>,
    pub rows: Vec<Vec<Value>>,
    pub explain: Option<String>,
    pub scanned_rows: usize,
}

impl Answer {
    /// As psql's unaligned output: values with bars between, NULL as `∅`.
    pub fn text(&self) -> Vec<String> {
        let settings = Settings::default();
        let cell = |(value, oid): (&Value, &u32)| match value {
            Value::Null => String::from("∅"),
            value => print(value, *oid, &settings),
        };
        self.rows.iter().map(|row| row.iter().zip(&self.types).map(cell).collect::<Vec<_>>().join("|")).collect()
    }
}

fn print(value: &Value, oid: u32, settings: &Settings) -> String {
    if let Value::Text(text) = value {
        return text.to_string();
    }
    let oid = match oid {
        22 => 1005,
        30 => 1028,
        1034 => 1009,
        oid => oid,
    };
    text::to_string(value, Type::from_oid(oid).unwrap_or(Type::Text), settings)
}

impl Harness {
    pub fn new(options: EngineOptions) -> Harness {
        let (sender, receiver): (Sender<(QueryId, EngineEvent)>, _) = channel();
        let sender = Mutex::new(sender);
        let engine = Engine::new(
            options,
            Box::new(move |id, event| {
                let _test_ended = sender.lock().expect("no test panics while sending").send((id, event));
            }),
        );
        let (catalog, data) = sample();
        Harness {
            engine,
            catalog: Arc::new(catalog),
            data,
            events: Mutex::new(receiver),
            next: AtomicU64::new(1),
            time_zone: String::from("UTC"),
        }
    }

    pub fn job(&self, sql: &str, parameters: Vec<Value>, parameter_types: Vec<u32>) -> QueryJob {
        QueryJob {
            id: QueryId(self.next.fetch_add(1, Ordering::Relaxed)),
            query: Arc::new(parse(sql)),
            parameters,
            parameter_types,
            catalog: self.catalog.clone(),
            settings: QuerySettings {
                user: String::from("postgres"),
                database: String::from("florin"),
                search_path: vec![String::from("$user"), String::from("public")],
                time_zone: self.time_zone.clone(),
                // 2024-03-10 15:30:45.123456 UTC
                transaction_start: Wall(1_710_084_645_123_456),
                statement_start: Wall(1_710_084_645_123_456),
                backend_pid: 42,
            },
            explain: None,
        }
    }

    pub fn run(&self, sql: &str) -> Result<Answer, Error> {
        self.run_with(sql, Vec::new(), Vec::new())
    }

    pub fn run_with(&self, sql: &str, parameters: Vec<Value>, types: Vec<u32>) -> Result<Answer, Error> {
        self.answer(EngineCommand::Run(self.job(sql, parameters, types)))
    }

    pub fn describe(&self, sql: &str, types: Vec<u32>) -> Result<Answer, Error> {
        self.answer(EngineCommand::Describe(self.job(sql, Vec::new(), types)))
    }

    /// The result as text; panics with the error if there is one.
    pub fn text(&self, sql: &str) -> Vec<String> {
        match self.run(sql) {
            Ok(answer) => answer.text(),
            Err(error) => panic!("{error:?} for {sql}"),
        }
    }

    /// The SQLSTATE of the error that the statement must end with.
    pub fn state(&self, sql: &str) -> String {
        match self.run(sql) {
            Ok(answer) => format!("no error but {:?}", answer.text()),
            Err(error) => error.state().to_string(),
        }
    }

    pub fn next_event(&self) -> (QueryId, EngineEvent) {
        self.events.lock().expect("one test reads at a time").recv_timeout(ANSWER_WAIT).expect("the engine answers")
    }

    /// Answers scans until the query ends.
    pub fn answer(&self, command: EngineCommand) -> Result<Answer, Error> {
        let describe = matches!(command, EngineCommand::Describe(_));
        let query = match &command {
            EngineCommand::Describe(job) | EngineCommand::Run(job) => job.id,
            _ => panic!("not a start"),
        };
        self.engine.command(command);
        let mut answer = Answer::default();
        let mut scans: BTreeMap<u32, usize> = BTreeMap::new();
        loop {
            let (id, event) = self.next_event();
            if id != query {
                continue;
            }
            match event {
                EngineEvent::Described { fields, parameter_types } => {
                    answer.names = fields.iter().map(|field| field.name.clone()).collect();
                    answer.types = fields.iter().map(|field| field.type_oid).collect();
                    answer.modifiers = fields.iter().map(|field| field.type_modifier).collect();
                    answer.parameter_types = parameter_types;
                    if describe {
                        return Ok(answer);
                    }
                }
                EngineEvent::Scan { scan, table_oid, range } => {
                    let at = scans.entry(scan.0).or_insert(0);
                    let rows: Vec<Bytes> = self.data[&table_oid]
                        .iter()
                        .filter(|(key, _)| {
                            range.as_ref().is_none_or(|range| *key >= range.start && (range.end.is_empty() || *key < range.end))
                        })
                        .map(|(_, row)| row.clone())
                        .collect();
                    let chunk: Vec<Bytes> = rows.iter().skip(*at).take(SCAN_ROWS).cloned().collect();
                    *at += chunk.len();
                    answer.scanned_rows += chunk.len();
                    let last = *at >= rows.len();
                    self.engine.command(EngineCommand::Rows { query, scan, rows: chunk, last });
                }
                EngineEvent::SystemScan { scan, name } => {
                    let width = sql::system::ALL.iter().find(|table| table.name == name).map_or(0, |table| table.columns.len());
                    let rows = vec![vec![Value::Null; width]];
                    self.engine.command(EngineCommand::SystemRows { query, scan, rows });
                }
                EngineEvent::Rows(rows) => {
                    assert!(rows.len() <= CHUNK_ROWS);
                    answer.rows.extend(rows);
                    self.engine.command(EngineCommand::More { query });
                }
                EngineEvent::Done { explain } => {
                    answer.explain = explain;
                    return Ok(answer);
                }
                EngineEvent::Failed(error) => return Err(error),
            }
        }
    }
}

pub fn parse(sql: &str) -> Query {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap_or_else(|error| panic!("{error} in {sql}"));
    match statements.remove(0) {
        Statement::Query(query) => *query,
        other => panic!("not a query: {other}"),
    }
}

fn column(name: &str, ty: Type, modifier: i32, not_null: bool, default: Option<&str>) -> Column {
    Column {
        name: name.into(),
        type_oid: ty.oid(),
        type_modifier: modifier,
        not_null,
        default: default.map(str::to_owned),
        identity: None,
        dropped: false,
        missing: Value::Null,
    }
}

fn index(oid: u32, name: &str, columns: &[usize], unique: bool, primary: bool) -> Index {
    Index { oid, name: name.into(), storage: StorageId(oid), columns: columns.to_vec(), unique, primary }
}

/// The tables that scripts/reference.sql makes in PostgreSQL too.
pub fn sample() -> (Catalog, BTreeMap<u32, Vec<(Bytes, Bytes)>>) {
    let money = NumericModifier { precision: 18, scale: 2 }.encode();
    let mut customers = table(16388, "customers");
    customers.columns = vec![
        column("id", Type::Int8, -1, true, None),
        column("name", Type::Text, -1, true, None),
        column("email", Type::VarChar, 104, false, None),
        column("created", Type::TimestampTz, -1, true, Some("now()")),
        column("balance", Type::Numeric, money, false, Some("0")),
    ];
    customers.primary_key = vec![0];
    customers.indexes = vec![index(16394, "customers_pkey", &[0], true, true), index(16396, "customers_email_key", &[2], true, false)];
    customers.checks = vec![Check { name: "customers_balance_check".into(), expression: "balance >= 0".into() }];

    let mut orders = table(16401, "orders");
    orders.columns = vec![
        column("id", Type::Int8, -1, true, None),
        column("customer_id", Type::Int8, -1, true, None),
        column("amount", Type::Numeric, NumericModifier { precision: 12, scale: 2 }.encode(), false, None),
        column("placed", Type::Date, -1, false, None),
        column("note", Type::Text, -1, false, None),
    ];
    orders.columns[0].identity = Some(Identity::ByDefault);
    orders.primary_key = vec![0];
    orders.indexes = vec![index(16406, "orders_pkey", &[0], true, true), index(16408, "orders_customer", &[1, 3], false, false)];

    let mut kinds = table(16420, "kinds");
    kinds.columns = vec![
        column("k", Type::Int4, -1, true, None),
        column("s", Type::Int2, -1, false, None),
        column("b", Type::Bool, -1, false, None),
        column("f", Type::Float8, -1, false, None),
        column("n", Type::Numeric, -1, false, None),
        column("u", Type::Uuid, -1, false, None),
        column("ts", Type::Timestamp, -1, false, None),
        column("i", Type::Interval, -1, false, None),
        column("j", Type::Jsonb, -1, false, None),
        column("y", Type::Bytea, -1, false, None),
        column("a", Type::Array(&Type::Int4), -1, false, None),
        column("t", Type::Time, -1, false, None),
    ];
    kinds.primary_key = vec![0];
    kinds.indexes = vec![index(16421, "kinds_pkey", &[0], true, true)];

    let accounts = {
        let mut accounts = table(16410, "pgbench_accounts");
        accounts.columns = vec![
            column("aid", Type::Int4, -1, true, None),
            column("bid", Type::Int4, -1, false, None),
            column("abalance", Type::Int4, -1, false, None),
            column("filler", Type::BpChar, 88, false, None),
        ];
        accounts.primary_key = vec![0];
        accounts.indexes = vec![index(16411, "pgbench_accounts_pkey", &[0], true, true)];
        accounts
    };
    let sequence = |oid, name: &str, owned_by| Sequence {
        oid,
        schema: "public".into(),
        name: name.into(),
        start: 1,
        increment: 1,
        min: 1,
        max: i64::MAX,
        cycle: false,
        owned_by,
    };

    let mut catalog = Catalog { version: SchemaVersion(1), ..Catalog::default() };
    let mut public = Schema { oid: 2200, name: "public".into(), ..Schema::default() };
    let mut data = BTreeMap::new();
    for (table, rows) in [(customers, customer_rows()), (orders, order_rows()), (kinds, kind_rows()), (accounts, Vec::new())] {
        public.relations.insert(table.name.clone(), table.oid);
        public.relations.extend(table.indexes.iter().map(|index| (index.name.clone(), index.oid)));
        data.insert(table.oid, stored(&table, rows));
        catalog.tables.insert(table.oid, Arc::new(table));
    }
    for sequence in [sequence(16400, "orders_id_seq", Some((16401, 0))), sequence(16414, "tickets", None)] {
        public.relations.insert(sequence.name.clone(), sequence.oid);
        catalog.sequences.insert(sequence.oid, Arc::new(sequence));
    }
    catalog.schemas.insert("public".into(), public);
    let role =
        Role { oid: 10, name: "postgres".into(), superuser: true, login: true, create_database: true, create_role: true, scram: None };
    catalog.roles.insert("postgres".into(), Arc::new(role));
    (catalog, data)
}

fn table(oid: u32, name: &str) -> Table {
    Table {
        oid,
        schema: "public".into(),
        name: name.into(),
        storage: StorageId(oid),
        columns: vec![],
        primary_key: vec![],
        shard_key: vec![],
        indexes: vec![],
        checks: vec![],
    }
}

fn stored(table: &Table, rows: Vec<Vec<Value>>) -> Vec<(Bytes, Bytes)> {
    let layout = RowLayout::of_table(table).expect("known types");
    let mut stored: Vec<(Bytes, Bytes)> = rows
        .into_iter()
        .map(|values| {
            let columns = table
                .primary_key
                .iter()
                .map(|column| (&values[*column], Type::from_oid(table.columns[*column].type_oid).expect("known type")));
            let key = key::key(table.storage, columns).expect("a key");
            let mut row = Vec::new();
            layout.encode(&values, &mut row).expect("a row");
            (key, Bytes::from(row))
        })
        .collect();
    stored.sort();
    stored
}

/// A value of a type from its text, `∅` for NULL.
fn read(word: &str, ty: Type) -> Value {
    if word == "∅" {
        Value::Null
    } else {
        text::parse(word, ty, -1, &Settings::default()).unwrap_or_else(|error| panic!("{error} in {word}"))
    }
}

fn rows(types: &[Type], lines: &[&str]) -> Vec<Vec<Value>> {
    lines.iter().map(|line| line.split('|').zip(types).map(|(text, ty)| read(text, *ty)).collect()).collect()
}

pub const CUSTOMERS: &[&str] = &[
    "1|Ada|ada@example.org|2024-01-01 00:00:00+00|100.50",
    "2|Bob|bob@example.org|2024-01-15 12:30:00+00|0.00",
    "3|Cyd|∅|2024-02-29 23:59:59.999999+00|7.25",
    "4|Dan|dan@example.org|2024-03-01 00:00:00+00|∅",
];

pub const ORDERS: &[&str] = &[
    "1|1|10.00|2024-01-02|first",
    "2|1|20.50|2024-01-03|∅",
    "3|2|5.25|2024-01-16|gift",
    "4|1|∅|2024-02-01|a_b",
    "5|3|99.99|2024-03-01|50%",
    "6|3|0.01|∅|first",
    "7|2|5.25|2024-01-20|",
    "8|9|1.00|2024-05-05|orphan",
    "9|3|33.33|2024-03-02|it's",
    "10|1|12.34|2024-03-03|Päß",
];

pub const KINDS: &[&str] = &[
    "1|10|t|1.5|1.50|00000000-0000-0000-0000-000000000001|2024-01-01 10:20:30|1 day|{\"a\": 1}|\\x00ff|{1,2,3}|01:02:03",
    "2|-3|f|-0.25|-12345.678|ffffffff-ffff-ffff-ffff-ffffffffffff|2024-02-29 00:00:00.5|1 mon 2 days 03:04:05|[1, 2]|\\x|{}|23:59:59.999999",
    "3|∅|∅|∅|∅|∅|∅|∅|∅|∅|∅|∅",
    "4|32767|t|1e300|0|00000000-0000-0000-0000-000000000001|infinity|-00:00:01|\"x\"|\\x61|{NULL,7}|00:00:00",
];

fn customer_rows() -> Vec<Vec<Value>> {
    rows(&[Type::Int8, Type::Text, Type::VarChar, Type::TimestampTz, Type::Numeric], CUSTOMERS)
}

fn order_rows() -> Vec<Vec<Value>> {
    rows(&[Type::Int8, Type::Int8, Type::Numeric, Type::Date, Type::Text], ORDERS)
}

pub fn kind_rows() -> Vec<Vec<Value>> {
    let types = [
        Type::Int4,
        Type::Int2,
        Type::Bool,
        Type::Float8,
        Type::Numeric,
        Type::Uuid,
        Type::Timestamp,
        Type::Interval,
        Type::Jsonb,
        Type::Bytea,
        Type::Array(&Type::Int4),
        Type::Time,
    ];
    rows(&types, KINDS)
}
