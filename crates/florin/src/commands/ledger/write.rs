//! What changes the books.

use super::{Common, Ended, amount_argument, id_argument, json_argument, time, time_argument};
use florin_client::{ALL, AccountFlags, Balance, Booked, Definition, Id, NewAccount, Timestamp, Transfer, TransferFlags};
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Define {
    #[command(flatten)]
    common: Common,
    /// Number of the ledger, from 1 on
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    id: u32,
    name: String,
    /// What is held: money, points, shares
    #[arg(long, default_value = "")]
    asset: String,
    /// The currency's code (ISO 4217)
    #[arg(long, default_value = "")]
    currency: String,
    /// Digits behind the point: 2 if the smallest unit is a cent
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(..=38))]
    scale: u8,
    #[arg(long, value_name = "JSON", value_parser = json_argument)]
    metadata: Option<String>,
}

impl Define {
    pub async fn run(self) -> Ended {
        let Define { common, id, name, asset, currency, scale, metadata } = self;
        let definition = Definition { id, name, asset, currency, scale, metadata: metadata.unwrap_or_default() };
        common.ledger().await?.define(&definition).await?;
        common.print(&json!({ "ledger": id, "name": definition.name }), || format!("ledger {id} is {}", definition.name));
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(clap::Args)]
pub struct Open {
    #[command(flatten)]
    common: Common,
    /// Number of the ledger
    ledger: u32,
    /// Your own kind of account, from 1 on
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    code: u16,
    /// A uuid; made if not given
    #[arg(long, value_parser = id_argument)]
    id: Option<Id>,
    /// Keep the balances after each entry
    #[arg(long)]
    history: bool,
    /// Debits may never exceed credits: what a customer's account is
    #[arg(long)]
    debits_within_credits: bool,
    /// Credits may never exceed debits
    #[arg(long, conflicts_with = "debits_within_credits")]
    credits_within_debits: bool,
    /// Least balance, credits less debits
    #[arg(long, allow_negative_numbers = true)]
    minimum: Option<i128>,
    /// Greatest balance
    #[arg(long, allow_negative_numbers = true)]
    maximum: Option<i128>,
    /// Which balance is bounded: `available` counts what is pending against the bound
    #[arg(long, default_value = "available", value_parser = ["available", "posted"])]
    bounded: String,
    /// The account that this one is part of
    #[arg(long, value_parser = id_argument)]
    parent: Option<Id>,
    #[arg(long, value_name = "JSON", value_parser = json_argument)]
    metadata: Option<String>,
}

impl Open {
    pub async fn run(self) -> Ended {
        let id = self.id.unwrap_or_else(Id::new);
        let on = if self.bounded == "posted" { Balance::Posted } else { Balance::Available };
        let mut account = NewAccount::new(id, self.ledger, self.code);
        for (given, flag) in [
            (self.history, AccountFlags::HISTORY),
            (self.debits_within_credits, AccountFlags::DEBITS_WITHIN_CREDITS),
            (self.credits_within_debits, AccountFlags::CREDITS_WITHIN_DEBITS),
        ] {
            account = if given { account.flags(flag) } else { account };
        }
        if let Some(minimum) = self.minimum {
            account = account.minimum(minimum, on);
        }
        if let Some(maximum) = self.maximum {
            account = account.maximum(maximum, on);
        }
        if let Some(parent) = self.parent {
            account = account.parent(parent);
        }
        if let Some(metadata) = self.metadata {
            account = account.metadata(metadata);
        }
        let booked = self.common.ledger().await?.open_account(account).await?;
        print_booked(&self.common, "account", &booked);
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("referring").args(["post", "void", "reverse"]).multiple(false))]
pub struct Move {
    #[command(flatten)]
    common: Common,
    /// The account to debit
    #[arg(value_parser = id_argument, required_unless_present = "referring", conflicts_with = "referring")]
    debit: Option<Id>,
    /// The account to credit
    #[arg(value_parser = id_argument, required_unless_present = "referring", conflicts_with = "referring")]
    credit: Option<Id>,
    /// In the ledger's smallest unit
    #[arg(value_parser = amount_argument, required_unless_present = "referring", conflicts_with = "referring")]
    amount: Option<u128>,
    /// A uuid; made if not given. With the same id it is booked once, however often it is sent
    #[arg(long, value_parser = id_argument)]
    id: Option<Id>,
    /// Number of the ledger; 1 if not given
    #[arg(long)]
    ledger: Option<u32>,
    /// Your own kind of transfer; 1 if not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    code: Option<u16>,
    /// Only reserve the amount, until it is posted or voided
    #[arg(long, conflicts_with = "referring")]
    pending: bool,
    /// Seconds after which what is reserved is released
    #[arg(long, value_name = "SECONDS", requires = "pending")]
    timeout: Option<u32>,
    /// Move at most what the debit account's limits allow
    #[arg(long, conflicts_with = "referring")]
    balancing_debit: bool,
    /// Move at most what the credit account's limits allow
    #[arg(long, conflicts_with = "referring")]
    balancing_credit: bool,
    /// Post this pending transfer
    #[arg(long, value_name = "ID", value_parser = id_argument)]
    post: Option<Id>,
    /// Release this pending transfer
    #[arg(long, value_name = "ID", value_parser = id_argument)]
    void: Option<Id>,
    /// Move back what this transfer moved
    #[arg(long, value_name = "ID", value_parser = id_argument)]
    reverse: Option<Id>,
    /// Post or reverse only this much; all if not given
    #[arg(long, value_name = "AMOUNT", value_parser = amount_argument, conflicts_with = "void", requires = "referring")]
    part: Option<u128>,
    /// When it takes effect, as 2026-11-22T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time_argument)]
    effective: Option<Timestamp>,
    /// From which day interest counts, as 2026-11-22
    #[arg(long, value_name = "DATE", value_parser = |text: &str| florin_client::days(text).ok_or("write a date as 2026-11-22"))]
    value_date: Option<i32>,
    #[arg(long, value_name = "JSON", value_parser = json_argument)]
    metadata: Option<String>,
}

impl Move {
    pub async fn run(self) -> Ended {
        let (transfer, common) = (self.transfer(), self.common);
        let booked = common.ledger().await?.transfer(transfer).await?;
        print_booked(&common, "transfer", &booked);
        Ok(ExitCode::SUCCESS)
    }

    fn transfer(&self) -> Transfer {
        let part = self.part.unwrap_or(ALL);
        let mut transfer = match (self.post, self.void, self.reverse) {
            (Some(pending), ..) => Transfer::post(pending, part),
            (_, Some(pending), _) => Transfer::void(pending),
            (.., Some(original)) => Transfer::reverse(original, part),
            _ => Transfer::between(self.debit.unwrap_or(Id::NONE), self.credit.unwrap_or(Id::NONE), self.amount.unwrap_or_default()),
        };
        if self.pending {
            transfer = transfer.pending(self.timeout.map(|seconds| Duration::from_secs(seconds.into())));
        }
        if self.balancing_debit {
            transfer = transfer.flags(TransferFlags::BALANCING_DEBIT);
        }
        if self.balancing_credit {
            transfer = transfer.flags(TransferFlags::BALANCING_CREDIT);
        }
        if let Some(id) = self.id {
            transfer = transfer.with_id(id);
        }
        if let Some(ledger) = self.ledger {
            transfer = transfer.ledger(ledger);
        }
        if let Some(code) = self.code {
            transfer = transfer.code(code);
        }
        if let Some(at) = self.effective {
            transfer = transfer.effective(at);
        }
        if let Some(days) = self.value_date {
            transfer = transfer.value_date(days);
        }
        if let Some(json) = &self.metadata {
            transfer = transfer.metadata(json.as_str());
        }
        transfer
    }
}

fn print_booked(common: &Common, what: &str, booked: &Booked) {
    let Booked { id, timestamp, existed } = *booked;
    let json = json!({ "id": id.to_string(), "timestamp": time(timestamp), "timestamp_ns": timestamp.0.to_string(), "existed": existed });
    common.print(&json, || format!("{what} {id} {} {timestamp}", if existed { "exists since" } else { "booked at" }));
}

#[derive(clap::Args)]
pub struct Close {
    #[command(flatten)]
    common: Common,
    /// Number of the ledger
    ledger: u32,
    /// The last moment of the period, as 2026-10-31T23:59:59Z
    #[arg(value_parser = time_argument)]
    through: Timestamp,
}

impl Close {
    pub async fn run(self) -> Ended {
        let Close { common, ledger, through } = self;
        common.ledger().await?.close_period(ledger, through).await?;
        common.print(&json!({ "ledger": ledger, "closed_through": time(through) }), || {
            format!("ledger {ledger} is closed through {through}")
        });
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(clap::Args)]
pub struct Expire {
    #[command(flatten)]
    common: Common,
}

impl Expire {
    pub async fn run(self) -> Ended {
        let ledger = self.common.ledger().await?;
        let mut released = 0;
        // Each call releases some, so that its transaction stays small.
        loop {
            let count = ledger.expire().await?;
            released += count;
            if count == 0 {
                break;
            }
        }
        self.common.print(&json!({ "released": released }), || format!("{released} pending transfers were released"));
        Ok(ExitCode::SUCCESS)
    }
}
