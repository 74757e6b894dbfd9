//! The repository's rules that a compiler does not check, each with its reason.

mod layers;
mod sources;

use std::path::{Path, PathBuf};

/// Checks everything.
///
/// # Errors
/// All findings, one a line.
pub fn check(root: &Path) -> Result<String, String> {
    let files = source_files(root)?;
    let mut findings = layers::findings(root)?;
    for file in &files {
        let text = std::fs::read_to_string(root.join(file)).map_err(|error| format!("{}: {error}", file.display()))?;
        findings.extend(sources::findings(file, &text));
    }
    findings.extend(sources::stale_exceptions(root));
    if findings.is_empty() {
        Ok(format!("tidy: {} files, nothing to find fault with", files.len()))
    } else {
        Err(format!("tidy: {} finding(s)\n{}", findings.len(), findings.join("\n")))
    }
}

/// All Rust files below the folders that hold our code, relative to the root, sorted.
fn source_files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("xtask"), root.join("fuzz")];
    while let Some(folder) = folders.pop() {
        let Ok(items) = std::fs::read_dir(&folder) else { continue };
        for item in items {
            let path = item.map_err(|error| format!("{}: {error}", folder.display()))?.path();
            if path.is_dir() && path.file_name().is_none_or(|name| name != "target" && name != "corpus") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root).expect("found below the root").to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
