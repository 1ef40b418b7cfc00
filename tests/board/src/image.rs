//! Kernel and first file system of the emulated board.

use std::fs::File;
use std::io::{BufWriter, Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cpio::newc;

use crate::debian::Packages;
use crate::modules::{Load, Modules};
use crate::spec::{Emulator, folder};

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const SECRET: u32 = 0o100_600;

/// What an emulator starts, and the key that opens it.
pub struct Image {
    /// The kernel.
    pub kernel: PathBuf,
    /// The file system in memory that it starts with.
    pub initial: PathBuf,
    /// Private key for logging in as root.
    pub identity: PathBuf,
}

impl Image {
    /// Builds the image below `folder`, from packages that are fetched once.
    ///
    /// # Errors
    /// When a package cannot be had, or lacks what is taken from it.
    pub fn build(emulator: &Emulator, folder: &Path) -> Result<Self> {
        let packages = Packages::new(&emulator.architecture, folder)?;
        let root = packages.unpack(Some(&emulator.kernel_package), &emulator.packages)?;
        let kernel = only_file(&root.join("boot"), "vmlinuz-")?;
        let order = Modules::below(&root.join("lib/modules"))?.in_order(&emulator.modules)?;
        let identity = key(folder)?;
        let public = std::fs::read(identity.with_extension("pub"))?;
        let initial = folder.join("initial.cpio");
        let mut archive = Archive::new(&initial)?;
        archive.add_system(&public)?;
        archive.add_modules(&order)?;
        archive.add_programs(&root)?;
        archive.finish()?;
        Ok(Self { kernel, initial, identity })
    }
}

/// A key pair for this image alone.
fn key(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("identity");
    if !path.exists() {
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status();
        ensure!(made.context("ssh-keygen")?.success(), "ssh-keygen made no key");
    }
    Ok(path)
}

fn only_file(folder: &Path, begin: &str) -> Result<PathBuf> {
    let files = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let matches =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begin));
    let found: Vec<PathBuf> =
        files.filter_map(Result::ok).map(|entry| entry.path()).filter(matches).collect();
    ensure!(found.len() == 1, "{} files {begin}* in {}", found.len(), folder.display());
    found.into_iter().next().context("no file")
}

/// An archive in the form that the kernel unpacks.
struct Archive {
    writer: BufWriter<File>,
}

impl Archive {
    fn new(path: &Path) -> Result<Self> {
        Ok(Self { writer: BufWriter::new(File::create(path)?) })
    }

    fn add(&mut self, name: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let size = u32::try_from(bytes.len())?;
        let mut entry = newc::Builder::new(name).mode(mode).write(&mut self.writer, size);
        std::io::copy(&mut Cursor::new(bytes), &mut entry)?;
        entry.finish()?;
        Ok(())
    }

    /// Folders, who may log in, and what runs first.
    fn add_system(&mut self, public_key: &[u8]) -> Result<()> {
        let folders = [
            "bin",
            "data",
            "dev",
            "etc",
            "lib",
            "lib/modules",
            "proc",
            "root",
            "root/.ssh",
            "run",
            "sys",
            "tmp",
        ];
        for folder in folders {
            self.add(folder, FOLDER, &[])?;
        }
        self.add("etc/passwd", SECRET, b"root:*:0:0:root:/root:/bin/sh\n")?;
        self.add("root/.ssh/authorized_keys", SECRET, public_key)?;
        for (name, source) in [("init", "init"), ("etc/inittab", "inittab")] {
            let path = folder().join("virt").join(source);
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            self.add(name, PROGRAM, &bytes)?;
        }
        Ok(())
    }

    fn add_modules(&mut self, order: &[Load]) -> Result<()> {
        let mut lines = String::new();
        for Load { file, options } in order {
            let name = file.file_name().context("a module without a name")?.to_string_lossy().into_owned();
            self.add(&format!("lib/modules/{name}"), PROGRAM, &std::fs::read(file)?)?;
            lines.push_str(format!("{name} {options}").trim_end());
            lines.push('\n');
        }
        self.add("lib/modules/order", PROGRAM, lines.as_bytes())
    }

    /// The programs that are used, and every library beside them.
    fn add_programs(&mut self, root: &Path) -> Result<()> {
        for program in ["bin/busybox", "usr/sbin/dropbear", "usr/bin/dropbearkey", "usr/bin/v4l2-ctl"] {
            let path = root.join(program);
            let name = path.file_name().context("a program without a name")?.to_string_lossy().into_owned();
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            self.add(&format!("bin/{name}"), PROGRAM, &bytes)?;
        }
        for folder in ["lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu"] {
            for entry in std::fs::read_dir(root.join(folder))? {
                let path = entry?.path();
                let name =
                    path.file_name().context("a library without a name")?.to_string_lossy().into_owned();
                // Links are followed: the archive gets the file under each of its names.
                if name.contains(".so") && path.is_file() {
                    self.add(&format!("lib/{name}"), PROGRAM, &std::fs::read(&path)?)?;
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        newc::trailer(self.writer)?.flush()?;
        Ok(())
    }
}
