//! What an expression may ask of the world while it is evaluated.

use crate::types::Settings;
use crate::value::Value;
use base::{Error, Result, Wall};

/// The row that an expression is evaluated for.
pub trait Columns {
    fn column(&self, index: usize) -> Result<Value>;
}

impl Columns for [Value] {
    fn column(&self, index: usize) -> Result<Value> {
        self.get(index).cloned().ok_or_else(|| Error::internal(format!("column {index} of a row of {}", self.len())))
    }
}

impl Columns for Vec<Value> {
    fn column(&self, index: usize) -> Result<Value> {
        self.as_slice().column(index)
    }
}

/// No row at all: for constants.
impl Columns for () {
    fn column(&self, index: usize) -> Result<Value> {
        Err(Error::internal(format!("column {index} of no row")))
    }
}

impl Columns for crate::row::RowReader<'_> {
    fn column(&self, index: usize) -> Result<Value> {
        self.value(index)
    }
}

/// What changes within a statement.
pub trait Ambient {
    /// The wall clock now (`clock_timestamp()`).
    fn wall(&self) -> Wall;
    /// From the node's generator.
    fn random(&self) -> u64;
}

/// Of one statement; `sequences` of one row of it, `aggregates` of one group.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    pub settings: &'a Settings,
    pub ambient: &'a dyn Ambient,
    /// Values of the parameters, of the types that [`super::Parameters`] found.
    pub parameters: &'a [Value],
    /// Numbers drawn for [`super::Binder::sequences`].
    pub sequences: &'a [Value],
    /// Results of [`super::Binder::aggregates`].
    pub aggregates: &'a [Value],
}

impl<'a> Env<'a> {
    pub fn new(settings: &'a Settings, ambient: &'a dyn Ambient, parameters: &'a [Value]) -> Env<'a> {
        Env { settings, ambient, parameters, sequences: &[], aggregates: &[] }
    }
}

/// For expressions that are neither volatile nor ask for the time.
pub struct NoAmbient;

impl Ambient for NoAmbient {
    fn wall(&self) -> Wall {
        Wall(0)
    }

    fn random(&self) -> u64 {
        0
    }
}
