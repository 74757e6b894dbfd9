//! Expressions and what PostgreSQL 15 answers to them: type, text or error. The file was made by PostgreSQL itself, with
//! `TimeZone` Europe/Berlin (`testdata/golden.py` makes it anew from `testdata/expressions.sql`); where Florin differs on purpose,
//! `testdata/differences.tsv` says what it answers and why.

use base::{Error, Wall};
use sql::expr::{BindError, Binder, Env, NoAmbient, Parameters, Scope};
use sql::types::zone::Zone;
use sql::types::{Settings, Type, text};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::collections::BTreeMap;

const GOLDEN: &str = include_str!("../testdata/golden.tsv");
const DIFFERENCES: &str = include_str!("../testdata/differences.tsv");

fn settings() -> Settings {
    Settings {
        time_zone: Zone::parse("Europe/Berlin").expect("a zone of the database"),
        transaction_start: Wall(1_600_000_000_000_000),
        statement_start: Wall(1_600_000_000_000_000),
        ..Settings::default()
    }
}

fn answer(expression: &str, settings: &Settings) -> String {
    match evaluate(expression, settings) {
        Ok(answer) => answer,
        Err(BindError::Error(error)) => format!("ERROR {}\t{}", error.state(), error.message()),
        Err(BindError::NeedsEngine(what)) => format!("ENGINE\t{what}"),
    }
}

fn evaluate(expression: &str, settings: &Settings) -> Result<String, BindError> {
    let dialect = PostgreSqlDialect {};
    let syntax = |error: sqlparser::parser::ParserError| Error::new(base::SqlState::SYNTAX_ERROR, error.to_string());
    let mut parser = Parser::new(&dialect).try_with_sql(expression).map_err(syntax)?;
    let parsed = parser.parse_expr().map_err(syntax)?;
    if parser.peek_token().token != sqlparser::tokenizer::Token::EOF {
        return Err(Error::new(base::SqlState::SYNTAX_ERROR, format!("more than an expression: {}", parser.peek_token())).into());
    }
    let (scope, mut parameters) = (Scope::empty(), Parameters::default());
    let mut binder = Binder::new(&scope, &mut parameters);
    binder.clause = "FROM clause of their own query level";
    let bound = binder.output(&parsed)?;
    let ty = bound.ty();
    let env = Env::new(settings, &NoAmbient, &[]);
    let value = bound.eval(&(), &env)?;
    assert!(sql::types::cast::fits(&value, ty), "{expression}: {value:?} is no {ty}");
    let folded = bound.folded(&env).eval(&(), &env)?;
    assert_eq!(folded, value, "{expression}: folding changed the value");
    Ok(if value.is_null() { format!("{ty}\tNULL") } else { shown(ty, &text::to_string(&value, ty, settings)) })
}

fn shown(ty: Type, text: &str) -> String {
    format!("{ty}\t={}", text.replace('\n', "\\n"))
}

#[test]
fn expressions_answer_what_postgresql_answers() {
    let settings = settings();
    let mut differences: BTreeMap<&str, &str> = DIFFERENCES
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once('\t').expect("an expression and an answer"))
        .collect();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in GOLDEN.lines() {
        let (expression, golden) = line.split_once('\t').expect("an expression and an answer");
        let expected = differences.remove(expression).unwrap_or(golden);
        let answer = answer(expression, &settings);
        count += 1;
        if answer != expected {
            wrong.push(format!("{expression}\n    expected {expected}\n    answered {answer}"));
        }
    }
    assert!(differences.is_empty(), "differences of expressions that are not in the golden file: {differences:?}");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}
