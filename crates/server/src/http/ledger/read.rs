//! Look-ups and pages. A page says with `next` where the following one begins; without it there is nothing further.

use super::query::{canonical_id, not_an_id};
use super::render::{self, ACCOUNT, Column, ENTRY, LEDGER, STATE, TRANSFER, broken, expressions, object};
use super::select::{Select, int4, int8, places, uuid};
use super::write;
use super::{Context, Problem};
use crate::internal::Row;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Ids of one look-up.
const IDS_MAX: usize = 256;

pub type Object = Map<String, Value>;

/// Rows that fit the limit, and whether there are more.
pub struct Page {
    pub rows: Vec<Row>,
    pub more: bool,
}

pub async fn page(context: &mut Context<'_>, select: Select, columns: &[Column], table: &str, order: &str) -> Result<Page, Problem> {
    let limit = context.query.limit()?;
    let sql = select.sql(&expressions(columns), table, order, limit);
    let mut answer = context.ask(&sql, select.parameters).await?;
    let more = answer.cut || answer.rows.len() > limit as usize;
    answer.rows.truncate(limit as usize);
    Ok(Page { rows: answer.rows, more })
}

impl Page {
    fn shown(&self, name: &str, columns: &[Column], cursor: impl Fn(&Row) -> Option<String>) -> Result<Value, Problem> {
        let objects = self.rows.iter().map(|row| object(columns, row)).collect::<Result<Vec<_>, _>>()?;
        let next = self.rows.last().filter(|_| self.more).and_then(cursor);
        Ok(page_of(name, objects, next))
    }
}

pub fn page_of(name: &str, objects: Vec<Object>, next: Option<String>) -> Value {
    let mut shown = Object::new();
    shown.insert(name.to_owned(), objects.into_iter().map(Value::Object).collect());
    if let Some(next) = next {
        shown.insert("next".to_owned(), next.into());
    }
    Value::Object(shown)
}

/// A column's text.
pub fn cell<'a>(columns: &[Column], row: &'a Row, name: &str) -> Option<&'a str> {
    let at = columns.iter().position(|(known, ..)| *known == name)?;
    row.get(at)?.as_deref()
}

pub fn first_cell(row: &Row) -> Option<String> {
    row.first()?.clone()
}

/// The id in the path, in the form of answers.
pub fn path_id(context: &Context<'_>) -> Result<String, Problem> {
    canonical_id(context.id()?).ok_or_else(|| not_an_id("the path"))
}

pub fn ledger_id(context: &Context<'_>) -> Result<u32, Problem> {
    context.id()?.parse().map_err(|_| Problem::bad_request("a ledger's number is from 1 to 4294967295"))
}

pub async fn list_ledgers(context: &mut Context<'_>) -> Result<Value, Problem> {
    let mut select = Select::default();
    if let Some(after) = context.query.number("after", u64::from(u32::MAX))? {
        select.and("id > ?", [int8(after as i64)]);
    }
    page(context, select, LEDGER, "ledger.ledgers", "id").await?.shown("ledgers", LEDGER, first_cell)
}

pub async fn get_ledger(context: &mut Context<'_>) -> Result<Value, Problem> {
    let id = ledger_id(context)?;
    ledger_by_id(context, id).await
}

pub async fn ledger_by_id(context: &mut Context<'_>, id: u32) -> Result<Value, Problem> {
    let sql = format!("SELECT {} FROM ledger.ledgers WHERE id = $1", expressions(LEDGER));
    let rows = context.ask(&sql, vec![int8(i64::from(id))]).await?.rows;
    let row = rows.first().ok_or_else(|| Problem::not_found(format!("ledger {id} is not defined")))?;
    object(LEDGER, row).map(Value::Object)
}

pub async fn list_accounts(context: &mut Context<'_>) -> Result<Value, Problem> {
    let mut select = Select::default();
    select.and_attributes(&context.query)?;
    if let Some(after) = context.query.id("after")? {
        select.and("id > ?", [uuid(after)]);
    }
    page(context, select, ACCOUNT, "ledger.accounts", "id").await?.shown("accounts", ACCOUNT, first_cell)
}

async fn by_ids(context: &mut Context<'_>, columns: &[Column], table: &str, ids: &[String]) -> Result<BTreeMap<String, Row>, Problem> {
    let mut found = BTreeMap::new();
    for ids in ids.chunks(IDS_MAX) {
        let sql = format!("SELECT id, {} FROM {table} WHERE id IN ({})", expressions(columns), places(ids.len()));
        let answer = context.ask(&sql, ids.iter().map(uuid).collect()).await?;
        if answer.cut {
            return Err(Problem::new(413, "answer_too_large", "the answer is too large").with_hint("Ask for less at once."));
        }
        for mut row in answer.rows {
            let id = if row.is_empty() { None } else { row.remove(0) };
            found.insert(id.ok_or_else(|| broken("id"))?, row);
        }
    }
    Ok(found)
}

pub async fn get_account(context: &mut Context<'_>) -> Result<Value, Problem> {
    let id = path_id(context)?;
    object(ACCOUNT, &account(context, &id).await?).map(Value::Object)
}

pub async fn account(context: &mut Context<'_>, id: &str) -> Result<Row, Problem> {
    let ids = [id.to_owned()];
    let found = by_ids(context, ACCOUNT, "ledger.accounts", &ids).await?.remove(id);
    found.ok_or_else(|| Problem::not_found(format!("account {id} is not open")))
}

/// What was found, in the order of the ids, and what was not.
fn looked_up(name: &str, ids: &[String], mut found: BTreeMap<String, Object>) -> Value {
    let (mut objects, mut missing) = (Vec::new(), Vec::new());
    for id in ids {
        match found.remove(id) {
            Some(object) => objects.push(Value::Object(object)),
            None => missing.push(Value::from(id.as_str())),
        }
    }
    let mut shown = Object::new();
    shown.insert(name.to_owned(), objects.into());
    shown.insert("missing".to_owned(), missing.into());
    Value::Object(shown)
}

/// The ids of the body, each once.
fn wanted_ids(context: &mut Context<'_>) -> Result<Vec<String>, Problem> {
    let mut seen = std::collections::BTreeSet::new();
    let ids = write::ids(context, IDS_MAX)?;
    Ok(ids.into_iter().filter(|id| seen.insert(id.clone())).collect())
}

pub async fn look_up_accounts(context: &mut Context<'_>) -> Result<Value, Problem> {
    let ids = wanted_ids(context)?;
    let found = by_ids(context, ACCOUNT, "ledger.accounts", &ids).await?;
    let found = found.into_iter().map(|(id, row)| Ok((id, object(ACCOUNT, &row)?))).collect::<Result<_, Problem>>()?;
    Ok(looked_up("accounts", &ids, found))
}

/// Transfers with what became of them.
async fn transfers(context: &mut Context<'_>, rows: Vec<Row>) -> Result<Vec<Object>, Problem> {
    let id = |row: &Row| cell(TRANSFER, row, "id").map(str::to_owned).ok_or_else(|| broken("id"));
    let ids = rows.iter().map(id).collect::<Result<Vec<_>, _>>()?;
    // A state is written with its transfer or later, so the state of each one that was read is there.
    let states = by_ids(context, STATE, "ledger.transfer_states", &ids).await?;
    let join = |(row, id): (Row, String)| {
        let mut shown = object(TRANSFER, &row)?;
        if let Some(state) = states.get(&id) {
            shown.extend(object(STATE, state)?);
        }
        Ok(shown)
    };
    rows.into_iter().zip(ids).map(join).collect()
}

pub async fn transfers_by_ids(context: &mut Context<'_>, ids: &[String]) -> Result<BTreeMap<String, Object>, Problem> {
    let (ids, rows): (Vec<_>, Vec<_>) = by_ids(context, TRANSFER, "ledger.transfers", ids).await?.into_iter().unzip();
    Ok(ids.into_iter().zip(transfers(context, rows).await?).collect())
}

pub async fn get_transfer(context: &mut Context<'_>) -> Result<Value, Problem> {
    let id = path_id(context)?;
    let found = transfers_by_ids(context, std::slice::from_ref(&id)).await?.remove(&id);
    found.map(Value::Object).ok_or_else(|| Problem::not_found(format!("transfer {id} is not booked")))
}

pub async fn look_up_transfers(context: &mut Context<'_>) -> Result<Value, Problem> {
    let ids = wanted_ids(context)?;
    let found = transfers_by_ids(context, &ids).await?;
    Ok(looked_up("transfers", &ids, found))
}

/// A place in an order of time: a timestamp, and what tells apart rows of one timestamp.
struct Cursor {
    timestamp: i64,
    rest: String,
}

impl Cursor {
    fn of(context: &Context<'_>) -> Result<Option<Cursor>, Problem> {
        let parsed = |text: &str| {
            let (timestamp, rest) = text.split_once('.')?;
            let timestamp = timestamp.parse().ok().filter(|timestamp| *timestamp >= 0)?;
            Some(Cursor { timestamp, rest: rest.to_owned() })
        };
        context.query.text("after").map(|text| parsed(text).ok_or_else(bad_cursor)).transpose()
    }
}

fn bad_cursor() -> Problem {
    Problem::bad_request("after is what an answer gave as next")
}

/// The span of time that a page covers, and its direction.
struct Span {
    from: i64,
    before: i64,
    newest_first: bool,
    after: Option<Cursor>,
}

impl Span {
    /// The cursor's timestamp bounds the key, so nothing is read that the cursor has passed.
    fn of(context: &Context<'_>) -> Result<Span, Problem> {
        let newest_first = context.query.newest_first()?;
        let mut from = context.query.time("from")?.unwrap_or(0);
        let mut before = context.query.time("before")?.unwrap_or(i64::MAX);
        let after = Cursor::of(context)?;
        match &after {
            Some(cursor) if newest_first => before = before.min(cursor.timestamp.saturating_add(1)),
            Some(cursor) => from = from.max(cursor.timestamp),
            None => {}
        }
        Ok(Span { from, before, newest_first, after })
    }

    fn order(&self, rest: &str) -> String {
        let direction = if self.newest_first { "DESC" } else { "ASC" };
        format!("timestamp {direction}, {rest} {direction}")
    }

    /// `<` or `>`: what lies behind the cursor.
    fn beyond(&self) -> &'static str {
        if self.newest_first { "<" } else { ">" }
    }

    fn bound(&self, select: &mut Select) {
        select.and("timestamp >= ?", [int8(self.from)]);
        select.and("timestamp < ?", [int8(self.before)]);
    }
}

pub async fn list_entries(context: &mut Context<'_>) -> Result<Value, Problem> {
    let id = path_id(context)?;
    let span = Span::of(context)?;
    let mut select = Select::default();
    select.and("account = ?", [uuid(id.clone())]);
    span.bound(&mut select);
    if let Some(cursor) = &span.after {
        let number: i32 = cursor.rest.parse().map_err(|_| bad_cursor())?;
        select.and(&format!("(timestamp <> ? OR number {} ?)", span.beyond()), [int8(cursor.timestamp), int4(number)]);
    }
    let page = page(context, select, ENTRY, "ledger.entries", &span.order("number")).await?;
    if page.rows.is_empty() {
        // There may be none because there is no such account.
        account(context, &id).await?;
    }
    page.shown("entries", ENTRY, |row| Some(format!("{}.{}", cell(ENTRY, row, "timestamp")?, cell(ENTRY, row, "number")?)))
}

pub async fn list_transfers(context: &mut Context<'_>) -> Result<Value, Problem> {
    if context.query.text("account").is_some() {
        return list_transfers_of_account(context).await;
    }
    let span = Span::of(context)?;
    let mut select = Select::default();
    select.and_attributes(&context.query)?;
    span.bound(&mut select);
    if let Some(cursor) = &span.after {
        let id = canonical_id(&cursor.rest).ok_or_else(bad_cursor)?;
        select.and(&format!("(timestamp <> ? OR id {} ?)", span.beyond()), [int8(cursor.timestamp), uuid(id)]);
    }
    let Page { rows, more } = page(context, select, TRANSFER, "ledger.transfers", &span.order("id")).await?;
    let cursor = |row: &Row| Some(format!("{}.{}", cell(TRANSFER, row, "timestamp")?, cell(TRANSFER, row, "id")?));
    let next = rows.last().filter(|_| more).and_then(cursor);
    Ok(page_of("transfers", transfers(context, rows).await?, next))
}

/// What a page reads of an account's entries to find its transfers.
const FOUND: &[Column] = &[("timestamp", "timestamp", render::Shown::Time), ("transfer", "transfer", render::Shown::Text)];

/// An account's transfers are found by its entries, which lie in order of time; they are filtered here, so a page may be short.
async fn list_transfers_of_account(context: &mut Context<'_>) -> Result<Value, Problem> {
    let id = context.query.id("account")?.unwrap_or_default();
    let span = Span::of(context)?;
    let mut select = Select::default();
    select.and("account = ?", [uuid(id)]);
    span.bound(&mut select);
    if let Some(cursor) = &span.after {
        // All entries of one timestamp are of one transfer.
        select.and("timestamp <> ?", [int8(cursor.timestamp)]);
    }
    let page = page(context, select, FOUND, "ledger.entries", &span.order("number")).await?;
    let next = page.rows.last().filter(|_| page.more).and_then(|row| Some(format!("{}.", cell(FOUND, row, "timestamp")?)));
    let mut booked: Vec<(String, String)> = Vec::new();
    for row in &page.rows {
        let of = |name| cell(FOUND, row, name).map(str::to_owned).ok_or_else(|| broken(name));
        let found = (of("timestamp")?, of("transfer")?);
        if booked.last() != Some(&found) {
            booked.push(found);
        }
    }
    let ids: Vec<String> = booked.iter().map(|(_, id)| id.clone()).collect();
    let mut rows = by_ids(context, TRANSFER, "ledger.transfers", &ids).await?;
    // When a pending transfer expires, its entries have a later timestamp than it: it was found, or will be, at its own.
    let own = |(timestamp, id): &(String, String)| {
        rows.remove(id).map(|row| (cell(TRANSFER, &row, "timestamp") == Some(timestamp), id.clone(), row))
    };
    let found: Vec<_> = booked.iter().filter_map(own).collect();
    let wanted = Wanted::of(context)?;
    let rows = found.into_iter().filter(|(own, _, row)| *own && wanted.fits(row)).map(|(.., row)| row).collect();
    Ok(page_of("transfers", transfers(context, rows).await?, next))
}

/// Attributes that a query names, as rows show them.
struct Wanted(Vec<(&'static str, String)>);

impl Wanted {
    fn of(context: &Context<'_>) -> Result<Wanted, Problem> {
        let mut wanted = Vec::new();
        for name in ["ledger", "code", "user_data_64", "user_data_32"] {
            wanted.extend(context.query.number(name, u64::MAX)?.map(|value| (name, value.to_string())));
        }
        wanted.extend(context.query.id("user_data_128")?.map(|id| ("user_data_128", id)));
        Ok(Wanted(wanted))
    }

    fn fits(&self, row: &Row) -> bool {
        self.0.iter().all(|(name, value)| cell(TRANSFER, row, name) == Some(value))
    }
}

pub async fn audit(context: &mut Context<'_>) -> Result<Value, Problem> {
    let answer = context.ask("SELECT * FROM ledger.audit()", Vec::new()).await?;
    let findings = answer.rows.iter().map(|row| object(render::FINDING, row)).collect::<Result<Vec<_>, _>>()?;
    let is_sound = findings.is_empty();
    Ok(json!({ "sound": is_sound, "findings": findings }))
}
