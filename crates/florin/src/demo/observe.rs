//! What the cluster says of itself, asked as any client can: `florin.shards` and `florin.nodes`.

use super::posting;
use super::targets::{Target, Targets};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_postgres::{Client, SimpleQueryMessage};

/// A status question that takes longer is given up: the node may be cut off.
const QUESTION_MILLIS_MAX: u64 = 700;
const PAUSE_MILLIS: u64 = 100;

/// Where each shard is led: the leader's zone, `None` when nobody knows one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    pub leaders: BTreeMap<u32, Option<String>>,
    /// Voters of the shard that has the fewest.
    pub voters: usize,
}

pub async fn rows(client: &Client, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    rows_within(client, sql, Duration::from_millis(QUESTION_MILLIS_MAX)).await
}

pub async fn rows_within(client: &Client, sql: &str, bound: Duration) -> Result<Vec<Vec<Option<String>>>, String> {
    let messages = match timeout(bound, client.simple_query(sql)).await {
        Ok(Ok(messages)) => messages,
        Ok(Err(error)) => return Err(posting::explain(sql, &error)),
        Err(_) => return Err(format!("{sql}: no answer within {} ms", bound.as_millis())),
    };
    let row = |message: SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect()),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

async fn picture_of(client: &Client) -> Result<Picture, String> {
    let zones = rows(client, "SELECT node, zone FROM florin.nodes").await?;
    let zone_of = |node: &str| zones.iter().find(|row| row[0].as_deref() == Some(node)).and_then(|row| row[1].clone());
    let mut picture = Picture { leaders: BTreeMap::new(), voters: usize::MAX };
    for row in rows(client, "SELECT shard, leader, voters FROM florin.shards").await? {
        let number = |column: usize| row.get(column).and_then(Option::as_ref).and_then(|text| text.parse::<u32>().ok());
        let Some(shard) = number(0) else { continue };
        picture.leaders.insert(shard, row[1].as_deref().and_then(zone_of));
        picture.voters = picture.voters.min(number(2).unwrap_or(0) as usize);
    }
    Ok(picture)
}

/// The number of the node that stands in a zone.
pub async fn number_of(client: &Client, zone: &str) -> Result<String, String> {
    let rows = rows(client, &format!("SELECT node FROM florin.nodes WHERE zone = '{zone}'")).await?;
    rows.into_iter().flatten().flatten().next().ok_or_else(|| format!("florin.nodes has no node in {zone}"))
}

/// The view of the first node that answers. All nodes are asked at once, so that silent ones cost nothing.
pub async fn picture(targets: &Targets) -> Option<Picture> {
    let mut questions = tokio::task::JoinSet::new();
    for target in targets.iter() {
        let single = Target::new(target.name.clone(), target.city, target.zone.clone(), target.port);
        questions.spawn(async move {
            let client = posting::connect(&single).await?;
            picture_of(&client).await
        });
    }
    while let Some(answer) = questions.join_next().await {
        if let Ok(Ok(picture)) = answer
            && picture.leaders.values().any(Option::is_some)
        {
            return Some(picture);
        }
    }
    None
}

/// Waits until each shard has a leader and this many voters, and every node answers.
pub async fn wait_until_serving(targets: &Targets, voters: usize, bound: Duration) -> Result<(), String> {
    let start = Instant::now();
    let mut last = "no node has answered".to_owned();
    while start.elapsed() < bound {
        match serving(targets, voters).await {
            Ok(()) => return Ok(()),
            Err(reason) => last = reason,
        }
        tokio::time::sleep(Duration::from_millis(PAUSE_MILLIS)).await;
    }
    Err(format!("the cluster did not get ready within {} s: {last}", bound.as_secs()))
}

async fn serving(targets: &Targets, voters: usize) -> Result<(), String> {
    for target in targets.iter() {
        let client = posting::connect(target).await.map_err(|reason| format!("{}: {reason}", target.name))?;
        let picture = picture_of(&client).await.map_err(|reason| format!("{}: {reason}", target.name))?;
        if picture.leaders.is_empty() || picture.leaders.values().any(Option::is_none) {
            return Err(format!("{} knows no leader of a shard: {:?}", target.name, picture.leaders));
        }
        if picture.voters < voters {
            return Err(format!("{} sees {} voters of {voters}", target.name, picture.voters));
        }
    }
    Ok(())
}
