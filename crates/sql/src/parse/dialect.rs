//! The dialect that the library parses with: its PostgreSQL, without what makes parsing exponential, and with a bound on the work.
//!
//! The library tries a construct, and where that fails goes back and tries another. Where both read the same nested text the work
//! doubles with each level: for the labels of `json_object(label: value)` (not of PostgreSQL 15, so left out here), but also for joins in
//! parentheses and for statements that are wrong in their middle. No list of such constructs would be complete, so the steps are counted.

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use std::any::TypeId;
use std::cell::Cell;

/// Most steps of the parser for each token; a text without anything tried twice takes about two.
const STEPS_PER_TOKEN: usize = 24;
/// Steps that any statement may take.
const STEPS_MIN: usize = 10_000;

/// For one text.
#[derive(Debug)]
pub struct Bounded {
    postgresql: PostgreSqlDialect,
    steps_left: Cell<usize>,
    versioned: Cell<bool>,
}

impl Bounded {
    pub fn new() -> Bounded {
        Bounded { postgresql: PostgreSqlDialect {}, steps_left: Cell::new(STEPS_MIN), versioned: Cell::new(false) }
    }

    /// Sets the bound for a text of so many tokens. `versioned`: it says SYSTEM_TIME somewhere; else words that begin other clauses of versions
    /// stay free for aliases.
    pub fn allow(&self, tokens: usize, versioned: bool) {
        self.versioned.set(versioned);
        self.steps_left.set(STEPS_MIN.saturating_add(tokens.saturating_mul(STEPS_PER_TOKEN)));
    }

    /// The only error that the library does not take as a reason to try something else.
    fn step(&self) -> Result<(), ParserError> {
        let left = self.steps_left.get().checked_sub(1).ok_or(ParserError::RecursionLimitExceeded)?;
        self.steps_left.set(left);
        Ok(())
    }
}

macro_rules! as_in_postgresql {
    ($($flag:ident)*) => {
        $(fn $flag(&self) -> bool {
            self.postgresql.$flag()
        })*
    };
}

impl Dialect for Bounded {
    /// The library asks in places whether it is PostgreSQL that it parses.
    fn dialect(&self) -> TypeId {
        self.postgresql.dialect()
    }

    fn parse_prefix(&self, _: &mut Parser) -> Option<Result<Expr, ParserError>> {
        self.step().err().map(Err)
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match self.step() {
            Ok(()) => self.postgresql.get_next_precedence(parser),
            Err(error) => Some(Err(error)),
        }
    }

    fn supports_table_versioning(&self) -> bool {
        self.versioned.get()
    }

    fn supports_named_fn_args_with_expr_name(&self) -> bool {
        false
    }

    fn supports_named_fn_args_with_colon_operator(&self) -> bool {
        false
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.postgresql.identifier_quote_style(identifier)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.postgresql.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.postgresql.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.postgresql.is_identifier_part(ch)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        self.postgresql.is_custom_operator_part(ch)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        self.postgresql.is_reserved_for_identifier(keyword)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        self.postgresql.prec_value(precedence)
    }

    as_in_postgresql! {
        supports_unicode_string_literal
        supports_filter_during_aggregation
        supports_group_by_expr
        allow_extract_custom
        allow_extract_single_quotes
        supports_create_index_with_clause
        supports_explain_with_utility_options
        supports_listen_notify
        supports_factorial_operator
        supports_bitwise_shift_operators
        supports_comment_on
        supports_load_extension
        supports_empty_projections
        supports_nested_comments
        supports_string_escape_constant
        supports_numeric_literal_underscores
        supports_array_typedef_with_brackets
        supports_geometric_types
        supports_set_names
        supports_alter_column_type_using
        supports_notnull_operator
        supports_interval_options
        supports_insert_table_alias
        supports_create_table_like_parenthesized
        supports_select_wildcard_with_alias
        supports_comma_separated_trim
        supports_xml_expressions
        supports_comment_optimizer_hint
    }
}
