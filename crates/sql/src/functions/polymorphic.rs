//! What polymorphic types stand for in one call: PostgreSQL's `check_generic_type_consistency` and `enforce_generic_type_consistency`.
//!
//! There are two families. `anyelement`, `anyarray` and `anynonarray` must agree exactly; `anycompatible` and `anycompatiblearray` are
//! brought to a common type.

use super::Param;
use crate::expr::common_type;
use crate::types::Type;
use crate::types::cast::{self, Coercion};
use base::{Error, SqlState};

/// All arguments of the exact family are undecided.
#[derive(Clone, Copy, Debug)]
pub struct Undecided;

impl From<Undecided> for Error {
    fn from(_: Undecided) -> Error {
        Error::new(SqlState::DATATYPE_MISMATCH, "could not determine polymorphic type because input has type unknown")
    }
}

/// What the arguments say about each family: `None` if nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Meaning {
    element: Option<Type>,
    compatible: Option<Type>,
}

/// The arguments agree on what the polymorphic types of a signature are.
pub fn consistent(declared: &[Param], types: &[Type]) -> bool {
    meaning(declared, types).is_some()
}

/// The arguments' types in this call, and the result's. The arguments are [`consistent`].
///
/// # Errors
/// [`Undecided`] if nothing says what `anyelement` or `anyarray` is.
pub fn decide(declared: &[Param], types: &[Type], returns: Param) -> Result<(Vec<Type>, Type), Undecided> {
    let meaning = meaning(declared, types).unwrap_or_default();
    let arguments = declared.iter().zip(types).map(|(param, given)| meaning.of(*param, *given)).collect::<Result<Vec<_>, _>>()?;
    Ok((arguments, meaning.of(returns, Type::Unknown)?))
}

impl Meaning {
    fn of(self, param: Param, given: Type) -> Result<Type, Undecided> {
        // Nothing decided: strings.
        let compatible = self.compatible.unwrap_or(Type::Text);
        match param {
            Param::Of(ty) => Ok(ty),
            Param::Any => Ok(given),
            Param::Element | Param::NonArray => self.element.ok_or(Undecided),
            Param::Array => self.element.and_then(Type::array_of).ok_or(Undecided),
            Param::Compatible => Ok(compatible),
            Param::CompatibleArray => compatible.array_of().ok_or(Undecided),
        }
    }
}

/// `None` if the arguments disagree.
fn meaning(declared: &[Param], types: &[Type]) -> Option<Meaning> {
    let mut element: Option<Type> = None;
    let mut compatible = Vec::new();
    for (param, given) in declared.iter().zip(types).filter(|(_, given)| **given != Type::Unknown) {
        let exact = match param {
            Param::Of(_) | Param::Any => continue,
            Param::Compatible => {
                compatible.push(*given);
                continue;
            }
            Param::CompatibleArray => {
                compatible.push(given.element()?);
                continue;
            }
            Param::Element => *given,
            Param::NonArray if given.is_array() => return None,
            Param::NonArray => *given,
            Param::Array => given.element()?,
        };
        if element.is_some_and(|before| before != exact) {
            return None;
        }
        element = Some(exact);
    }
    Some(Meaning { element, compatible: common(&compatible)? })
}

/// `None` if there is no common type; `Some(None)` of nothing.
fn common(types: &[Type]) -> Option<Option<Type>> {
    if types.is_empty() {
        return Some(None);
    }
    let common = common_type(types, "").ok()?;
    let fits = |ty: &Type| cast::context(*ty, common) == Some(Coercion::Implicit);
    types.iter().all(fits).then_some(Some(common))
}
