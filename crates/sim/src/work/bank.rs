//! Transfers between accounts, within one shard and across shards, with a journal; snapshots of all balances meanwhile.

use super::{Findings, Pace, Workload};
use crate::check::facts::{Balances, Inserts, check_money};
use crate::client::{Client, Failure, Task};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

const ACCOUNTS: u64 = 12;
const START_BALANCE: i64 = 1000;
/// The first table is spread over the shards, the second lives in one.
const TABLES: [&str; 2] = ["bank_spread", "bank_whole"];

#[derive(Clone, Copy, Debug)]
struct Move {
    table: usize,
    from: u64,
    to: u64,
    amount: i64,
}

#[derive(Default)]
struct Record {
    seen: [Vec<Balances>; 2],
    moves: BTreeMap<u64, Move>,
    journal: [Inserts; 2],
    last_journal: [Vec<(u64, i64)>; 2],
    last_balances: [BTreeMap<u64, i64>; 2],
}

pub struct Bank {
    pace: Pace,
    record: RefCell<Record>,
}

impl Bank {
    pub fn new(pace: Pace) -> Bank {
        Bank { pace, record: RefCell::default() }
    }

    async fn transfer(&self, client: &Client, number: u64) {
        let table = client.below(2) as usize;
        let name = TABLES[table];
        let from = client.below(ACCOUNTS);
        let to = (from + client.between(1, ACCOUNTS - 1)) % ACCOUNTS;
        let amount = client.between(1, 9) as i64;
        let id = u64::from(client.id) * 1_000_000 + number;
        let planned = Move { table, from, to, amount };
        let begin = ["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE"][client.below(3) as usize];
        let style = client.below(4);
        let (fate, _) = client
            .transaction(begin, async |c: &Client| {
                if style == 0 {
                    let select = format!("SELECT balance FROM {name} WHERE id = {from} FOR UPDATE");
                    if c.run(&select).await?.number(0, 0).is_none_or(|balance| balance < amount) {
                        return Err(Failure::Refused(base::SqlState::CHECK_VIOLATION, "not enough money".into()));
                    }
                }
                if style == 1 {
                    // What is rolled back to a savepoint leaves no trace.
                    c.run("SAVEPOINT before").await?;
                    c.run(&format!("UPDATE {name} SET balance = balance - 500 WHERE id = {to}")).await?;
                    c.run("ROLLBACK TO SAVEPOINT before").await?;
                }
                c.run(&format!("UPDATE {name} SET balance = balance - {amount} WHERE id = {from}")).await?;
                c.run(&format!("UPDATE {name} SET balance = balance + {amount} WHERE id = {to}")).await?;
                c.run(&format!("INSERT INTO {name}_journal (id, amount) VALUES ({id}, {amount})")).await?;
                if style == 2 && c.one_in(4) {
                    return Err(Failure::Refused(base::SqlState::QUERY_CANCELED, "changed its mind".into()));
                }
                Ok(())
            })
            .await;
        let mut record = self.record.borrow_mut();
        record.moves.insert(id, planned);
        record.journal[table].record(id, amount, fate);
    }

    async fn look(&self, client: &Client) {
        let table = client.below(2) as usize;
        let sql = format!("SELECT id, balance FROM {}", TABLES[table]);
        let result = client.run(&sql).await;
        if let (_, Some(reply)) = client.fate(&result) {
            let sum = (0..reply.rows.len()).filter_map(|row| reply.number(row, 1)).sum();
            let seen = Balances { client: client.id, at: client.now(), accounts: reply.rows.len() as u64, sum };
            self.record.borrow_mut().seen[table].push(seen);
        }
    }

    fn check_journal(&self, table: usize, findings: &mut Findings) {
        let record = self.record.borrow();
        let mut expected: BTreeMap<u64, i64> = (0..ACCOUNTS).map(|id| (id, START_BALANCE)).collect();
        for (id, _) in &record.last_journal[table] {
            let Some(moved) = record.moves.get(id).filter(|moved| moved.table == table) else { continue };
            *expected.entry(moved.from).or_default() -= moved.amount;
            *expected.entry(moved.to).or_default() += moved.amount;
        }
        if expected != record.last_balances[table] {
            let (name, last) = (TABLES[table], &record.last_balances[table]);
            findings.accuse("money", format!("{name}: the journal leads to {expected:?}, the balances are {last:?}"));
        }
        record.journal[table].check(&format!("{}_journal", TABLES[table]), &record.last_journal[table], &mut findings.violations);
    }
}

impl Workload for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            for (table, options) in TABLES.iter().zip([" WITH (shard_key = 'id')", ""]) {
                client.insist(&format!("CREATE TABLE {table} (id bigint PRIMARY KEY, balance bigint NOT NULL){options}")).await;
                client.insist(&format!("CREATE TABLE {table}_journal (id bigint PRIMARY KEY, amount bigint NOT NULL){options}")).await;
                let rows: Vec<String> = (0..ACCOUNTS).map(|id| format!("({id}, {START_BALANCE})")).collect();
                let insert = format!("INSERT INTO {table} (id, balance) VALUES {} ON CONFLICT (id) DO NOTHING", rows.join(", "));
                client.insist(&insert).await;
            }
        })
    }

    fn load(self: Rc<Self>, client: Client) -> Task {
        Box::pin(async move {
            let mut number = 0;
            while self.pace.next(&client).await {
                number += 1;
                if client.one_in(4) { self.look(&client).await } else { self.transfer(&client, number).await }
            }
        })
    }

    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            for (table, name) in TABLES.iter().enumerate() {
                let balances = client.insist(&format!("SELECT id, balance FROM {name}")).await;
                let journal = client.insist(&format!("SELECT id, amount FROM {name}_journal")).await;
                let mut record = self.record.borrow_mut();
                record.last_balances[table] = pairs(&balances).collect();
                record.last_journal[table] = pairs(&journal).collect();
            }
        })
    }

    fn check(&self, findings: &mut Findings) {
        for table in 0..TABLES.len() {
            let record = self.record.borrow();
            check_money(ACCOUNTS, ACCOUNTS as i64 * START_BALANCE, &record.seen[table], &mut findings.violations);
            findings.counts.push(("snapshots of all balances", record.seen[table].len() as u64));
            findings.counts.push(("transfers", record.last_journal[table].len() as u64));
            drop(record);
            self.check_journal(table, findings);
        }
    }
}

/// First two columns of each row as numbers.
pub fn pairs(reply: &crate::client::Reply) -> impl Iterator<Item = (u64, i64)> {
    (0..reply.rows.len()).filter_map(|row| Some((reply.number(row, 0)? as u64, reply.number(row, 1)?)))
}
