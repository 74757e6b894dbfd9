//! `florin status`: nodes and shards, as the node that is asked knows them.

use super::client::{Connection, query};
use base::Result;
use serde_json::{Map, Value};
use std::process::ExitCode;
use tokio_postgres::SimpleQueryRow;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// If the node cannot be reached or refuses.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let nodes = query(&arguments.connection, "SELECT * FROM florin.nodes")?;
    let shards = query(&arguments.connection, "SELECT * FROM florin.shards")?;
    if arguments.json {
        println!("{}", serde_json::json!({ "nodes": objects(&nodes), "shards": objects(&shards) }));
    } else {
        print_table("nodes", &nodes);
        println!();
        print_table("shards", &shards);
    }
    Ok(ExitCode::SUCCESS)
}

fn objects(rows: &[SimpleQueryRow]) -> Vec<Value> {
    let object = |row: &SimpleQueryRow| {
        let columns = row.columns().iter().enumerate();
        let fields =
            columns.map(|(i, column)| (column.name().to_owned(), row.get(i).map_or(Value::Null, |text| Value::String(text.to_owned()))));
        Value::Object(fields.collect::<Map<String, Value>>())
    };
    rows.iter().map(object).collect()
}

fn print_table(title: &str, rows: &[SimpleQueryRow]) {
    let Some(first) = rows.first() else {
        println!("{title}: none");
        return;
    };
    let mut lines = vec![first.columns().iter().map(|column| column.name().to_owned()).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(|row| (0..row.columns().len()).map(|i| row.get(i).unwrap_or("").to_owned()).collect()));
    println!("{title}\n{}", super::table(&lines));
}
