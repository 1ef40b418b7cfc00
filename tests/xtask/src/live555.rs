//! The RTSP server of live555 for the tests of network cameras, beside the machine's own packages: only Debian's unstable suite has
//! it, built for a libc that older Debians do not have. So it is fetched with all that it needs, down to the loader. Another server,
//! over the library in it, asks for a password: that one is compiled here.
//!
//! `apt` fetches with lists of its own and checks them by Debian's keys; `dpkg-deb` unpacks, and nothing is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::machine::DEBIAN_KEYS;
use crate::step::{output, target_dir, workspace_root};

/// The server, and the library's headers.
const PACKAGES: [&str; 2] = ["livemedia-utils", "liblivemedia-dev"];
const ARCHIVE: &str = "http://deb.debian.org/debian sid main";

/// Puts Debian's packages into `target/live555/root` and the server with a password beside it.
pub fn ensure_ready() -> Result<()> {
    let folder = target_dir().join("live555");
    ensure_unpacked(&folder)?;
    // Each time: that takes less than a second, and a change is never missed.
    compile(&folder).context("the server over live555's library could not be compiled")
}

/// Once: what is complete is kept, whatever the suite has since. Other [`PACKAGES`] than were asked for then are fetched anew.
fn ensure_unpacked(folder: &Path) -> Result<()> {
    // Where tests look for it too: what was asked for in one line, then what was fetched, one package a line.
    let complete = folder.join("complete");
    let asked = PACKAGES.join(" ");
    if std::fs::read_to_string(&complete).is_ok_and(|text| text.lines().next() == Some(&asked)) {
        return Ok(());
    }
    eprintln!("xtask: fetching live555 from {ARCHIVE}");
    let fetched = fetch(folder, &complete).with_context(|| {
        format!("live555 could not be fetched; it comes through `apt-get` from {ARCHIVE}; a network is needed once")
    })?;
    std::fs::write(&complete, format!("{asked}\n{}\n", fetched.join("\n")))
        .with_context(|| complete.display().to_string())
}

/// Fetches and unpacks, and returns the packages' names with their versions.
fn fetch(folder: &Path, complete: &Path) -> Result<Vec<String>> {
    if folder.exists() {
        // First, so that what is left of a folder is never taken for all of it.
        if complete.exists() {
            std::fs::remove_file(complete)?;
        }
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
    let install = ["install", "--yes", "--no-install-recommends", "--download-only"];
    apt(&folder, &[&install[..], &PACKAGES[..]].concat())?;
    let root = folder.join("root");
    let mut names = Vec::new();
    for package in packages(&folder.join("files"))? {
        output(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&root))?;
        names.extend(package.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    for wanted in ["usr/bin/live555MediaServer", "usr/include/liveMedia/RTSPServer.hh"] {
        ensure!(root.join(wanted).is_file(), "{} have no {wanted}", PACKAGES.join(" and "));
    }
    for used in ["lists", "files"] {
        std::fs::remove_dir_all(folder.join(used))?;
    }
    Ok(names)
}

/// Compiles `target/live555/server`, by this machine's compiler and libc and for the unpacked ones, which are newer.
fn compile(folder: &Path) -> Result<()> {
    let (below, new) = (folder.join("root/usr"), folder.join("server.new"));
    let libraries = std::fs::read_dir(below.join("lib"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().ends_with("-linux-gnu"))
        .with_context(|| format!("{} has no libraries", below.display()))?;
    let mut command = Command::new("c++");
    // OpenSSL's headers would be needed for members of classes that the server makes none of.
    command.arg("-DNO_OPENSSL");
    for part in ["liveMedia", "groupsock", "UsageEnvironment", "BasicUsageEnvironment"] {
        command.arg("-isystem").arg(below.join("include").join(part));
    }
    command.arg(workspace_root().join("edge-runtime/tests/common/live555/server.cpp"));
    command.arg("-o").arg(&new).arg("-L").arg(libraries);
    // What the libraries need of a newer libc is there when they run.
    command.args(["-lliveMedia", "-lgroupsock", "-lBasicUsageEnvironment", "-Wl,--allow-shlib-undefined"]);
    output(&mut command)?;
    Ok(std::fs::rename(new, folder.join("server"))?)
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
