//! Function calls: ordinary ones, aggregates, sequences, and the forms that only look like functions.

use super::bind::{Binder, Bound, SequenceCall, SequenceFunction};
use super::bind_operator::{comparison_type, is_float};
use super::{BindError, CompareOp, Expr, fold_identifier};
use crate::aggregate::{self, AggregateCall};
use crate::functions;
use crate::types::cast::{self, Coercion};
use crate::types::{Category, NO_MODIFIER, Type};
use base::{Error, SqlState};
use sqlparser::ast::{self, DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArguments, Ident};

/// Names that are functions without parentheses.
const BARE: [&str; 9] = [
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "current_user",
    "session_user",
    "current_catalog",
    "current_schema",
];

/// Functions that need the catalog or the session, or give rows: the engine may know them.
fn is_of_engine(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "obj_description",
        "col_description",
        "shobj_description",
        "current_setting",
        "set_config",
        "to_regclass",
        "to_regtype",
        "generate_series",
        "unnest",
        "regexp_matches",
        "jsonb_array_elements",
        "jsonb_each",
        "inet_server_addr",
        "inet_server_port",
    ];
    NAMES.contains(&name) || ["pg_", "has_", "txid_"].iter().any(|prefix| name.starts_with(prefix))
}

/// The parts of a call.
struct Call<'a> {
    name: String,
    args: Vec<&'a ast::Expr>,
    star: bool,
    distinct: bool,
    ordered: bool,
    filter: Option<&'a ast::Expr>,
}

impl Binder<'_> {
    pub(super) fn bare_function(&mut self, ident: &Ident, name: &str) -> Option<Bound> {
        if ident.quote_style.is_some() || !(BARE.contains(&name) || name == "user") {
            return None;
        }
        let name = if name == "user" { "current_user" } else { name };
        Some(functions::find(name, &[]).map_err(BindError::from).and_then(|found| self.call(found, Vec::new())))
    }

    pub(super) fn function(&mut self, function: &ast::Function) -> Bound {
        let call = read(function)?;
        if function.over.is_some() {
            return Err(BindError::NeedsEngine("a window function"));
        }
        if let Some(kind) = aggregate::named(&call.name) {
            return self.aggregate(kind, &call);
        }
        if call.star || call.distinct || call.ordered || call.filter.is_some() {
            let message = format!("{}: only aggregate functions take *, DISTINCT, ORDER BY or FILTER", call.name);
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message).into());
        }
        match call.name.as_str() {
            "coalesce" => self.coalesce(&call),
            "nullif" => self.null_if(&call),
            "greatest" | "least" => self.extreme(&call),
            "nextval" => self.sequence(SequenceFunction::NextVal, &call),
            "currval" => self.sequence(SequenceFunction::CurrVal, &call),
            "lastval" => self.sequence(SequenceFunction::LastVal, &call),
            "setval" => self.sequence(SequenceFunction::SetVal, &call),
            "row" => Err(BindError::NeedsEngine("a row")),
            _ => {
                let args = self.arguments(&call.args)?;
                let types: Vec<Type> = args.iter().map(Expr::ty).collect();
                if !functions::is_known(&call.name) && is_of_engine(&call.name) {
                    return Err(BindError::NeedsEngine("a function of the catalog"));
                }
                if let (Some(to), [from]) = (type_as_function(&call.name), types.as_slice())
                    && cast::context(*from, to).is_some()
                    && !functions::takes(&call.name, &types)
                {
                    let arg = args.into_iter().next().ok_or_else(|| Error::internal("a call lost its argument"))?;
                    return self.coerce(arg, to, NO_MODIFIER, Coercion::Explicit);
                }
                let found = functions::find(&call.name, &types)?;
                self.call(found, args)
            }
        }
    }

    pub(super) fn arguments(&mut self, args: &[&ast::Expr]) -> Bound<Vec<Expr>> {
        args.iter().map(|arg| self.expression(arg)).collect()
    }

    fn coalesce(&mut self, call: &Call) -> Bound {
        let args = self.arguments(&call.args)?;
        let (args, ty) = self.common(args, "COALESCE")?;
        Ok(Expr::Coalesce { args, ty })
    }

    fn extreme(&mut self, call: &Call) -> Bound {
        let greatest = call.name == "greatest";
        let args = self.arguments(&call.args)?;
        let (args, ty) = self.common(args, if greatest { "GREATEST" } else { "LEAST" })?;
        if !ty.is_orderable() {
            let message = format!("could not identify a comparison function for type {ty}");
            return Err(Error::new(SqlState::UNDEFINED_FUNCTION, message).into());
        }
        Ok(Expr::Extreme { args, ty, greatest })
    }

    fn null_if(&mut self, call: &Call) -> Bound {
        let [first, second] = call.args.as_slice() else {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "syntax error: NULLIF takes two arguments").into());
        };
        let (first, second) = (self.expression(first)?, self.expression(second)?);
        let ty = null_if_type(first.ty(), second.ty());
        let equal = self.compare(first.clone(), CompareOp::Eq, second)?;
        let first = match ty {
            Some(ty) => self.coerce(first, ty, NO_MODIFIER, Coercion::Implicit)?,
            None => self.decided(first)?,
        };
        Ok(Expr::NullIf { first: Box::new(first), equal: Box::new(equal) })
    }

    fn sequence(&mut self, function: SequenceFunction, call: &Call) -> Bound {
        let (name, rest) = match (function, call.args.as_slice()) {
            (SequenceFunction::LastVal, []) => (Vec::new(), [].as_slice()),
            (SequenceFunction::NextVal | SequenceFunction::CurrVal, [name]) => (sequence_name(name)?, [].as_slice()),
            (SequenceFunction::SetVal, [name, rest @ ..]) if matches!(rest.len(), 1 | 2) => (sequence_name(name)?, rest),
            _ => {
                let args = self.arguments(&call.args)?;
                let types: Vec<Type> = args.iter().map(Expr::ty).collect();
                return Err(functions::find(&call.name, &types).err().unwrap_or_else(|| Error::internal("no such signature")).into());
            }
        };
        let mut arguments = self.arguments(rest)?;
        if let Some(called) = arguments.get(1).cloned() {
            arguments[1] = self.coerce(called, Type::Bool, NO_MODIFIER, Coercion::Implicit)?;
        }
        if let Some(value) = arguments.first().cloned() {
            arguments[0] = self.coerce(value, Type::Int8, NO_MODIFIER, Coercion::Implicit)?;
        }
        self.sequences.push(SequenceCall { function, name, arguments });
        Ok(Expr::Sequence { index: self.sequences.len() - 1 })
    }

    fn aggregate(&mut self, kind: aggregate::Kind, call: &Call) -> Bound {
        // Its arguments are of the rows below the group: no aggregate may stand in them.
        let Some(outer) = self.aggregates.take() else {
            let message = format!("aggregate functions are not allowed in {}", self.clause);
            return Err(Error::new(SqlState::GROUPING_ERROR, message).into());
        };
        let bound = self.aggregate_parts(kind, call);
        let mut all = outer;
        let result = bound.map(|call| {
            let ty = call.ty;
            all.push(call);
            Expr::Aggregate { index: all.len() - 1, ty }
        });
        self.aggregates = Some(all);
        result
    }

    fn aggregate_parts(&mut self, kind: aggregate::Kind, call: &Call) -> Bound<AggregateCall> {
        if call.ordered {
            return Err(BindError::NeedsEngine("an ordered aggregate"));
        }
        let clause = std::mem::replace(&mut self.clause, "an aggregate function's arguments");
        let args = self.arguments(&call.args);
        let filter = call.filter.map(|filter| self.condition(filter, "FILTER")).transpose();
        self.clause = clause;
        let (args, filter) = (args?, filter?);
        let types: Vec<Type> = args.iter().map(Expr::ty).collect();
        let signature = aggregate::signature(kind, &types, call.star)?;
        let args = args.into_iter().zip(&signature.arguments);
        let args = args.map(|(arg, ty)| self.coerce(arg, *ty, NO_MODIFIER, Coercion::Implicit)).collect::<Bound<Vec<_>>>()?;
        Ok(AggregateCall { kind, args, ty: signature.result, distinct: call.distinct, filter })
    }
}

fn read(function: &ast::Function) -> Bound<Call<'_>> {
    let parts: Vec<String> = function.name.0.iter().filter_map(|part| part.as_ident()).map(fold_identifier).collect();
    let name = match parts.as_slice() {
        [name] => name.clone(),
        [schema, name] if schema == "pg_catalog" => name.clone(),
        [schema, _] if schema == "florin" => return Err(BindError::NeedsEngine("an administrative function")),
        other => {
            let message = format!("function {}() does not exist", other.join("."));
            return Err(Error::new(SqlState::UNDEFINED_FUNCTION, message).into());
        }
    };
    if function.null_treatment.is_some() || !function.within_group.is_empty() {
        return Err(BindError::NeedsEngine("an ordered-set aggregate"));
    }
    let mut call = Call { name, args: Vec::new(), star: false, distinct: false, ordered: false, filter: function.filter.as_deref() };
    match &function.args {
        FunctionArguments::None => {}
        FunctionArguments::Subquery(_) => return Err(BindError::NeedsEngine("a subquery")),
        FunctionArguments::List(list) => {
            call.distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
            call.ordered = !list.clauses.is_empty();
            for arg in &list.args {
                match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => call.args.push(expr),
                    FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => call.star = true,
                    _ => return Err(BindError::NeedsEngine("a named argument")),
                }
            }
        }
    }
    Ok(call)
}

/// `date(x)` is `x::date`: of the types whose names are no key words.
fn type_as_function(name: &str) -> Option<Type> {
    let keyword = ["numeric", "varchar", "bpchar", "char", "time", "timestamp", "interval", "unknown", "void", "record"].contains(&name);
    let ty = Type::scalars().find(|ty| ty.name() == name)?;
    (!keyword).then_some(ty)
}

/// The fields of `ROW(a, b)`.
pub(super) fn row_constructor(function: &ast::Function) -> Option<Vec<&ast::Expr>> {
    let call = read(function).ok()?;
    (call.name == "row" && !call.star).then_some(call.args)
}

/// `NULLIF` has the type of its first argument as the operator `=` of both takes it: its own where there is one for the two types.
fn null_if_type(first: Type, second: Type) -> Option<Type> {
    let dated = |ty: Type| matches!(ty, Type::Date | Type::Timestamp | Type::TimestampTz);
    let crosses = first.is_integer() && second.is_integer()
        || is_float(first) && second.category() == Category::Number
        || dated(first) && dated(second)
        || first == Type::Name && second == Type::Text;
    if crosses { Some(first) } else { comparison_type(first, second) }
}

/// `'name'` or `'name'::regclass`.
fn sequence_name(expr: &ast::Expr) -> Bound<Vec<String>> {
    match expr {
        ast::Expr::Nested(inner) | ast::Expr::Cast { expr: inner, .. } => sequence_name(inner),
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text) => qualified_name(text),
            _ => Err(Error::unsupported("a sequence that is not named by a literal").into()),
        },
        _ => Err(Error::unsupported("a sequence that is not named by a literal").into()),
    }
}

/// Splits `schema."Name"` into its parts.
pub(super) fn qualified_name(text: &str) -> Bound<Vec<String>> {
    let invalid = || Error::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted).ok_or_else(invalid)?,
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                (rest[..end].to_lowercase(), &rest[end..])
            }
        };
        if part.is_empty() {
            return Err(invalid().into());
        }
        parts.push(part);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(parts),
            None => return Err(invalid().into()),
        }
    }
}

fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                part.push('"');
                chars.next();
            }
            '"' => return Some((part, &text[at + 1..])),
            other => part.push(other),
        }
    }
    None
}
