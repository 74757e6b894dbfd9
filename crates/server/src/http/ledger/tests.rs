//! The API's description says what the code does, and the other way round.

use super::openapi;
use super::render::{ACCOUNT, BALANCE, CHANGE, Column, ENTRY, FINDING, LEDGER, STATE, Shown, TRANSFER, object};
use crate::http::problem::STATUSES;
use crate::http::routes::{Operation, ROUTES};
use serde_json::Value;
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::from_str(openapi()).expect("it is JSON")
}

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn each_route_is_described_and_nothing_else_is() {
    let document = document();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            described.insert((method.to_uppercase(), path.clone(), operation["operationId"].as_str().expect("an id").to_owned()));
        }
    }
    let routes: BTreeSet<_> =
        ROUTES.iter().map(|(method, path, operation)| ((*method).to_owned(), (*path).to_owned(), format!("{operation:?}"))).collect();
    assert_eq!(described, routes);
}

fn operation(document: &Value, wanted: Operation) -> Value {
    let (method, path, _) = ROUTES.iter().find(|(.., operation)| *operation == wanted).expect("a route");
    document["paths"][path][method.to_lowercase()].clone()
}

#[test]
fn each_parameter_of_a_query_is_described_and_nothing_else_is() {
    let document = document();
    for (_, path, wanted) in ROUTES {
        let operation = operation(&document, *wanted);
        let none = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&none);
        let described: BTreeSet<&str> =
            parameters.iter().filter_map(|parameter| parameter["$ref"].as_str()?.strip_prefix("#/components/parameters/")).collect();
        assert_eq!(described, wanted.query().iter().copied().collect(), "{path}");
        for name in &described {
            assert_eq!(document["components"]["parameters"][name]["name"], **name);
        }
        assert_eq!(parameters.iter().any(|parameter| parameter["in"] == "path"), path.contains("{id}"), "{path}");
    }
    let used: BTreeSet<&str> = ROUTES.iter().flat_map(|(.., operation)| operation.query().iter().copied()).collect();
    assert_eq!(names(&document["components"]["parameters"]), used);
}

#[test]
fn each_status_is_described_and_nothing_else_is() {
    let document = document();
    let known: BTreeSet<String> = STATUSES.iter().map(|(status, _)| format!("P{status}")).collect();
    let described: BTreeSet<String> = names(&document["components"]["responses"]).into_iter().map(str::to_owned).collect();
    assert_eq!(described, known);
    for (method, path, wanted) in ROUTES {
        let operation = operation(&document, *wanted);
        let responses = names(&operation["responses"]);
        for always in ["200", "400", "401", "403", "408", "429", "500", "503"] {
            assert!(responses.contains(always), "{path} may answer {always}");
        }
        assert_eq!(*method == "POST", operation["requestBody"].is_object() && responses.contains("415"), "{path}");
        for (status, response) in operation["responses"].as_object().expect("responses") {
            assert!(status == "200" || response["$ref"] == format!("#/components/responses/P{status}"), "{path} {status}");
        }
    }
}

fn members(columns: &[Column]) -> BTreeSet<&'static str> {
    let of = |(name, _, shown): &Column| if *shown == Shown::Legs { vec!["debits", "credits"] } else { vec![*name] };
    columns.iter().flat_map(of).collect()
}

#[test]
fn each_member_of_an_answer_is_described_and_nothing_else_is() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let transfer: BTreeSet<&str> = members(TRANSFER).union(&members(STATE)).copied().collect();
    for (schema, members) in [
        ("Ledger", members(LEDGER)),
        ("Account", members(ACCOUNT)),
        ("Transfer", transfer),
        ("Entry", members(ENTRY)),
        ("Balance", members(BALANCE)),
        ("Change", members(CHANGE)),
        ("Finding", members(FINDING)),
    ] {
        assert_eq!(names(&schemas[schema]["properties"]), members, "{schema}");
    }
    for (name, schema) in schemas.as_object().expect("schemas") {
        if schema["type"] == "object" {
            let required = schema["required"].as_array().expect("a list").iter().filter_map(Value::as_str).collect::<BTreeSet<_>>();
            assert!(required.is_subset(&names(&schema["properties"])), "{name}");
        }
    }
}

#[test]
fn rows_are_shown_as_people_write_them() {
    let text = |text: &str| Some(text.to_owned());
    let columns: &[Column] = &[
        ("id", "id", Shown::Text),
        ("code", "code", Shown::Number),
        ("flags", "flags", Shown::FlagsOfTransfer),
        ("timestamp", "timestamp", Shown::Time),
        ("metadata", "metadata", Shown::Json),
        ("legs", "legs", Shown::Legs),
        ("absent", "absent", Shown::Text),
    ];
    let leg = |account: &str, side: &str, amount: &str| format!("{account:0>32}{side}{amount:0>32}");
    let legs = format!("\\x{}{}", leg("a1", "00", "ff"), leg("b2", "01", "ff"));
    let row = vec![text("7"), text("9"), text("514"), text("1"), text(r#"{"n": 1.50}"#), text(&legs), None];
    let shown = Value::Object(object(columns, &row).expect("sound")).to_string();
    assert_eq!(
        shown,
        r#"{"id":"7","code":9,"flags":["pending","reverse"],"timestamp":"1970-01-01T00:00:00.000000001Z","metadata":{"n":1.50},"#
            .to_owned()
            + r#""debits":[{"account":"00000000-0000-0000-0000-0000000000a1","amount":"255"}],"#
            + r#""credits":[{"account":"00000000-0000-0000-0000-0000000000b2","amount":"255"}]}"#
    );
    for broken in ["\\x00", "00", "\\xzz", &format!("\\x{}", leg("a1", "02", "1"))] {
        assert!(object(&columns[5..6], &vec![text(broken)]).is_err(), "{broken}");
    }
}

/// Random bytes over good ones; the same each time.
struct Mutator(u64);

impl Mutator {
    fn below(&mut self, bound: usize) -> usize {
        // Numerical Recipes' constants; the upper half is random enough.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn mutate(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => bytes[at] = self.below(256) as u8,
                1 => bytes.truncate(at + 1),
                2 => bytes.insert(at, b" \r\n:%+-.0fZ?&=/"[self.below(15)]),
                _ => bytes[at] ^= 1 << self.below(8),
            }
        }
        bytes
    }
}

#[test]
fn arbitrary_bytes_panic_nowhere() {
    use super::query::{Query, canonical_id};
    use crate::http::{routes, time, wire};
    let head =
        b"POST /v1/ledger/accounts/00000000-0000-0000-0000-0000000000a1/entries?limit=5&from=2026-11-23T00:00:00.123%2B01:00 HTTP/1.1\r\n\
                 Host: localhost:80\r\nContent-Length: 12\r\nAuthorization: Basic YTpi\r\nConnection: close, te\r\n\r\n";
    let legs = format!("\\x{}", "00".repeat(66));
    let mut mutator = Mutator(7);
    let mut understood = 0;
    for _ in 0..20_000 {
        if let Ok(Some((head, length))) = wire::parse_head(&mutator.mutate(head)) {
            understood += 1;
            assert!(length > 0 && head.path.starts_with('/'));
            // Whether they find something is not the question here.
            drop(routes::find(&head.method, &head.path));
            if let Ok(query) = Query::parse(&head.query, &["limit", "from"]) {
                drop((query.limit(), query.time("from"), query.number("limit", 9), query.id("from"), query.newest_first()));
            }
        }
        let text = |good: &[u8], mutator: &mut Mutator| String::from_utf8_lossy(&mutator.mutate(good)).into_owned();
        let parsed = time::parse(&text(b"2026-11-23T00:00:00.123456789+01:30", &mut mutator));
        assert!(parsed.is_none_or(|time| time::parse(&time::format(time)) == Some(time)));
        drop(canonical_id(&text(b"00000000-0000-0000-0000-0000000000a1", &mut mutator)));
        let row =
            vec![Some(text(legs.as_bytes(), &mut mutator)), Some(text(b"17", &mut mutator)), Some(text(b"{\"a\": [1]}", &mut mutator))];
        let columns: &[Column] = &[("l", "l", Shown::Legs), ("n", "n", Shown::Number), ("j", "j", Shown::Json)];
        drop(object(columns, &row));
    }
    assert!(understood > 1_000, "{understood}: most would be noise");
}
