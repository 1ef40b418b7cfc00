//! The RTSP server of live555 for the tests of network cameras, beside the machine's own packages: only Debian's unstable suite has
//! it, built for a libc that older Debians do not have. So it is fetched with all that it needs, down to the loader.
//!
//! `apt` fetches with lists of its own and checks them by Debian's keys; `dpkg-deb` unpacks, and nothing is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::machine::DEBIAN_KEYS;
use crate::step::{output, target_dir};

const PACKAGE: &str = "livemedia-utils";
const ARCHIVE: &str = "http://deb.debian.org/debian sid main";

/// Puts it into `target/live555/root`, once: what is complete there is kept, whatever the suite has since.
pub fn ensure_unpacked() -> Result<()> {
    let folder = target_dir().join("live555");
    // Where tests look for it too: what was fetched, one package a line.
    let complete = folder.join("complete");
    if complete.is_file() {
        return Ok(());
    }
    eprintln!("xtask: fetching live555 from {ARCHIVE}");
    let packages = fetch(&folder).with_context(|| {
        format!("live555 could not be fetched; it comes through `apt-get` from {ARCHIVE}; a network is needed once")
    })?;
    std::fs::write(&complete, packages.join("\n") + "\n").with_context(|| complete.display().to_string())
}

/// Fetches and unpacks, and returns the packages' names with their versions.
fn fetch(folder: &Path) -> Result<Vec<String>> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    for below in ["lists/partial", "files/partial"] {
        std::fs::create_dir_all(folder.join(below))?;
    }
    let folder = folder.canonicalize()?;
    std::fs::write(folder.join("status"), "")?;
    // Indices of packages alone: descriptions of desktop programs are as large.
    let source = format!("deb [signed-by={DEBIAN_KEYS} target=Packages] {ARCHIVE}\n");
    std::fs::write(folder.join("sources.list"), source)?;
    apt(&folder, &["update"])?;
    apt(&folder, &["install", "--yes", "--no-install-recommends", "--download-only", PACKAGE])?;
    let root = folder.join("root");
    let mut names = Vec::new();
    for package in packages(&folder.join("files"))? {
        output(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&root))?;
        names.extend(package.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    let server = root.join("usr/bin/live555MediaServer");
    ensure!(server.is_file(), "{PACKAGE} has no {}", server.display());
    for used in ["lists", "files"] {
        std::fs::remove_dir_all(folder.join(used))?;
    }
    Ok(names)
}

fn packages(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut packages = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "deb") {
            packages.push(path);
        }
    }
    packages.sort();
    Ok(packages)
}

/// `apt-get` that knows one suite and no installed package: it resolves everything that the server needs, and touches nothing of the
/// machine's own.
fn apt(folder: &Path, args: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    for (key, name) in [
        ("Dir::Etc::SourceList", "sources.list"),
        ("Dir::State::Lists", "lists"),
        ("Dir::State::Status", "status"),
        ("Dir::Cache::Archives", "files"),
    ] {
        command.arg(format!("-o{key}={}", folder.join(name).display()));
    }
    command
        .args(["-oDir::Etc::SourceParts=/dev/null", "-oDir::Etc::Preferences=/dev/null"])
        .args(["-oDir::Etc::PreferencesParts=/dev/null", "-oAPT::Default-Release="])
        .args(["-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache=", "-oDebug::NoLocking=1"])
        .args(["-oAPT::Sandbox::User=root", "-oAPT::Update::Error-Mode=any"])
        .args(args)
        .env("LC_ALL", "C");
    output(&mut command).map(drop)
}
