//! Imports go downwards only. The order of layers is here; what each crate imports is asked of cargo.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// From the lowest to the highest. A crate may import those before it, less what `NEVER` says.
const LAYERS: &[&str] = &[
    "base",
    "storage",
    "ledger",
    "proof",
    "sql",
    "clearing",
    "shard",
    "cluster",
    "node",
    "query",
    "sim",
    "server",
    "florin-client",
    "fuzz",
    "florin",
    "xtask",
];

/// Pairs that the order would allow and a reason forbids.
const NEVER: &[(&str, &str, &str)] = &[
    ("sim", "query", "the simulator must not wait for the vectorised engine's build"),
    ("server", "sim", "the shell and the simulator drive a node alike and never see each other"),
    ("node", "query", "only the shell links the vectorised engine"),
    ("florin", "fuzz", "the program needs no fuzzing"),
    ("shard", "sql", "a shard knows rows, not statements"),
    ("florin-client", "server", "who uses the client does not build the database"),
    ("florin-client", "sql", "a client speaks SQL's protocol and does not run it"),
    ("florin-client", "node", "who uses the client does not build the database"),
];

/// The pure crates never depend on a runtime.
const PURE: &[&str] = &["base", "storage", "ledger", "proof", "sql", "clearing", "shard", "cluster", "node", "sim"];
const RUNTIMES: &[&str] = &["tokio", "async-std", "smol", "mio"];

pub fn findings(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    Ok(packages.iter().flat_map(package_findings).collect())
}

fn package_findings(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let mut findings = Vec::new();
    let Some(height) = LAYERS.iter().position(|layer| *layer == name) else {
        return vec![format!("{name}: no layer; give it its place in xtask/src/tidy/layers.rs")];
    };
    let folder = package["manifest_path"].as_str().and_then(|path| Path::new(path).parent()?.file_name()?.to_str());
    if folder != Some(name) {
        findings.push(format!("{name}: its folder is called {folder:?}; folder and crate carry one name"));
    }
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    for dependency in dependencies.iter().filter(|dependency| dependency["kind"].is_null()) {
        let import = dependency["name"].as_str().unwrap_or_default();
        if LAYERS.iter().position(|layer| *layer == import).is_some_and(|below| below >= height) {
            findings.push(format!("{name} imports {import}: imports go downwards only"));
        }
        if let Some((_, _, reason)) = NEVER.iter().find(|(from, to, _)| *from == name && *to == import) {
            findings.push(format!("{name} imports {import}: {reason}"));
        }
        if PURE.contains(&name) && RUNTIMES.contains(&import) {
            findings.push(format!("{name} imports {import}: a pure crate has no runtime"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, import: &str) -> Value {
        json!({ "name": name, "manifest_path": format!("/r/crates/{name}/Cargo.toml"), "dependencies": [{ "name": import, "kind": null }] })
    }

    #[test]
    fn an_upward_import_is_found() {
        assert_eq!(package_findings(&package("storage", "shard")).len(), 1);
        assert_eq!(package_findings(&package("shard", "storage")).len(), 0);
    }

    #[test]
    fn a_runtime_in_a_pure_crate_is_found() {
        assert_eq!(package_findings(&package("node", "tokio")).len(), 1);
        assert_eq!(package_findings(&package("server", "tokio")).len(), 0);
    }
}
