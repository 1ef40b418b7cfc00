//! The real program while it watches.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{eventually, watchpostd};

/// The real program; killed when this value ends.
pub struct Board {
    pub child: Child,
    log: PathBuf,
}

impl Board {
    pub fn start(folder: &Path) -> Self {
        let log = folder.join("board.log");
        let mut command = watchpostd();
        command.args(["run", "--config", "board.toml"]).current_dir(folder);
        command.env("WATCHPOSTD_LOG", "info,watchpostd::pipeline=debug");
        command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        Self { child: command.spawn().unwrap(), log }
    }

    /// As the service manager ends it, without an error.
    pub fn end(mut self) {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        let mut ended = None;
        eventually("it ends", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        assert!(ended.unwrap().success(), "it ended with an error");
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How often pictures went away, and came back.
    pub fn faults(&self) -> (usize, usize) {
        // Both of the same moment.
        let log = self.log();
        let count = |edge: &str| lines_with(&log, ["kind=NoPicture", edge]);
        (count("edge=Began"), count("edge=Ended"))
    }

    pub fn await_faults(&self, wanted: (usize, usize)) {
        eventually(&format!("{wanted:?} faults:\n{}", self.log()), || self.faults() == wanted);
    }

    pub fn scored_clips(&self) -> usize {
        lines_with(&self.log(), ["scored"])
    }

    pub fn scored_clips_of(&self, camera: &str) -> usize {
        lines_with(&self.log(), ["scored", &format!("camera={camera} ")])
    }

    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Threads whose names begin with this, such as those that talk to cameras.
    pub fn threads(&self, name: &str) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|found| found.starts_with(name)).count()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("watchpostd said:\n{}", self.log());
        }
    }
}

/// Lines that hold all of these.
fn lines_with<const N: usize>(log: &str, parts: [&str; N]) -> usize {
    log.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
}
