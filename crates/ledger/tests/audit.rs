//! An audit finds what was changed behind the ledger's back, and nothing else.

mod support;

use ledger::audit::FINDINGS_MAX;
use ledger::{Account, AccountFlags, Audit, Balances, Books, Bounds, Code, Finding, MemoryBooks, PendingState, Transfer, TransferFlags};
use support::*;

/// Transfers with their states, and accounts: as a database would hand them over.
struct Rows {
    transfers: Vec<(Transfer, Option<PendingState>)>,
    accounts: Vec<Account>,
    reversed: Vec<(u128, u128)>,
}

fn rows(books: &MemoryBooks) -> Rows {
    let recorded = books.transfers().filter_map(|(_, recorded)| Some((recorded.transfer.clone()?, recorded.state)));
    let mut transfers: Vec<(Transfer, Option<PendingState>)> = recorded.collect();
    transfers.sort_by_key(|(transfer, _)| transfer.timestamp);
    let reversed = books.transfers().filter_map(|(id, recorded)| Some((id, recorded.reversed?))).collect();
    Rows { transfers, accounts: books.accounts().cloned().collect(), reversed }
}

impl Rows {
    fn audit(&self) -> Vec<Finding> {
        let mut audit = Audit::new();
        self.transfers.iter().for_each(|(transfer, state)| audit.transfer(transfer, *state));
        for id in audit.reversed_originals() {
            let original = self.transfers.iter().find(|(transfer, _)| transfer.id == id).expect("the books have it");
            let recorded = self.reversed.iter().find(|(reversed, _)| *reversed == id).map_or(0, |(_, amount)| *amount);
            audit.reversed(&original.0, recorded);
        }
        self.accounts.iter().for_each(|account| audit.account(account));
        audit.finish()
    }

    fn transfer(&mut self, id: u128) -> &mut (Transfer, Option<PendingState>) {
        self.transfers.iter_mut().find(|(transfer, _)| transfer.id == id).expect("the books have it")
    }
}

/// Transfers 1 to 9: plain, pending and posted, pending and voided, pending, a posting, a reversal.
fn good() -> Rows {
    let child = Account { parent: 1, ..account(4, PLAIN) };
    let limited = Account { bounds: Bounds { minimum: Some(-40), ..Bounds::default() }, ..account(5, PLAIN) };
    let mut books = books_with(&[account(1, PLAIN), account(2, AccountFlags::DEBITS_WITHIN_CREDITS), account(3, PLAIN), child, limited]);
    let hold = |id, amount| flagged(pay(id, 1, 2, amount), TransferFlags::PENDING);
    let batch = [
        pay(1, 1, 2, 100),
        hold(2, 50),
        refer(3, TransferFlags::POST, 2, 40),
        hold(4, 7),
        refer(5, TransferFlags::VOID, 4, 0),
        hold(6, 3),
        posting(7, &[debit(2, 140), credit(3, 100), credit(4, 40)]),
        refer(8, TransferFlags::REVERSE, 1, 0),
        refer(9, TransferFlags::REVERSE, 7, u128::MAX),
        pay(10, 5, 1, 40),
    ];
    let codes = run(&mut books, &batch, 100);
    let refused: Vec<&Code> = codes.iter().filter(|code| **code != Code::Ok).collect();
    assert_eq!(refused, [&Code::ReversalMustNotBeZero]);
    rows(&books)
}

#[test]
fn books_that_the_rules_wrote_are_clean() {
    assert_eq!(good().audit(), []);
}

#[test]
fn a_changed_balance_is_found_with_the_sums_that_should_be_there() {
    let mut rows = good();
    rows.accounts[2].credits_posted += 1;
    let recorded = rows.accounts[2].balances();
    let computed = Balances { credits_posted: 100, debits_posted: 100, ..Balances::default() };
    let unbalanced = Finding::LedgerUnbalanced { ledger: 1, posted: -1, pending: 0 };
    assert_eq!(rows.audit(), [Finding::BalanceDiffers { account: 3, recorded, computed }, unbalanced]);
}

#[test]
fn each_kind_of_damage_has_its_name() {
    type Damage = fn(&mut Rows);
    let cases: [(Damage, &[&str]); 15] = [
        (|rows| rows.transfer(1).0.amount += 1, &["balance_differs", "balance_differs"]),
        (|rows| rows.transfer(7).0.legs[0].amount -= 1, &["transfer_unbalanced", "balance_differs"]),
        (|rows| rows.transfer(5).0.timestamp = 1, &["timestamp_not_increasing"]),
        (|rows| rows.transfer(6).1 = None, &["state_mismatch"]),
        (|rows| rows.transfer(1).1 = Some(PendingState::Posted), &["state_mismatch"]),
        (|rows| rows.transfer(6).1 = Some(PendingState::Posted), &["resolution_differs"]),
        (|rows| rows.transfer(2).1 = Some(PendingState::Pending), &["resolution_differs"]),
        (|rows| rows.transfer(5).0.pending = 99, &["reference_missing", "balance_differs", "balance_differs", "resolution_differs"]),
        (|rows| rows.transfer(5).0.pending = 2, &["resolved_twice", "balance_differs", "balance_differs", "resolution_differs"]),
        (|rows| rows.transfer(3).0.amount = 51, &["post_exceeds_pending", "balance_differs", "balance_differs"]),
        (|rows| rows.reversed.clear(), &["reversal_differs"]),
        (|rows| drop(rows.accounts.remove(3)), &["account_missing"]),
        (|rows| rows.accounts[3].parent = 77, &["parent_missing"]),
        (|rows| rows.accounts[4].bounds.minimum = Some(-39), &["limit_violated"]),
        (|rows| rows.transfer(10).0.ledger = 2, &["ledger_differs", "ledger_differs"]),
    ];
    for (number, (damage, expected)) in cases.into_iter().enumerate() {
        let mut rows = good();
        damage(&mut rows);
        let found: Vec<&str> = rows.audit().iter().map(Finding::name).collect();
        assert_eq!(found, expected, "case {number}: {:?}", rows.audit());
    }
}

#[test]
fn a_limit_that_was_violated_in_between_is_found() {
    let mut rows = good();
    // 140 leave account 2 before they have come: its sums are right in the end.
    let (from, to) = (rows.transfers.iter().position(|(transfer, _)| transfer.id == 7).unwrap(), 0);
    let moved = rows.transfers.remove(from);
    rows.transfers.insert(to, moved);
    (1..).zip(&mut rows.transfers).for_each(|(timestamp, (transfer, _))| transfer.timestamp = timestamp);
    assert_eq!(rows.audit(), [Finding::LimitViolated { account: 2, code: Code::ExceedsCredits }]);
}

#[test]
fn an_expired_transfer_counts_for_nothing() {
    let mut books = books(&[PLAIN, PLAIN]);
    let hold = Transfer { timeout: 1, ..flagged(pay(1, 1, 2, 5), TransferFlags::PENDING) };
    assert_eq!(run(&mut books, &[hold], 100), [Code::Ok]);
    assert!(ledger::expire(&mut books, 1, 9 * SECOND));
    assert_eq!(books.pending_state(1), Some(PendingState::Expired));
    let mut rows = rows(&books);
    assert_eq!(rows.audit(), []);
    rows.transfer(1).1 = Some(PendingState::Pending);
    assert_eq!(rows.audit().len(), 2);
}

#[test]
fn findings_are_bounded_and_told_in_sentences() {
    let mut audit = Audit::new();
    for id in 1..=FINDINGS_MAX as u128 + 5 {
        audit.transfer(&Transfer { timestamp: 7, ..pay(id, 1, 2, 0) }, None);
    }
    let findings = audit.finish();
    assert_eq!(findings.len(), FINDINGS_MAX + 1);
    assert_eq!(findings[0].to_string(), "timestamp 7 of transfer 2 is not above the one before");
    assert_eq!(findings.last(), Some(&Finding::More { count: 6 }));
}
