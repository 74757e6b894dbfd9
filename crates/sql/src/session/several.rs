//! Several statements in one message, without parsing what was parsed before: the text is cut at its semicolons, and each piece finds its plan as
//! a message of its own would.
//!
//! A message with a syntax error does nothing at all, so all pieces are looked at before the first is run; where anything is out of the
//! ordinary, the text is parsed as a whole.

use super::Session;
use super::simple::{Again, Ready, literal_type};
use super::txn::Block;
use crate::client::ClientResponse;
use crate::parse::normalize::{Literal, Normalizer, pieces};
use crate::parse::utility::Utility;
use crate::parse::{Statement, parse};
use crate::plan::cache::Cached;
use crate::types::Type;
use base::Result;

/// Statements of a message that is cut; a longer one is a script.
const PIECES_MAX: usize = 32;

pub(super) enum Piece<'a> {
    /// Literals are lifted out.
    Normalized { sql: &'a str, normalizer: Normalizer },
    Parsed(Statement),
}

impl Session {
    /// The statements of a message; `None`: it must be parsed as a whole.
    pub(super) fn cut<'a>(&mut self, sql: &'a str) -> Option<Vec<Piece<'a>>> {
        let texts = pieces(sql, PIECES_MAX).filter(|texts| texts.len() > 1)?;
        texts.into_iter().map(|text| self.piece(text)).collect()
    }

    fn piece<'a>(&mut self, sql: &'a str) -> Option<Piece<'a>> {
        let mut normalizer = Normalizer::default();
        if normalizer.normalize(sql) {
            let (schema, epoch) = (self.backend.catalog().version, self.settings.plan_epoch);
            if let Some(Cached::Planned(_)) = self.plans.get(&normalizer.key, schema, epoch) {
                return Some(Piece::Normalized { sql, normalizer });
            }
            // Its first time: what cannot be parsed is told of the whole text.
            parse(sql).ok()?;
            return Some(Piece::Normalized { sql, normalizer });
        }
        match parse(sql).ok()?.as_mut_slice() {
            [statement] => Some(Piece::Parsed(statement.clone())),
            _ => None,
        }
    }

    /// Runs the statements as one transaction, unless they say otherwise.
    pub(super) async fn run_pieces(&mut self, pieces: Vec<Piece<'_>>) {
        for piece in pieces {
            let result = self.run_piece(&piece).await;
            match result {
                Ok(tag) => self.say(ClientResponse::Complete(tag)),
                Err(error) => return self.fail(error).await,
            }
        }
        if let Err(error) = self.end_implicit().await {
            self.fail(error).await;
        }
    }

    async fn run_piece(&mut self, piece: &Piece<'_>) -> Result<String> {
        match piece {
            Piece::Parsed(statement) => {
                if !controls_transaction(statement) {
                    self.ensure_txn(Block::Implicit);
                }
                let ready = self.prepare_ready(statement).await?;
                self.run_ready(&ready).await
            }
            Piece::Normalized { sql, normalizer } => {
                self.ensure_txn(Block::Implicit);
                if !self.sees_own_schema()
                    && let Some(ready) = Box::pin(self.ready_of(sql, normalizer)).await
                {
                    return self.run_ready(&ready).await;
                }
                let statement = parse(sql)?.pop().ok_or_else(|| base::Error::internal("a statement of a message is none"))?;
                let ready = Box::pin(self.prepare_ready(&statement)).await?;
                self.run_ready(&ready).await
            }
        }
    }

    /// A normalised text with its plan and its literals as parameters; `None`: the text must be parsed as it stands.
    pub(super) async fn ready_of<'a>(&mut self, sql: &str, normalizer: &'a Normalizer) -> Option<Ready<'a>> {
        let types: Vec<Type> = normalizer.literals.iter().map(|literal| literal_type(literal.kind)).collect();
        let (schema, epoch) = (self.backend.catalog().version, self.settings.plan_epoch);
        let planned = match self.plans.get(&normalizer.key, schema, epoch) {
            Some(Cached::Planned(planned)) => planned,
            Some(Cached::Verbatim) => return None,
            None => Box::pin(self.plan_normalized(normalizer, &types)).await?,
        };
        let values = normalizer.literals.iter().zip(&planned.parameters).map(|(literal, ty)| value_of(sql, literal, *ty));
        let parameters = values.collect::<Option<Vec<_>>>()?;
        Some(Ready { planned, parameters, source: Again::Text(normalizer.text(), types) })
    }
}

/// `None`: it depends on the session, or is wrong: the ordinary way knows what to say.
fn value_of(sql: &str, literal: &Literal, ty: Type) -> Option<crate::value::Value> {
    let text = literal.text(sql);
    if literal.kind_is_string() && crate::types::text::depends_on_session(&text, ty) {
        return None;
    }
    crate::types::text::parse(&text, ty, -1, &crate::types::Settings::default()).ok()
}

pub(super) fn controls_transaction(statement: &Statement) -> bool {
    matches!(statement, Statement::Utility(Utility::Begin(_) | Utility::Commit { .. } | Utility::Rollback { .. }))
}
