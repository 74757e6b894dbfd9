//! Random joins by look-up against loops over all rows.
#![allow(clippy::disallowed_methods)]

mod support;

use base::Prng;
use support::World;

type Row = Vec<Option<i64>>;

/// Name, columns and definition. Strings are left out: what is tested is which rows meet.
const TABLES: [(&str, &[&str], &str); 3] = [
    ("r", &["id", "a", "b"], "create table r(id int primary key, a int, b bigint); create index r_a on r(a)"),
    ("q", &["k1", "k2", "v"], "create table q(k1 int, k2 bigint, v int, primary key (k1, k2))"),
    ("w", &["id", "u", "m"], "create table w(id bigint primary key, u int unique, m smallint)"),
];
const QUERIES: usize = 4_000;

/// A column: which table of FROM, which of its columns.
type Column = (usize, usize);

enum Condition {
    Equal(Column, Column, i64),
    Less(Column, Column),
    Is(Column, i64),
    In(Column, Vec<i64>),
    Between(Column, i64, i64),
    Null(Column, bool),
    Or(Box<Condition>, Box<Condition>),
}

struct Joined {
    table: usize,
    left: bool,
    on: Vec<Condition>,
}

struct Query {
    joined: Vec<Joined>,
    filter: Vec<Condition>,
}

impl Condition {
    fn text(&self, query: &Query) -> String {
        let name = |(at, column): &Column| format!("t{at}.{}", TABLES[query.joined[*at].table].1[*column]);
        match self {
            Condition::Equal(a, b, 0) => format!("{} = {}", name(a), name(b)),
            Condition::Equal(a, b, more) => format!("{} = {} + {more}", name(a), name(b)),
            Condition::Less(a, b) => format!("{} < {}", name(a), name(b)),
            Condition::Is(a, value) => format!("{} = {value}", name(a)),
            Condition::In(a, values) => {
                format!("{} in ({})", name(a), values.iter().map(i64::to_string).collect::<Vec<_>>().join(", "))
            }
            Condition::Between(a, low, high) => format!("{0} >= {low} and {0} < {high}", name(a)),
            Condition::Null(a, true) => format!("{} is null", name(a)),
            Condition::Null(a, false) => format!("{} is not null", name(a)),
            Condition::Or(a, b) => format!("({} or {})", a.text(query), b.text(query)),
        }
    }

    /// True, and neither false nor unknown.
    fn holds(&self, rows: &[&Row]) -> bool {
        let value = |(at, column): &Column| rows[*at][*column];
        match self {
            Condition::Equal(a, b, more) => value(a).zip(value(b)).is_some_and(|(a, b)| a == b + more),
            Condition::Less(a, b) => value(a).zip(value(b)).is_some_and(|(a, b)| a < b),
            Condition::Is(a, wanted) => value(a) == Some(*wanted),
            Condition::In(a, values) => value(a).is_some_and(|value| values.contains(&value)),
            Condition::Between(a, low, high) => value(a).is_some_and(|value| (*low..*high).contains(&value)),
            Condition::Null(a, null) => value(a).is_none() == *null,
            Condition::Or(a, b) => a.holds(rows) || b.holds(rows),
        }
    }
}

fn column(prng: &mut Prng, at: usize) -> Column {
    (at, [0, 0, 0, 1, 1, 2][prng.below(6) as usize])
}

fn constant(prng: &mut Prng, at: usize) -> Condition {
    let column = column(prng, at);
    match prng.below(6) {
        0 => Condition::Is(column, prng.below(10) as i64),
        1 | 2 => Condition::In(column, (0..6).map(|_| prng.below(12) as i64).collect()),
        3 => {
            let low = prng.below(6) as i64;
            Condition::Between(column, low, low + 3 + prng.below(9) as i64)
        }
        4 => Condition::Null(column, prng.one_in(2)),
        _ => Condition::Or(Box::new(Condition::Is(column, prng.below(10) as i64)), Box::new(Condition::Null(column, true))),
    }
}

fn between(prng: &mut Prng, at: usize, other: usize) -> Condition {
    let (a, b) = (column(prng, at), column(prng, other));
    match prng.below(8) {
        0 => Condition::Less(a, b),
        1 => Condition::Equal(a, b, 1),
        2 | 3 => Condition::Equal(b, a, 0),
        _ => Condition::Equal(a, b, 0),
    }
}

fn query(prng: &mut Prng) -> Query {
    let count = 2 + prng.below(3) as usize;
    let mut joined = vec![Joined { table: prng.below(3) as usize, left: false, on: Vec::new() }];
    for at in 1..count {
        let other = prng.below(at as u64) as usize;
        let mut on = vec![between(prng, at, other)];
        if prng.one_in(2) {
            on.push(between(prng, at, other));
        }
        if prng.one_in(5) {
            on.push(constant(prng, at));
        }
        joined.push(Joined { table: prng.below(3) as usize, left: prng.one_in(3), on });
    }
    let mut filter = vec![constant(prng, 0)];
    if prng.one_in(2) {
        let at = prng.below(count as u64) as usize;
        filter.push(constant(prng, at));
    }
    if prng.one_in(4) {
        filter.push(between(prng, count - 1, 0));
    }
    Query { joined, filter }
}

fn text(query: &Query) -> String {
    let all = |conditions: &[Condition]| conditions.iter().map(|condition| condition.text(query)).collect::<Vec<_>>().join(" and ");
    let mut columns = Vec::new();
    let mut from = String::new();
    for (at, joined) in query.joined.iter().enumerate() {
        let (name, names, _) = TABLES[joined.table];
        columns.extend(names.iter().map(|name| format!("t{at}.{name}")));
        from += &match at {
            0 => format!("{name} t0"),
            _ => format!(" {} {name} t{at} on {}", if joined.left { "left join" } else { "join" }, all(&joined.on)),
        };
    }
    format!("select {} from {from} where {};", columns.join(", "), all(&query.filter))
}

fn expected(query: &Query, tables: &[Vec<Row>; 3]) -> Vec<String> {
    let nothing: Row = vec![None; 3];
    let mut rows: Vec<Vec<&Row>> = tables[query.joined[0].table].iter().map(|row| vec![row]).collect();
    for joined in &query.joined[1..] {
        let mut next = Vec::new();
        for row in rows {
            let with = |other| row.iter().copied().chain([other]).collect::<Vec<_>>();
            let meet = |both: &Vec<&Row>| joined.on.iter().all(|condition| condition.holds(both));
            let before = next.len();
            next.extend(tables[joined.table].iter().map(with).filter(meet));
            if joined.left && next.len() == before {
                next.push(with(&nothing));
            }
        }
        rows = next;
    }
    let shown = |row: Vec<&Row>| {
        let values = row.into_iter().flatten().map(|value| value.map_or("NULL".to_owned(), |value| value.to_string()));
        values.collect::<Vec<_>>().join(" | ")
    };
    let mut found: Vec<String> =
        rows.into_iter().filter(|row| query.filter.iter().all(|condition| condition.holds(row))).map(shown).collect();
    found.sort();
    found
}

fn fill(prng: &mut Prng) -> [Vec<Row>; 3] {
    let maybe = |prng: &mut Prng, below: u64| (!prng.one_in(6)).then(|| prng.below(below) as i64);
    let r = (0..30).map(|id| vec![Some(id), maybe(prng, 8), maybe(prng, 20)]).collect();
    let mut q = Vec::new();
    for k1 in 0..8 {
        for k2 in 0..prng.below(5) as i64 {
            q.push(vec![Some(k1), Some(k2), maybe(prng, 15)]);
        }
    }
    let w = (0..20).map(|id| vec![Some(id), (!prng.one_in(5)).then_some(19 - id), maybe(prng, 8)]).collect();
    [r, q, w]
}

#[test]
fn joins_find_the_rows_that_loops_find() {
    let mut prng = Prng::new(2_026);
    let tables = fill(&mut prng);
    let world = World::new();
    let client = world.open("florin");
    for ((name, _, definition), rows) in TABLES.iter().zip(&tables) {
        for statement in definition.split("; ") {
            client.run(&format!("{statement};"));
        }
        let shown = |row: &Row| {
            let values = row.iter().map(|value| value.map_or("NULL".to_owned(), |value| value.to_string()));
            format!("({})", values.collect::<Vec<_>>().join(", "))
        };
        client.run(&format!("insert into {name} values {};", rows.iter().map(shown).collect::<Vec<_>>().join(", ")));
    }
    let (mut ran, mut rows_met) = (0, 0);
    for _ in 0..QUERIES {
        let query = query(&mut prng);
        let text = text(&query);
        let answer = client.run(&text);
        if answer.contains("ERROR 0A000: a join without keys") {
            continue;
        }
        let mut found: Vec<String> = answer.lines().skip(1).filter(|line| !line.starts_with("SELECT ")).map(str::to_owned).collect();
        found.sort();
        assert_eq!(found, expected(&query, &tables), "{text}");
        ran += 1;
        rows_met += found.len();
    }
    assert!(ran > QUERIES / 4 && rows_met > ran, "{ran} of {QUERIES} joins ran, {rows_met} rows met");
}
