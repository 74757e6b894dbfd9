//! The repository's own rules, as a test.

use std::path::Path;

#[test]
fn the_repository_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if let Err(findings) = xtask::tidy::check(&root) {
        panic!("{findings}");
    }
}
