//! The emulated board: a qemu process, reached through a port of this machine and reaching nothing but one.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::disk::Disk;
use crate::image::Image;
use crate::remote::Remote;
use crate::spec::Board;
use crate::system;
use crate::usb::Webcam;

/// Longest time to start on a busy machine; only reached on failure.
const PATIENCE: Duration = Duration::from_secs(180);
/// File of the disk that alarms lie on.
const DISK: &str = "data.img";
/// Its size.
const DATA_BYTES: u64 = 64 << 20;
/// Where the board finds the broker.
pub const BROKER: &str = "10.0.2.100:1883";

/// What belongs to one emulated board, running or not.
pub struct Virt {
    image: Image,
    options: Vec<String>,
    /// Console, disk and footage.
    folder: PathBuf,
    /// Port of this machine that the board may reach, as [`BROKER`].
    broker_port: u16,
    /// Program that connects the board with that port.
    pipe: PathBuf,
    /// What is added to the kernel's command line.
    command_line: &'static str,
}

/// A running board. Its power is cut when this value ends.
pub struct Running {
    /// Fields end in this order: the disk loses its power first, which leaves nobody the time to flush.
    _disk: Disk,
    emulator: Emulator,
    /// Socket of the emulator's monitor.
    monitor: PathBuf,
    /// How to log in.
    pub remote: Remote,
}

/// The emulator's process, which ends with this value.
struct Emulator(Child);

impl Virt {
    /// A board with an empty disk, whose files lie in `folder`; the packages for its image are kept in `cache`.
    ///
    /// # Errors
    /// When the image or the disk cannot be made.
    pub fn new(board: &Board, cache: &Path, folder: &Path, pipe: &Path, broker_port: u16) -> Result<Self> {
        let virt = Self::without_disk(board, cache, folder, pipe, broker_port)?;
        virt.make_disk(DATA_BYTES, &[])?;
        Ok(virt)
    }

    /// The same hardware with a Debian system on its disk, which systemd runs. Nothing that is tested is on it yet.
    ///
    /// # Errors
    /// As [`Virt::new`].
    pub fn debian(board: &Board, cache: &Path, folder: &Path, pipe: &Path, broker_port: u16) -> Result<Self> {
        let mut virt = Self::without_disk(board, cache, folder, pipe, broker_port)?;
        let emulator = board.emulator.as_ref().with_context(|| format!("{} is not emulated", board.name))?;
        let root = folder.join("system");
        system::build(emulator, &cache.join("system"), &root, &virt.image.identity)?;
        virt.make_disk(system::DISK_BYTES, &["-d".as_ref(), root.as_os_str()])?;
        virt.command_line = system::COMMAND_LINE;
        Ok(virt)
    }

    /// The same board at the end of a webcam's cable.
    #[must_use]
    pub fn with_webcam(mut self, webcam: &Webcam) -> Self {
        self.options.extend(webcam.options());
        self
    }

    fn without_disk(
        board: &Board,
        cache: &Path,
        folder: &Path,
        pipe: &Path,
        broker_port: u16,
    ) -> Result<Self> {
        let emulator = board.emulator.as_ref().with_context(|| format!("{} is not emulated", board.name))?;
        Ok(Self {
            image: Image::build(emulator, cache)?,
            options: emulator.machine.clone(),
            folder: folder.to_owned(),
            broker_port,
            pipe: pipe.to_owned(),
            command_line: "",
        })
    }

    fn make_disk(&self, bytes: u64, options: &[&OsStr]) -> Result<()> {
        let disk = self.folder.join(DISK);
        File::create(&disk)?.set_len(bytes)?;
        let mut mkfs = Command::new("mkfs.ext4");
        let made = mkfs.args(["-q", "-F"]).args(options).arg(&disk).status().context("mkfs.ext4")?;
        ensure!(made.success(), "no file system on {}", disk.display());
        Ok(())
    }

    /// Switches the board on and waits until one can log in. `footage` is a file that it sees as its second disk.
    ///
    /// # Errors
    /// With the end of its console, when it does not come up.
    pub fn start(&self, footage: Option<&Path>) -> Result<Running> {
        let port = free_port()?;
        let (console, monitor) = (self.folder.join("console"), self.folder.join("monitor"));
        let disk = Disk::power_on(&self.folder.join(DISK))?;
        let drive = |id: &str, file: &str, options: &str| {
            let drive = format!("file={file},format=raw,if=none,id={id}{options}");
            let device = format!("virtio-blk-pci,drive={id},serial={id}");
            ["-drive".to_owned(), drive, "-device".to_owned(), device]
        };
        let network = format!(
            "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22,guestfwd=tcp:{BROKER}-cmd:{} 127.0.0.1 {}",
            self.pipe.display(),
            self.broker_port
        );
        let mut command = Command::new("qemu-system-aarch64");
        command
            .args(&self.options)
            .arg("-kernel")
            .arg(&self.image.kernel)
            .arg("-initrd")
            .arg(&self.image.initial)
            .args(["-append", &format!("console=ttyAMA0 quiet panic=-1 {}", self.command_line)])
            .args(["-display", "none", "-monitor", "none", "-no-reboot", "-qmp"])
            .arg(format!("unix:{},server=on,wait=off", monitor.display()))
            .arg("-serial")
            .arg(format!("file:{}", console.display()))
            .args(["-netdev", &network, "-device", "virtio-net-pci,netdev=net,romfile="])
            .args(drive("data", &disk.address(), ""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.folder.join("emulator"))?);
        if let Some(footage) = footage {
            command.args(drive("footage", &footage.display().to_string(), ",readonly=on"));
        }
        let emulator = Emulator(command.spawn().context("qemu-system-aarch64")?);
        let remote = Remote::at(&format!("root@127.0.0.1:{port}"), Some(self.image.identity.clone()))?;
        let mut running = Running { _disk: disk, emulator, monitor, remote };
        running.wait_for_login().with_context(|| self.said())?;
        Ok(running)
    }

    /// What the board and its emulator printed.
    fn said(&self) -> String {
        let read = |name: &str| {
            let bytes = std::fs::read(self.folder.join(name)).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(40)..].join("\n")
        };
        format!(
            "the board did not start. Its emulator:\n{}\nIts console:\n{}",
            read("emulator"),
            read("console")
        )
    }
}

impl Running {
    fn wait_for_login(&mut self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.emulator.0.try_wait()? {
                bail!("the emulator ended: {status}");
            }
            if self.remote.run("true").is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        bail!("nobody could log in for {PATIENCE:?}")
    }

    /// Presses the machine's power key, which is on line 3 of its GPIO chip, for a tenth of a second.
    ///
    /// # Errors
    /// When the emulator does not listen.
    pub fn press_power_key(&self) -> Result<()> {
        let mut monitor =
            BufReader::new(UnixStream::connect(&self.monitor).context("the emulator's monitor")?);
        let mut line = String::new();
        monitor.read_line(&mut line)?;
        for command in ["qmp_capabilities", "system_powerdown"] {
            monitor.get_mut().write_all(format!("{{\"execute\": \"{command}\"}}\n").as_bytes())?;
            line.clear();
            // Events may come in between.
            while !line.contains("\"return\"") {
                line.clear();
                ensure!(monitor.read_line(&mut line)? > 0, "the emulator does not know {command}");
                ensure!(!line.contains("\"error\""), "{command}: {line}");
            }
        }
        Ok(())
    }

    /// Cuts the power, of the disk first. What was not flushed is lost.
    pub fn cut_power(self) {}
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that was free a moment ago.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
