//! What clients read of the books: at any moment, and all of it in the end.

use super::choose::{LEDGER, PAIR};
use super::{Ledger, text};
use crate::check::books::Sums;
use crate::check::seconds;
use crate::client::{Client, Failure, Reply};
use crate::clock::EPOCH_MICROS;
use crate::queue::{Micros, SECOND};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What is due is released within this time once all goes well: nodes look each second, by clocks that may be behind.
const EXPIRY_TIME_MAX: Micros = 30 * SECOND;
/// What is due may be so much younger than a node's clock says.
const CLOCKS_APART: Micros = 5 * SECOND;

impl Ledger {
    pub(super) async fn look(&self, client: &Client) {
        self.record.borrow_mut().looks += 1;
        match client.below(4) {
            0 => self.look_at_all(client).await,
            1 => self.look_at_pair(client).await,
            2 => self.follow(client).await,
            _ => self.look_at_history(client).await,
        }
    }

    fn seen(&self, client: &Client, text: &str) {
        let text = format!("client {} at {}: {text}", client.id, seconds(client.now()));
        self.record.borrow_mut().wrong.push(("money", text));
    }

    /// Debits are credits in each ledger, posted and pending.
    async fn look_at_all(&self, client: &Client) {
        let result = client.run(text::ACCOUNTS).await;
        let (_, Some(reply)) = client.fate(&result) else { return };
        let mut ledgers: BTreeMap<u32, Sums> = BTreeMap::new();
        for account in reply.rows.iter().map(|row| text::account(row)) {
            let sums = ledgers.entry(account.ledger).or_default();
            (0..4).for_each(|at| sums[at] += account.sums[at]);
        }
        for (ledger, sums) in ledgers {
            if sums[0] != sums[2] || sums[1] != sums[3] {
                self.seen(client, &format!("ledger {ledger} has the sums {sums:?}: debits are not credits"));
            }
        }
    }

    /// What one of two has, the other owes; also when each is read by a statement of its own.
    async fn look_at_pair(&self, client: &Client) {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ";
        let (_, sums) = client
            .transaction(begin, async |c: &Client| {
                let mut sums: Vec<Sums> = Vec::new();
                for id in PAIR {
                    let reply = c.run(&format!("{} WHERE id = '{}'", text::ACCOUNTS, text::uuid(id))).await?;
                    sums.extend(reply.rows.iter().map(|row| text::account(row).sums));
                }
                Ok(sums)
            })
            .await;
        let Some(sums) = sums else { return };
        let [one, other] = sums.as_slice() else { return self.seen(client, &format!("the pair are {} accounts", sums.len())) };
        if [one[0], one[1], one[2], one[3]] != [other[2], other[3], other[0], other[1]] {
            self.seen(client, &format!("the pair have the sums {one:?} and {other:?}: debits are not credits"));
        }
    }

    /// An account's last entry tells its balances.
    async fn look_at_history(&self, client: &Client) {
        let id = text::uuid(PAIR[client.below(2) as usize]);
        let (_, read) = client
            .transaction("BEGIN ISOLATION LEVEL REPEATABLE READ", async |c: &Client| {
                let account = c.run(&format!("{} WHERE id = '{id}'", text::ACCOUNTS)).await?;
                let entries = format!(
                    "SELECT debits_pending, debits_posted, credits_pending, credits_posted FROM ledger.entries WHERE account = '{id}'"
                );
                Ok((account, c.run(&format!("{entries} ORDER BY timestamp DESC, number DESC LIMIT 1")).await?))
            })
            .await;
        let Some((account, entries)) = read else { return };
        let sums = account.rows.first().map(|row| text::account(row).sums).unwrap_or_default();
        let last = entries.rows.first().map(|row| {
            let mut fields = text::Fields::of(row);
            let sums: Sums = [fields.number(), fields.number(), fields.number(), fields.number()];
            sums
        });
        if last.unwrap_or_default() != sums {
            self.seen(client, &format!("account {id} has the sums {sums:?}, and after its last entry {last:?}"));
        }
    }

    /// All tables at one snapshot, when nothing is left to expire.
    pub(super) async fn read_all(self: Rc<Ledger>, client: Rc<Client>) {
        self.await_expiry(&client).await;
        let queries = [text::LEDGERS, text::ACCOUNTS, text::TRANSFERS, text::ENTRIES, text::STATES, text::EXPIRIES, text::REFUSED];
        loop {
            if client.connect().await {
                let read = async |c: &Client| {
                    let mut replies: Vec<Reply> = Vec::new();
                    for query in queries {
                        replies.push(c.run(query).await?);
                    }
                    let beside = c.run("SELECT id FROM beside").await?;
                    let mut follower = self.record.borrow().follower.clone();
                    follower.catch_up(c).await?;
                    Ok::<_, Failure>((replies, beside, c.run("SELECT ledger.audit()").await?, follower))
                };
                let (_, read) = client.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ", read).await;
                if let Some((replies, beside, audit, follower)) = read {
                    let record = &mut *self.record.borrow_mut();
                    record.last = text::tables(&replies);
                    record.last_beside = (0..beside.rows.len()).filter_map(|row| beside.number(row, 0)).collect();
                    record.follower = follower;
                    record.audit = audit.rows.iter().map(|row| format!("{row:?}")).collect();
                    break;
                }
            }
            client.sleep(SECOND / 10).await;
        }
        self.check_evidence(&client).await;
    }

    async fn await_expiry(&self, client: &Client) {
        let until = client.now() + EXPIRY_TIME_MAX;
        loop {
            let due = (EPOCH_MICROS + client.now().saturating_sub(CLOCKS_APART)) * 1_000;
            let reply = client.insist(text::EXPIRIES).await;
            let late = (0..reply.rows.len()).filter(|row| reply.number(*row, 0).is_some_and(|at| at as u64 <= due)).count();
            if reply.rows.is_empty() || (late == 0 && client.now() >= until) {
                return;
            }
            if client.now() >= until {
                let text = format!(
                    "{late} pending transfers of ledger {LEDGER} are due and were not released within {}",
                    seconds(EXPIRY_TIME_MAX)
                );
                self.record.borrow_mut().wrong.push(("expiry", text));
                return;
            }
            client.sleep(SECOND).await;
        }
    }
}
