//! The types of a statement's parameters: told by the client or found while binding.

use crate::types::Type;
use base::{Error, Result, SqlState};

/// Most parameters of a statement: the protocol counts them in 16 bits.
pub const PARAMETERS_MAX: usize = 65_535;

#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// `Unknown` until an expression decides.
    types: Vec<Type>,
}

impl Parameters {
    /// From the oids of a Parse message; 0 and `unknown` are left to be found.
    ///
    /// # Errors
    /// `42704` for an oid that is no type.
    pub fn new(oids: &[u32]) -> Result<Parameters> {
        let ty = |oid: &u32| match oid {
            0 => Ok(Type::Unknown),
            oid => {
                Type::from_oid(*oid).ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, format!("type with OID {oid} does not exist")))
            }
        };
        Ok(Parameters { types: oids.iter().map(ty).collect::<Result<_>>()? })
    }

    /// Of known types.
    pub fn of(types: Vec<Type>) -> Parameters {
        Parameters { types }
    }

    /// As far as they are known; `Unknown` elsewhere.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// All types.
    ///
    /// # Errors
    /// `42P18` if one could not be found.
    pub fn finish(&self) -> Result<&[Type]> {
        match self.types.iter().position(|ty| *ty == Type::Unknown) {
            None => Ok(&self.types),
            Some(at) => {
                Err(Error::new(SqlState::INDETERMINATE_DATATYPE, format!("could not determine data type of parameter ${}", at + 1)))
            }
        }
    }

    /// The type of `$index + 1`, which is now known to be used.
    pub(super) fn touch(&mut self, index: usize) -> Result<Type> {
        if index >= PARAMETERS_MAX {
            return Err(Error::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter ${}", index + 1)));
        }
        if index >= self.types.len() {
            self.types.resize(index + 1, Type::Unknown);
        }
        Ok(self.types[index])
    }

    /// Decides an undecided type.
    pub(super) fn decide(&mut self, index: usize, ty: Type) -> Type {
        if self.types[index] == Type::Unknown {
            self.types[index] = ty;
        }
        self.types[index]
    }
}
