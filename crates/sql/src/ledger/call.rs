//! Calls of the ledger's functions. They stand alone in a SELECT: `SELECT ledger.create_transfers($1)`, `SELECT * FROM ledger.audit()`.

use super::tables::{self, Ledger};
use crate::client::Field;
use crate::expr::{Binder, Expr, Parameters, Scope, fold_identifier};
use crate::parse::names;
use crate::plan::admin::only_call;
use crate::plan::{Planner, Planning, field};
use crate::types::Type;
use base::{Error, SqlState};
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    CreateAccounts,
    CreateTransfers,
    Transfer,
    Post,
    PostAll,
    OpenAccount,
    OpenAccounts,
    DefineLedger,
    ClosePeriod,
    Expire,
    Audit,
    Changes,
    Checkpoints,
    Prove,
    ProveEntry,
    ProveConsistency,
}

/// A parameter of a function: its name, its type, whether a call may leave it out.
type Argument = (&'static str, Type, bool);

const OPTIONAL: bool = true;
const REQUIRED: bool = false;

const BATCH: &[Argument] = &[("batch", Type::Bytea, REQUIRED)];
const DOCUMENT: &[Argument] = &[("document", Type::Jsonb, REQUIRED)];
const DOCUMENTS: &[Argument] = &[("documents", Type::Jsonb, REQUIRED)];
const TRANSFER: &[Argument] = &[
    ("id", Type::Uuid, REQUIRED),
    ("debit_account", Type::Uuid, REQUIRED),
    ("credit_account", Type::Uuid, REQUIRED),
    ("amount", Type::Numeric, REQUIRED),
    ("ledger", Type::Int8, OPTIONAL),
    ("code", Type::Int4, OPTIONAL),
    ("flags", Type::Int4, OPTIONAL),
    ("refers_to", Type::Uuid, OPTIONAL),
    ("timeout", Type::Int8, OPTIONAL),
    ("effective", Type::TimestampTz, OPTIONAL),
    ("value_date", Type::Date, OPTIONAL),
    ("metadata", Type::Jsonb, OPTIONAL),
];
/// One row for each event of a batch of documents.
const OUTCOMES: &[(&str, Type)] = &[("id", Type::Uuid), ("code", Type::Int4), ("name", Type::Text), ("timestamp", Type::Int8)];
const CHANGES: &[Argument] = &[("after", Type::Text, OPTIONAL), ("count", Type::Int8, OPTIONAL)];
const RECORD: &[Argument] = &[("id", Type::Uuid, REQUIRED), ("checkpoint", Type::Text, OPTIONAL)];
const ENTRY: &[Argument] = &[
    ("account", Type::Uuid, REQUIRED),
    ("timestamp", Type::Int8, REQUIRED),
    ("number", Type::Int4, OPTIONAL),
    ("checkpoint", Type::Text, OPTIONAL),
];
const CHECKPOINTS: &[Argument] = &[("older", Type::Text, REQUIRED), ("newer", Type::Text, OPTIONAL)];
const PERIOD: &[Argument] = &[("ledger", Type::Int8, REQUIRED), ("through", Type::TimestampTz, REQUIRED)];

impl Function {
    const ALL: [(&'static str, Function); 16] = [
        ("create_accounts", Function::CreateAccounts),
        ("create_transfers", Function::CreateTransfers),
        ("transfer", Function::Transfer),
        ("post", Function::Post),
        ("post_all", Function::PostAll),
        ("open_account", Function::OpenAccount),
        ("open_accounts", Function::OpenAccounts),
        ("define", Function::DefineLedger),
        ("close_period", Function::ClosePeriod),
        ("expire", Function::Expire),
        ("audit", Function::Audit),
        ("changes", Function::Changes),
        ("checkpoints", Function::Checkpoints),
        ("prove", Function::Prove),
        ("prove_entry", Function::ProveEntry),
        ("prove_consistency", Function::ProveConsistency),
    ];

    fn arguments(self) -> &'static [Argument] {
        match self {
            Function::CreateAccounts | Function::CreateTransfers => BATCH,
            Function::Transfer => TRANSFER,
            Function::Post | Function::OpenAccount | Function::DefineLedger => DOCUMENT,
            Function::PostAll | Function::OpenAccounts => DOCUMENTS,
            Function::ClosePeriod => PERIOD,
            Function::Changes => CHANGES,
            Function::Prove => RECORD,
            Function::ProveEntry => ENTRY,
            Function::ProveConsistency => CHECKPOINTS,
            Function::Expire | Function::Audit | Function::Checkpoints => &[],
        }
    }

    /// Name and type of each column of the answer.
    fn answer(self) -> &'static [(&'static str, Type)] {
        match self {
            Function::CreateAccounts => &[("create_accounts", Type::Bytea)],
            Function::CreateTransfers => &[("create_transfers", Type::Bytea)],
            Function::Transfer => &[("transfer", Type::Int8)],
            Function::Post => &[("post", Type::Int8)],
            Function::PostAll | Function::OpenAccounts => OUTCOMES,
            Function::OpenAccount => &[("open_account", Type::Int8)],
            Function::DefineLedger => &[("define", Type::Text)],
            Function::ClosePeriod => &[("close_period", Type::Text)],
            Function::Expire => &[("expire", Type::Int8)],
            Function::Audit => &[("finding", Type::Text), ("account", Type::Uuid), ("detail", Type::Text)],
            Function::Changes => &[("place", Type::Text), ("event", Type::Text), ("timestamp", Type::Int8), ("transfer", Type::Uuid)],
            Function::Checkpoints => &[("shard", Type::Int8), ("size", Type::Int8), ("checkpoint", Type::Text), ("key", Type::Text)],
            Function::Prove => &[("prove", Type::Text)],
            Function::ProveEntry => &[("prove_entry", Type::Text)],
            Function::ProveConsistency => &[("prove_consistency", Type::Text)],
        }
    }

    pub fn writes(self) -> bool {
        !matches!(
            self,
            Function::Audit
                | Function::Changes
                | Function::Checkpoints
                | Function::Prove
                | Function::ProveEntry
                | Function::ProveConsistency
        )
    }
}

pub struct CallPlan {
    pub function: Function,
    /// One for each parameter; `None`: left out.
    pub arguments: Vec<Option<Expr>>,
}

impl Planner<'_> {
    /// `None` if the query is no call of one of the ledger's functions and nothing else.
    pub fn ledger_call(&self, query: &ast::Query, parameters: &mut Parameters) -> Planning<Option<(CallPlan, Vec<Field>)>> {
        let Some((name, list, alias)) = called(query) else { return Ok(None) };
        let Some((_, which)) = Function::ALL.into_iter().find(|(known, _)| *known == name) else {
            let message = format!("function {}.{name} does not exist", tables::SCHEMA);
            return Err(Error::new(SqlState::UNDEFINED_FUNCTION, message).into());
        };
        if !self.catalog.tables.contains_key(&Ledger::Accounts.oid()) {
            let message = "this cluster was founded by a version of florin that had no ledger";
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).into());
        }
        let arguments = arguments(&name, which, list, parameters)?;
        let mut fields: Vec<Field> = which.answer().iter().map(|(name, ty)| field(*name, *ty, -1)).collect();
        if let (Some(alias), [only]) = (alias, fields.as_mut_slice()) {
            only.name = fold_identifier(alias);
        }
        Ok(Some((CallPlan { function: which, arguments }, fields)))
    }
}

/// The call that is all of a query, `SELECT ledger.audit()` or `SELECT * FROM ledger.audit()`: its name, its arguments, the name given to its answer.
fn called(query: &ast::Query) -> Option<(String, &[FunctionArg], Option<&ast::Ident>)> {
    if let Some((name, function, alias)) = only_call(query, tables::SCHEMA) {
        let list = match &function.args {
            FunctionArguments::List(list) => list.args.as_slice(),
            _ => &[],
        };
        return Some((name, list, alias));
    }
    let ast::SetExpr::Select(select) = &*query.body else { return None };
    let [ast::TableWithJoins { relation: ast::TableFactor::Table { name, args: Some(list), .. }, joins }] = select.from.as_slice() else {
        return None;
    };
    let whole = matches!(select.projection.as_slice(), [ast::SelectItem::Wildcard(_)]) && joins.is_empty() && select.selection.is_none();
    let name = names::relation(name).ok().filter(|name| name.schema.as_deref() == Some(tables::SCHEMA))?;
    let alone = whole && query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none();
    alone.then_some((name.name, list.args.as_slice(), None))
}

/// The arguments of a call in the order of the parameters.
///
/// # Errors
/// `42883` if they are not those of the function.
fn arguments(name: &str, which: Function, list: &[FunctionArg], parameters: &mut Parameters) -> Planning<Vec<Option<Expr>>> {
    let known = which.arguments();
    let mut given: Vec<Option<Expr>> = known.iter().map(|_| None).collect();
    let scope = Scope::empty();
    let mut binder = Binder::new(&scope, parameters);
    let mut named = false;
    for (position, argument) in list.iter().enumerate() {
        let (at, expr) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if !named => (Some(position), expr),
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } => {
                named = true;
                (known.iter().position(|(known, ..)| *known == fold_identifier(name)), expr)
            }
            FunctionArg::ExprNamed { name: ast::Expr::Identifier(name), arg: FunctionArgExpr::Expr(expr), .. } => {
                named = true;
                (known.iter().position(|(known, ..)| *known == fold_identifier(name)), expr)
            }
            _ => return Err(no_such_call(name, known).into()),
        };
        let Some(at) = at.filter(|at| *at < known.len() && given[*at].is_none()) else {
            return Err(no_such_call(name, known).into());
        };
        given[at] = Some(binder.assignment(expr, known[at].0, known[at].1, -1)?);
    }
    if !binder.sequences.is_empty() {
        return Err(Error::unsupported("a sequence function in a call of the ledger").into());
    }
    let missing = known.iter().zip(&given).any(|((.., optional), given)| !optional && given.is_none());
    if missing { Err(no_such_call(name, known).into()) } else { Ok(given) }
}

fn no_such_call(name: &str, known: &[Argument]) -> Error {
    let shown = |(name, ty, optional): &Argument| format!("{name} {ty}{}", if *optional { " (optional)" } else { "" });
    let parameters: Vec<String> = known.iter().map(shown).collect();
    Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {}.{name} has no such parameters", tables::SCHEMA))
        .with_hint(format!("It takes: {}.", if parameters.is_empty() { "nothing".to_owned() } else { parameters.join(", ") }))
}
