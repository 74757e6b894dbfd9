//! Builds as they are given out: in whole, as incremental builds inline less.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the program and gives its path.
///
/// # Errors
/// If cargo fails; it has said why.
pub fn program(root: &Path) -> Result<PathBuf, String> {
    Ok(build(root, &["--package", "florin"])?.join("florin"))
}

/// Builds what the arguments name and gives the folder of programs.
///
/// # Errors
/// If cargo fails; it has said why.
pub fn build(root: &Path, arguments: &[&str]) -> Result<PathBuf, String> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release"])
        .args(arguments)
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(root)
        .status()
        .map_err(|error| format!("cargo build: {error}"))?;
    if !status.success() {
        return Err("cargo build failed".to_owned());
    }
    Ok(target(root).join("release"))
}

/// The folder of everything that is built.
pub fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}
