//! The packed form, to the byte, and under arbitrary bytes.

mod support;

use base::{Prng, SqlState};
use ledger::packed::{
    BATCH_EVENTS_MAX, EVENT_BYTES, decode_accounts, decode_transfers, encode_accounts, encode_outcomes, encode_transfers,
};
use ledger::{Account, AccountFlags, Batch, Code, Outcome, Transfer, TransferFlags};
use support::*;

/// Bytes 1, 2, 3, …: each field is told by its first byte.
fn counting() -> Vec<u8> {
    (0..128).map(|byte| byte + 1).collect()
}

#[test]
fn the_fields_of_an_account_stand_where_they_are_documented() {
    let mut bytes = counting();
    bytes[108..112].fill(0);
    let account = &decode_accounts(&bytes).unwrap()[0];
    let wide = [account.id, account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted];
    assert_eq!(wide.map(|field| field as u8), [1, 17, 33, 49, 65]);
    assert_eq!((account.user_data_128 as u8, account.user_data_64 as u8, account.user_data_32 as u8), (81, 97, 105));
    assert_eq!((account.ledger as u8, account.code as u8, account.flags.0 as u8, account.timestamp as u8), (113, 117, 119, 121));
    assert_eq!(account.timestamp, u64::from_le_bytes([121, 122, 123, 124, 125, 126, 127, 128]));
    assert_eq!(encode_accounts([account]), bytes);
}

#[test]
fn the_fields_of_a_transfer_stand_where_they_are_documented() {
    let bytes = counting();
    let transfer = &decode_transfers(&bytes).unwrap()[0];
    let wide = [transfer.id, transfer.debit_account, transfer.credit_account, transfer.amount, transfer.pending, transfer.user_data_128];
    assert_eq!(wide.map(|field| field as u8), [1, 17, 33, 49, 65, 81]);
    assert_eq!((transfer.user_data_64 as u8, transfer.user_data_32 as u8, transfer.timeout as u8), (97, 105, 109));
    assert_eq!((transfer.ledger as u8, transfer.code as u8, transfer.flags.0 as u8, transfer.timestamp as u8), (113, 117, 119, 121));
    assert_eq!(encode_transfers([transfer]), bytes);
}

#[test]
fn outcomes_have_sixteen_bytes() {
    let outcomes = [Outcome { code: Code::Ok, timestamp: 0x0102 }, Outcome { code: Code::PeriodClosed, timestamp: u64::MAX }];
    let bytes = encode_outcomes(&outcomes);
    assert_eq!(bytes[..16], [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[16..], [255, 255, 255, 255, 255, 255, 255, 255, 99, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_flags_have_the_bits_of_the_packed_form() {
    let accounts: Vec<(u16, &str)> = AccountFlags::NAMES.iter().map(|(flag, name)| (flag.0.trailing_zeros() as u16, *name)).collect();
    let names = ["LINKED", "DEBITS_WITHIN_CREDITS", "CREDITS_WITHIN_DEBITS", "HISTORY", "IMPORTED", "CLOSED"];
    assert_eq!(accounts, (0..).zip(names).collect::<Vec<_>>());
    let transfers: Vec<(u16, &str)> = TransferFlags::NAMES.iter().map(|(flag, name)| (flag.0.trailing_zeros() as u16, *name)).collect();
    let names = [
        "LINKED",
        "PENDING",
        "POST",
        "VOID",
        "BALANCING_DEBIT",
        "BALANCING_CREDIT",
        "CLOSING_DEBIT",
        "CLOSING_CREDIT",
        "IMPORTED",
        "REVERSE",
    ];
    assert_eq!(transfers, (0..).zip(names).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_decoded_is_told_with_its_place() {
    let cut = decode_transfers(&vec![0; 3 * EVENT_BYTES - 1]).unwrap_err();
    assert_eq!(cut.state(), SqlState::INVALID_PARAMETER_VALUE);
    assert_eq!(cut.message(), "packed transfers end inside a record: 383 bytes are not a multiple of 128");
    assert_eq!(cut.detail(), Some("The record that begins at byte 256 has only 127 bytes."));
    let long = decode_accounts(&vec![0; (BATCH_EVENTS_MAX + 1) * EVENT_BYTES]).unwrap_err();
    assert_eq!(
        (long.message(), long.hint()),
        ("a packed batch of 8191 accounts is too long", Some("Send at most 8190 events in one batch."))
    );
    let mut bytes = vec![0; 2 * EVENT_BYTES];
    bytes[128 + 109] = 1;
    let reserved = decode_accounts(&bytes).unwrap_err();
    assert_eq!(reserved.message(), "packed account 1 has 256 in its reserved field");
    assert_eq!(reserved.detail(), Some("It is at byte 236 of the batch."));
    assert_eq!(decode_accounts(&[]).unwrap(), []);
    assert_eq!(decode_transfers(&vec![0; BATCH_EVENTS_MAX * EVENT_BYTES]).unwrap().len(), BATCH_EVENTS_MAX);
}

/// Bytes of all kinds: noise, zeroes and ones, and good records with some bytes changed.
fn bytes(prng: &mut Prng) -> Vec<u8> {
    let length = if prng.one_in(4) { prng.below(1_000) as usize } else { EVENT_BYTES * prng.below(9) as usize };
    let mut bytes: Vec<u8> = match prng.below(4) {
        0 => (0..length).map(|_| prng.next_u64() as u8).collect(),
        1 => vec![0; length],
        2 => vec![255; length],
        _ => {
            let flags = TransferFlags(prng.below(2_048) as u16);
            let transfers = (1..8).map(|id| Transfer { pending: id - 1, flags, ..pay(id, 1 + id % 2, 1 + (id + 1) % 3, 5) });
            encode_transfers(&transfers.collect::<Vec<_>>())
        }
    };
    for _ in 0..prng.below(6) {
        if !bytes.is_empty() {
            let place = prng.below(bytes.len() as u64) as usize;
            bytes[place] = *prng.pick(&[0, 1, 2, 3, 127, 128, 255]);
        }
    }
    bytes
}

#[test]
fn arbitrary_bytes_are_refused_or_run_without_harm() {
    let mut prng = Prng::new(1);
    let mut decoded = 0;
    for _ in 0..30_000 {
        let bytes = bytes(&mut prng);
        let mut books = books(&[AccountFlags::HISTORY, PLAIN, AccountFlags::DEBITS_WITHIN_CREDITS]);
        if let Ok(accounts) = decode_accounts(&bytes) {
            assert_eq!(encode_accounts(&accounts), bytes);
            Batch::new(&mut books).run(&accounts, prng.next_u64());
        }
        if let Ok(transfers) = decode_transfers(&bytes) {
            decoded += transfers.len();
            assert_eq!(encode_transfers(&transfers), bytes);
            let outcomes = Batch::new(&mut books).run(&transfers, prng.next_u64());
            assert_eq!(encode_outcomes(&outcomes).len(), 16 * outcomes.len());
        }
        let sum = |sum: fn(&Account) -> u128| books.accounts().map(sum).fold(0u128, u128::wrapping_add);
        assert_eq!(sum(|account| account.debits_posted), sum(|account| account.credits_posted));
        assert_eq!(sum(|account| account.debits_pending), sum(|account| account.credits_pending));
    }
    assert!(decoded > 50_000, "only {decoded} transfers were decoded");
}
