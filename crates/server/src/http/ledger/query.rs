//! What the query of a URL says: names and values, decoded, each once and each known.

use crate::http::problem::Problem;
use crate::http::time;
use std::collections::BTreeMap;

/// Rows of one page.
pub const LIMIT_MAX: u32 = 1_000;
const LIMIT_DEFAULT: u32 = 100;

#[derive(Debug)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// # Errors
    /// 400 for what is malformed, unknown or there twice.
    pub fn parse(text: &str, known: &[&str]) -> Result<Query, Problem> {
        let mut values = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text| decode(text).ok_or_else(|| Problem::bad_request("the query is malformed"));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if !known.contains(&name.as_str()) {
                let what = if known.is_empty() { "takes no parameters".to_owned() } else { format!("knows {}", known.join(", ")) };
                return Err(Problem::bad_request(format!("the query names {name:?}; this {what}")));
            }
            if values.insert(name.clone(), value).is_some() {
                return Err(Problem::bad_request(format!("the query names {name:?} twice")));
            }
        }
        Ok(Query(values))
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// # Errors
    /// 400 for what is no such number.
    pub fn number(&self, name: &str, max: u64) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok());
        let wrong = || Problem::bad_request(format!("{name} is a whole number from 0 to {max}"));
        number.filter(|number| *number <= max).map(Some).ok_or_else(wrong)
    }

    /// # Errors
    /// 400 for what is no id.
    pub fn id(&self, name: &str) -> Result<Option<String>, Problem> {
        self.text(name).map(|text| canonical_id(text).ok_or_else(|| not_an_id(name))).transpose()
    }

    /// Nanoseconds since 1970.
    ///
    /// # Errors
    /// 400 for what is no time.
    pub fn time(&self, name: &str) -> Result<Option<i64>, Problem> {
        let wrong = || {
            Problem::bad_request(format!("{name} is a time from 1970 to 2262, as 2026-11-22T10:00:00Z"))
                .with_hint("A + in a URL is written %2B.")
        };
        let parsed = |text| time::parse(text).and_then(|nanoseconds| i64::try_from(nanoseconds).ok()).ok_or_else(wrong);
        self.text(name).map(parsed).transpose()
    }

    /// # Errors
    /// 400 if it is not between 1 and [`LIMIT_MAX`].
    pub fn limit(&self) -> Result<u32, Problem> {
        let limit = self.number("limit", u64::from(LIMIT_MAX))?.unwrap_or(u64::from(LIMIT_DEFAULT));
        u32::try_from(limit).ok().filter(|limit| *limit > 0).ok_or_else(|| Problem::bad_request(format!("limit is from 1 to {LIMIT_MAX}")))
    }

    /// # Errors
    /// 400 for another word than the two.
    pub fn newest_first(&self) -> Result<bool, Problem> {
        match self.text("order") {
            None | Some("newest_first") => Ok(true),
            Some("oldest_first") => Ok(false),
            Some(_) => Err(Problem::bad_request("order is newest_first or oldest_first")),
        }
    }
}

pub fn not_an_id(name: &str) -> Problem {
    Problem::bad_request(format!("{name} is no id: write 32 hexadecimal digits, as 00000000-0000-0000-0000-0000000000a1"))
}

/// An id as answers show it, from 32 hexadecimal digits with or without hyphens.
pub fn canonical_id(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|sign| *sign != '-').collect();
    if digits.len() != 32 || text.len() > 36 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits = digits.to_ascii_lowercase();
    Some([&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-"))
}

/// `%xx` and `+` as forms write them.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    // What no text of a database may hold.
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_and_strangers_are_refused() {
        let query = Query::parse("from=2026-11-22T10%3A00:00%2B01:00&limit=5&after=a+b&", &["from", "limit", "after"]).expect("sound");
        assert_eq!((query.text("after"), query.limit().expect("sound")), (Some("a b"), 5));
        assert_eq!(query.time("from").expect("sound"), Some(1_795_338_000_000_000_000));
        for wrong in ["to=1", "limit=1&limit=1", "limit=%zz", "limit=%f", "after=%ff", "after=%00"] {
            assert_eq!(Query::parse(wrong, &["limit", "after"]).err().map(|problem| problem.status), Some(400), "{wrong}");
        }
        for wrong in ["limit=0", "limit=1001", "limit=-1", "limit=+1", "limit=", "limit=99999999999999999999"] {
            let query = Query::parse(wrong, &["limit"]).expect("well-formed");
            assert_eq!(query.limit().err().map(|problem| problem.status), Some(400), "{wrong}");
        }
    }

    #[test]
    fn ids_have_one_form() {
        let canonical = "00000000-0000-0000-0000-0000000000a1";
        assert_eq!(canonical_id("000000000000000000000000000000A1").as_deref(), Some(canonical));
        assert_eq!(canonical_id(canonical).as_deref(), Some(canonical));
        for wrong in ["", "a1", "g0000000000000000000000000000000", "00000000-0000-0000-0000-0000000000a1--", "００"] {
            assert_eq!(canonical_id(wrong), None, "{wrong}");
        }
    }
}
