//! What must never reach a board.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn the_board_program_carries_no_training_code_and_no_openssl() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "watchpostd",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"vad-core"), "the tree must be read right: {tree}");
    let unwanted = |name: &&&str| ["burn", "cubecl", "openssl"].iter().any(|bad| name.starts_with(bad));
    let found: Vec<_> = names.iter().filter(unwanted).collect();
    assert!(found.is_empty(), "{found:?}");
}
