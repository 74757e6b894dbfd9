//! The queries that psql 15 sends for its backslash commands (`psql -E` shows them) must run; testdata/psql has them word by word.

mod common;

use common::Harness;
use query::EngineOptions;
use std::path::Path;

fn query(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/psql").join(format!("{name}.sql"));
    std::fs::read_to_string(path).expect("the query is there").trim().trim_end_matches(';').to_owned()
}

#[test]
fn every_query_of_psql_runs() {
    let harness = Harness::new(EngineOptions::default());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/psql");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    let failures: Vec<String> =
        names.iter().filter_map(|name| harness.run(&query(name)).err().map(|error| format!("{name}: {error:?}"))).collect();
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), names.len(), failures.join("\n"));
}

#[test]
fn listing_relations_shows_tables_and_sequences() {
    let harness = Harness::new(EngineOptions::default());
    let listed = harness.text(&query("d"));
    assert_eq!(
        listed,
        [
            "public|customers|table|postgres",
            "public|kinds|table|postgres",
            "public|orders|table|postgres",
            "public|orders_id_seq|sequence|postgres",
            "public|pgbench_accounts|table|postgres",
            "public|tickets|sequence|postgres"
        ]
    );
}

#[test]
fn a_tables_columns_are_described() {
    let harness = Harness::new(EngineOptions::default());
    let columns = harness.text(&query("d_table_03"));
    assert_eq!(
        columns,
        [
            "id|bigint|∅|t|∅||",
            "name|text|∅|t|∅||",
            "email|character varying(100)|∅|f|∅||",
            "created|timestamp with time zone|now()|t|∅||",
            "balance|numeric(18,2)|0|f|∅||"
        ]
    );
}

#[test]
fn a_tables_indexes_and_checks_are_described() {
    let harness = Harness::new(EngineOptions::default());
    let indexes = harness.text(&query("d_table_04"));
    assert_eq!(
        indexes,
        [
            "customers_pkey|t|t|f|t|CREATE UNIQUE INDEX customers_pkey ON customers USING btree (id)|PRIMARY KEY (id)|p|f|f|f|0",
            "customers_email_key|f|t|f|t|CREATE UNIQUE INDEX customers_email_key ON customers USING btree (email)|UNIQUE (email)|u|f|f|f|0"
        ]
    );
    assert_eq!(harness.text(&query("d_table_05")), ["customers_balance_check|CHECK ((balance >= 0))"]);
}

#[test]
fn pgbench_finds_its_tables() {
    let harness = Harness::new(EngineOptions::default());
    let partitions = "select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on (n.oid = c.relnamespace) \
         cross join lateral (select pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n) \
         left join pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid) left join pg_catalog.pg_inherits as i on (c.oid = i.inhparent) \
         where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc limit 1";
    assert_eq!(harness.text(partitions), ["2|∅|0"]);
}

#[test]
fn object_mappers_read_the_catalog() {
    let harness = Harness::new(EngineOptions::default());
    let columns = "select column_name, data_type, is_nullable, character_maximum_length, numeric_precision, numeric_scale from information_schema.columns \
         where table_schema = 'public' and table_name = 'customers' order by ordinal_position";
    assert_eq!(
        harness.text(columns),
        [
            "id|bigint|NO|∅|64|0",
            "name|text|NO|∅|∅|∅",
            "email|character varying|YES|100|∅|∅",
            "created|timestamp with time zone|NO|∅|∅|∅",
            "balance|numeric|YES|∅|18|2"
        ]
    );
    let tables = "select table_name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema', 'florin') order by 1";
    assert_eq!(harness.text(tables), ["customers", "kinds", "orders", "pgbench_accounts"]);
    let key = "select kcu.column_name from information_schema.table_constraints tc join information_schema.key_column_usage kcu on tc.constraint_name = kcu.constraint_name \
         where tc.constraint_type = 'PRIMARY KEY' and tc.table_name = 'orders'";
    assert_eq!(harness.text(key), ["id"]);
}

#[test]
fn names_and_oids_lead_to_each_other() {
    let harness = Harness::new(EngineOptions::default());
    assert_eq!(
        harness.text("select 'customers'::regclass, 'customers'::regclass::oid, 16388::oid::regclass::text"),
        ["customers|16388|customers"]
    );
    assert_eq!(harness.text("select to_regclass('nothing') is null, 'int4'::regtype, 'public'::regnamespace"), ["t|integer|public"]);
    assert_eq!(harness.text("select relname from pg_class where oid = 'orders'::regclass"), ["orders"]);
}

#[test]
fn the_node_fills_its_own_tables() {
    let harness = Harness::new(EngineOptions::default());
    assert_eq!(harness.text("select count(*) from florin.nodes"), ["1"]);
    assert_eq!(harness.text("select count(*) from pg_stat_activity"), ["1"]);
}
