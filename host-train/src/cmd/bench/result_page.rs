//! What the result pages of all benchmarks have in common.

use crate::atomic_file;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use toml::Table;

/// Writes `FILE.md` and `FILE.json`, and says where.
pub fn save(out: &Path, file: &str, text: &str, numbers: &impl Serialize) -> Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let path = |ending: &str| out.join(format!("{file}.{ending}"));
    atomic_file::write(&path("json"), (serde_json::to_string_pretty(numbers)? + "\n").as_bytes())?;
    atomic_file::write(&path("md"), text.as_bytes())?;
    println!("page: {}", path("md").display());
    Ok(())
}

/// Complete settings, in a block.
pub fn settings(page: &mut String, recipe: &str, settings: &Table) -> Result<()> {
    Ok(writeln!(page, "\n```toml\nrecipe = \"{recipe}\"\n{}```", toml::to_string(settings)?)?)
}
