//! What changes the books. The documents go to SQL as they came; there they are read, by the code that reads those of SQL's clients.

use super::query::canonical_id;
use super::read::ledger_by_id;
use super::render::broken;
use super::select::{int8, jsonb, timestamptz};
use super::{Context, Problem};
use crate::http::time;
use crate::internal::Row;
use ledger::Code;
use serde_json::{Map, Value, json};

const POST_ALL: &str = "SELECT * FROM ledger.post_all($1)";
const OPEN_ACCOUNTS: &str = "SELECT * FROM ledger.open_accounts($1)";

pub async fn post_transfers(context: &mut Context<'_>) -> Result<Value, Problem> {
    batch(context, POST_ALL).await
}

pub async fn open_accounts(context: &mut Context<'_>) -> Result<Value, Problem> {
    batch(context, OPEN_ACCOUNTS).await
}

/// One document is answered by its outcome, or by the problem that it is; a list of them by a list of outcomes.
async fn batch(context: &mut Context<'_>, sql: &str) -> Result<Value, Problem> {
    let body = text(context)?;
    let is_list = match parse(&body)? {
        Value::Object(_) => false,
        Value::Array(_) => true,
        _ => return Err(Problem::bad_request("the body is one document or a list of them")),
    };
    let documents = if is_list { body } else { format!("[{body}]") };
    let rows = context.ask(sql, vec![jsonb(documents)]).await?.rows;
    if is_list {
        let outcomes = rows.iter().map(outcome).collect::<Result<Vec<_>, _>>()?;
        return Ok(json!({ "outcomes": outcomes.into_iter().map(Outcome::shown).collect::<Vec<_>>() }));
    }
    let [row] = rows.as_slice() else { return Err(broken("outcome")) };
    let outcome = outcome(row)?;
    if !outcome.is_booked() {
        return Err(Problem::refused(&outcome.id, outcome.code));
    }
    // Whether this try booked it or an earlier one: the answer is the same.
    Ok(json!({ "id": outcome.id, "booked": true, "timestamp": time::format(outcome.timestamp) }))
}

struct Outcome {
    id: String,
    code: Code,
    timestamp: u64,
}

impl Outcome {
    fn is_booked(&self) -> bool {
        matches!(self.code, Code::Ok | Code::Exists)
    }

    fn shown(self) -> Value {
        let mut shown = Map::new();
        let booked = self.is_booked();
        shown.insert("id".to_owned(), self.id.into());
        shown.insert("booked".to_owned(), booked.into());
        shown.insert("code".to_owned(), self.code.number().into());
        shown.insert("name".to_owned(), self.code.name().into());
        if booked {
            shown.insert("timestamp".to_owned(), time::format(self.timestamp).into());
        }
        Value::Object(shown)
    }
}

fn outcome(row: &Row) -> Result<Outcome, Problem> {
    let [Some(id), Some(code), _, timestamp] = row.as_slice() else { return Err(broken("outcome")) };
    let code = code.parse().ok().and_then(Code::from_number).ok_or_else(|| broken("code"))?;
    let timestamp = timestamp.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(Outcome { id: id.clone(), code, timestamp })
}

pub async fn define_ledger(context: &mut Context<'_>) -> Result<Value, Problem> {
    let body = text(context)?;
    let document = parse(&body)?;
    let id = match &document["id"] {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|id| u32::try_from(id).ok()),
    };
    let id = id.ok_or_else(|| Problem::bad_request("a ledger has an \"id\" from 1 to 4294967295"))?;
    context.ask("SELECT ledger.define($1)", vec![jsonb(body)]).await?;
    ledger_by_id(context, id).await
}

pub async fn close_period(context: &mut Context<'_>) -> Result<Value, Problem> {
    let body = text(context)?;
    let wrong = || Problem::bad_request("the body is {\"through\": TIME}, with a time to the microsecond, as 2026-10-31T23:59:59Z");
    let through = match parse(&body)? {
        Value::Object(members) if members.len() == 1 => members.get("through").and_then(Value::as_str).and_then(time::parse),
        _ => None,
    };
    let through = through.filter(|nanoseconds| nanoseconds % 1_000 == 0).ok_or_else(wrong)?;
    let mut through = time::format(through);
    // SQL's times end at microseconds.
    through.truncate(through.len() - "000Z".len());
    through.push('Z');
    let id = super::read::ledger_id(context)?;
    context.ask("SELECT ledger.close_period($1, $2)", vec![int8(i64::from(id)), timestamptz(through)]).await?;
    ledger_by_id(context, id).await
}

/// The body, of which 0 bytes are left.
fn text(context: &mut Context<'_>) -> Result<String, Problem> {
    String::from_utf8(std::mem::take(&mut context.body)).map_err(|_| Problem::bad_request("the body is not UTF-8"))
}

fn parse(body: &str) -> Result<Value, Problem> {
    serde_json::from_str(body).map_err(|error| Problem::bad_request(format!("the body is no JSON: {error}")))
}

/// The `ids` that are to be looked up, in the form of answers.
pub fn ids(context: &mut Context<'_>, most: usize) -> Result<Vec<String>, Problem> {
    let body = text(context)?;
    let wrong = || Problem::bad_request(format!("the body is {{\"ids\": [...]}} with 1 to {most} ids"));
    let ids = match parse(&body)? {
        Value::Object(mut members) if members.len() == 1 => members.remove("ids"),
        _ => None,
    };
    let Some(Value::Array(ids)) = ids else { return Err(wrong()) };
    if ids.is_empty() || ids.len() > most {
        return Err(wrong());
    }
    let id = |value: &Value| value.as_str().and_then(canonical_id).ok_or_else(|| super::query::not_an_id(&value.to_string()));
    ids.iter().map(id).collect()
}
