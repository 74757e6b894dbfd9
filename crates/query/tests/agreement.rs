//! What both paths can run means the same on both: each expression over each row, natively and through the engine.

mod common;

use base::Wall;
use common::{Harness, KINDS};
use query::EngineOptions;
use sql::expr::{Env, NoAmbient, Parameters, Scope, bind};
use sql::types::{Settings, Type, text};
use sql::value::Value;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// Over the columns of `kinds`: k, s, b, f, n, u, ts, i, j, y, a, t.
const EXPRESSIONS: &[&str] = &[
    "k + s",
    "k - s * 2",
    "k / 3",
    "k % 2 = 0",
    "s = 10 or b",
    "s is null and not b",
    "b is distinct from true",
    "f * 2",
    "f < 1.5",
    "n > 0",
    "u = '00000000-0000-0000-0000-000000000001'",
    "u < 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    "ts > '2024-02-01'",
    "ts + interval '1 month'",
    "ts - interval '1 day'",
    "ts::date",
    "ts::text",
    "i * 2",
    "i > interval '1 hour'",
    "i::text",
    "t < '12:00'",
    "t::text",
    "j::text",
    "y::text",
    "length(y)",
    "a::text",
    "a[1]",
    "2 = any(a)",
    "k in (1, 3, 5)",
    "k not in (1, 3)",
    "k between 2 and 3",
    "s between -5 and 5",
    "coalesce(s, 7)",
    "nullif(k, 2)",
    "greatest(k, s)",
    "least(k, 3)",
    "case when k = 1 then 'one' when k = 2 then 'two' else 'many' end",
    "case k when 1 then 10 else 20 end",
    "k::text || '-' || s",
    "upper('ab' || k)",
    "substring('abcdef' from k for 2)",
    "position('c' in 'abcdef')",
    "trim(both 'x' from 'xxaxx')",
    "lpad(k::text, 5, '0')",
    "replace('banana', 'a', k::text)",
    "split_part('a,b,c,d', ',', k)",
    "abs(s)",
    "round(1234.5678, 2)",
    "round(f)",
    "ceil(n)",
    "floor(n)",
    "sqrt(k)",
    "power(k, 2)",
    "mod(k, 3)",
    "extract(year from ts)",
    "extract(hour from t)",
    "date_trunc('month', ts)",
    "to_char(k, '000')",
    "'abc' like 'a%'",
    "'abc' ilike 'A_C'",
    "'a_c' like 'a!_c' escape '!'",
    "'abc' ~ '^a.c$'",
    "'abc' !~ 'b'",
    "k::smallint::bigint",
    "k::float8 / 3",
    "1.5::int",
    "'12'::int + k",
    "s::boolean",
    "(k, s) = (1, 10)",
    "k & 3",
    "k | 8",
    "k # 1",
    "k << 2",
    "~k",
    "-k",
    "@ s",
    "date '2024-01-31' + k",
    "date '2024-03-01' - date '2024-02-01'",
    "timestamp '2024-01-01 10:00' - timestamp '2023-12-31 09:00'",
    "now() = now()",
    "current_date > '2000-01-01'",
    "current_user",
    "md5('x')",
    "concat('a', k, null, s)",
    "concat_ws('-', k, null, s)",
    "j -> 'a'",
    "j ->> 'a'",
];

fn native(expression: &str, rows: &[Vec<Value>], scope: &Scope) -> Result<Vec<String>, String> {
    let tree =
        Parser::new(&PostgreSqlDialect {}).try_with_sql(expression).and_then(|mut parser| parser.parse_expr()).expect("a syntax tree");
    let bound = match bind(&tree, scope, &mut Parameters::default()) {
        Ok(bound) => bound,
        Err(error) => return Err(base::Error::from(error).state().to_string()),
    };
    let settings = Settings {
        user: "postgres".into(),
        session_user: "postgres".into(),
        transaction_start: Wall(1_710_084_645_123_456),
        statement_start: Wall(1_710_084_645_123_456),
        ..Settings::default()
    };
    let env = Env::new(&settings, &NoAmbient, &[]);
    let ty = if bound.ty() == Type::Unknown { Type::Text } else { bound.ty() };
    rows.iter()
        .map(|row| match bound.eval(row, &env) {
            Ok(Value::Null) => Ok(String::from("∅")),
            Ok(value) => Ok(text::to_string(&value, ty, &settings)),
            Err(error) => Err(error.state().to_string()),
        })
        .collect()
}

/// Numbers that are equal but for zeros at their end: a column of the engine has one scale.
fn same_number(a: &str, b: &str) -> bool {
    let plain = |text: &str| if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() };
    a.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '-') && plain(a) == plain(b)
}

#[test]
fn both_paths_agree() {
    let harness = Harness::new(EngineOptions::default());
    let table = harness.catalog.tables.values().find(|table| table.name == "kinds").expect("a table").clone();
    let scope = Scope::of_table(&table, None).expect("known types");
    let rows = common::kind_rows();
    assert_eq!(rows.len(), KINDS.len());
    let mut differences = Vec::new();
    for expression in EXPRESSIONS {
        let expected = native(expression, &rows, &scope);
        let found = match harness.run(&format!("select {expression} from kinds order by k")) {
            Ok(answer) => Ok(answer.text()),
            Err(error) => Err(error.state().to_string()),
        };
        let same = match (&expected, &found) {
            (Ok(a), Ok(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || same_number(a, b)),
            (a, b) => a == b,
        };
        if !same {
            differences.push(format!("{expression}\n  native {expected:?}\n  engine {found:?}"));
        }
    }
    assert!(differences.is_empty(), "{} of {} differ:\n{}", differences.len(), EXPRESSIONS.len(), differences.join("\n"));
}
