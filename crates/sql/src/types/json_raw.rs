//! Parts of a JSON text as they were written: `json`, unlike `jsonb`, keeps blanks, order and duplicates.
//!
//! The text is known to be valid; where it is not, there is no part.

/// Text behind the blanks at the start.
fn trimmed(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
}

/// Bytes of the string that starts with a quote.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Bytes of the value at the start.
fn value_length(text: &str) -> Option<usize> {
    match text.bytes().next()? {
        b'"' => string_length(text),
        b'{' | b'[' => {
            let (mut depth, mut at) = (0usize, 0);
            while at < text.len() {
                match text.as_bytes()[at] {
                    b'"' => at += string_length(&text[at..])? - 1,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            None
        }
        _ => Some(text.find([',', '}', ']', ' ', '\t', '\n', '\r']).unwrap_or(text.len())),
    }
}

/// The values of an array, or the pairs of an object with their keys as written, quotes and all.
fn items(text: &str) -> Option<Vec<(Option<&str>, &str)>> {
    let text = trimmed(text);
    let is_object = match text.bytes().next()? {
        b'{' => true,
        b'[' => false,
        _ => return None,
    };
    let mut rest = trimmed(&text[1..]);
    let mut found = Vec::new();
    while !rest.starts_with(['}', ']']) {
        let mut key = None;
        if is_object {
            let length = string_length(rest)?;
            key = Some(&rest[..length]);
            rest = trimmed(trimmed(&rest[length..]).strip_prefix(':')?);
        }
        let length = value_length(rest)?;
        found.push((key, &rest[..length]));
        rest = trimmed(&rest[length..]);
        rest = trimmed(rest.strip_prefix(',').unwrap_or(rest));
    }
    Some(found)
}

/// The value of a key; the last one if it occurs several times.
pub fn member<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let matches = |written: &str| serde_json::from_str::<String>(written).is_ok_and(|written| written == key);
    items(text)?.into_iter().rev().find(|(written, _)| written.is_some_and(matches)).map(|(_, value)| value)
}

/// The element at an index; a negative one counts from the end.
pub fn element(text: &str, index: i64) -> Option<&str> {
    let items = items(text)?;
    if items.first().is_some_and(|(key, _)| key.is_some()) {
        return None;
    }
    let at = if index >= 0 { usize::try_from(index).ok() } else { items.len().checked_sub(index.unsigned_abs() as usize) };
    items.get(at?).map(|(_, value)| *value)
}

/// A step of a path: a key, or an index in digits.
pub fn step<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    if trimmed(text).starts_with('[') { element(text, key.parse().ok()?) } else { member(text, key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stay_as_they_were_written() {
        let text = r#" { "a" : {"x":  [1 , "]" ]}, "b\u0063": "q\"}", "a": 2.50 } "#;
        assert_eq!(member(text, "a"), Some("2.50"));
        assert_eq!(member(text, "bc"), Some(r#""q\"}""#));
        assert_eq!(member(text, "x"), None);
        assert_eq!(element(r#"[1, {"a": [2]} ,3]"#, 1), Some(r#"{"a": [2]}"#));
        assert_eq!(element("[1,2,3]", -1), Some("3"));
        assert_eq!(element("{\"a\":1}", 0), None);
        assert_eq!(member("{}", "a"), None);
    }
}
