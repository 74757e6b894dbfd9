//! From text to statements: the tokenizer and parser of `sqlparser`, with the limits and the errors that PostgreSQL has.
//!
//! What the library does not parse as PostgreSQL does (COPY, SET, transactions, roles, …) is parsed in [`utility`]. Nothing here looks
//! at the catalog.

mod dialect;
pub mod names;
pub mod normalize;
pub mod utility;

use base::{Error, Result, SqlState};
use dialect::Bounded;
use sqlparser::ast;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};
use storage::access::LockMode;
pub use utility::Utility;

/// Longest statement text in bytes.
pub const STATEMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Deepest nesting of parentheses, subqueries and operators of different strength.
const NESTING_MAX: usize = 200;
/// Most tokens that are read for one text which makes the library read some of it again and again.
const READ_TOKENS_MAX: usize = 4_000_000;
/// Most operators in one chain (`a + b + c …`), each of which is one level of the parse tree.
const CHAIN_MAX: usize = 1_500;

/// One statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// `locks`: the strength of each `FOR …` clause in order, which the library does not tell apart.
    Sql {
        statement: Box<ast::Statement>,
        locks: Vec<LockMode>,
    },
    Utility(Utility),
}

/// All statements of a text. An empty text has none.
///
/// # Errors
/// `42601` with its position, `54001` for nesting too deep, `54000` for a text too long.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    let dialect = Bounded::new();
    let (mut parser, locks) = parser_of(sql, &dialect)?;
    let mut statements = Vec::new();
    loop {
        while parser.consume_token(&Token::SemiColon) {}
        if parser.peek_token_ref().token == Token::EOF {
            return Ok(statements);
        }
        statements.push(one(&mut parser, &locks, sql)?);
        let next = parser.peek_token();
        if !matches!(next.token, Token::SemiColon | Token::EOF) {
            return Err(near(sql, &next));
        }
    }
}

/// An expression of the catalog (a default, a check).
pub fn parse_expression(sql: &str) -> Result<ast::Expr> {
    let dialect = Bounded::new();
    let (mut parser, _) = parser_of(sql, &dialect)?;
    let expression = parser.parse_expr().map_err(|error| syntax_error(sql, &error))?;
    match parser.peek_token() {
        end if end.token == Token::EOF => Ok(expression),
        more => Err(near(sql, &more)),
    }
}

/// The text under which the catalog keeps an expression.
///
/// # Errors
/// `0A000` for the few expressions whose text would not read as the same expression.
pub fn kept_text(expression: &ast::Expr) -> Result<String> {
    let text = expression.to_string();
    match parse_expression(&text) {
        Ok(again) if again == *expression || again.to_string() == text => Ok(text),
        _ => Err(Error::unsupported(format!("keeping the expression {text}")).with_hint("Put parentheses around its parts.")),
    }
}

/// A query of the catalog (a view).
pub fn parse_query(sql: &str) -> Result<Box<ast::Query>> {
    parser_of(sql, &Bounded::new())?.0.parse_query().map_err(|error| syntax_error(sql, &error))
}

fn parser_of<'d>(sql: &str, dialect: &'d Bounded) -> Result<(Parser<'d>, Vec<(usize, LockMode)>)> {
    if sql.len() > STATEMENT_BYTES_MAX {
        let message = format!("statement is too long: {} bytes, at most {STATEMENT_BYTES_MAX}", sql.len());
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    let mut tokens = Tokenizer::new(dialect, sql).tokenize_with_location().map_err(|error| {
        let position = position_of(sql, error.location.line, error.location.column);
        Error::new(SqlState::SYNTAX_ERROR, error.message).with_position(position)
    })?;
    check_shape(&tokens)?;
    spell_as_of(&mut tokens);
    dialect.allow(tokens.len(), tokens.iter().any(|token| is_word(token, "SYSTEM_TIME")));
    let locks = take_lock_modes(&mut tokens);
    Ok((Parser::new(dialect).with_recursion_limit(NESTING_MAX).with_tokens_with_locations(tokens), locks))
}

fn one(parser: &mut Parser<'_>, locks: &[(usize, LockMode)], sql: &str) -> Result<Statement> {
    if let Some(statement) = utility::parse(parser, locks, sql)? {
        return Ok(Statement::Utility(statement));
    }
    let start = parser.index();
    let statement = parser.parse_statement().map_err(|error| syntax_error(sql, &error))?;
    let locks = locks.iter().filter(|(at, _)| (start..parser.index()).contains(at)).map(|(_, mode)| *mode).collect();
    Ok(Statement::Sql { statement: Box::new(statement), locks })
}

/// `balances AS OF` becomes `balances FOR SYSTEM_TIME AS OF`, the form of the SQL standard that the library knows.
fn spell_as_of(tokens: &mut Vec<TokenWithSpan>) {
    let solid: Vec<usize> = (0..tokens.len()).filter(|at| !matches!(tokens[*at].token, Token::Whitespace(_))).collect();
    let spoken = |three: &[usize]| ["BALANCES", "AS", "OF"].iter().zip(three).all(|(word, at)| is_word(&tokens[*at], word));
    let found: Vec<usize> = solid.windows(3).filter(|three| spoken(three)).map(|three| three[1]).collect();
    for at in found.into_iter().rev() {
        let span = tokens[at].span;
        for word in ["SYSTEM_TIME", "FOR"] {
            tokens.insert(at, TokenWithSpan { token: Token::make_keyword(word), span });
        }
    }
}

/// `FOR NO KEY UPDATE` and `FOR KEY SHARE` are unknown to the library: their extra words are taken out ahead, and what was meant is
/// kept aside by the clause's place.
fn take_lock_modes(tokens: &mut [TokenWithSpan]) -> Vec<(usize, LockMode)> {
    let mut modes = Vec::new();
    for at in 0..tokens.len() {
        if !is_word(&tokens[at], "FOR") {
            continue;
        }
        let ahead: Vec<usize> = (at + 1..tokens.len()).filter(|i| !matches!(tokens[*i].token, Token::Whitespace(_))).take(3).collect();
        let says = |n: usize, word: &str| ahead.get(n).is_some_and(|i| is_word(&tokens[*i], word));
        let (mode, extra) = if says(0, "UPDATE") {
            (LockMode::Update, 0)
        } else if says(0, "SHARE") {
            (LockMode::Share, 0)
        } else if says(0, "KEY") && says(1, "SHARE") {
            (LockMode::KeyShare, 1)
        } else if says(0, "NO") && says(1, "KEY") && says(2, "UPDATE") {
            (LockMode::NoKeyUpdate, 2)
        } else {
            continue;
        };
        modes.push((at, mode));
        for i in &ahead[..extra] {
            tokens[*i].token = Token::Whitespace(Whitespace::Space);
        }
    }
    modes
}

pub(crate) fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// What is open at some place of a text.
#[derive(Default)]
struct Open {
    /// Operators since the last comma.
    chain: usize,
    /// How many parentheses in a row open here where a table may stand, up to this one.
    tables: usize,
    /// How often the library reads what this parenthesis holds.
    readings: usize,
}

/// The library's tree is as deep as a chain of operators is long, and whoever walks it recurses: so both are bounded before parsing.
///
/// So is what is read anew: of `FROM (((SELECT …` the library takes each parenthesis for a subquery first, and where a join follows it reads
/// the same again as a table.
fn check_shape(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut open = vec![Open::default()];
    let mut readings = 1usize;
    let mut before = Before::Other;
    for token in tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))) {
        let nested = open.len() > 1;
        let top = open.last_mut().expect("never empty");
        let mut now = Before::Other;
        match &token.token {
            Token::LParen | Token::LBracket => {
                let tables = match before {
                    Before::Table => 1,
                    Before::Opening if top.tables > 0 => top.tables + 1,
                    _ => 0,
                };
                open.push(Open { chain: 0, tables, readings: 1 });
                now = Before::Opening;
            }
            Token::RParen | Token::RBracket if nested => readings /= open.pop().map_or(1, |closed| closed.readings),
            Token::Comma => (top.chain, now) = (0, Before::Table),
            Token::SemiColon => top.chain = 0,
            Token::Word(word) if word.quote_style.is_none() => {
                let is = |list: &[&str]| list.iter().any(|w| w.eq_ignore_ascii_case(&word.value));
                top.chain += usize::from(is(&["AND", "OR", "NOT", "UNION", "EXCEPT", "INTERSECT", "IS", "COLLATE"]));
                if is(&["FROM", "JOIN", "LATERAL", "USING"]) {
                    now = Before::Table;
                } else if before == Before::Opening && top.tables > 1 && is(&["SELECT", "WITH", "VALUES", "TABLE"]) {
                    top.readings = top.tables;
                    readings = readings.saturating_mul(top.tables);
                }
            }
            Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_) | Token::Period => {}
            _ => top.chain += 1,
        }
        before = now;
        let too_long = open.last().is_some_and(|open| open.chain > CHAIN_MAX);
        let too_often = readings > 1 && readings.saturating_mul(tokens.len()) > READ_TOKENS_MAX;
        if open.len() > NESTING_MAX || too_long || too_often {
            return Err(too_deep());
        }
    }
    Ok(())
}

/// What stands before a token, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A table may follow.
    Table,
    Opening,
    Other,
}

fn too_deep() -> Error {
    Error::new(SqlState::STATEMENT_TOO_COMPLEX, "statement is nested too deeply")
        .with_hint(format!("At most {NESTING_MAX} levels of nesting and {CHAIN_MAX} operators in a row are taken."))
}

pub(crate) fn syntax_error(sql: &str, error: &ParserError) -> Error {
    let text = match error {
        ParserError::RecursionLimitExceeded => return too_deep(),
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
    };
    let (text, position) = match text.rsplit_once(" at Line: ") {
        Some((before, place)) => (before, place_of(sql, place)),
        None => (text, None),
    };
    let error = match text.split_once(", found: ") {
        Some((expected, "EOF")) => Error::new(SqlState::SYNTAX_ERROR, "syntax error at end of input").with_detail(format!("{expected}.")),
        Some((expected, found)) => {
            Error::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{found}\"")).with_detail(format!("{expected}."))
        }
        None => Error::new(SqlState::SYNTAX_ERROR, format!("syntax error: {text}")),
    };
    match position {
        Some(position) => error.with_position(position),
        None if error.message().ends_with("end of input") => error.with_position(sql.chars().count() as u32 + 1),
        None => error,
    }
}

fn place_of(sql: &str, place: &str) -> Option<u32> {
    let (line, column) = place.split_once(", Column: ")?;
    Some(position_of(sql, line.trim().parse().ok()?, column.trim().parse().ok()?))
}

/// One-based, in characters.
fn position_of(sql: &str, line: u64, column: u64) -> u32 {
    let before: usize = sql.split('\n').take(line.saturating_sub(1) as usize).map(|l| l.chars().count() + 1).sum();
    u32::try_from(before as u64 + column).unwrap_or(u32::MAX)
}

pub(crate) fn near(sql: &str, token: &TokenWithSpan) -> Error {
    if token.token == Token::EOF {
        let end = sql.chars().count() as u32 + 1;
        return Error::new(SqlState::SYNTAX_ERROR, "syntax error at end of input").with_position(end);
    }
    let position = position_of(sql, token.span.start.line, token.span.start.column);
    Error::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{}\"", token.token)).with_position(position)
}
