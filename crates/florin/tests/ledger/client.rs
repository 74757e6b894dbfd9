//! The Rust client.

use crate::cable::Cable;
use crate::node::{Node, Scratch};
use base::prng::Prng;
use florin_client::{
    ALL, AccountFlags, Balance, Balances, Booked, Code, Cursor, Definition, EntryKind, EntryQuery, Error, Id, Ledger, Leg, NewAccount,
    Options, PendingState, Timestamp, Transfer,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const TASKS: u64 = 64;
const TRANSFERS_MIN: usize = 3_000;
const CUTS: usize = 8;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made")
}

fn options(address: std::net::SocketAddr) -> Options {
    Options::of_address(&address.to_string(), "florin").expect("an address")
}

async fn ledger_of(node: &Node) -> Ledger {
    let ledger = Ledger::connect(options(node.sql)).await.expect("the node serves");
    ledger
        .define(&Definition { id: 1, name: "euro".into(), currency: "EUR".into(), scale: 2, ..Definition::default() })
        .await
        .expect("defined");
    ledger
}

async fn open(ledger: &Ledger, count: usize) -> Vec<Id> {
    let ids: Vec<Id> = (0..count).map(|_| Id::new()).collect();
    let outcomes = ledger.open_accounts(ids.iter().map(|id| NewAccount::new(*id, 1, 10)).collect()).await.expect("opened");
    assert!(outcomes.iter().all(|outcome| outcome.is_booked()), "{outcomes:?}");
    ids
}

fn refused(answer: Result<Booked, Error>) -> Code {
    match answer {
        Err(Error::Refused(refusal)) => refusal.code,
        other => panic!("{other:?} was to be refused"),
    }
}

#[derive(Default)]
struct Load {
    stop: AtomicBool,
    booked: AtomicUsize,
}

/// What a task moved, as each account's change.
async fn move_until_stopped(ledger: Ledger, ids: Vec<Id>, seed: u64, load: Arc<Load>) -> Vec<(Id, i128)> {
    let mut random = Prng::new(seed);
    let mut moved = Vec::new();
    while !load.stop.load(Ordering::Relaxed) {
        let debit = random.below(ids.len() as u64) as usize;
        let credit = (debit + 1 + random.below(ids.len() as u64 - 1) as usize) % ids.len();
        let amount = i128::from(random.between(1, 1_000));
        let transfer = match random.below(50) {
            // A document, which travels alone.
            0 => Transfer::between(ids[debit], ids[credit], amount as u128).metadata("{}"),
            1 => Transfer::posting(&[Leg::debit(ids[debit], amount as u128), Leg::credit(ids[credit], amount as u128)]),
            _ => Transfer::between(ids[debit], ids[credit], amount as u128),
        };
        if random.one_in(50) {
            let chain = vec![transfer, Transfer::between(ids[credit], ids[debit], 1)];
            ledger.chain(chain).await.expect("nothing limits these accounts");
            moved.extend([(ids[debit], 1), (ids[credit], -1)]);
        } else {
            ledger.transfer(transfer).await.expect("nothing limits these accounts");
        }
        moved.extend([(ids[debit], -amount), (ids[credit], amount)]);
        load.booked.fetch_add(1, Ordering::Relaxed);
    }
    moved
}

#[test]
fn many_tasks_move_each_amount_once_though_connections_are_cut() {
    let scratch = Scratch::new("ledger-cuts");
    let node = Node::start(&scratch.path("data"), &[]);
    runtime().block_on(async {
        let ledger = ledger_of(&node).await;
        let ids = open(&ledger, 20).await;
        let cable = Cable::to(node.sql).await;
        let through = Ledger::connect(options(cable.address)).await.expect("the node serves");
        let load = Arc::new(Load::default());
        let tasks: Vec<_> =
            (0..TASKS).map(|seed| tokio::spawn(move_until_stopped(through.clone(), ids.clone(), seed, Arc::clone(&load)))).collect();
        let begun = Instant::now();
        let mut booked = 0;
        let mut cuts = 0;
        while cuts < CUTS || booked < TRANSFERS_MIN {
            assert!(begun.elapsed() < Duration::from_secs(120), "{booked} transfers in two minutes");
            let before = cable.connections();
            cable.cut();
            cuts += 1;
            // As soon as the client is back, and has moved something, it is cut off again.
            while cable.connections() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            booked = load.booked.load(Ordering::Relaxed);
        }
        load.stop.store(true, Ordering::Relaxed);
        let mut expected: BTreeMap<Id, i128> = ids.iter().map(|id| (*id, 0)).collect();
        for task in tasks {
            for (id, change) in task.await.expect("no task panics") {
                *expected.entry(id).or_default() += change;
            }
        }
        let found = ledger.accounts(&ids).await.expect("the node serves").into_iter().flatten();
        let found: BTreeMap<Id, i128> = found.map(|account| (account.id, account.balances.posted())).collect();
        assert_eq!(found, expected);
        assert_eq!(ledger.audit().await.expect("the node serves"), []);
        println!("{booked} transfers, {cuts} cuts, {} connections, {:.1} s", cable.connections(), begun.elapsed().as_secs_f64());
    });
}

#[test]
fn two_phases_reversal_and_what_is_read_back() {
    let scratch = Scratch::new("ledger-phases");
    let node = Node::start(&scratch.path("data"), &[]);
    runtime().block_on(async {
        let ledger = ledger_of(&node).await;
        let (cash, ada) = (Id::new(), Id::new());
        let history = AccountFlags::HISTORY;
        let opened = ledger.open_account(NewAccount::new(cash, 1, 10).flags(history)).await.expect("opened");
        assert!(ledger.open_account(NewAccount::new(cash, 1, 10).flags(history)).await.expect("the same again").existed);
        let customer = NewAccount::new(ada, 1, 20).flags(history.with(AccountFlags::DEBITS_WITHIN_CREDITS)).metadata(r#"{"owner":"Ada"}"#);
        ledger.open_account(customer).await.expect("opened");
        let paid = ledger.transfer(Transfer::between(cash, ada, 1_000).code(7).user_data(1, u64::MAX, 3)).await.expect("booked");
        assert_eq!(refused(ledger.transfer(Transfer::between(ada, cash, 1_001)).await), Code::ExceedsCredits);
        let held = Transfer::between(ada, cash, 400).pending(Some(Duration::from_secs(600)));
        ledger.transfer(held.clone()).await.expect("booked");
        assert!(ledger.transfer(held.clone()).await.expect("the same again").existed);
        assert_eq!(ledger.balances(ada).await.expect("answered").expect("open").available_low(), 600);
        ledger.transfer(Transfer::post(held.id(), 150)).await.expect("booked");
        assert_eq!(refused(ledger.transfer(Transfer::void(held.id())).await), Code::PendingAlreadyPosted);
        ledger.transfer(Transfer::reverse(paid.id, 50)).await.expect("booked");
        let rest = ledger.transfer(Transfer::reverse(paid.id, ALL)).await;
        assert_eq!(refused(rest), Code::ExceedsCredits, "Ada spent some of it");

        let states = ledger.states(&[held.id(), paid.id, Id::new()]).await.expect("answered");
        assert_eq!(states[0].map(|state| state.pending), Some(Some(PendingState::Posted)));
        assert_eq!((states[1].map(|state| state.reversed), states[2]), (Some(50), None));
        let recorded = ledger.recorded(&[paid.id]).await.expect("answered")[0].clone().expect("booked");
        assert_eq!((recorded.amount, recorded.code, recorded.user_data_64), (1_000, 7, u64::MAX));
        let account = ledger.account(ada).await.expect("answered").expect("open");
        assert_eq!(account.metadata.as_deref(), Some(r#"{"owner": "Ada"}"#));
        let sums = |debits_posted, credits_posted| Balances { debits_posted, credits_posted, ..Balances::default() };
        assert_eq!(account.balances, sums(200, 1_000));
        assert_eq!(ledger.balances_as_of(ada, paid.timestamp).await.expect("answered"), Some(sums(0, 1_000)));
        assert_eq!(ledger.balances_as_of(cash, Timestamp(opened.timestamp.0 - 1)).await.expect("answered"), None);
        let kinds = |page: &florin_client::Page| page.entries.iter().map(|entry| entry.kind).collect::<Vec<EntryKind>>();
        let page = ledger.entries(ada, EntryQuery { limit: 3, ..EntryQuery::default() }).await.expect("answered");
        assert_eq!(kinds(&page), [EntryKind::Posted, EntryKind::Pending, EntryKind::Released]);
        let rest = ledger.entries(ada, EntryQuery { after: page.next, ..EntryQuery::default() }).await.expect("answered");
        assert_eq!((kinds(&rest), rest.next), (vec![EntryKind::Posted, EntryKind::Posted], None));
        assert_eq!(rest.entries[1].balances, Some(sums(200, 1_000)));
    });
}

#[test]
fn postings_bounds_chains_and_pages() {
    let scratch = Scratch::new("ledger-postings");
    let node = Node::start(&scratch.path("data"), &[]);
    runtime().block_on(async {
        let ledger = ledger_of(&node).await;
        let ids = open(&ledger, 3).await;
        let bounded = Id::new();
        let account = NewAccount::new(bounded, 1, 20).minimum(-50, Balance::Posted).parent(ids[0]);
        ledger.open_account(account).await.expect("opened");
        let low = |amount| Transfer::between(bounded, ids[1], amount);
        assert_eq!(refused(ledger.transfer(low(51)).await), Code::BelowMinimum);

        let legs: Vec<Leg> = (0..5).map(|_| Leg::debit(ids[0], 2)).chain([Leg::credit(ids[1], 4), Leg::credit(ids[2], 6)]).collect();
        let yesterday = Timestamp::from(std::time::SystemTime::now() - Duration::from_secs(86_400));
        let posting = Transfer::posting(&legs).effective(yesterday).value_date(20_000).metadata(r#"{"invoice":7}"#);
        let booked = ledger.transfer(posting.clone()).await.expect("booked");
        assert_eq!(ledger.transfer(posting.clone()).await.expect("the same again").timestamp, booked.timestamp);
        let recorded = ledger.recorded(&[posting.id()]).await.expect("answered")[0].clone().expect("booked");
        assert_eq!((recorded.legs, recorded.value_date, recorded.amount), (legs, Some(20_000), 10));
        assert_eq!(recorded.effective, Some(Timestamp(yesterday.0 / 1_000 * 1_000)));
        let undone = ledger.transfer(Transfer::reverse(posting.id(), ALL).metadata(r#"{"why":"all"}"#)).await.expect("booked");
        let undone = ledger.recorded(&[undone.id]).await.expect("answered")[0].clone().expect("booked");
        assert_eq!((undone.legs.len(), undone.amount, undone.refers_to), (7, 10, Some(posting.id())));

        let chain = vec![Transfer::between(ids[0], ids[1], 5), Transfer::between(ids[1], ids[2], 5)];
        let first = ledger.chain(chain.clone()).await.expect("booked");
        let again = ledger.chain(chain).await.expect("the same again");
        assert!(again.iter().zip(&first).all(|(again, first)| again.existed && again.timestamp == first.timestamp));
        for metadata in ["", "{}"] {
            let broken = vec![Transfer::between(ids[0], ids[1], 7).metadata(metadata), low(51)];
            let told = ledger.chain(broken.clone()).await;
            assert!(matches!(told, Err(Error::Refused(refusal)) if refusal.id == broken[1].id() && refusal.code == Code::BelowMinimum));
            assert!(ledger.recorded(&[broken[0].id()]).await.expect("answered")[0].is_none());
        }
        ledger.chain(vec![low(1).metadata("{}"), Transfer::between(ids[1], bounded, 1)]).await.expect("booked");

        for newest_first in [false, true] {
            let mut seen: Vec<Cursor> = Vec::new();
            let mut query = EntryQuery { newest_first, limit: 2, ..EntryQuery::default() };
            loop {
                let page = ledger.entries(ids[0], query).await.expect("answered");
                seen.extend(page.entries.iter().map(|entry| Cursor { timestamp: entry.timestamp, number: entry.number }));
                query.after = page.next;
                if page.next.is_none() {
                    break;
                }
            }
            let mut keys: Vec<(Timestamp, i32)> = seen.iter().map(|cursor| (cursor.timestamp, cursor.number)).collect();
            if newest_first {
                keys.reverse();
            }
            assert_eq!(keys.len(), 11, "five legs, the same back, and the chain's: {keys:?}");
            assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
        }
        assert_eq!(ledger.audit().await.expect("answered"), []);
    });
}

#[test]
fn a_list_longer_than_a_batch_is_booked_in_order() {
    let scratch = Scratch::new("ledger-list");
    let node = Node::start(&scratch.path("data"), &[]);
    runtime().block_on(async {
        let ledger = ledger_of(&node).await;
        let ids = open(&ledger, 2).await;
        let transfers = (0..9_000).map(|_| Transfer::between(ids[0], ids[1], 1)).collect();
        let outcomes = ledger.transfers(transfers).await.expect("booked");
        assert!(outcomes.iter().all(|outcome| outcome.code == Code::Ok));
        assert!(outcomes.is_sorted_by(|a, b| a.timestamp < b.timestamp));
        assert_eq!(ledger.balances(ids[1]).await.expect("answered").expect("open").posted(), 9_000);
        let at = outcomes[4_999].timestamp;
        assert_eq!(ledger.balances_as_of(ids[1], at).await.expect("answered").expect("open").posted(), 5_000);
        let all = ledger.all_balances(Some(at), None, 10).await.expect("answered");
        assert_eq!(all.iter().map(|line| line.balances.posted()).sum::<i128>(), 0);
        assert!(all.iter().any(|line| line.balances.posted() == 5_000));
    });
}

#[test]
fn a_node_that_is_gone_is_told_apart_from_an_outcome_that_is_unknown() {
    let scratch = Scratch::new("ledger-gone");
    let node = Node::start(&scratch.path("data"), &[]);
    runtime().block_on(async {
        let ids = open(&ledger_of(&node).await, 2).await;
        let short = options(node.sql).give_up_after(Duration::from_millis(300));
        let ledger = Ledger::lazy(short);
        ledger.transfer(Transfer::between(ids[0], ids[1], 1)).await.expect("booked");
        node.kill();
        let told = ledger.transfer(Transfer::between(ids[0], ids[1], 1)).await;
        // The connection that was open may have taken it; a new one cannot have.
        assert!(matches!(told, Err(Error::OutcomeUnknown(_) | Error::Unreachable(_))), "{told:?}");
        let told = ledger.transfer(Transfer::between(ids[0], ids[1], 1)).await;
        assert!(matches!(told, Err(Error::Unreachable(_))), "{told:?}");
    });
}
