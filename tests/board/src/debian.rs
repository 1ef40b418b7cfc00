//! Packages of Debian for another processor than this machine's, fetched by this machine's own `apt` and unpacked, not installed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// A folder with packages of one architecture, kept between runs.
pub struct Packages {
    architecture: String,
    folder: PathBuf,
}

impl Packages {
    /// Packages below `folder`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(architecture: &str, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder.join("lists/partial"))?;
        std::fs::create_dir_all(folder.join("files"))?;
        std::fs::write(folder.join("status"), "")?;
        Ok(Self { architecture: architecture.to_owned(), folder: folder.canonicalize()? })
    }

    /// Unpacks the newest kernel, if one is asked for, and the programs, with what those need, one over the other; returns where they lie.
    ///
    /// # Errors
    /// When `apt` or `dpkg-deb` fails.
    pub fn unpack(&self, kernel: Option<&str>, programs: &[String]) -> Result<PathBuf> {
        let root = self.folder.join("root");
        let complete = self.folder.join("complete");
        let wanted = format!("{} {}\n", kernel.unwrap_or_default(), programs.join(" "));
        if std::fs::read_to_string(&complete).is_ok_and(|have| have == wanted) {
            return Ok(root);
        }
        eprintln!("fetching Debian's {} for {}", wanted.trim(), self.architecture);
        self.apt("apt-get", &["update"])?;
        let mut names = kernel.map(|kernel| self.newest(kernel)).transpose()?.into_iter().collect::<Vec<_>>();
        names.extend(self.with_dependencies(programs)?);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.apt("apt-get", &[&["download"], &names[..]].concat())?;
        if root.exists() {
            std::fs::remove_dir_all(&root)?;
        }
        let mut unpacked = String::new();
        for package in std::fs::read_dir(self.folder.join("files"))? {
            let package = package?.path();
            output(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&root))?;
            let fields = output(Command::new("dpkg-deb").arg("--field").arg(&package))?;
            unpacked += &format!("{}\nStatus: install ok installed\n\n", fields.trim_end());
            std::fs::remove_file(package)?;
        }
        std::fs::write(self.unpacked(), unpacked)?;
        std::fs::write(complete, wanted)?;
        Ok(root)
    }

    /// File that names what was unpacked, as `dpkg` notes what is installed.
    #[must_use]
    pub fn unpacked(&self) -> PathBuf {
        self.folder.join("unpacked")
    }

    /// The package that another stands for.
    fn newest(&self, package: &str) -> Result<String> {
        let depends = self.apt("apt-cache", &["depends", "--important", package])?;
        let first = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
        first.map(str::to_owned).with_context(|| format!("{package} depends on nothing:\n{depends}"))
    }

    fn with_dependencies(&self, packages: &[String]) -> Result<Vec<String>> {
        let left_out = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];
        let mut args = vec!["depends".to_owned(), "--recurse".to_owned()];
        args.extend(left_out.map(|kind| format!("--no-{kind}")));
        args.extend_from_slice(packages);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let listing = self.apt("apt-cache", &args)?;
        let is_package = |line: &&str| line.starts_with(|first: char| first.is_ascii_lowercase());
        let found: Vec<String> = listing.lines().filter(is_package).map(str::to_owned).collect();
        ensure!(!found.is_empty(), "apt knows none of {}", packages.join(", "));
        // Questions at installation have no place here.
        Ok(found.into_iter().filter(|name| !name.starts_with("debconf")).collect())
    }

    fn apt(&self, program: &str, args: &[&str]) -> Result<String> {
        let at = |name: &str| self.folder.join(name).into_os_string();
        let set = |key: &str, value: OsString| {
            let mut option = OsString::from(format!("-o{key}="));
            option.push(value);
            option
        };
        let mut command = Command::new(program);
        command
            .arg(set("APT::Architecture", self.architecture.clone().into()))
            .arg(set("APT::Architectures", self.architecture.clone().into()))
            .arg(set("Dir::State::Lists", at("lists")))
            .arg(set("Dir::State::Status", at("status")))
            .args(["-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache=", "-oDebug::NoLocking=1"])
            .arg("-oAPT::Sandbox::User=root")
            .args(args)
            .current_dir(self.folder.join("files"));
        output(&mut command)
    }
}

fn output(command: &mut Command) -> Result<String> {
    let done = command.output().with_context(|| format!("{command:?}"))?;
    if !done.status.success() {
        bail!("{command:?}: {}\n{}", done.status, String::from_utf8_lossy(&done.stderr));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
