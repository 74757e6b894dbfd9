//! Good inputs from the repository's own test data.

use std::path::PathBuf;

fn path(below_root: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(below_root)
}

pub fn file(below_root: &str) -> Vec<u8> {
    let path = path(below_root);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder whose names end so, in order of their names.
pub fn folder(below_root: &str, suffix: &str) -> Vec<Vec<u8>> {
    let path = path(below_root);
    let items = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut names: Vec<PathBuf> = items.map(|item| item.expect("a folder of the repository can be read").path()).collect();
    names.sort();
    let wanted = names.into_iter().filter(|name| name.to_string_lossy().ends_with(suffix));
    wanted.map(|name| std::fs::read(&name).unwrap_or_else(|error| panic!("{}: {error}", name.display()))).collect()
}
