//! The rules a second time, written otherwise: a list of what was accepted. Every balance, state and sum is computed from the whole list
//! whenever it is asked for.

use ledger::{
    AMOUNT_MAX, Account, AccountFlags as A, Balance, Bounds, Code, Leg, METADATA_BYTES_MAX, Outcome, PendingState, Side, Transfer,
    TransferFlags as F,
};
use std::collections::{BTreeMap, BTreeSet};

/// What happened.
#[derive(Clone, Debug)]
pub enum Fact {
    Opened(Account),
    Made(Transfer),
    Expired { id: u128, at: u64 },
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub facts: Vec<Fact>,
    pub failed: BTreeSet<u128>,
    /// Ledgers with the time through which they are closed.
    pub ledgers: BTreeMap<u32, u64>,
}

/// The first of the conditions that is true decides.
fn refuse_if(reasons: &[(bool, Code)]) -> Result<(), Code> {
    reasons.iter().find(|(applies, _)| *applies).map_or(Ok(()), |(_, code)| Err(*code))
}

fn legs(transfer: &Transfer) -> Vec<Leg> {
    let two = || {
        let leg = |account, side| Leg { account, side, amount: transfer.amount };
        vec![leg(transfer.debit_account, Side::Debit), leg(transfer.credit_account, Side::Credit)]
    };
    if transfer.legs.is_empty() { two() } else { transfer.legs.clone() }
}

fn side_sum(legs: &[Leg], side: Side) -> u128 {
    legs.iter().filter(|leg| leg.side == side).map(|leg| leg.amount).sum()
}

/// Debits pending and posted, credits pending and posted.
type Sums = [u128; 4];

fn balance(sums: &Sums) -> i128 {
    sums[3] as i128 - sums[1] as i128
}

/// What lower limits and upper limits are compared with.
fn measures(sums: &Sums, on: Balance) -> (i128, i128) {
    match on {
        Balance::Posted => (balance(sums), balance(sums)),
        Balance::Available => (balance(sums) - sums[0] as i128, balance(sums) + sums[2] as i128),
    }
}

/// Lower and upper limits of an account, each with the balance it is on and the code of its violation.
type Limits = Vec<(i128, Balance, Code)>;

fn limits(account: &Account) -> (Limits, Limits) {
    let (bounds, on) = (account.bounds, account.bounds.on);
    let mut lower: Limits = Vec::new();
    let mut upper: Limits = Vec::new();
    lower.extend(account.flags.has(A::DEBITS_WITHIN_CREDITS).then_some((0, Balance::Available, Code::ExceedsCredits)));
    upper.extend(account.flags.has(A::CREDITS_WITHIN_DEBITS).then_some((0, Balance::Available, Code::ExceedsDebits)));
    lower.extend(bounds.minimum.map(|minimum| (minimum, on, Code::BelowMinimum)));
    upper.extend(bounds.maximum.map(|maximum| (maximum, on, Code::AboveMaximum)));
    (lower, upper)
}

impl Model {
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.facts.iter().filter_map(|fact| if let Fact::Opened(account) = fact { Some(account) } else { None })
    }

    pub fn transfers(&self) -> impl Iterator<Item = &Transfer> {
        self.facts.iter().filter_map(|fact| if let Fact::Made(transfer) = fact { Some(transfer) } else { None })
    }

    fn account(&self, id: u128) -> Option<&Account> {
        self.accounts().find(|account| account.id == id)
    }

    fn transfer(&self, id: u128) -> Option<&Transfer> {
        self.transfers().find(|transfer| transfer.id == id)
    }

    pub fn fate(&self, pending: &Transfer) -> PendingState {
        self.facts
            .iter()
            .find_map(|fact| match fact {
                Fact::Made(made) if made.pending == pending.id && made.flags.has(F::POST) => Some(PendingState::Posted),
                Fact::Made(made) if made.pending == pending.id && made.flags.has(F::VOID) => Some(PendingState::Voided),
                Fact::Expired { id, .. } if *id == pending.id => Some(PendingState::Expired),
                _ => None,
            })
            .unwrap_or(PendingState::Pending)
    }

    pub fn reversed(&self, original: u128) -> u128 {
        self.transfers().filter(|made| made.flags.has(F::REVERSE) && made.pending == original).map(|made| made.amount).sum()
    }

    pub fn sums(&self, account: u128) -> Sums {
        let mut sums = [0; 4];
        for made in self.transfers() {
            let column = match () {
                () if made.flags.has(F::VOID) => continue,
                () if !made.flags.has(F::PENDING) => 1,
                () if self.fate(made) == PendingState::Pending => 0,
                () => continue,
            };
            for leg in legs(made).iter().filter(|leg| leg.account == account) {
                sums[if leg.side == Side::Debit { column } else { column + 2 }] += leg.amount;
            }
        }
        sums
    }

    pub fn is_closed(&self, account: &Account) -> bool {
        let closes = |made: &&Transfer| {
            (made.flags.has(F::CLOSING_DEBIT) && made.debit_account == account.id)
                || (made.flags.has(F::CLOSING_CREDIT) && made.credit_account == account.id)
        };
        account.flags.has(A::CLOSED) || self.transfers().filter(closes).any(|made| self.fate(made) == PendingState::Pending)
    }

    fn last_opened(&self) -> u64 {
        self.accounts().map(|account| account.timestamp).max().unwrap_or(0)
    }

    pub fn last_made(&self) -> u64 {
        let time = |fact: &Fact| match fact {
            Fact::Opened(_) => 0,
            Fact::Made(made) => made.timestamp,
            Fact::Expired { at, .. } => *at,
        };
        self.facts.iter().map(time).max().unwrap_or(0)
    }

    pub fn expire(&mut self, id: u128, now: u64) -> bool {
        let Some(pending) = self.transfer(id).filter(|pending| pending.flags.has(F::PENDING) && pending.timeout > 0) else { return false };
        let due = pending.timestamp + u64::from(pending.timeout) * 1_000_000_000;
        let expires = due <= now && self.fate(pending) == PendingState::Pending;
        if expires {
            self.facts.push(Fact::Expired { id, at: now.max(self.last_made() + 1) });
        }
        expires
    }

    pub fn run_accounts(&mut self, batch: &[Account], first: u64) -> Vec<Outcome> {
        let first = first.max(self.last_opened() + 1);
        let flags: Vec<(bool, bool)> = batch.iter().map(|a| (a.flags.has(A::LINKED), a.flags.has(A::IMPORTED))).collect();
        self.run(&flags, first, |model, index, now| {
            let there = model.account(batch[index].id).map(|there| there.timestamp);
            (model.open(&batch[index], now).map(Fact::Opened), there, None)
        })
    }

    pub fn run_transfers(&mut self, batch: &[Transfer], first: u64) -> Vec<Outcome> {
        let first = first.max(self.last_made() + 1);
        let flags: Vec<(bool, bool)> = batch.iter().map(|t| (t.flags.has(F::LINKED), t.flags.has(F::IMPORTED))).collect();
        self.run(&flags, first, |model, index, now| {
            let there = model.transfer(batch[index].id).map(|there| there.timestamp);
            (model.judge(&batch[index], now).map(Fact::Made), there, Some(batch[index].id))
        })
    }

    /// `flags` say which events are linked and which imported; `judge` gives the fact or the code, when the id was booked, and
    /// which id fails.
    fn run(
        &mut self,
        flags: &[(bool, bool)],
        first: u64,
        judge: impl Fn(&Model, usize, u64) -> (Result<Fact, Code>, Option<u64>, Option<u128>),
    ) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> =
            (0..flags.len()).map(|index| Outcome { code: Code::LinkedEventFailed, timestamp: first + index as u64 }).collect();
        let mut start = 0;
        for end in 0..flags.len() {
            let is_last = end + 1 == flags.len();
            if flags[end].0 && !is_last {
                continue;
            }
            let kept = self.facts.len();
            if flags[end].0 {
                outcomes[end].code = Code::LinkedChainOpen;
            } else {
                for index in start..=end {
                    let now = first + index as u64;
                    let (mut verdict, there, id) = judge(self, index, now);
                    if flags[index].1 != flags[0].1 {
                        verdict = Err(if flags[0].1 { Code::ImportedExpected } else { Code::ImportedNotExpected });
                    }
                    match verdict {
                        Ok(fact) => {
                            outcomes[index] = Outcome { code: Code::Ok, timestamp: time_of(&fact) };
                            self.facts.push(fact);
                        }
                        Err(code) => {
                            (start..index).for_each(|before| {
                                outcomes[before] = Outcome { code: Code::LinkedEventFailed, timestamp: first + before as u64 };
                            });
                            let timestamp = if code == Code::Exists { there.expect("it exists") } else { now };
                            outcomes[index] = Outcome { code, timestamp };
                            self.facts.truncate(kept);
                            self.failed.extend(id.filter(|_| may_pass(code)));
                            break;
                        }
                    }
                }
            }
            start = end + 1;
        }
        outcomes
    }

    fn open(&self, wanted: &Account, now: u64) -> Result<Account, Code> {
        let is_imported = wanted.flags.has(A::IMPORTED);
        let bound = |bound: Option<i128>| bound.is_some_and(|bound| bound.unsigned_abs() > AMOUNT_MAX);
        let crossed = wanted.bounds.minimum.zip(wanted.bounds.maximum).is_some_and(|(minimum, maximum)| minimum > maximum);
        refuse_if(&[
            (wanted.id == 0, Code::IdMustNotBeZero),
            (wanted.id == u128::MAX, Code::IdMustNotBeMax),
            (wanted.flags.0 >= 64, Code::FlagsAreUnknown),
            (wanted.flags.0 & 6 == 6, Code::FlagsExcludeEachOther),
            (is_imported && wanted.timestamp == 0, Code::ImportedTimestampMustNotBeZero),
            (is_imported && wanted.timestamp >= now, Code::ImportedTimestampMustBePast),
            (!is_imported && wanted.timestamp != 0, Code::TimestampMustBeZero),
            (wanted.ledger == 0, Code::LedgerMustNotBeZero),
            (wanted.code == 0, Code::CodeMustNotBeZero),
            (wanted.parent == wanted.id, Code::ParentIsItsOwn),
            (bound(wanted.bounds.minimum) || bound(wanted.bounds.maximum), Code::BoundsOutOfRange),
            (crossed, Code::BoundsExcludeEachOther),
        ])?;
        if let Some(there) = self.account(wanted.id) {
            let kept = |account: &Account| account.flags.0 & !33;
            refuse_if(&[
                (kept(wanted) != kept(there), Code::ExistsWithOtherFlags),
                (wanted.user_data_64 != there.user_data_64, Code::ExistsWithOtherUserData64),
                (wanted.ledger != there.ledger, Code::ExistsWithOtherLedger),
                (wanted.code != there.code, Code::ExistsWithOtherCode),
                (wanted.parent != there.parent, Code::ExistsWithOtherParent),
                (said(&wanted.bounds) != said(&there.bounds), Code::ExistsWithOtherBounds),
                (is_imported && wanted.timestamp != there.timestamp, Code::ExistsWithOtherTimestamp),
                (true, Code::Exists),
            ])?;
        }
        let parent = self.account(wanted.parent);
        let timestamp = if is_imported { wanted.timestamp } else { now };
        refuse_if(&[
            (!self.ledgers.contains_key(&wanted.ledger), Code::LedgerNotFound),
            (wanted.parent != 0 && parent.is_none(), Code::ParentNotFound),
            (parent.is_some_and(|parent| parent.ledger != wanted.ledger), Code::ParentHasAnotherLedger),
            (timestamp <= self.last_opened(), Code::ImportedTimestampMustNotRegress),
        ])?;
        Ok(Account { timestamp, flags: A(wanted.flags.0 & !1), ..wanted.clone() })
    }

    fn judge(&self, wanted: &Transfer, now: u64) -> Result<Transfer, Code> {
        let flags = wanted.flags;
        let is_imported = flags.has(F::IMPORTED);
        let kinds = [F::PENDING, F::POST, F::VOID, F::REVERSE].iter().filter(|kind| flags.has(**kind)).count();
        let refers = flags.0 & (4 + 8 + 512) != 0;
        refuse_if(&[
            (wanted.id == 0, Code::IdMustNotBeZero),
            (wanted.id == u128::MAX, Code::IdMustNotBeMax),
            (flags.0 >= 1024, Code::FlagsAreUnknown),
            (kinds > 1 || (refers && flags.0 & 0xf0 != 0), Code::FlagsExcludeEachOther),
            (flags.0 & 0xc0 != 0 && !flags.has(F::PENDING), Code::ClosingIsForPendingOnly),
            (is_imported && wanted.timestamp == 0, Code::ImportedTimestampMustNotBeZero),
            (is_imported && wanted.timestamp >= now, Code::ImportedTimestampMustBePast),
            (!is_imported && wanted.timestamp != 0, Code::TimestampMustBeZero),
            (wanted.timeout != 0 && !flags.has(F::PENDING), Code::TimeoutIsForPendingOnly),
            (wanted.timeout != 0 && is_imported, Code::ImportedTakesNoTimeout),
            (wanted.metadata.len() > METADATA_BYTES_MAX, Code::MetadataTooLong),
        ])?;
        let timestamp = if is_imported { wanted.timestamp } else { now };
        let wanted = Transfer { flags: F(flags.0 & !1), ..wanted.clone() };
        let (complete, other) = if refers { self.complete_referring(&wanted)? } else { (self.complete_new(&wanted)?, None) };
        if let Some(there) = self.transfer(wanted.id) {
            return Err(existing(&complete, there, refers && other.is_none()));
        }
        refuse_if(&[(self.failed.contains(&wanted.id), Code::IdAlreadyFailed)])?;
        let complete = Transfer { timestamp, ..complete };
        match other {
            _ if !refers => self.admit(complete),
            other if flags.has(F::REVERSE) => self.admit(self.check_reversal(&wanted, complete, other)?),
            other => self.check_resolution(&wanted, complete, other),
        }
    }

    fn complete_new(&self, wanted: &Transfer) -> Result<Transfer, Code> {
        let many = !wanted.legs.is_empty();
        let (debits, credits) = (side_sum(&wanted.legs, Side::Debit), side_sum(&wanted.legs, Side::Credit));
        refuse_if(&[
            (wanted.pending != 0, Code::PendingIdMustBeZero),
            (!many && (wanted.debit_account == 0 || wanted.credit_account == 0), Code::AccountMustNotBeZero),
            (!many && wanted.debit_account == wanted.credit_account, Code::AccountsMustDiffer),
            (wanted.ledger == 0, Code::LedgerMustNotBeZero),
            (wanted.code == 0, Code::CodeMustNotBeZero),
            (many && (wanted.debit_account != 0 || wanted.credit_account != 0), Code::LegsExcludeAccounts),
            (many && wanted.flags.0 & 0xf0 != 0, Code::LegsExcludeFlags),
        ])?;
        for leg in &wanted.legs {
            refuse_if(&[(leg.account == 0, Code::AccountMustNotBeZero), (leg.amount == 0, Code::LegAmountMustNotBeZero)])?;
        }
        refuse_if(&[
            (many && debits != credits, Code::LegsDoNotBalance),
            (many && wanted.amount != 0 && wanted.amount != debits, Code::AmountDiffersFromLegs),
        ])?;
        Ok(Transfer { amount: if many { debits } else { wanted.amount }, ..wanted.clone() })
    }

    /// With what is left out taken from the other one, and that one, if it is there.
    fn complete_referring(&self, wanted: &Transfer) -> Result<(Transfer, Option<&Transfer>), Code> {
        refuse_if(&[
            (wanted.pending == 0, Code::PendingIdMustNotBeZero),
            (wanted.pending == wanted.id, Code::PendingIdIsItsOwn),
            (!wanted.legs.is_empty(), Code::ReferringTakesNoLegs),
        ])?;
        let Some(other) = self.transfer(wanted.pending) else { return Ok((wanted.clone(), None)) };
        let mut complete = wanted.clone();
        let turns = wanted.flags.has(F::REVERSE);
        let (debit, credit) = if turns { (other.credit_account, other.debit_account) } else { (other.debit_account, other.credit_account) };
        for (field, value) in [(&mut complete.debit_account, debit), (&mut complete.credit_account, credit)] {
            *field = if *field == 0 { value } else { *field };
        }
        complete.ledger = if wanted.ledger == 0 { other.ledger } else { wanted.ledger };
        complete.code = if wanted.code == 0 { other.code } else { wanted.code };
        complete.user_data_64 = if wanted.user_data_64 == 0 { other.user_data_64 } else { wanted.user_data_64 };
        complete.legs = other.legs.clone();
        for leg in complete.legs.iter_mut().filter(|_| turns) {
            leg.side = if leg.side == Side::Debit { Side::Credit } else { Side::Debit };
        }
        let means_all = wanted.amount == u128::MAX || (wanted.amount == 0 && wanted.flags.has(F::VOID));
        if means_all && !turns {
            complete.amount = other.amount;
        }
        Ok((complete, Some(other)))
    }

    fn check_reversal(&self, wanted: &Transfer, complete: Transfer, original: Option<&Transfer>) -> Result<Transfer, Code> {
        let original = original.ok_or(Code::OriginalNotFound)?;
        let left = original.amount - self.reversed(original.id);
        let amount = if wanted.amount == u128::MAX { left } else { wanted.amount };
        let differs = |given: u128, recorded: u128| given != 0 && given != recorded;
        refuse_if(&[
            (original.flags.has(F::PENDING) || original.flags.has(F::VOID), Code::OriginalIsNotPosted),
            (differs(wanted.debit_account, original.credit_account), Code::OriginalHasOtherDebitAccount),
            (differs(wanted.credit_account, original.debit_account), Code::OriginalHasOtherCreditAccount),
            (differs(wanted.ledger.into(), original.ledger.into()), Code::OriginalHasOtherLedger),
            (wanted.amount == 0, Code::ReversalMustNotBeZero),
            (left == 0, Code::OriginalAlreadyReversed),
            (amount > left, Code::AmountExceedsOriginal),
            (!original.legs.is_empty() && amount != original.amount, Code::PostingMustBeWhole),
        ])?;
        Ok(Transfer { amount, ..complete })
    }

    fn check_resolution(&self, wanted: &Transfer, complete: Transfer, pending: Option<&Transfer>) -> Result<Transfer, Code> {
        let pending = pending.ok_or(Code::PendingNotFound)?;
        let voids = wanted.flags.has(F::VOID);
        let differs = |given: u128, recorded: u128| given != 0 && given != recorded;
        let due = pending.timestamp + u64::from(pending.timeout) * 1_000_000_000;
        let fate = self.fate(pending);
        refuse_if(&[
            (!pending.flags.has(F::PENDING), Code::PendingIsNotPending),
            (differs(wanted.debit_account, pending.debit_account), Code::PendingHasOtherDebitAccount),
            (differs(wanted.credit_account, pending.credit_account), Code::PendingHasOtherCreditAccount),
            (differs(wanted.ledger.into(), pending.ledger.into()), Code::PendingHasOtherLedger),
            (differs(wanted.code.into(), pending.code.into()), Code::PendingHasOtherCode),
            (complete.amount > pending.amount, Code::AmountExceedsPending),
            (voids && complete.amount != pending.amount, Code::VoidMustBeWhole),
            (!pending.legs.is_empty() && complete.amount != pending.amount, Code::PostingMustBeWhole),
            (fate == PendingState::Posted, Code::PendingAlreadyPosted),
            (fate == PendingState::Voided, Code::PendingAlreadyVoided),
            (fate == PendingState::Expired, Code::PendingExpired),
            (pending.timeout > 0 && due <= complete.timestamp, Code::PendingExpired),
        ])?;
        if !voids {
            self.check_closed(&complete)?;
            self.check_limits(&complete)?;
            refuse_if(&[(self.is_period_closed(&complete), Code::PeriodClosed)])?;
        }
        refuse_if(&[(complete.timestamp <= self.last_made(), Code::ImportedTimestampMustNotRegress)])?;
        Ok(complete)
    }

    fn is_period_closed(&self, made: &Transfer) -> bool {
        let effective = if made.effective == 0 { made.timestamp } else { made.effective };
        effective <= self.ledgers[&made.ledger]
    }

    /// Of the legs in order the first whose account is closed.
    fn check_closed(&self, made: &Transfer) -> Result<(), Code> {
        for leg in legs(made) {
            let code = match leg.side {
                _ if !made.legs.is_empty() => Code::LegAccountClosed,
                Side::Debit => Code::DebitAccountClosed,
                Side::Credit => Code::CreditAccountClosed,
            };
            refuse_if(&[(self.is_closed(self.account(leg.account).expect("it was checked")), code)])?;
        }
        Ok(())
    }

    /// Whether the candidate may be added to the list, with all balances computed without it and with it.
    fn check_limits(&self, made: &Transfer) -> Result<(), Code> {
        let mut with = self.clone();
        with.facts.push(Fact::Made(made.clone()));
        let mut seen = BTreeSet::new();
        for leg in legs(made).into_iter().filter(|leg| seen.insert(leg.account)) {
            let (before, after) = (self.sums(leg.account), with.sums(leg.account));
            refuse_if(&[
                (after[0] + after[1] > AMOUNT_MAX, Code::OverflowsDebits),
                (after[2] + after[3] > AMOUNT_MAX, Code::OverflowsCredits),
            ])?;
            let (lower, upper) = limits(self.account(leg.account).expect("it was checked"));
            let low = |(limit, on, code): (i128, Balance, Code)| {
                let (before, after) = (measures(&before, on).0, measures(&after, on).0);
                (after < limit && after < before, code)
            };
            let high = |(limit, on, code): (i128, Balance, Code)| {
                let (before, after) = (measures(&before, on).1, measures(&after, on).1);
                (after > limit && after > before, code)
            };
            let mut reasons: Vec<(bool, Code)> = lower.into_iter().map(low).chain(upper.into_iter().map(high)).collect();
            reasons.sort_by_key(|(_, code)| *code);
            refuse_if(&reasons)?;
        }
        Ok(())
    }

    fn admit(&self, made: Transfer) -> Result<Transfer, Code> {
        let is_imported = made.flags.has(F::IMPORTED);
        let many = !made.legs.is_empty();
        if many {
            for leg in &made.legs {
                let account = self.account(leg.account).ok_or(Code::LegAccountNotFound)?;
                refuse_if(&[
                    (account.ledger != made.ledger, Code::LegAccountHasAnotherLedger),
                    (is_imported && account.timestamp >= made.timestamp, Code::ImportedBeforeAccount),
                    (self.is_closed(account), Code::LegAccountClosed),
                ])?;
            }
        } else {
            let debit = self.account(made.debit_account).ok_or(Code::DebitAccountNotFound)?;
            let credit = self.account(made.credit_account).ok_or(Code::CreditAccountNotFound)?;
            refuse_if(&[
                (debit.ledger != credit.ledger, Code::AccountsHaveDifferentLedgers),
                (debit.ledger != made.ledger, Code::TransferHasAnotherLedger),
                (is_imported && debit.timestamp.max(credit.timestamp) >= made.timestamp, Code::ImportedBeforeAccount),
            ])?;
            self.check_closed(&made)?;
        }
        let made = Transfer { amount: self.balanced(&made), ..made };
        refuse_if(&[(made.amount > AMOUNT_MAX, Code::OverflowsAmount)])?;
        self.check_limits(&made)?;
        refuse_if(&[
            (self.is_period_closed(&made), Code::PeriodClosed),
            (made.timestamp <= self.last_made(), Code::ImportedTimestampMustNotRegress),
        ])?;
        Ok(made)
    }

    /// The amount that a balancing transfer moves: the room to the nearest limit, or to 0.
    fn balanced(&self, made: &Transfer) -> u128 {
        let mut amount = made.amount;
        if made.flags.has(F::BALANCING_DEBIT) {
            let account = self.account(made.debit_account).expect("it was checked");
            let mut lower = limits(account).0;
            lower.extend(account.bounds.minimum.is_none().then_some((0, Balance::Available, Code::Ok)));
            let sums = self.sums(account.id);
            let room = lower.iter().map(|(limit, on, _)| (measures(&sums, *on).0 - limit).max(0) as u128).min();
            amount = amount.min(room.expect("there is at least one limit"));
        }
        if made.flags.has(F::BALANCING_CREDIT) {
            let account = self.account(made.credit_account).expect("it was checked");
            let mut upper = limits(account).1;
            upper.extend(account.bounds.maximum.is_none().then_some((0, Balance::Available, Code::Ok)));
            let sums = self.sums(account.id);
            let room = upper.iter().map(|(limit, on, _)| (limit - measures(&sums, *on).1).max(0) as u128).min();
            amount = amount.min(room.expect("there is at least one limit"));
        }
        amount
    }
}

fn time_of(fact: &Fact) -> u64 {
    match fact {
        Fact::Opened(account) => account.timestamp,
        Fact::Made(made) => made.timestamp,
        Fact::Expired { at, .. } => *at,
    }
}

fn existing(wanted: &Transfer, there: &Transfer, other_is_missing: bool) -> Code {
    let amount_may_differ = match () {
        () if wanted.flags.0 & 0x30 != 0 => there.amount <= wanted.amount,
        () if wanted.flags.has(F::REVERSE) && wanted.amount == u128::MAX => true,
        () => there.amount == wanted.amount,
    };
    let reasons = [
        (wanted.flags != there.flags, Code::ExistsWithOtherFlags),
        (other_is_missing || wanted.pending != there.pending, Code::ExistsWithOtherPending),
        (wanted.legs != there.legs, Code::ExistsWithOtherLegs),
        (wanted.debit_account != there.debit_account, Code::ExistsWithOtherDebitAccount),
        (wanted.credit_account != there.credit_account, Code::ExistsWithOtherCreditAccount),
        (!amount_may_differ, Code::ExistsWithOtherAmount),
        (wanted.user_data_64 != there.user_data_64, Code::ExistsWithOtherUserData64),
        (wanted.timeout != there.timeout, Code::ExistsWithOtherTimeout),
        (wanted.ledger != there.ledger, Code::ExistsWithOtherLedger),
        (wanted.code != there.code, Code::ExistsWithOtherCode),
        (wanted.effective != there.effective, Code::ExistsWithOtherEffective),
        (wanted.value_date != there.value_date, Code::ExistsWithOtherValueDate),
        (wanted.flags.has(F::IMPORTED) && wanted.timestamp != there.timestamp, Code::ExistsWithOtherTimestamp),
    ];
    refuse_if(&reasons).err().unwrap_or(Code::Exists)
}

/// What another event, or time, could change.
fn may_pass(code: Code) -> bool {
    let names = [
        "debit_account_not_found",
        "credit_account_not_found",
        "leg_account_not_found",
        "pending_not_found",
        "original_not_found",
        "debit_account_closed",
        "credit_account_closed",
        "leg_account_closed",
        "period_closed",
        "ledger_not_found",
        "exceeds_credits",
        "exceeds_debits",
        "overflows_debits",
        "overflows_credits",
        "below_minimum",
        "above_maximum",
    ];
    names.contains(&code.name())
}

/// Bounds as text: where there is none, nothing is said of a balance.
fn said(bounds: &Bounds) -> String {
    match (bounds.minimum, bounds.maximum) {
        (None, None) => String::new(),
        both => format!("{both:?} of {:?}", bounds.on),
    }
}
