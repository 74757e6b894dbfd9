//! The functions and operators that the native path knows, and which of several of one name a call means.
//!
//! An operator is a function whose name is its symbol. Resolution follows PostgreSQL's documentation, 10.2 "Operators" and 10.3
//! "Functions". Comparison operators, logic and the special forms (`COALESCE`, `CASE`, …) are nodes of the expression instead.

mod arithmetic;
mod bytes;
mod datetime;
mod extract;
mod json;
mod math;
mod number_format;
mod operators;
mod pattern;
mod polymorphic;
mod resolve;
mod strings;
mod system;
mod to_char;

pub(crate) use arithmetic::checked_float;
pub(crate) use resolve::no_operator;
pub use resolve::{Found, find, find_operator, is_known, takes};
pub use strings::quote_identifier;
pub use system::VERSION;

use crate::expr::Env;
use crate::types::{Settings, Type};
use crate::value::Value;
use base::Result;
use std::fmt;

/// What a function may be asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatility {
    /// The same arguments always give the same result.
    Immutable,
    /// … within one statement.
    Stable,
    Volatile,
}

/// The type of an argument or a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    Of(Type),
    /// `"any"`: anything at all, taken as it is.
    Any,
    /// `anyelement`: one type wherever it stands in one signature.
    Element,
    /// `anynonarray`: `Element`, but no array.
    NonArray,
    /// `anyarray`: an array of `Element`.
    Array,
    /// `anycompatible`: whatever all of them in one signature can be brought to.
    Compatible,
    /// `anycompatiblearray`: an array of `Compatible`.
    CompatibleArray,
}

/// What a function is told beside its arguments' values.
pub struct Context<'a> {
    pub env: &'a Env<'a>,
    /// The arguments' types.
    pub types: &'a [Type],
}

impl Context<'_> {
    pub fn settings(&self) -> &Settings {
        self.env.settings
    }
}

pub type Run = fn(&[Value], &Context) -> Result<Value>;

pub struct Function {
    pub name: &'static str,
    pub parameters: &'static [Param],
    pub returns: Param,
    /// NULL if any argument is: then it is not even called.
    pub strict: bool,
    /// The last parameter may be given any number of times, but once at least.
    pub variadic: bool,
    pub volatility: Volatility,
    pub run: Run,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Strict and immutable, as most are.
pub(crate) const fn function(name: &'static str, parameters: &'static [Param], returns: Param, run: Run) -> Function {
    Function { name, parameters, returns, strict: true, variadic: false, volatility: Volatility::Immutable, run }
}

impl Function {
    pub(crate) const fn stable(mut self) -> Function {
        self.volatility = Volatility::Stable;
        self
    }

    pub(crate) const fn volatile(mut self) -> Function {
        self.volatility = Volatility::Volatile;
        self
    }

    /// Called with NULLs too.
    pub(crate) const fn lenient(mut self) -> Function {
        self.strict = false;
        self
    }

    pub(crate) const fn variadic(mut self) -> Function {
        self.variadic = true;
        self
    }
}

/// Short names for the tables of functions.
pub(crate) mod kinds {
    use super::Param;
    use crate::types::Type;

    pub const BOOL: Param = Param::Of(Type::Bool);
    pub const INT2: Param = Param::Of(Type::Int2);
    pub const INT4: Param = Param::Of(Type::Int4);
    pub const INT8: Param = Param::Of(Type::Int8);
    pub const FLOAT4: Param = Param::Of(Type::Float4);
    pub const FLOAT8: Param = Param::Of(Type::Float8);
    pub const NUMERIC: Param = Param::Of(Type::Numeric);
    pub const TEXT: Param = Param::Of(Type::Text);
    pub const TEXTS: Param = Param::Of(Type::Array(&Type::Text));
    pub const BPCHAR: Param = Param::Of(Type::BpChar);
    pub const NAME: Param = Param::Of(Type::Name);
    pub const OID: Param = Param::Of(Type::Oid);
    pub const BYTEA: Param = Param::Of(Type::Bytea);
    pub const DATE: Param = Param::Of(Type::Date);
    pub const TIME: Param = Param::Of(Type::Time);
    pub const TIMESTAMP: Param = Param::Of(Type::Timestamp);
    pub const TIMESTAMPTZ: Param = Param::Of(Type::TimestampTz);
    pub const INTERVAL: Param = Param::Of(Type::Interval);
    pub const UUID: Param = Param::Of(Type::Uuid);
    pub const JSON: Param = Param::Of(Type::Json);
    pub const JSONB: Param = Param::Of(Type::Jsonb);
    pub const ANY: Param = Param::Any;
    pub const ELEMENT: Param = Param::Element;
    pub const NON_ARRAY: Param = Param::NonArray;
    pub const ARRAY: Param = Param::Array;
    pub const COMPATIBLE: Param = Param::Compatible;
    pub const COMPATIBLE_ARRAY: Param = Param::CompatibleArray;
}

/// Tables of functions, operators apart.
static FUNCTIONS: &[&[Function]] = &[
    &math::FUNCTIONS,
    &math::FLOATS,
    &strings::FUNCTIONS,
    &pattern::FUNCTIONS,
    &datetime::FUNCTIONS,
    &extract::FUNCTIONS,
    &to_char::FUNCTIONS,
    &number_format::FUNCTIONS,
    &json::FUNCTIONS,
    &bytes::FUNCTIONS,
    &system::FUNCTIONS,
];
static OPERATORS: &[&[Function]] = &[
    &arithmetic::ADD,
    &arithmetic::SUB,
    &arithmetic::MUL,
    &arithmetic::DIV,
    &arithmetic::REM,
    &arithmetic::ADD_FLOAT,
    &arithmetic::SUB_FLOAT,
    &arithmetic::MUL_FLOAT,
    &arithmetic::DIV_FLOAT,
    &arithmetic::NEGATE,
    &arithmetic::PLUS,
    &arithmetic::AND,
    &arithmetic::OR,
    &arithmetic::XOR,
    &arithmetic::LEFT,
    &arithmetic::RIGHT,
    &arithmetic::NOT,
    &operators::OPERATORS,
    &math::OPERATORS,
    &strings::OPERATORS,
    &pattern::OPERATORS,
    &datetime::OPERATORS,
    &json::OPERATORS,
    &system::OPERATORS,
];
