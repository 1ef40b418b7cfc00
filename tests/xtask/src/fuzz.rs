//! libFuzzer on the parsers of bytes from outside, through cargo-fuzz and a nightly compiler, which alone has its sanitizers.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::machine;
use crate::step::{foreign_command, run, target_dir, workspace_root};

const CARGO_FUZZ: &str = "0.13.1";
const TOOLCHAIN: &str = "nightly";
const CORPUS: &str = "tests/fuzz/corpus";
/// Longest time for one input, seconds: the sanitizer makes everything several times slower.
const SLOWEST_S: u32 = 10;
/// Most memory, MiB: several times what the largest input of any parser may take.
const MEMORY_MIB: u32 = 1_024;

/// Looks for inputs that break `parser`, or each in turn, for so many minutes each.
pub fn search(parser: Option<&str>, minutes: u32) -> Result<()> {
    let parsers = parsers()?;
    let chosen: Vec<&String> =
        parsers.iter().filter(|name| parser.is_none_or(|wanted| wanted == name.as_str())).collect();
    ensure!(
        !chosen.is_empty(),
        "no parser is called {}; there are {}",
        parser.unwrap_or_default(),
        parsers.join(", ")
    );
    machine::ensure_cargo_tool("cargo-fuzz", CARGO_FUZZ)?;
    machine::ensure_toolchain(TOOLCHAIN)?;
    for parser in chosen {
        search_one(parser, minutes)?;
    }
    Ok(())
}

/// Each has a folder in the corpus; a test sees to that.
fn parsers() -> Result<Vec<String>> {
    let folders = std::fs::read_dir(workspace_root().join(CORPUS)).context(CORPUS)?;
    let names = folders.map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn search_one(parser: &str, minutes: u32) -> Result<()> {
    let work = target_dir().join("fuzz");
    // What it finds interesting is kept for the next search; what is worth keeping for ever is copied to the corpus by hand.
    let (kept, found) = (work.join("corpus").join(parser), work.join("found"));
    std::fs::create_dir_all(&kept)?;
    std::fs::create_dir_all(&found)?;
    let mut command = foreign_command(Command::new("rustup"));
    command.current_dir(workspace_root());
    command.args([
        "run",
        TOOLCHAIN,
        "cargo",
        "fuzz",
        "run",
        "--fuzz-dir",
        "tests/fuzz/libfuzzer",
        "--target-dir",
    ]);
    command.arg(&work).arg("parser").arg(&kept).arg(workspace_root().join(CORPUS).join(parser)).arg("--");
    command.args([
        format!("-max_total_time={}", u64::from(minutes) * 60),
        format!("-timeout={SLOWEST_S}"),
        format!("-rss_limit_mb={MEMORY_MIB}"),
        format!("-artifact_prefix={}/{parser}-", found.display()),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ]);
    command.env("WATCHPOST_PARSER", parser);
    if let Err(e) = run(&format!("libFuzzer on {parser}"), &mut command) {
        bail!(
            "{e:#}\nWhat broke it lies in {}; when it is mended, put it into {CORPUS}/{parser}/",
            found.display()
        );
    }
    Ok(())
}
