//! SQL: texts through the parser, and statements through a session that runs on maps.

#[path = "../../sql/tests/support/mod.rs"]
mod support;

use crate::seeds;
use support::World;

/// Where a seed of several statements is cut.
const END: &str = ";\n";

pub fn text(input: &[u8]) {
    let Ok(sql) = std::str::from_utf8(input) else { return };
    // Refusals are as good as statements; neither may panic.
    let _ = sql::parse::parse(sql);
    let _ = sql::parse::parse_query(sql);
    if let Ok(expression) = sql::parse::parse_expression(sql) {
        // The catalog keeps defaults and checks as texts, and refuses what it could not read again.
        if let Ok(written) = sql::parse::kept_text(&expression) {
            assert!(sql::parse::parse_expression(&written).is_ok(), "{sql:?} was kept as {written:?}, which cannot be read");
        }
    }
}

pub fn text_seeds() -> Vec<Vec<u8>> {
    let mut texts = statements_of(&seeds::folder("crates/sql/testdata/sql", ".sql"));
    texts.extend(statements_of(&seeds::folder("crates/query/testdata/golden", ".test")));
    texts.extend(seeds::file("crates/sql/testdata/expressions.sql").split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    texts
}

/// Runs the statements in a new database. Whatever they are, the session goes on afterwards.
pub fn session(input: &[u8]) {
    let Ok(sql) = std::str::from_utf8(input) else { return };
    let world = World::new();
    let client = world.open("florin");
    client.run("CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(12,2) DEFAULT 0, at timestamptz, j jsonb, UNIQUE (v))");
    client.run("INSERT INTO t VALUES (1, 'one', 1.5, '2026-11-22', '{\"a\": [1, 2]}'), (2, 'two', -3, NULL, 'null')");
    client.run(sql);
    if world.is_open(&client) {
        client.run("ROLLBACK");
        let after = client.run("SELECT 1 AS sound");
        assert!(after.contains('1'), "after {sql:?} the session answers {after:?}");
    }
}

pub fn session_seeds() -> Vec<Vec<u8>> {
    let mut texts = statements_of(&seeds::folder("crates/sql/testdata/sql", ".sql"));
    let expressions = seeds::file("crates/sql/testdata/expressions.sql");
    texts.extend(expressions.split(|byte| *byte == b'\n').map(|line| [b"SELECT ", line].concat()));
    texts.extend(
        [
            "SELECT id, v FROM t WHERE id = 1",
            "SELECT * FROM t ORDER BY n DESC LIMIT 1 OFFSET 1",
            "UPDATE t SET n = n + 1, v = v || 'x' WHERE id BETWEEN 1 AND 2 RETURNING *",
            "INSERT INTO t (id, v) VALUES (3, 'x') ON CONFLICT (id) DO UPDATE SET v = excluded.v",
            "DELETE FROM t USING (VALUES (1)) AS x(id) WHERE t.id = x.id",
            "SELECT count(*), sum(n), min(at), max(v) FROM t",
            "BEGIN; SAVEPOINT a; INSERT INTO t VALUES (9); ROLLBACK TO a; COMMIT",
            "ALTER TABLE t ADD COLUMN extra int NOT NULL DEFAULT 7; SELECT extra FROM t",
            "COPY t FROM STDIN",
            "COPY t (id, v) TO STDOUT WITH (FORMAT csv, HEADER)",
            "EXPLAIN ANALYZE SELECT * FROM t WHERE id = 1",
        ]
        .map(|sql| sql.as_bytes().to_vec()),
    );
    texts
}

fn statements_of(files: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let texts = files.iter().map(|file| String::from_utf8_lossy(file).into_owned());
    let code = texts.map(|text| text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n"));
    code.flat_map(|text| text.split(END).map(|part| part.trim().as_bytes().to_vec()).collect::<Vec<_>>())
        .filter(|text| !text.is_empty())
        .collect()
}
