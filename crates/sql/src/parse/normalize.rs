//! Lifts the literals out of a statement's text without parsing it, so that texts that differ only in literals share a plan. A text of several
//! statements is taken one statement at a time.
//!
//! Conservative: whatever could change its meaning by becoming a parameter (a literal behind GROUP BY, a typed literal such as
//! `DATE '…'`, an escape string, a cast) makes [`normalize`] give up, and the statement takes the ordinary way.

use std::ops::Range;

/// More literals than this are not worth lifting: the text is hardly ever seen again.
pub const LITERALS_MAX: usize = 64;
/// Longer texts are not normalised.
pub const NORMALIZED_BYTES_MAX: usize = 8 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralKind {
    /// Fits `int4`.
    Int4,
    Int8,
    Numeric,
    /// In quotes; its type is decided by where it stands.
    String,
    /// In quotes, with doubled quotes inside.
    StringEscaped,
}

impl LiteralKind {
    fn tag(self) -> char {
        match self {
            LiteralKind::Int4 => 'i',
            LiteralKind::Int8 => 'l',
            LiteralKind::Numeric => 'n',
            LiteralKind::String | LiteralKind::StringEscaped => 's',
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    pub kind: LiteralKind,
    /// Within the original text, without quotes.
    pub range: Range<usize>,
}

impl Literal {
    pub fn kind_is_string(&self) -> bool {
        matches!(self.kind, LiteralKind::String | LiteralKind::StringEscaped)
    }

    /// The literal as a client would send it as a text parameter.
    pub fn text<'a>(&self, sql: &'a str) -> std::borrow::Cow<'a, str> {
        let raw = &sql[self.range.clone()];
        match self.kind {
            LiteralKind::StringEscaped => raw.replace("''", "'").into(),
            _ => raw.into(),
        }
    }
}

/// Reused from statement to statement, so that the hot path does not allocate.
#[derive(Default, Debug)]
pub struct Normalizer {
    /// The text with `$n` for literals, a NUL, and one letter for the type of each.
    pub key: String,
    /// Length of the text within `key`.
    pub text_len: usize,
    pub literals: Vec<Literal>,
}

impl Normalizer {
    pub fn text(&self) -> &str {
        &self.key[..self.text_len]
    }

    /// Normalises the statement that starts at `from`, and says where the next one starts: at the text's end if it was the last.
    /// `None`: the text must be parsed as it is.
    pub fn normalize(&mut self, sql: &str, from: usize) -> Option<usize> {
        self.key.clear();
        self.literals.clear();
        if sql.len() > NORMALIZED_BYTES_MAX {
            return None;
        }
        let end = self.scan(sql, from)?;
        if self.key.is_empty() {
            return None;
        }
        self.text_len = self.key.len();
        self.key.push('\0');
        for literal in &self.literals {
            self.key.push(literal.kind.tag());
        }
        let rest = sql[end..].trim_start_matches(|c: char| c == ';' || c.is_ascii_whitespace());
        Some(sql.len() - rest.len())
    }

    /// Up to the semicolon that ends the statement, or to the text's end.
    fn scan(&mut self, sql: &str, from: usize) -> Option<usize> {
        let bytes = sql.as_bytes();
        let mut at = from;
        let mut copied = from;
        let mut last = Last::Start;
        while at < bytes.len() {
            match bytes[at] {
                b' ' | b'\t' | b'\n' | b'\r' => at += 1,
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => {
                    let start = at;
                    while at < bytes.len() && is_word(bytes[at]) {
                        at += 1;
                    }
                    last = word(&bytes[start..at], matches!(last, Last::Start))?;
                }
                b'0'..=b'9' => {
                    let range = number(bytes, at)?;
                    self.lift(sql, copied, range.clone(), number_kind(&sql[range.clone()]), range.clone())?;
                    at = range.end;
                    copied = at;
                    last = Last::Other;
                }
                b'\'' => {
                    if matches!(last, Last::Name) {
                        return None;
                    }
                    let (end, escaped) = string(bytes, at + 1)?;
                    let kind = if escaped { LiteralKind::StringEscaped } else { LiteralKind::String };
                    self.lift(sql, copied, at..end + 1, kind, at + 1..end)?;
                    at = end + 1;
                    copied = at;
                    last = Last::Other;
                }
                b'"' => {
                    at += 1 + bytes[at + 1..].iter().position(|b| *b == b'"')? + 1;
                    last = Last::Name;
                }
                b';' => {
                    self.key.push_str(&sql[copied..at]);
                    return (!matches!(last, Last::Start)).then_some(at);
                }
                b'-' if bytes.get(at + 1) == Some(&b'-') => return None,
                b'/' if bytes.get(at + 1) == Some(&b'*') => return None,
                b':' | b'$' | b'[' | b'\\' | 0 => return None,
                b'.' if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => return None,
                _ => {
                    at += 1;
                    last = Last::Other;
                }
            }
        }
        self.key.push_str(&sql[copied..]);
        (!matches!(last, Last::Start)).then_some(at)
    }

    fn lift(&mut self, sql: &str, copied: usize, whole: Range<usize>, kind: LiteralKind, range: Range<usize>) -> Option<()> {
        if self.literals.len() == LITERALS_MAX {
            return None;
        }
        self.key.push_str(&sql[copied..whole.start]);
        self.literals.push(Literal { kind, range });
        self.key.push('$');
        let count = self.literals.len();
        if count >= 10 {
            self.key.push(char::from(b'0' + (count / 10) as u8));
        }
        self.key.push(char::from(b'0' + (count % 10) as u8));
        Some(())
    }
}

enum Last {
    Start,
    /// A name or keyword that could give a string behind it a type.
    Name,
    Other,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// `None`: a word that forbids lifting.
fn word(word: &[u8], first: bool) -> Option<Last> {
    let is = |list: &[&str]| list.iter().any(|w| w.len() == word.len() && w.as_bytes().eq_ignore_ascii_case(word));
    if first {
        return is(&["select", "insert", "update", "delete", "begin", "commit", "end", "rollback"]).then_some(Last::Other);
    }
    if is(&["by", "group", "distinct", "cast", "interval", "fetch", "extract", "over", "with", "as", "union", "intersect", "except"]) {
        // `AS` and ORDER BY are common on the hot path and harmless where no literal follows, which cannot be told here.
        return is(&["as"]).then_some(Last::Name);
    }
    const BEFORE_STRINGS: &[&str] = &[
        "select",
        "values",
        "where",
        "and",
        "or",
        "not",
        "like",
        "ilike",
        "then",
        "else",
        "when",
        "in",
        "between",
        "set",
        "limit",
        "offset",
        "returning",
        "from",
        "is",
        "escape",
        "case",
        "to",
        "similar",
    ];
    Some(if is(BEFORE_STRINGS) { Last::Other } else { Last::Name })
}

fn number(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let mut at = start;
    let digits = |at: &mut usize| {
        while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            *at += 1;
        }
    };
    digits(&mut at);
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        digits(&mut at);
    }
    match bytes.get(at) {
        // An exponent, a hexadecimal number or a typing error.
        Some(byte) if is_word(*byte) || *byte == b'.' => None,
        _ => Some(start..at),
    }
}

fn number_kind(text: &str) -> LiteralKind {
    if text.parse::<i32>().is_ok() {
        LiteralKind::Int4
    } else if text.parse::<i64>().is_ok() {
        LiteralKind::Int8
    } else {
        LiteralKind::Numeric
    }
}

/// Where the closing quote is, and whether quotes are doubled within.
fn string(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let mut at = start;
    let mut escaped = false;
    loop {
        at += bytes[at..].iter().position(|b| *b == b'\'')?;
        if bytes.get(at + 1) != Some(&b'\'') {
            return Some((at, escaped));
        }
        escaped = true;
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(sql: &str) -> Option<(String, Vec<String>)> {
        let mut normalizer = Normalizer::default();
        normalizer
            .normalize(sql, 0)
            .filter(|next| *next == sql.len())
            .map(|_| (normalizer.key.replace('\0', "|"), normalizer.literals.iter().map(|l| l.text(sql).into_owned()).collect()))
    }

    #[test]
    fn literals_become_parameters_and_their_types_part_of_the_key() {
        assert_eq!(
            normalized("UPDATE t SET a = a + 5, b = 'it''s' WHERE id = 3000000000;"),
            Some(("UPDATE t SET a = a + $1, b = $2 WHERE id = $3|isl".into(), vec!["5".into(), "it's".into(), "3000000000".into()]))
        );
        assert_eq!(normalized("select t1 from x2 where a=1.50"), Some(("select t1 from x2 where a=$1|n".into(), vec!["1.50".into()])));
    }

    #[test]
    fn several_statements_are_taken_one_after_the_other() {
        let (sql, mut normalizer) = ("BEGIN; UPDATE t SET a = 'x;y' WHERE b = 7 ;; COMMIT ; ", Normalizer::default());
        let (mut from, mut keys) = (0, Vec::new());
        while from < sql.len() {
            from = normalizer.normalize(sql, from).expect("nothing in it is special");
            let literals: Vec<_> = normalizer.literals.iter().map(|literal| literal.text(sql).into_owned()).collect();
            keys.push((normalizer.text().trim().to_owned(), literals));
        }
        let update = ("UPDATE t SET a = $1 WHERE b = $2".to_owned(), vec!["x;y".to_owned(), "7".to_owned()]);
        assert_eq!(keys, [("BEGIN".to_owned(), vec![]), update, ("COMMIT".to_owned(), vec![])]);
        assert_eq!(normalizer.normalize("SELECT 1; VACUUM", 9), None);
    }

    #[test]
    fn texts_whose_literals_mean_more_than_values_are_left_alone() {
        for sql in [
            "SELECT a FROM t GROUP BY 1",
            "SELECT DATE '2020-01-01'",
            "SELECT '1'::int",
            "SELECT E'\\n'",
            "SELECT 1; SELECT 2",
            "SELECT $1",
            "SELECT 1 -- one",
            "SELECT 1e5",
            "CREATE TABLE t (a char(5))",
            "SELECT 'abc",
            "",
            ";",
        ] {
            assert_eq!(normalized(sql), None, "{sql}");
        }
    }
}
