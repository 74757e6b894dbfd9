//! Which function a call means.

use super::{FUNCTIONS, Function, OPERATORS, Param};
use crate::types::cast::{self, Coercion};
use crate::types::{Category, Type};
use base::{Error, Result, SqlState};

/// A function, the types that its arguments must be brought to, and its result's type.
pub struct Found {
    pub function: &'static Function,
    pub arguments: Vec<Type>,
    pub result: Type,
}

struct Candidate {
    function: &'static Function,
    /// One for each argument.
    types: Vec<Type>,
    result: Type,
}

/// A function of this name exists, for whatever arguments.
pub fn is_known(name: &str) -> bool {
    FUNCTIONS.iter().flat_map(|table| table.iter()).any(|function| function.name == name)
}

/// # Errors
/// `42883` if there is none, `42725` if there are several equally good.
pub fn find(name: &str, types: &[Type]) -> Result<Found> {
    let named = || FUNCTIONS.iter().flat_map(|table| table.iter()).filter(|function| function.name == name);
    choose(named(), types, false).map_err(|ambiguous| {
        let call = format!("{name}({})", list(types));
        if ambiguous {
            Error::new(SqlState::AMBIGUOUS_FUNCTION, format!("function {call} is not unique"))
                .with_hint("Could not choose a best candidate function. You might need to add explicit type casts.")
        } else {
            Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {call} does not exist"))
                .with_hint("No function matches the given name and argument types. You might need to add explicit type casts.")
        }
    })
}

/// One type for a prefix operator, two for the others.
///
/// # Errors
/// As [`find`].
pub fn find_operator(symbol: &str, types: &[Type]) -> Result<Found> {
    let named = OPERATORS.iter().flat_map(|table| table.iter()).filter(|function| function.name == symbol);
    choose(named, types, true).map_err(|ambiguous| no_operator(symbol, types, ambiguous))
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

/// `Err(true)`: ambiguous.
fn choose(named: impl Iterator<Item = &'static Function>, types: &[Type], operator: bool) -> Result<Found, bool> {
    let mut candidates: Vec<Candidate> = named.filter_map(|function| candidate(function, types)).collect();
    if let Some(exact) = candidates.iter().position(|candidate| candidate.types == types) {
        return Ok(found(candidates.swap_remove(exact)));
    }
    // An operator with one undecided side: first try the other side's type for both.
    if operator && let Some(assumed) = same_type_for_both(types) {
        if let Some(exact) = candidates.iter().position(|candidate| candidate.types == assumed) {
            return Ok(found(candidates.swap_remove(exact)));
        }
    }
    candidates.retain(|candidate| candidate.types.iter().zip(types).all(|(to, from)| accepts(*from, *to)));
    if candidates.len() > 1 {
        keep_best(&mut candidates, |candidate| count(candidate, types, |to, from| to == from));
        keep_best(&mut candidates, |candidate| {
            count(candidate, types, |to, from| to == from || from != Type::Unknown && to.is_preferred())
        });
        decide_unknown(&mut candidates, types);
    }
    if candidates.len() > 1
        && let Some(known) = only_known(types)
    {
        let all = vec![known; types.len()];
        if let Some(exact) = candidates.iter().position(|c| c.types.iter().zip(&all).all(|(to, from)| accepts(*from, *to))) {
            let rest = candidates.iter().filter(|c| c.types.iter().zip(&all).all(|(to, from)| accepts(*from, *to))).count();
            if rest == 1 {
                return Ok(found(candidates.swap_remove(exact)));
            }
        }
    }
    match candidates.len() {
        1 => Ok(found(candidates.swap_remove(0))),
        0 => Err(false),
        _ => Err(true),
    }
}

fn found(candidate: Candidate) -> Found {
    Found { function: candidate.function, arguments: candidate.types, result: candidate.result }
}

fn accepts(from: Type, to: Type) -> bool {
    from == to || from == Type::Unknown || cast::context(from, to) == Some(Coercion::Implicit)
}

fn same_type_for_both(types: &[Type]) -> Option<Vec<Type>> {
    match types {
        [Type::Unknown, known] | [known, Type::Unknown] if *known != Type::Unknown => Some(vec![*known; 2]),
        _ => None,
    }
}

/// The one type that all decided arguments have.
fn only_known(types: &[Type]) -> Option<Type> {
    let mut known = types.iter().copied().filter(|ty| *ty != Type::Unknown);
    let first = known.next()?;
    (known.all(|ty| ty == first) && types.contains(&Type::Unknown)).then_some(first)
}

/// The function with the types that these arguments give to its parameters, if their number fits.
fn candidate(function: &'static Function, types: &[Type]) -> Option<Candidate> {
    let parameters = function.parameters;
    let fits = if function.variadic { types.len() + 1 >= parameters.len() } else { types.len() == parameters.len() };
    if !fits {
        return None;
    }
    let of = |index: usize| parameters[index.min(parameters.len() - 1)];
    let params: Vec<Param> = (0..types.len()).map(of).collect();
    let element = element_type(&params, types)?;
    let concrete = |param: Param, given: Option<Type>| match param {
        Param::Of(ty) => Some(ty),
        Param::Any => given.map(|ty| if ty == Type::Unknown { Type::Text } else { ty }),
        Param::Element => element,
        Param::ArrayOfElement => element.and_then(Type::array_of),
    };
    let concretes: Option<Vec<Type>> = params.iter().zip(types).map(|(param, ty)| concrete(*param, Some(*ty))).collect();
    Some(Candidate { function, types: concretes?, result: concrete(function.returns, None)? })
}

/// What `Element` is in this call: `Some(None)` if the signature has no such parameter, `None` if the arguments disagree.
fn element_type(params: &[Param], types: &[Type]) -> Option<Option<Type>> {
    let mut element = None;
    let mut wanted = false;
    for (param, ty) in params.iter().zip(types) {
        let given = match param {
            Param::Element => *ty,
            Param::ArrayOfElement if *ty == Type::Unknown => Type::Unknown,
            Param::ArrayOfElement => ty.element()?,
            Param::Of(_) | Param::Any => continue,
        };
        wanted = true;
        if given == Type::Unknown {
            continue;
        }
        match element {
            None => element = Some(given),
            Some(before) if before == given => {}
            Some(before) => element = Some(crate::expr::common_type(&[before, given], "").ok()?),
        }
    }
    if wanted && element.is_none() { None } else { Some(element) }
}

fn count(candidate: &Candidate, types: &[Type], test: impl Fn(Type, Type) -> bool) -> usize {
    candidate.types.iter().zip(types).filter(|(to, from)| test(**to, **from)).count()
}

fn keep_best(candidates: &mut Vec<Candidate>, score: impl Fn(&Candidate) -> usize) {
    let best = candidates.iter().map(&score).max().unwrap_or(0);
    candidates.retain(|candidate| score(candidate) == best);
}

/// Undecided arguments: a string if any candidate takes one there, else the category on which all agree; then the preferred type.
fn decide_unknown(candidates: &mut Vec<Candidate>, types: &[Type]) {
    for position in 0..types.len() {
        if types[position] != Type::Unknown || candidates.len() < 2 {
            continue;
        }
        let categories: Vec<Category> = candidates.iter().map(|candidate| candidate.types[position].category()).collect();
        let category = if categories.contains(&Category::String) {
            Category::String
        } else if categories.iter().all(|category| *category == categories[0]) {
            categories[0]
        } else {
            return;
        };
        candidates.retain(|candidate| candidate.types[position].category() == category);
        if candidates.iter().any(|candidate| candidate.types[position].is_preferred()) {
            candidates.retain(|candidate| candidate.types[position].is_preferred());
        }
    }
}
