//! What is answered for a transfer whose id is there already.

use super::BALANCING;
use crate::code::Code;
use crate::model::{Transfer, TransferFlags};

/// `wanted` is complete: what it may leave out has been filled in.
pub fn compare(wanted: &Transfer, there: &Transfer) -> Code {
    match () {
        () if wanted.flags.without(TransferFlags::LINKED) != there.flags => Code::ExistsWithOtherFlags,
        () if wanted.pending != there.pending => Code::ExistsWithOtherPending,
        () if wanted.legs != there.legs => Code::ExistsWithOtherLegs,
        () if wanted.debit_account != there.debit_account => Code::ExistsWithOtherDebitAccount,
        () if wanted.credit_account != there.credit_account => Code::ExistsWithOtherCreditAccount,
        () if !is_same_amount(wanted, there) => Code::ExistsWithOtherAmount,
        () if wanted.user_data_128 != there.user_data_128 => Code::ExistsWithOtherUserData128,
        () if wanted.user_data_64 != there.user_data_64 => Code::ExistsWithOtherUserData64,
        () if wanted.user_data_32 != there.user_data_32 => Code::ExistsWithOtherUserData32,
        () if wanted.timeout != there.timeout => Code::ExistsWithOtherTimeout,
        () if wanted.ledger != there.ledger => Code::ExistsWithOtherLedger,
        () if wanted.code != there.code => Code::ExistsWithOtherCode,
        () if wanted.effective != there.effective => Code::ExistsWithOtherEffective,
        () if wanted.value_date != there.value_date => Code::ExistsWithOtherValueDate,
        () if wanted.metadata != there.metadata => Code::ExistsWithOtherMetadata,
        () if wanted.flags.has(TransferFlags::IMPORTED) && wanted.timestamp != there.timestamp => Code::ExistsWithOtherTimestamp,
        () => Code::Exists,
    }
}

/// A balancing transfer gives the most that it may move, and a reversal of all that is left means what was left then.
fn is_same_amount(wanted: &Transfer, there: &Transfer) -> bool {
    if wanted.flags.has_any(BALANCING) {
        there.amount <= wanted.amount
    } else {
        there.amount == wanted.amount || (wanted.flags.has(TransferFlags::REVERSE) && wanted.amount == u128::MAX)
    }
}
