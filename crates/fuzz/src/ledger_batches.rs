//! Packed batches of the ledger: read, written back the same, and booked without breaking the books.

use ledger::packed::{decode_accounts, decode_transfers, encode_accounts, encode_outcomes, encode_transfers};
use ledger::{Account, AccountFlags, Audit, Batch, Books, Ledger, MemoryBooks, Transfer, TransferFlags};

/// Accounts that are there before the batch.
const ACCOUNTS: u128 = 4;

/// The first half of a batch's records opens accounts, the second moves money.
pub fn book(input: &[u8]) {
    let (accounts, transfers) = input.split_at(input.len() / 256 * 128);
    let mut books = MemoryBooks::default();
    books.load_ledger(1, Some(Ledger { id: 1, name: "fuzz".to_owned(), ..Ledger::default() }));
    let first: Vec<Account> = (1..=ACCOUNTS).map(|id| Account { id, ledger: 1, code: 1, ..Account::default() }).collect();
    Batch::new(&mut books).run(&first, 1);
    if let Ok(accounts) = decode_accounts(accounts) {
        assert_eq!(decode_accounts(&encode_accounts(&accounts)).as_ref(), Ok(&accounts), "written back the same");
        let outcomes = Batch::new(&mut books).run(&accounts, 1_000);
        assert_eq!(encode_outcomes(&outcomes).len(), accounts.len() * 16, "an outcome for each");
    }
    if let Ok(transfers) = decode_transfers(transfers) {
        assert_eq!(decode_transfers(&encode_transfers(&transfers)).as_ref(), Ok(&transfers), "written back the same");
        let outcomes = Batch::new(&mut books).run(&transfers, 1_000_000);
        assert_eq!(outcomes.len(), transfers.len(), "an outcome for each");
        audit(&books, &transfers);
    }
}

fn audit(books: &MemoryBooks, sent: &[Transfer]) {
    let mut booked: Vec<&Transfer> = sent.iter().filter_map(|transfer| books.transfer(transfer.id)).collect();
    booked.sort_unstable_by_key(|transfer| transfer.timestamp);
    booked.dedup_by_key(|transfer| transfer.id);
    let mut audit = Audit::new();
    let mut accounts: Vec<u128> = (1..=ACCOUNTS).collect();
    for transfer in booked {
        audit.transfer(transfer, books.pending_state(transfer.id));
        accounts.extend(transfer.each_leg().map(|leg| leg.account));
    }
    accounts.sort_unstable();
    accounts.dedup();
    for account in accounts.into_iter().filter_map(|id| books.account(id)) {
        audit.account(account);
    }
    // Parents that nothing moved are not among them.
    let findings: Vec<_> = audit.finish().into_iter().filter(|finding| finding.name() != "parent_missing").collect();
    assert!(findings.is_empty(), "{findings:?}");
}

pub fn seeds() -> Vec<Vec<u8>> {
    let account = |id, flags| Account { id, ledger: 1, code: 1, flags, ..Account::default() };
    let accounts = [
        account(5, AccountFlags::HISTORY),
        account(6, AccountFlags::DEBITS_WITHIN_CREDITS.with(AccountFlags::LINKED)),
        account(7, AccountFlags::default()),
    ];
    let transfer = |id, flags, pending| Transfer {
        id,
        debit_account: 1,
        credit_account: 2,
        amount: 9,
        ledger: 1,
        code: 1,
        flags,
        pending,
        ..Transfer::default()
    };
    let transfers =
        [transfer(10, TransferFlags::default(), 0), transfer(11, TransferFlags::PENDING, 0), transfer(12, TransferFlags::POST, 11)];
    vec![[encode_accounts(&accounts), encode_transfers(&transfers)].concat(), encode_transfers(&transfers)]
}
