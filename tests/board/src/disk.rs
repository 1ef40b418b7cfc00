//! A disk with a cache that forgets: what the board wrote and did not flush is gone when the power is.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Longest time to start on a busy machine; only reached on failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// A disk with power.
pub struct Disk {
    server: Child,
    socket: PathBuf,
}

impl Disk {
    /// Gives a file's bytes as a disk, through a socket beside it. Writes reach the file when they are flushed.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn power_on(file: &Path) -> Result<Self> {
        let socket = file.with_extension("socket");
        if socket.exists() {
            std::fs::remove_file(&socket)?;
        }
        let mut command = Command::new("nbdkit");
        command.args(["--foreground", "--exit-with-parent", "--filter=cache", "--unix"]).arg(&socket);
        command.arg("file").arg(file).arg("cache=writeback").stdin(Stdio::null());
        let mut disk = Self { server: command.spawn().context("nbdkit")?, socket };
        disk.wait()?;
        Ok(disk)
    }

    /// Where the emulator finds it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("nbd+unix:///?socket={}", self.socket.display())
    }

    fn wait(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !self.socket.exists() {
            if let Some(status) = self.server.try_wait()? {
                bail!("nbdkit ended: {status}");
            }
            if begun.elapsed() > PATIENCE {
                bail!("nbdkit opened no socket within {PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
