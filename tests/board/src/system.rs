//! A Debian system as its installer leaves it, for what only a whole system has: systemd, udev and dpkg.
//!
//! Its packages are unpacked and not configured, which would need the other processor; what their scripts would have done for a test is done
//! here.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::debian::Packages;
use crate::spec::Emulator;

/// Size of its disk; what is not written takes no room here.
pub(crate) const DISK_BYTES: u64 = 1 << 30;
/// Tells the first program to hand over to this system.
pub(crate) const COMMAND_LINE: &str = "watchpost.system systemd.show_status=0";

/// What it is made of, beside what these need.
const PACKAGES: &[&str] = &[
    "base-files",
    "base-passwd",
    "coreutils",
    "dash",
    "debianutils",
    "diffutils",
    "dpkg",
    "dropbear-bin",
    "grep",
    "gzip",
    "libc-bin",
    "sed",
    "systemd-sysv",
    "tar",
    "udev",
    "util-linux",
    "v4l-utils",
];

const LOGIN: &str = "\
[Unit]
Description=Log-in for tests
DefaultDependencies=no
After=systemd-sysusers.service systemd-tmpfiles-setup.service
[Service]
ExecStartPre=/bin/sh -c 'test -e /etc/key || dropbearkey -t ed25519 -f /etc/key'
ExecStart=/usr/sbin/dropbear -F -E -s -r /etc/key
[Install]
WantedBy=multi-user.target
";

/// Builds its files below `root`, from packages that are fetched once into `cache`.
///
/// # Errors
/// When a package cannot be had, or lacks what is taken from it.
pub(crate) fn build(emulator: &Emulator, cache: &Path, root: &Path, identity: &Path) -> Result<()> {
    let packages = Packages::new(&emulator.architecture, cache)?;
    let unpacked =
        packages.unpack(None, &PACKAGES.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    copy(&unpacked, root)?;
    for folder in ["bin", "sbin", "lib"] {
        merge(root, folder)?;
    }
    symlink("dash", root.join("usr/bin/sh.new"))?;
    std::fs::rename(root.join("usr/bin/sh.new"), root.join("usr/bin/sh"))?;
    let masters = root.join("usr/share/base-passwd");
    // There is no other shell.
    let users = std::fs::read_to_string(masters.join("passwd.master"))?.replace("/bin/bash", "/bin/sh");
    std::fs::write(root.join("etc/passwd"), users)?;
    std::fs::copy(masters.join("group.master"), root.join("etc/group"))?;
    std::fs::write(root.join("etc/machine-id"), "")?;
    std::fs::write(root.join("etc/fstab"), "")?;
    let noted = root.join("var/lib/dpkg");
    std::fs::create_dir_all(noted.join("info"))?;
    std::fs::create_dir_all(noted.join("updates"))?;
    let installed = std::fs::read_to_string(packages.unpacked())?;
    for name in lists(&installed) {
        std::fs::write(noted.join("info").join(name), "")?;
    }
    std::fs::write(noted.join("status"), installed)?;
    std::fs::write(noted.join("available"), "")?;
    may_log_in(root, identity)
}

/// Names of the lists of files that `dpkg` misses otherwise, one by one, aloud.
fn lists(installed: &str) -> Vec<String> {
    let field = |package: &str, name: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(str::to_owned)
    };
    let list = |package: &str| {
        let name = field(package, "Package")?;
        match (field(package, "Multi-Arch").as_deref(), field(package, "Architecture")) {
            (Some("same"), Some(architecture)) => Some(format!("{name}:{architecture}.list")),
            _ => Some(format!("{name}.list")),
        }
    };
    installed.split("\n\n").filter_map(list).collect()
}

fn may_log_in(root: &Path, identity: &Path) -> Result<()> {
    let keys = root.join("root/.ssh");
    std::fs::create_dir_all(&keys)?;
    std::fs::copy(identity.with_extension("pub"), keys.join("authorized_keys"))?;
    for (path, mode) in
        [(root.join("root"), 0o700), (keys.clone(), 0o700), (keys.join("authorized_keys"), 0o600)]
    {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    let units = root.join("etc/systemd/system");
    std::fs::create_dir_all(units.join("multi-user.target.wants"))?;
    std::fs::write(units.join("login.service"), LOGIN)?;
    symlink("../login.service", units.join("multi-user.target.wants/login.service"))?;
    symlink("/usr/lib/systemd/system/multi-user.target", units.join("default.target"))?;
    Ok(())
}

/// `/bin` and its like lead to `/usr`, as the installer has it; packages bring some files below either.
fn merge(root: &Path, folder: &str) -> Result<()> {
    let (own, merged) = (root.join(folder), root.join("usr").join(folder));
    if own.is_dir() {
        copy(&own, &merged)?;
        std::fs::remove_dir_all(&own)?;
    }
    symlink(format!("usr/{folder}"), &own).with_context(|| own.display().to_string())
}

/// With owners, modes and links as they are.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().context("cp")?;
    ensure!(copied.success(), "{} was not copied", from.display());
    Ok(())
}
