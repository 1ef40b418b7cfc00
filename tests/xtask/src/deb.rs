//! The Debian package of the board program: what goes where, made with `dpkg-deb` alone (docs/design/0027-debian-package.md).

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::licences;
use crate::step::{output, target_dir, workspace_root};

/// A processor, as Debian names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Arch {
    Arm64,
    Amd64,
}

impl Arch {
    /// The Rust target of its static program.
    pub fn triple(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-musl",
            Self::Amd64 => "x86_64-unknown-linux-musl",
        }
    }

    /// That of a board, by the target in its file.
    pub fn of_board(name: &str) -> Result<Self> {
        let file = format!("boards/{name}.toml");
        let text =
            std::fs::read_to_string(workspace_root().join(&file)).with_context(|| format!("no {file}"))?;
        let found = Self::value_variants()
            .iter()
            .find(|arch| text.lines().any(|line| line.trim() == format!("triple = \"{}\"", arch.triple())));
        found.copied().with_context(|| format!("{file} names no target that boards are built for"))
    }

    fn debian(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::Amd64 => "amd64",
        }
    }
}

const NAME: &str = "watchpostd";
const DOC: &str = "usr/share/doc/watchpostd";

/// Files that are copied as they are: from the working tree, into the package.
const FILES: &[(&str, &str)] = &[
    ("boards/systemd/watchpostd.service", "usr/lib/systemd/system/watchpostd.service"),
    ("boards/systemd/watchpost.sysusers.conf", "usr/lib/sysusers.d/watchpost.conf"),
    ("boards/systemd/60-watchpost.rules", "usr/lib/udev/rules.d/60-watchpost.rules"),
    ("boards/debian/board.toml", "usr/share/doc/watchpostd/board.toml"),
    ("boards/debian/copyright", "usr/share/doc/watchpostd/copyright"),
    ("LICENSE-MIT", "usr/share/doc/watchpostd/LICENSE-MIT"),
    ("LICENSE-APACHE", "usr/share/doc/watchpostd/LICENSE-APACHE"),
];

const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Packs a static program and returns where the package lies.
pub fn pack(arch: Arch, program: &Path) -> Result<PathBuf> {
    let folder = target_dir().join("debian");
    let staging = folder.join(arch.debian());
    if staging.exists() {
        std::fs::remove_dir_all(&staging)?;
    }
    let mut tree = Tree { root: staging, files: Vec::new() };
    // The configuration is the integrator's: the package has none that it could overwrite.
    tree.folder("etc/watchpost")?;
    tree.add("usr/bin/watchpostd", 0o755, &read(program)?)?;
    for (from, to) in FILES {
        tree.add(to, 0o644, &read(&workspace_root().join(from))?)?;
    }
    tree.add_packed(&format!("{DOC}/changelog"), &read(&workspace_root().join("CHANGELOG.md"))?)?;
    tree.add_packed(&format!("{DOC}/third-party.txt"), licences::of(NAME, arch.triple())?.as_bytes())?;
    tree.add_control(arch)?;
    for earlier in std::fs::read_dir(&folder)? {
        let path = earlier?.path();
        if path.to_string_lossy().ends_with(&format!("_{}.deb", arch.debian())) {
            std::fs::remove_file(path)?;
        }
    }
    let package = folder.join(format!("{NAME}_{}_{}.deb", version(), arch.debian()));
    let mut build = Command::new("dpkg-deb");
    // Older systems unpack no zstd.
    build.args(["-Zxz", "--root-owner-group", "--build"]).arg(&tree.root).arg(&package);
    // The same tree makes the same package, bit for bit.
    build.env("SOURCE_DATE_EPOCH", commit_time());
    output(&mut build)?;
    eprintln!("xtask: {} has {:.1} MiB", package.display(), mib(package.metadata()?.len()));
    Ok(package)
}

/// In Debian's order `~` comes before everything: 1.0.0~rc.1 is older than 1.0.0. What is built between releases is younger than the
/// last one, and of two builds the one of the later commit is.
fn version() -> String {
    let released = env!("CARGO_PKG_VERSION");
    let git = |args: &[&str]| output(Command::new("git").args(args).current_dir(workspace_root()));
    let is_release = git(&["tag", "--points-at", "HEAD"])
        .is_ok_and(|tags| tags.lines().any(|tag| tag.trim_start_matches('v') == released));
    let commit = git(&["log", "-1", "--format=+git%cd.%h", "--date=format:%Y%m%d%H%M%S"]).unwrap_or_default();
    let commit = if is_release { "" } else { commit.trim() };
    format!("{}{commit}", released.replace('-', "~"))
}

/// As its builder says, else that of the commit; sources without their history are from no time.
fn commit_time() -> String {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"]).current_dir(workspace_root());
    let time = given.or_else(|| output(&mut git).ok()).unwrap_or_default();
    if time.trim().is_empty() { "0".to_owned() } else { time.trim().to_owned() }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}

/// The folder that becomes a package.
struct Tree {
    root: PathBuf,
    files: Vec<String>,
}

impl Tree {
    fn folder(&self, at: &str) -> Result<()> {
        let mut path = self.root.clone();
        for name in std::iter::once("").chain(at.split('/')) {
            path.push(name);
            std::fs::create_dir_all(&path)?;
            allow(&path, 0o755)?;
        }
        Ok(())
    }

    fn add(&mut self, to: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let (folder, _) = to.rsplit_once('/').context("a file lies in a folder")?;
        self.folder(folder)?;
        let path = self.root.join(to);
        std::fs::write(&path, bytes)?;
        allow(&path, mode)?;
        self.files.push(to.to_owned());
        Ok(())
    }

    /// Packed as Debian's rules have it for long texts.
    fn add_packed(&mut self, to: &str, text: &[u8]) -> Result<()> {
        self.add(to, 0o644, text)?;
        output(Command::new("gzip").args(["-9", "--no-name"]).arg(self.root.join(to)))?;
        self.files.pop();
        self.files.push(format!("{to}.gz"));
        Ok(())
    }

    fn add_control(&mut self, arch: Arch) -> Result<()> {
        let sums = output(Command::new("md5sum").args(&self.files).current_dir(&self.root))?;
        let sizes = self.files.iter().map(|file| Ok(self.root.join(file).metadata()?.len()));
        let bytes: u64 = sizes.collect::<Result<Vec<_>>>()?.into_iter().sum();
        self.add("DEBIAN/control", 0o644, control(arch, bytes).as_bytes())?;
        self.add("DEBIAN/md5sums", 0o644, sums.as_bytes())?;
        for script in SCRIPTS {
            let text = read(&workspace_root().join("boards/debian").join(script))?;
            ensure!(text.starts_with(b"#!/bin/sh\n"), "{script} names no shell");
            self.add(&format!("DEBIAN/{script}"), 0o755, &text)?;
        }
        Ok(())
    }
}

fn allow(path: &Path, mode: u32) -> Result<()> {
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?)
}

fn control(arch: Arch, bytes: u64) -> String {
    let mut text = String::new();
    let fields = [
        ("Package", NAME.to_owned()),
        ("Version", version()),
        ("Architecture", arch.debian().to_owned()),
        ("Maintainer", "Watchpost maintainers <maintainers@watchpost.invalid>".to_owned()),
        ("Installed-Size", bytes.div_ceil(1024).to_string()),
        // The program is static. 245 is what Ubuntu 20.04, and with it JetPack 5, has.
        ("Depends", "systemd (>= 245), udev".to_owned()),
        ("Suggests", "ffmpeg, gpiod, v4l-utils".to_owned()),
        ("Section", "video".to_owned()),
        ("Priority", "optional".to_owned()),
        ("Description", "watches cameras and raises alarms".to_owned()),
    ];
    for (name, value) in fields {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}: {value}");
    }
    text + " A detector that was trained on videos labelled normal or abnormal scores the\n \
            pictures of cameras, switches a siren and tells a hub, which has every alarm\n \
            once and loses none.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_file_says_what_dpkg_asks_for() {
        let text = control(Arch::Arm64, 1025);
        for line in ["Package: watchpostd", "Architecture: arm64", "Installed-Size: 2"] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(text.ends_with(".\n"));
    }
}
