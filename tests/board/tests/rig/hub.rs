//! The hub as a process of this machine, and its store read from outside.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use board_tests::virt::free_port;
use e2e_tests::program;

/// Longest wait for an alarm; only reached on failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// An alarm in the hub's store.
#[derive(Debug)]
pub struct Alarm {
    pub board: String,
    pub camera: String,
    pub kind: String,
}

pub struct Hub {
    pub port: u16,
    /// Its store.
    pub store: PathBuf,
    process: Child,
}

impl Hub {
    /// A hub with a broker of its own on loopback.
    pub fn start(folder: &Path) -> Self {
        let (port, store) = (free_port().unwrap(), folder.join("hub.sqlite"));
        let mut command = Command::new(program("watchpost-hub"));
        command.arg("run").arg("--store").arg(&store).args(["--listen", &format!("127.0.0.1:{port}")]);
        let log = File::create(folder.join("hub.log")).unwrap();
        let process =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { port, store, process }
    }

    /// The first alarm in the store; `board_says` explains why there is none.
    pub fn wait_for_alarm(&self, board_says: impl Fn() -> String) -> Alarm {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(alarm) = self.alarms().into_iter().next() {
                return alarm;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no alarm at the hub after {PATIENCE:?}; the board says:\n{}", board_says());
    }

    /// Every alarm in the store, oldest first.
    pub fn alarms(&self) -> Vec<Alarm> {
        let read = || -> rusqlite::Result<Vec<Alarm>> {
            let store = rusqlite::Connection::open_with_flags(
                &self.store,
                rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE,
            )?;
            let mut statement = store.prepare("SELECT board, camera, kind FROM alarms ORDER BY id")?;
            let rows = statement.query_map([], |row| {
                Ok(Alarm { board: row.get(0)?, camera: row.get(1)?, kind: row.get(2)? })
            })?;
            rows.collect()
        };
        // There is no store before the hub has made it.
        read().unwrap_or_default()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
