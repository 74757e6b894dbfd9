//! Rules for source files: what they start with, how long they are, what must not stand in them.

use std::path::Path;

/// A file longer than this wants to be two.
const FILE_LINES_MAX: usize = 700;
/// A function longer than this does more than one thing.
const FUNCTION_LINES_MAX: usize = 70;

/// Files and functions that are over a limit, with their size and the reason. They may shrink, never grow.
const EXCEPTIONS: &[(&str, usize, &str)] = &[];

/// Words that mean unfinished work, or name the workplace instead of the project.
const WORDS: &[(&str, &str)] = &[
    (concat!("to", "do!("), "unfinished"),
    (concat!("unimpl", "emented!("), "unfinished"),
    (concat!("TO", "DO"), "unfinished: do it, or write an issue"),
    (concat!("FIX", "ME"), "unfinished: fix it, or write an issue"),
    (concat!("dbg", "!("), "left over from looking for a fault"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/wo", "rk/"), "a path of one machine"),
];

pub fn findings(file: &Path, text: &str) -> Vec<String> {
    let name = file.display().to_string();
    let mut findings = Vec::new();
    let is_test = name.contains("/tests/") || name.contains("/examples/") || name.contains("/fuzz_targets/");
    if !text.starts_with("//!") && !is_test && !text.starts_with("#![") {
        findings.push(format!("{name}: starts without a doc comment that says what the module is for"));
    }
    let lines = text.lines().count();
    let allowed = exception(&name).unwrap_or(FILE_LINES_MAX);
    if lines > allowed {
        findings.push(format!("{name}: {lines} lines, more than {allowed}: cut it in two"));
    }
    for (number, line) in text.lines().enumerate() {
        for (word, reason) in WORDS {
            if line.contains(word) {
                findings.push(format!("{name}:{}: {word:?}: {reason}", number + 1));
            }
        }
    }
    for (number, function, length) in functions(text) {
        let allowed = exception(&format!("{name}::{function}")).unwrap_or(FUNCTION_LINES_MAX);
        if length > allowed && !is_test {
            findings.push(format!("{name}:{number}: fn {function} has {length} lines, more than {allowed}: cut it in two"));
        }
    }
    findings
}

fn exception(name: &str) -> Option<usize> {
    EXCEPTIONS.iter().find(|(file, _, _)| *file == name).map(|(_, lines, _)| *lines)
}

/// An exception whose file is gone protects nothing.
pub fn stale_exceptions(root: &Path) -> Vec<String> {
    let file = |name: &str| name.split("::").next().unwrap_or(name).to_owned();
    let stale = EXCEPTIONS.iter().filter(|(name, _, _)| !root.join(file(name)).exists());
    stale.map(|(name, _, _)| format!("xtask/src/tidy/sources.rs: the exception for {name} is for a file that is gone")).collect()
}

/// First line, name and length of each function of more than one line, as rustfmt lays them out: the closing brace stands under
/// the line that opened.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let Some(name) = function_name(code) else { continue };
        let closing = format!("{}}}", " ".repeat(indent));
        let end = lines[start..].iter().position(|line| *line == closing);
        let one_line = code.ends_with('}') || code.ends_with(';');
        if let (Some(length), false) = (end, one_line) {
            found.push((start + 1, name.to_owned(), length + 1));
        }
    }
    found
}

fn function_name(code: &str) -> Option<&str> {
    let before = code.split("fn ").next()?;
    let is_prefix =
        before.split_whitespace().all(|word| matches!(word, "pub" | "pub(crate)" | "pub(super)" | "async" | "const" | "unsafe"));
    let after = code.split_once("fn ")?.1;
    is_prefix.then(|| after.split(['(', '<']).next().unwrap_or(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_measured_from_its_name_to_its_brace() {
        let text = "//! Doc.\nimpl A {\n    pub fn long(&self) {\n        one();\n        two();\n    }\n}\n";
        assert_eq!(functions(text), vec![(3, "long".to_owned(), 4)]);
    }

    #[test]
    fn unfinished_work_and_missing_docs_are_found() {
        let text = format!("fn a() {{\n    {}\"later\");\n}}\n", WORDS[0].0);
        let found = findings(Path::new("crates/x/src/a.rs"), &text);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_long_function_is_found() {
        let text = format!("//! Doc.\nfn long() {{\n{}}}\n", "    step();\n".repeat(80));
        assert_eq!(findings(Path::new("crates/x/src/a.rs"), &text).len(), 1);
    }
}
