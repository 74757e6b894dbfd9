//! The stream of changes: all events in the order of their commits, from a place on. A client that waits asks again and again here, not there.

use super::read::transfers_by_ids;
use super::render::{CHANGE, broken, object};
use super::select::{int8, text};
use super::{Context, Problem};
use crate::internal::Row;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long a request may wait for something to happen, in seconds.
const WAIT_S_MAX: u64 = 20;
/// Between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

pub async fn list_changes(context: &mut Context<'_>) -> Result<Value, Problem> {
    let limit = context.query.limit()?;
    let after = context.query.text("after").unwrap_or_default().to_owned();
    let wait = context.query.number("wait", WAIT_S_MAX)?.unwrap_or(0);
    let until = Instant::now() + Duration::from_secs(wait);
    let mut rows;
    loop {
        let parameters = vec![text(after.clone()), int8(i64::from(limit))];
        rows = context.ask("SELECT * FROM ledger.changes($1, $2)", parameters).await?.rows;
        if !rows.is_empty() || Instant::now() >= until {
            break;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    let next = rows.last().and_then(|row| row.first()?.clone()).unwrap_or(after);
    Ok(json!({ "changes": shown(context, &rows).await?, "next": next }))
}

/// Each with its transfer: it was committed with it, so it is there. What became of the transfer may be newer than the change.
async fn shown(context: &mut Context<'_>, rows: &[Row]) -> Result<Vec<Value>, Problem> {
    let mut changes = rows.iter().map(|row| object(CHANGE, row)).collect::<Result<Vec<_>, _>>()?;
    let mut ids: Vec<String> = changes.iter().filter_map(|change| Some(change["transfer"].as_str()?.to_owned())).collect();
    ids.sort_unstable();
    ids.dedup();
    let transfers = transfers_by_ids(context, &ids).await?;
    for change in &mut changes {
        let transfer = change["transfer"].as_str().and_then(|id| transfers.get(id)).cloned().ok_or_else(|| broken("transfer"))?;
        change.insert("transfer".to_owned(), Value::Object(transfer));
    }
    Ok(changes.into_iter().map(Value::Object).collect())
}
