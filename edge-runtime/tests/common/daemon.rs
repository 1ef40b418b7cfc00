//! The program itself, until it is dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::{eventually, watchpostd};

/// Killed at the end of the test, if it has not been told to end before.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// `watchpostd run` on `board.toml` in a folder.
    pub fn run(folder: &Path) -> Self {
        let log = folder.join("watchpostd.log");
        let mut command = watchpostd();
        command
            .args(["run", "--config", "board.toml"])
            .current_dir(folder)
            .stderr(File::create(&log).unwrap());
        Self { child: command.spawn().unwrap(), log }
    }

    /// As the service manager ends it; whether it did so without an error.
    pub fn end(mut self) -> bool {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        let mut ended = None;
        eventually("it ends", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap().success()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("watchpostd said:\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}
