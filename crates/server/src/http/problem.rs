//! Errors as `application/problem+json` (RFC 9457), with a status that says what to do.

use super::wire::Response;
use base::{Error, SqlState};
use ledger::Code;
use serde_json::{Map, Value, json};

/// Every status that an error may have, with its reason phrase (RFC 9110, section 15).
pub const STATUSES: &[(u16, &str)] = &[
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (408, "Request Timeout"),
    (409, "Conflict"),
    (413, "Content Too Large"),
    (415, "Unsupported Media Type"),
    (422, "Unprocessable Content"),
    (429, "Too Many Requests"),
    (431, "Request Header Fields Too Large"),
    (500, "Internal Server Error"),
    (503, "Service Unavailable"),
];
/// When to come again, in seconds.
const RETRY_AFTER_S: u32 = 1;

#[derive(Debug)]
pub struct Problem {
    pub status: u16,
    /// A URN that never changes its meaning.
    kind: String,
    title: String,
    /// Members beside those of the RFC.
    more: Box<Map<String, Value>>,
    headers: Vec<(&'static str, String)>,
}

impl Problem {
    /// One of HTTP's own: `urn:florin:http:NAME`.
    pub fn new(status: u16, name: &str, title: impl Into<String>) -> Problem {
        let headers = match status {
            401 => vec![("WWW-Authenticate", "Basic realm=\"florin\", charset=\"UTF-8\"".to_owned())],
            429 | 503 => vec![("Retry-After", RETRY_AFTER_S.to_string())],
            _ => Vec::new(),
        };
        Problem { status, kind: format!("urn:florin:http:{name}"), title: title.into(), more: Box::default(), headers }
    }

    pub fn bad_request(title: impl Into<String>) -> Problem {
        Problem::new(400, "bad_request", title)
    }

    pub fn not_found(title: impl Into<String>) -> Problem {
        Problem::new(404, "not_found", title)
    }

    pub fn method_not_allowed(allowed: &str) -> Problem {
        let mut problem = Problem::new(405, "method_not_allowed", format!("here only {allowed} is answered"));
        problem.headers.push(("Allow", allowed.to_owned()));
        problem
    }

    pub fn with_hint(mut self, hint: &str) -> Problem {
        self.more.insert("hint".to_owned(), hint.into());
        self
    }

    /// What the ledger's rules refused.
    pub fn refused(id: &str, code: Code) -> Problem {
        let mut problem = Problem::new(status_of_code(code), "", format!("the ledger refused: {}", code.name()));
        problem.kind = format!("urn:florin:ledger:{}", code.name());
        *problem.more = object(json!({ "id": id, "code": code.number(), "name": code.name(), "hint": code.advice() }));
        problem
    }

    pub fn response(self) -> Response {
        let mut body = object(json!({ "type": self.kind, "title": self.title, "status": self.status }));
        body.extend(*self.more);
        Response {
            status: self.status,
            kind: "application/problem+json",
            body: format!("{}\n", Value::Object(body)),
            headers: self.headers,
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// An id that is taken, by another event or by its own refusal, is a conflict; all else is for the ledger's rules.
fn status_of_code(code: Code) -> u16 {
    if code.is_about_existing() || code == Code::IdAlreadyFailed { 409 } else { 422 }
}

fn status_of(state: SqlState) -> u16 {
    match state {
        SqlState::INSUFFICIENT_PRIVILEGE => 403,
        SqlState::UNDEFINED_OBJECT => 404,
        SqlState::DUPLICATE_OBJECT => 409,
        SqlState::PROGRAM_LIMIT_EXCEEDED => 413,
        SqlState::LOCK_NOT_AVAILABLE | SqlState::IO_ERROR | SqlState::SNAPSHOT_TOO_OLD => 503,
        SqlState(code) => match &code[..2] {
            b"22" => 400,
            b"28" => 401,
            b"08" | b"40" | b"53" | b"57" => 503,
            _ => 500,
        },
    }
}

/// A refusal of the ledger travels as SQLSTATE `L` and four digits.
fn code_of(state: SqlState) -> Option<Code> {
    let digits = state.as_str().strip_prefix('L')?;
    Code::from_number(digits.parse().ok()?)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let status = code_of(error.state()).map_or_else(|| status_of(error.state()), status_of_code);
        if status == 500 {
            tracing::warn!(%error, "a request over HTTP failed");
        }
        let mut problem = Problem::new(status, "", error.message());
        problem.kind = format!("urn:florin:sqlstate:{}", error.state());
        let texts = [("detail", error.detail()), ("hint", error.hint())];
        problem.more.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))));
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_reason_and_says_what_it_must() {
        for code in Code::ALL {
            assert!(STATUSES.iter().any(|(status, _)| *status == status_of_code(*code)));
        }
        let response = Problem::from(Error::new(SqlState::INVALID_PASSWORD, "no")).response();
        assert_eq!((response.status, response.headers[0].0), (401, "WWW-Authenticate"));
        let response = Problem::from(Error::new(SqlState::SERIALIZATION_FAILURE, "no").with_hint("again")).response();
        assert_eq!((response.status, response.headers[0].0), (503, "Retry-After"));
        assert!(response.body.contains(r#""hint":"again""#) && response.body.contains("urn:florin:sqlstate:40001"));
        let refused = Problem::refused("7", Code::ExceedsCredits).response();
        assert!(refused.status == 422 && refused.body.contains("urn:florin:ledger:exceeds_credits"));
        assert_eq!(Problem::refused("7", Code::ExistsWithOtherAmount).status, 409);
        assert_eq!(Problem::from(Error::new(SqlState(*b"L0062"), "no")).status, 422);
    }
}
