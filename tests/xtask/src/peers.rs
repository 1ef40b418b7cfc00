//! Encoders beside the runtimes of others, which live in a virtual environment of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::machine::{self, Need};
use crate::step::{cargo, run, target_dir, workspace_root};

const REQUIREMENTS: &str = "model-export/benches/edge/python/requirements.txt";

pub fn measure(args: &[String]) -> Result<()> {
    // Asked for first: building takes minutes.
    let python = environment()?;
    let python = python.to_str().context("the target folder has a name that is not UTF-8")?;
    let mut command = vec!["bench", "-p", "model-export", "--bench", "edge", "--", "--python", python];
    command.extend(args.iter().map(String::as_str));
    cargo(&command)
}

/// The interpreter of an environment that has exactly what is required; built on first use.
fn environment() -> Result<PathBuf> {
    let folder = target_dir().join("edge-peers");
    let python = folder.join("bin/python");
    let wanted = std::fs::read_to_string(workspace_root().join(REQUIREMENTS))
        .with_context(|| format!("{REQUIREMENTS} cannot be read"))?;
    let installed = folder.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    create(&folder)?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS]);
    run("pip install", &mut install).with_context(|| {
        format!(
            "the peers could not be installed; they come from Python's package index (a network, or `PIP_INDEX_URL`) and \
             need Python 3.10 to 3.13. To try by hand:\n    {} -m pip install -r {REQUIREMENTS}",
            python.display()
        )
    })?;
    std::fs::write(&installed, wanted).with_context(|| format!("{}", installed.display()))?;
    Ok(python)
}

fn create(folder: &Path) -> Result<()> {
    machine::ensure(&[Need::Python])?;
    let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder).output();
    let made = made.context("python3 cannot be started")?;
    if made.status.success() {
        return Ok(());
    }
    let said = [made.stdout, made.stderr].concat();
    bail!(
        "python3 makes no virtual environment in {}; install what it lacks with\n    \
         sudo apt-get install -y --no-install-recommends python3-venv\n{}",
        folder.display(),
        String::from_utf8_lossy(&said).trim()
    )
}
