//! Names, parameters, aggregates and sequences of bound expressions.

use base::SqlState;
use sql::aggregate::Accumulator;
use sql::expr::{BindError, Binder, CompareOp, Env, Expr, NoAmbient, Parameters, Scope, ScopeColumn, SequenceFunction};
use sql::types::{NO_MODIFIER, Settings, Type};
use sql::value::Value;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

fn parse(text: &str) -> sqlparser::ast::Expr {
    let dialect = PostgreSqlDialect {};
    Parser::new(&dialect).try_with_sql(text).and_then(|mut parser| parser.parse_expr()).expect(text)
}

/// `accounts (id bigint, name varchar(10), balance numeric(12,2), small smallint, gone int dropped)`.
fn scope() -> Scope {
    let column = |name: &str, ty, modifier, hidden| ScopeColumn { name: name.to_owned(), ty, modifier, hidden };
    let columns = vec![
        column("id", Type::Int8, NO_MODIFIER, false),
        column("name", Type::VarChar, 14, false),
        column("balance", Type::Numeric, ((12 << 16) | 2) + 4, false),
        column("small", Type::Int2, NO_MODIFIER, false),
        column("gone", Type::Int4, NO_MODIFIER, true),
    ];
    let mut scope = Scope::empty();
    scope.add(Some("public".to_owned()), "accounts", columns, false);
    scope.add(None, "excluded", vec![column("id", Type::Int8, NO_MODIFIER, false)], true);
    scope
}

fn row() -> Vec<Value> {
    let balance = Value::Numeric("10.50".parse().expect("a number"));
    vec![Value::Int8(7), Value::text("ann"), balance, Value::Int2(3), Value::Null, Value::Int8(8)]
}

fn bound(text: &str, parameters: &mut Parameters) -> Result<Expr, BindError> {
    let scope = scope();
    Binder::new(&scope, parameters).expression(&parse(text))
}

fn state_of(text: &str) -> SqlState {
    match bound(text, &mut Parameters::default()) {
        Err(BindError::Error(error)) => error.state(),
        other => panic!("{text}: {other:?}"),
    }
}

fn value(text: &str, parameters: &[Value], types: Vec<Type>) -> Value {
    let bound = bound(text, &mut Parameters::of(types)).expect(text);
    let settings = Settings::default();
    bound.eval(&row(), &Env::new(&settings, &NoAmbient, parameters)).expect(text)
}

#[test]
fn columns_are_found_by_their_names() {
    for (text, expected) in [
        ("id", Value::Int8(7)),
        ("accounts.id", Value::Int8(7)),
        ("public.accounts.ID", Value::Int8(7)),
        ("excluded.id", Value::Int8(8)),
        ("name || '!'", Value::text("ann!")),
        ("balance * 2", Value::Numeric("21.00".parse().expect("a number"))),
        ("small + id", Value::Int8(10)),
    ] {
        assert_eq!(value(text, &[], vec![]), expected, "{text}");
    }
    assert_eq!(state_of("nothing"), SqlState::UNDEFINED_COLUMN);
    assert_eq!(state_of("gone"), SqlState::UNDEFINED_COLUMN);
    assert_eq!(state_of("accounts.nothing"), SqlState::UNDEFINED_COLUMN);
    assert_eq!(state_of("other.id"), SqlState::UNDEFINED_TABLE);
    assert_eq!(state_of("\"ID\""), SqlState::UNDEFINED_COLUMN);
}

#[test]
fn parameters_take_their_types_from_where_they_stand() {
    for (text, types) in [
        ("id = $1", vec![Type::Int8]),
        ("$1 = name", vec![Type::Text]),
        ("balance + $1", vec![Type::Numeric]),
        ("small = $1", vec![Type::Int2]),
        ("id between $1 and $2", vec![Type::Int8, Type::Int8]),
        ("id in ($1, $2)", vec![Type::Int8, Type::Int8]),
        ("id = any($1)", vec![Type::Array(&Type::Int8)]),
        ("$1::int + 1", vec![Type::Int4]),
        ("coalesce($1, 1)", vec![Type::Int4]),
        ("case when $1 then 1 end", vec![Type::Bool]),
        ("name like $1", vec![Type::Text]),
        ("$2 + 1 = $1", vec![Type::Int4, Type::Int4]),
        ("length($1)", vec![Type::Text]),
        ("date '2020-01-01' + $1::interval", vec![Type::Interval]),
    ] {
        let mut parameters = Parameters::default();
        bound(text, &mut parameters).expect(text);
        assert_eq!(parameters.finish().expect(text), types, "{text}");
    }
    let mut parameters = Parameters::default();
    bound("$1 is null and $2 = id", &mut parameters).expect("a null test takes any type");
    assert_eq!(parameters.types(), [Type::Text, Type::Int8]);
}

#[test]
fn parameters_with_a_declared_type_are_cast() {
    assert_eq!(value("id = $1", &[Value::Int4(7)], vec![Type::Int4]), Value::Bool(true));
    assert_eq!(value("balance > $1", &[Value::Float8(10.4)], vec![Type::Float8]), Value::Bool(true));
    assert_eq!(value("$1 || 'x'", &[Value::Int4(7)], vec![Type::Int4]), Value::text("7x"));
    let undecided = Parameters::new(&[0, 23]).expect("oids");
    assert_eq!(undecided.types(), [Type::Unknown, Type::Int4]);
    assert_eq!(undecided.finish().expect_err("one is undecided").state(), SqlState::INDETERMINATE_DATATYPE);
    assert_eq!(Parameters::new(&[99_999]).expect_err("no such type").state(), SqlState::UNDEFINED_OBJECT);
    assert_eq!(state_of("$0"), SqlState::UNDEFINED_PARAMETER);
}

#[test]
fn an_indexed_column_is_compared_without_a_cast() {
    for text in ["id = 5", "5 = id", "id = $1", "small = 5", "id = 5::smallint"] {
        let bound = bound(text, &mut Parameters::default()).expect(text);
        let Expr::Compare { op: CompareOp::Eq, left, right, .. } = &bound else { panic!("{text}: {bound:?}") };
        let column = [left, right].into_iter().any(|side| matches!(**side, Expr::Column { .. }));
        assert!(column, "{text}: {bound:?}");
    }
}

#[test]
fn long_chains_are_one_node_and_deep_nesting_is_refused() {
    let chain = vec!["id = 1"; 5_000].join(" or ");
    let dialect = PostgreSqlDialect {};
    let parsed = Parser::new(&dialect).with_recursion_limit(20_000).try_with_sql(&chain).and_then(|mut p| p.parse_expr()).expect("a chain");
    let (scope, mut parameters) = (scope(), Parameters::default());
    let bound = Binder::new(&scope, &mut parameters).expression(&parsed).expect("a chain");
    assert!(matches!(bound, Expr::Or(parts) if parts.len() == 5_000));
    let sum = vec!["id"; 1_000].join(" + ");
    assert_eq!(state_of(&sum), SqlState::STATEMENT_TOO_COMPLEX);
    std::mem::forget(parsed);
}

#[test]
fn what_has_no_native_form_is_left_to_the_engine() {
    for text in ["(select 1)", "exists (select 1)", "id in (select 1)", "sum(id) over ()", "pg_get_expr('x', 1)"] {
        assert!(matches!(bound(text, &mut Parameters::default()), Err(BindError::NeedsEngine(_))), "{text}");
    }
}

#[test]
fn aggregates_are_collected_and_computed() {
    let (scope, mut parameters) = (scope(), Parameters::default());
    let settings = Settings::default();
    let mut binder = Binder::new(&scope, &mut parameters);
    binder.aggregates = Some(Vec::new());
    let texts = [
        ("count(*) + 1", Value::Int8(4), Type::Int8),
        ("sum(small)", Value::Int8(6), Type::Int8),
        ("sum(id)", Value::Numeric("21".parse().expect("a number")), Type::Numeric),
        ("avg(small)", Value::Numeric("2.0000000000000000".parse().expect("a number")), Type::Numeric),
        ("max(name)", Value::text("ann"), Type::Text),
        ("count(distinct name)", Value::Int8(1), Type::Int8),
        ("count(*) filter (where small > 1)", Value::Int8(2), Type::Int8),
        ("string_agg(name, ',')", Value::text("ann,ann,ann"), Type::Text),
        ("bool_or(small = 3)", Value::Bool(true), Type::Bool),
        ("min(balance)", Value::Numeric("10.5".parse().expect("a number")), Type::Numeric),
        ("count(name) filter (where false)", Value::Int8(0), Type::Int8),
        ("sum(small) filter (where false)", Value::Null, Type::Int8),
    ];
    let bound: Vec<Expr> = texts.iter().map(|(text, ..)| binder.expression(&parse(text)).expect(text)).collect();
    let calls = binder.aggregates.take().expect("they are allowed");
    assert_eq!(calls.len(), texts.len());
    let mut accumulators: Vec<Accumulator> = calls.iter().map(Accumulator::new).collect();
    let env = Env::new(&settings, &NoAmbient, &[]);
    for small in 1..=3 {
        let mut row = row();
        row[3] = Value::Int2(small);
        for (accumulator, call) in accumulators.iter_mut().zip(&calls) {
            accumulator.add_row(call, &row, &env).expect("a row");
        }
    }
    let results: Vec<Value> = accumulators.into_iter().map(|accumulator| accumulator.finish().expect("a result")).collect();
    let env = Env { aggregates: &results, ..env };
    for (expr, (text, expected, ty)) in bound.iter().zip(&texts) {
        assert_eq!(expr.eval(&row(), &env).expect(text), *expected, "{text}");
        assert_eq!(expr.ty(), *ty, "{text}");
    }
}

#[test]
fn aggregates_stand_only_where_they_may() {
    assert_eq!(state_of("sum(id)"), SqlState::GROUPING_ERROR);
    let (scope, mut parameters) = (scope(), Parameters::default());
    let mut binder = Binder::new(&scope, &mut parameters);
    binder.aggregates = Some(Vec::new());
    let nested = binder.expression(&parse("sum(count(*))")).expect_err("nested");
    assert!(matches!(nested, BindError::Error(error) if error.state() == SqlState::GROUPING_ERROR));
}

#[test]
fn sequences_are_left_to_the_executor() {
    let (scope, mut parameters) = (scope(), Parameters::default());
    let mut binder = Binder::new(&scope, &mut parameters);
    let bound = binder.expression(&parse("nextval('public.\"My Seq\"'::regclass) + 1")).expect("a sequence");
    binder.expression(&parse("setval('s', 5, false)")).expect("a sequence");
    assert_eq!(binder.sequences[0].name, ["public", "My Seq"]);
    assert_eq!(binder.sequences[0].function, SequenceFunction::NextVal);
    assert_eq!(binder.sequences[1].arguments.len(), 2);
    let settings = Settings::default();
    let env = Env { sequences: &[Value::Int8(41)], ..Env::new(&settings, &NoAmbient, &[]) };
    assert_eq!(bound.eval(&row(), &env).expect("the number was drawn"), Value::Int8(42));
}

#[test]
fn what_is_stored_is_cast_to_its_column() {
    let (scope, mut parameters) = (scope(), Parameters::default());
    let settings = Settings::default();
    let mut binder = Binder::new(&scope, &mut parameters);
    let mut stored = |text: &str, ty, modifier| match binder.assignment(&parse(text), "c", ty, modifier) {
        Ok(bound) => bound.eval(&row(), &Env::new(&settings, &NoAmbient, &[])).map_err(|error| error.state()),
        Err(BindError::Error(error)) => Err(error.state()),
        Err(BindError::NeedsEngine(what)) => panic!("{what}"),
    };
    assert_eq!(stored("'abc'", Type::VarChar, 7), Ok(Value::text("abc")));
    assert_eq!(stored("'abcd'", Type::VarChar, 7), Err(SqlState::STRING_DATA_RIGHT_TRUNCATION));
    assert_eq!(stored("'abc  '", Type::VarChar, 7), Ok(Value::text("abc")));
    assert_eq!(stored("'ab'", Type::BpChar, 7), Ok(Value::text("ab ")));
    assert_eq!(stored("1.005", Type::Numeric, ((5 << 16) | 2) + 4), Ok(Value::Numeric("1.01".parse().expect("a number"))));
    assert_eq!(stored("id", Type::Int4, -1), Ok(Value::Int4(7)));
    assert_eq!(stored("1", Type::Text, -1), Ok(Value::text("1")));
    assert_eq!(stored("name", Type::Int4, -1), Err(SqlState::DATATYPE_MISMATCH));
    assert_eq!(stored("true", Type::Int4, -1), Err(SqlState::DATATYPE_MISMATCH));
    assert_eq!(stored("null", Type::Int4, -1), Ok(Value::Null));
}
