//! Running native plans: rows are reached through the session's transaction, which merges its own writes in.
//!
//! Each function here is a part of the session ([`crate::session::Session`]); no state is kept between statements.

mod admin;
pub mod delete;
pub mod engine;
pub mod fetch;
pub mod group;
pub mod insert;
mod join;
pub mod select;
pub mod sequence;
pub mod sort;
pub mod source;
pub mod target;
pub mod update;
pub mod write;

use crate::expr::{Ambient, Env};
use crate::session::txn::Sight;
use crate::types::{Settings, Type};
use crate::value::Value;
use base::{Prng, Wall};
use std::cell::RefCell;

/// What one run of a statement carries along.
pub struct Run {
    pub settings: Settings,
    pub parameters: Vec<Value>,
    pub parameter_types: Vec<Type>,
    pub ambient: Clock,
    pub sight: Sight,
}

/// The time as of the start of the statement: a statement's own duration does not matter to what Florin promises of `clock_timestamp()`.
pub struct Clock {
    pub wall: Wall,
    pub prng: RefCell<Prng>,
}

impl Ambient for Clock {
    fn wall(&self) -> Wall {
        self.wall
    }

    fn random(&self) -> u64 {
        self.prng.borrow_mut().next_u64()
    }
}

impl Run {
    pub fn env(&self) -> Env<'_> {
        Env::new(&self.settings, &self.ambient, &self.parameters)
    }

    pub fn env_with<'a>(&'a self, sequences: &'a [Value]) -> Env<'a> {
        Env { sequences, ..self.env() }
    }
}

/// A row as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub shard: base::ShardId,
    pub key: storage::access::Key,
    pub row: storage::access::Row,
    pub version: base::Version,
}
