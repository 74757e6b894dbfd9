//! What only reads the books.

use super::super::table;
use super::{Common, Ended, FINDING, flag_names, id_argument, metadata, not_open, number, time, time_argument};
use florin_client::{
    Account, AccountBalance, AccountFlags, Balance, Balances as Sums, Cursor, Defined, Entry, EntryKind, EntryQuery, Finding, Id, Side,
    Timestamp,
};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Accounts and entries that are asked for at a time.
const PAGE: u32 = 1_000;

#[derive(clap::Args)]
pub struct OneAccount {
    #[command(flatten)]
    common: Common,
    #[arg(value_parser = id_argument)]
    id: Id,
}

impl OneAccount {
    pub async fn run(self) -> Ended {
        let account = self.common.ledger().await?.account(self.id).await?.ok_or_else(|| not_open(self.id))?;
        self.common.print(&account_json(&account), || account_text(&account));
        Ok(ExitCode::SUCCESS)
    }
}

fn bounded(account: &Account) -> &'static str {
    if account.bounds.on == Balance::Posted { "posted" } else { "available" }
}

fn account_json(account: &Account) -> Value {
    let mut json = json!({
        "id": account.id.to_string(),
        "ledger": account.ledger,
        "code": account.code,
        "flags": flag_names(AccountFlags::NAMES, |flag| account.flags.has(flag)),
        "timestamp": time(account.timestamp),
        "parent": account.parent.map(|id| id.to_string()),
        "minimum": account.bounds.minimum.map(number),
        "maximum": account.bounds.maximum.map(number),
        "bounded": bounded(account),
        "metadata": metadata(account.metadata.as_deref()),
    });
    add_sums(&mut json, &account.balances);
    json
}

fn add_sums(json: &mut Value, sums: &Sums) {
    json["debits_pending"] = number(sums.debits_pending);
    json["debits_posted"] = number(sums.debits_posted);
    json["credits_pending"] = number(sums.credits_pending);
    json["credits_posted"] = number(sums.credits_posted);
    json["balance"] = number(sums.posted());
    json["available"] = number(sums.available_low());
}

fn account_text(account: &Account) -> String {
    let Account { id, ledger, code, balances, bounds, timestamp, .. } = account;
    let mut lines = vec![
        format!("account     {id}"),
        format!("ledger      {ledger}, code {code}"),
        format!("opened      {timestamp}"),
        format!("balance     {} posted, {} available", balances.posted(), balances.available_low()),
        format!("debits      {} posted, {} pending", balances.debits_posted, balances.debits_pending),
        format!("credits     {} posted, {} pending", balances.credits_posted, balances.credits_pending),
    ];
    let flags = flag_names(AccountFlags::NAMES, |flag| account.flags.has(flag));
    if !flags.is_empty() {
        lines.push(format!("flags       {}", flags.join(", ")));
    }
    let shown = |bound: Option<i128>| bound.map_or_else(|| "any".to_owned(), |bound| bound.to_string());
    if bounds.minimum.is_some() || bounds.maximum.is_some() {
        lines.push(format!("bounds      {} to {} on what is {}", shown(bounds.minimum), shown(bounds.maximum), bounded(account)));
    }
    lines.extend(account.parent.map(|parent| format!("part of     {parent}")));
    lines.extend(account.metadata.as_ref().map(|metadata| format!("metadata    {metadata}")));
    lines.join("\n")
}

#[derive(clap::Args)]
pub struct History {
    #[command(flatten)]
    common: Common,
    /// The account
    #[arg(value_parser = id_argument)]
    id: Id,
    /// Most entries to show
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    limit: u32,
    /// Only what was booked before this time, as 2026-11-22T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time_argument)]
    before: Option<Timestamp>,
    /// Only what was booked at this time or later
    #[arg(long, value_name = "TIME", value_parser = time_argument)]
    from: Option<Timestamp>,
    /// Oldest first
    #[arg(long)]
    oldest_first: bool,
}

impl History {
    pub async fn run(self) -> Ended {
        let History { common, id, limit, before, from, oldest_first } = self;
        let ledger = common.ledger().await?;
        ledger.account(id).await?.ok_or_else(|| not_open(id))?;
        let (mut entries, mut after): (Vec<Entry>, Option<Cursor>) = (Vec::new(), None);
        while entries.len() < limit as usize {
            let limit = PAGE.min(limit - entries.len() as u32);
            let page = ledger.entries(id, EntryQuery { from, before, newest_first: !oldest_first, limit, after }).await?;
            entries.extend(page.entries);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let more = after.is_some();
        let json = json!({ "account": id.to_string(), "entries": entries.iter().map(entry_json).collect::<Vec<Value>>(), "more": more });
        common.print(&json, || {
            let mut lines = vec![["time", "kind", "debit", "credit", "balance", "transfer"].map(str::to_owned).to_vec()];
            lines.extend(entries.iter().map(entry_line));
            table(&lines) + if more { "\n  there is more: see --limit and --before" } else { "" }
        });
        Ok(ExitCode::SUCCESS)
    }
}

fn kind_name(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Posted => "posted",
        EntryKind::Pending => "pending",
        EntryKind::Released => "released",
    }
}

fn entry_json(entry: &Entry) -> Value {
    let mut json = json!({
        "timestamp": time(entry.timestamp),
        "timestamp_ns": entry.timestamp.0.to_string(),
        "number": entry.number,
        "transfer": entry.transfer.to_string(),
        "kind": kind_name(entry.kind),
        "side": if entry.side == Side::Debit { "debit" } else { "credit" },
        "amount": number(entry.amount),
    });
    if let Some(sums) = &entry.balances {
        add_sums(&mut json, sums);
    }
    json
}

fn entry_line(entry: &Entry) -> Vec<String> {
    let amount = entry.amount.to_string();
    let (debit, credit) = if entry.side == Side::Debit { (amount, String::new()) } else { (String::new(), amount) };
    let balance = entry.balances.map_or_else(String::new, |sums| sums.posted().to_string());
    vec![entry.timestamp.to_string(), kind_name(entry.kind).to_owned(), debit, credit, balance, entry.transfer.to_string()]
}

#[derive(clap::Args)]
pub struct Balances {
    #[command(flatten)]
    common: Common,
    /// As they were at this time, as 2026-11-22T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time_argument)]
    as_of: Option<Timestamp>,
}

impl Balances {
    pub async fn run(self) -> Ended {
        let Balances { common, as_of } = self;
        let ledger = common.ledger().await?;
        let (mut after, mut first) = (None, true);
        loop {
            let accounts = ledger.all_balances(as_of, after, PAGE).await?;
            after = accounts.last().map(|last| last.account);
            print_balances(&common, &accounts, first);
            first = false;
            if accounts.len() < PAGE as usize {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

/// A page at a time, as JSON one document on each line: there may be more accounts than memory holds.
fn print_balances(common: &Common, accounts: &[AccountBalance], with_header: bool) {
    if common.json {
        for AccountBalance { account, ledger, code, balances } in accounts {
            let mut json = json!({ "account": account.to_string(), "ledger": ledger, "code": code });
            add_sums(&mut json, balances);
            println!("{json}");
        }
        return;
    }
    let mut lines = Vec::new();
    if with_header {
        lines.push(["account", "ledger", "code", "debits", "credits", "balance", "available"].map(str::to_owned).to_vec());
    }
    lines.extend(accounts.iter().map(|AccountBalance { account, ledger, code, balances }| {
        let sums = [balances.debits_posted.to_string(), balances.credits_posted.to_string()];
        let [debits, credits] = sums;
        let (posted, available) = (balances.posted().to_string(), balances.available_low().to_string());
        vec![account.to_string(), ledger.to_string(), code.to_string(), debits, credits, posted, available]
    }));
    if !lines.is_empty() {
        println!("{}", table(&lines));
    }
}

#[derive(clap::Args)]
pub struct Ledgers {
    #[command(flatten)]
    common: Common,
}

impl Ledgers {
    pub async fn run(self) -> Ended {
        let ledgers = self.common.ledger().await?.ledgers().await?;
        let json = |ledger: &Defined| {
            json!({
                "id": ledger.id, "name": ledger.name, "asset": ledger.asset, "currency": ledger.currency, "scale": ledger.scale,
                "closed_through": ledger.closed_through.map(time), "metadata": metadata(ledger.metadata.as_deref()),
            })
        };
        let line = |ledger: &Defined| {
            let closed = ledger.closed_through.map(|time| time.to_string()).unwrap_or_default();
            let (asset, currency) = (ledger.asset.clone().unwrap_or_default(), ledger.currency.clone().unwrap_or_default());
            vec![ledger.id.to_string(), ledger.name.clone(), asset, currency, ledger.scale.to_string(), closed]
        };
        self.common.print(&Value::Array(ledgers.iter().map(json).collect()), || {
            let mut lines = vec![["ledger", "name", "asset", "currency", "scale", "closed through"].map(str::to_owned).to_vec()];
            lines.extend(ledgers.iter().map(line));
            table(&lines)
        });
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(clap::Args)]
pub struct Audit {
    #[command(flatten)]
    common: Common,
}

impl Audit {
    pub async fn run(self) -> Ended {
        let findings = self.common.ledger().await?.audit().await?;
        let json = |finding: &Finding| json!({ "finding": finding.name, "account": finding.account.map(|id| id.to_string()), "detail": finding.detail });
        self.common.print(&Value::Array(findings.iter().map(json).collect()), || {
            if findings.is_empty() {
                return "the books are sound: all balances follow from the transfers and from the entries".to_owned();
            }
            let lines: Vec<String> = findings.iter().map(|finding| format!("{}: {}", finding.name, finding.detail)).collect();
            lines.join("\n")
        });
        Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FINDING) })
    }
}
