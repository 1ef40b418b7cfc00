//! Habits that a compiler does not check.

use crate::step::workspace_root;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const LONGEST_FILE_LINES: usize = 750;

pub fn check() -> Result<()> {
    let mut findings = Vec::new();
    for path in tracked_files()? {
        let Ok(text) = std::fs::read_to_string(workspace_root().join(&path)) else {
            continue;
        };
        if path.extension().is_some_and(|ext| ext == "rs") {
            check_rust(&path, &text, &mut findings);
        }
    }
    if findings.is_empty() {
        eprintln!("xtask: tidy");
        return Ok(());
    }
    bail!("not tidy:\n{}", findings.join("\n"))
}

fn check_rust(path: &Path, text: &str, findings: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > LONGEST_FILE_LINES {
        findings.push(format!("{}: {lines} lines; look for a seam", path.display()));
    }
    for (index, line) in text.lines().enumerate() {
        let at = || format!("{}:{}", path.display(), index + 1);
        let excused = line.contains("\"20") || line.contains("\"run by ");
        if line.trim_start().starts_with("#[ignore") && !excused {
            findings.push(format!(
                "{}: an ignored test needs a reason that begins with its date, or the test that runs it",
                at()
            ));
        }
    }
}

fn tracked_files() -> Result<Vec<PathBuf>> {
    let listing = Command::new("git").args(["ls-files", "-z"]).output()?;
    let text = String::from_utf8(listing.stdout)?;
    Ok(text.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
}
