//! Which function a call means: PostgreSQL's `func_get_detail`, `oper` and `func_select_candidate` (documentation, 10.2 and 10.3).

use super::polymorphic::{self, Undecided};
use super::{FUNCTIONS, Function, OPERATORS, Param};
use crate::types::cast::{self, Coercion};
use crate::types::{Category, Type};
use base::{Error, Result, SqlState};

/// A function, the types that its arguments must be brought to, and its result's type.
#[derive(Debug)]
pub struct Found {
    pub function: &'static Function,
    /// An undecided literal given for `"any"` stays `unknown`.
    pub arguments: Vec<Type>,
    pub result: Type,
}

/// A function that takes so many arguments, with a declared type for each.
#[derive(Clone)]
struct Candidate {
    function: &'static Function,
    declared: Vec<Param>,
}

/// Why no function was found.
enum Failure {
    Missing,
    Ambiguous,
    Undecided(Undecided),
}

/// A function of this name exists, for whatever arguments.
pub fn is_known(name: &str) -> bool {
    named(name).next().is_some()
}

/// A function of this name takes exactly these types.
pub fn takes(name: &str, types: &[Type]) -> bool {
    exact(&candidates(named(name), types.len()), types).is_some()
}

fn named(name: &str) -> impl Iterator<Item = &'static Function> {
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    FUNCTIONS.iter().flat_map(|table| table.iter()).filter(move |function| function.name == name)
}

/// The name may have `pg_catalog.` before it, as errors then show it.
///
/// # Errors
/// `42883` if there is none, `42725` if there are several equally good, `42804` if a polymorphic type stays open.
pub fn find(name: &str, types: &[Type]) -> Result<Found> {
    choose(candidates(named(name), types.len()), types).map_err(|failure| {
        let call = format!("{name}({})", list(types));
        match failure {
            Failure::Ambiguous => Error::new(SqlState::AMBIGUOUS_FUNCTION, format!("function {call} is not unique"))
                .with_hint("Could not choose a best candidate function. You might need to add explicit type casts."),
            Failure::Missing => Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {call} does not exist"))
                .with_hint("No function matches the given name and argument types. You might need to add explicit type casts."),
            Failure::Undecided(undecided) => undecided.into(),
        }
    })
}

/// One type for a prefix operator, two for the others.
///
/// # Errors
/// As [`find`].
pub fn find_operator(symbol: &str, types: &[Type]) -> Result<Found> {
    let named = OPERATORS.iter().flat_map(|table| table.iter()).filter(|function| function.name == symbol);
    let candidates = candidates(named, types.len());
    // An operator with one undecided side: first try the other side's type for both.
    let assumed = same_type_for_both(types).and_then(|assumed| exact(&candidates, &assumed));
    let found = match assumed {
        Some(candidate) => found(&candidate, types),
        None => choose(candidates, types),
    };
    found.map_err(|failure| match failure {
        Failure::Missing => no_operator(symbol, types, false),
        Failure::Ambiguous => no_operator(symbol, types, true),
        Failure::Undecided(undecided) => undecided.into(),
    })
}

pub(crate) fn no_operator(symbol: &str, types: &[Type], ambiguous: bool) -> Error {
    let call = match types {
        [only] => format!("{symbol} {only}"),
        [left, right] => format!("{left} {symbol} {right}"),
        _ => symbol.to_owned(),
    };
    if ambiguous {
        Error::new(SqlState::AMBIGUOUS_FUNCTION, format!("operator is not unique: {call}"))
            .with_hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
    } else {
        Error::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {call}"))
            .with_hint("No operator matches the given name and argument types. You might need to add explicit type casts.")
    }
}

fn list(types: &[Type]) -> String {
    types.iter().map(Type::to_string).collect::<Vec<_>>().join(", ")
}

fn same_type_for_both(types: &[Type]) -> Option<Vec<Type>> {
    match types {
        [Type::Unknown, known] | [known, Type::Unknown] if *known != Type::Unknown => Some(vec![*known; 2]),
        _ => None,
    }
}

/// Those that take so many arguments. A variadic one takes one or more for its last parameter.
fn candidates(named: impl Iterator<Item = &'static Function>, arguments: usize) -> Vec<Candidate> {
    named
        .filter(|function| {
            let parameters = function.parameters.len();
            if function.variadic { arguments >= parameters } else { arguments == parameters }
        })
        .map(|function| {
            let last = function.parameters.len().saturating_sub(1);
            Candidate { function, declared: (0..arguments).map(|index| function.parameters[index.min(last)]).collect() }
        })
        .collect()
}

fn exact(candidates: &[Candidate], types: &[Type]) -> Option<Candidate> {
    let same = |candidate: &&Candidate| candidate.declared.iter().zip(types).all(|(param, ty)| *param == Param::Of(*ty));
    candidates.iter().find(same).cloned()
}

fn choose(mut candidates: Vec<Candidate>, types: &[Type]) -> Result<Found, Failure> {
    if let Some(exact) = exact(&candidates, types) {
        return found(&exact, types);
    }
    candidates.retain(|candidate| accepts(candidate, types));
    match candidates.as_slice() {
        [] => Err(Failure::Missing),
        [only] => found(only, types),
        _ => found(&best(candidates, types).ok_or(Failure::Ambiguous)?, types),
    }
}

fn found(candidate: &Candidate, types: &[Type]) -> Result<Found, Failure> {
    let function = candidate.function;
    let (arguments, result) = polymorphic::decide(&candidate.declared, types, function.returns).map_err(Failure::Undecided)?;
    Ok(Found { function, arguments, result })
}

/// All arguments can be brought to the declared types by themselves.
fn accepts(candidate: &Candidate, types: &[Type]) -> bool {
    let implicit = candidate.declared.iter().zip(types).all(|(param, from)| match param {
        Param::Of(to) => from == to || *from == Type::Unknown || cast::context(*from, *to) == Some(Coercion::Implicit),
        _ => true,
    });
    implicit && polymorphic::consistent(&candidate.declared, types)
}

/// `func_select_candidate`: of several that fit.
fn best(mut candidates: Vec<Candidate>, types: &[Type]) -> Option<Candidate> {
    let exact = |param: Param, ty: Type| param == Param::Of(ty);
    keep_most(&mut candidates, types, exact);
    keep_most(&mut candidates, types, |param, ty| {
        exact(param, ty) || ty != Type::Unknown && is_preferred(param) && category(param) == ty.category()
    });
    if candidates.len() > 1 {
        keep_by_category(&mut candidates, types);
    }
    if candidates.len() > 1
        && let Some(known) = only_known(types)
    {
        // Last: as if the undecided were of the type that all others have.
        let assumed = vec![known; types.len()];
        let mut fitting = candidates.iter().filter(|candidate| accepts(candidate, &assumed));
        let first = fitting.next().cloned();
        return first.filter(|_| fitting.next().is_none());
    }
    if candidates.len() == 1 { candidates.pop() } else { None }
}

fn category(param: Param) -> Category {
    match param {
        Param::Of(ty) => ty.category(),
        _ => Category::Pseudo,
    }
}

fn is_preferred(param: Param) -> bool {
    matches!(param, Param::Of(ty) if ty.is_preferred())
}

fn keep_most(candidates: &mut Vec<Candidate>, types: &[Type], test: impl Fn(Param, Type) -> bool) {
    let score = |candidate: &Candidate| candidate.declared.iter().zip(types).filter(|(param, ty)| test(**param, **ty)).count();
    let most = candidates.iter().map(&score).max().unwrap_or(0);
    candidates.retain(|candidate| score(candidate) == most);
}

/// Undecided arguments: a string if any candidate takes one there, else the category on which all agree; then the preferred type of
/// it if any takes that. Nothing changes if they disagree somewhere, or if none has all.
fn keep_by_category(candidates: &mut Vec<Candidate>, types: &[Type]) {
    let mut wanted = Vec::new();
    for position in (0..types.len()).filter(|position| types[*position] == Type::Unknown) {
        let declared: Vec<Param> = candidates.iter().map(|candidate| candidate.declared[position]).collect();
        let first = category(declared[0]);
        let chosen = if declared.iter().any(|param| category(*param) == Category::String) { Category::String } else { first };
        if chosen != Category::String && declared.iter().any(|param| category(*param) != chosen) {
            return;
        }
        let preferred = declared.iter().any(|param| category(*param) == chosen && is_preferred(*param));
        wanted.push((position, chosen, preferred));
    }
    let fits = |candidate: &Candidate| {
        wanted.iter().all(|(position, chosen, preferred)| {
            let param = candidate.declared[*position];
            category(param) == *chosen && (!preferred || is_preferred(param))
        })
    };
    if candidates.iter().any(fits) {
        candidates.retain(fits);
    }
}

/// The one type that all decided arguments have, if others are undecided.
fn only_known(types: &[Type]) -> Option<Type> {
    let mut known = types.iter().copied().filter(|ty| *ty != Type::Unknown);
    let first = known.next()?;
    (known.all(|ty| ty == first) && types.contains(&Type::Unknown)).then_some(first)
}
