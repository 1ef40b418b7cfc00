//! Where a figure comes from.

use std::process::Command;

/// Name of the fact that says which source tree.
pub const COMMIT: &str = "Commit";

/// Facts for a report: the given ones, then program version, commit and command line.
pub fn facts(first: &[(&str, String)]) -> Vec<(String, String)> {
    let mut facts: Vec<(String, String)> =
        first.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    facts.push(("Program".into(), format!("watchpost {}", env!("CARGO_PKG_VERSION"))));
    facts.push((COMMIT.into(), commit()));
    facts.push(("Command".into(), command_line()));
    facts
}

/// Facts as a page lists them, a line each.
pub fn list(facts: &[(String, String)]) -> String {
    facts.iter().map(|(name, value)| format!("- {name}: `{value}`\n")).collect()
}

/// The commit of the source tree around the current folder, marked when it has uncommitted changes.
pub fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown (not run in a source tree)".into();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit} with local changes"),
    }
}

/// This program's command line, without the folder it was started from.
pub fn command_line() -> String {
    let mut words = vec!["watchpost".to_owned()];
    words.extend(std::env::args().skip(1));
    words.join(" ")
}
