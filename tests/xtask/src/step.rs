//! Running one step, and where its results lie.

use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from)
}

pub fn binary(name: &str) -> PathBuf {
    target_dir().join("debug").join(name)
}

/// Runs a command with its output on this terminal; an exit code other than zero is an error.
pub fn run(what: &str, command: &mut Command) -> Result<()> {
    let started = Instant::now();
    let status = command.status().with_context(|| format!("cannot start `{what}`"))?;
    eprintln!("xtask: {what}: {status} after {:.0} s", started.elapsed().as_secs_f64());
    if !status.success() {
        bail!("`{what}` failed with {status}");
    }
    Ok(())
}

pub fn cargo(args: &[&str]) -> Result<()> {
    run(&format!("cargo {}", args.join(" ")), &mut cargo_command(args))
}

/// What cargo prints.
pub fn cargo_output(args: &[&str]) -> Result<String> {
    output(&mut cargo_command(args))
}

/// Runs a command and returns what it printed; an exit code other than zero is an error.
pub fn output(command: &mut Command) -> Result<String> {
    let done = command.output().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(
        done.status.success(),
        "{command:?}: {}\n{}",
        done.status,
        String::from_utf8_lossy(&done.stderr).trim_end()
    );
    Ok(String::from_utf8(done.stdout)?)
}

/// The same cargo that runs this program.
fn cargo_command(args: &[&str]) -> Command {
    let mut command =
        foreign_command(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())));
    command.args(args);
    command
}

/// A command that calls cargo, without what cargo told this program.
pub fn foreign_command(mut command: Command) -> Command {
    // Cargo tells this program about its own package. Build scripts that watch these variables would take them for a change,
    // and what depends on them would be built anew whenever cargo is called without this program.
    let own = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(own)) {
        command.env_remove(name);
    }
    command
}

/// Asks for known defects in dependencies. The list is fetched from the network: where that is closed, say so and go on.
pub fn advisories() -> Result<()> {
    let output = cargo_command(&["deny", "check", "advisories"]).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let unreachable = ["failed to fetch", "unable to fetch", "failed to open advisory database"];
    if output.status.success() {
        eprintln!("xtask: no advisory applies to the dependencies");
    } else if unreachable.iter().any(|mark| text.contains(mark)) {
        eprintln!(
            "\n*** The advisory database cannot be reached from here: known defects WERE NOT CHECKED. ***\n"
        );
    } else {
        bail!("advisories apply to the dependencies:\n{text}");
    }
    Ok(())
}

pub fn assert_static(program: &Path) -> Result<()> {
    let bytes = std::fs::read(program).with_context(|| format!("{} was not built", program.display()))?;
    ensure!(
        !bytes.windows(9).any(|window| window == b"ld-linux-" || window == b"/ld-musl-"),
        "{} asks for a dynamic loader; a board program must be static",
        program.display()
    );
    eprintln!("xtask: {} is static, {:.1} MiB", program.display(), bytes.len() as f64 / f64::from(1 << 20));
    Ok(())
}

/// Runs tests that need the board's program, and perhaps more, which they find in the environment.
pub fn test_on_board(program: &Path, more: &[(&str, &OsStr)], tests: &[&str], what: &str) -> Result<()> {
    let tests = tests.iter().flat_map(|test| ["--test", test]);
    let args: Vec<&str> = ["test"]
        .into_iter()
        .chain(crate::SELECTION.iter().copied())
        .chain(tests)
        // One board at a time: what is promised in seconds is no promise of two emulators on two cores.
        .chain(["--", "--nocapture", "--test-threads=1"])
        .collect();
    let mut command = cargo_command(&args);
    command.env("WATCHPOSTD_AARCH64", program);
    // What is left in the environment of an earlier visit to a real board is none of this one's.
    for name in ["WATCHPOST_BOARD_ADDRESS", "WATCHPOST_BOARD"] {
        command.env_remove(name);
    }
    command.envs(more.iter().copied());
    run(what, &mut command)
}
