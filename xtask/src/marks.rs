//! Parts of documents that a tool writes, between two marks that a reader of the document does not see.

use std::path::Path;

fn marks(name: &str) -> (String, String) {
    (format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->"))
}

/// Replaces what stands between the marks.
///
/// # Errors
/// If the file cannot be read or written, or has no such marks.
pub fn write(path: &Path, name: &str, text: &str) -> Result<(), String> {
    let new = put(&whole(path)?, name, text).ok_or_else(|| missing(path, name))?;
    std::fs::write(path, new).map_err(|error| format!("{}: {error}", path.display()))
}

/// What stands between the marks.
///
/// # Errors
/// If the file cannot be read or has no such marks.
pub fn read(path: &Path, name: &str) -> Result<String, String> {
    get(&whole(path)?, name).map(str::to_owned).ok_or_else(|| missing(path, name))
}

fn whole(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn missing(path: &Path, name: &str) -> String {
    let (begin, end) = marks(name);
    format!("{} has no {begin} and {end}", path.display())
}

fn get<'a>(whole: &'a str, name: &str) -> Option<&'a str> {
    let (begin, end) = marks(name);
    let (_, rest) = whole.split_once(&begin)?;
    rest.split_once(&end).map(|(text, _)| text.trim())
}

fn put(old: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = marks(name);
    let (before, rest) = old.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{text}\n\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let (begin, end) = marks("bench");
        let old = format!("# Title\n{begin}\nold\n{end}\nmore\n");
        let new = put(&old, "bench", "new").expect("both marks are there");
        assert_eq!(new, format!("# Title\n{begin}\n\nnew\n\n{end}\nmore\n"));
        assert_eq!(get(&new, "bench"), Some("new"));
        assert_eq!(put("no marks", "bench", "new"), None);
    }
}
