//! The hub as a process of this machine, and its store read from outside.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use board_tests::virt::free_port;
use e2e_tests::program;
use rusqlite::{Connection, OpenFlags, Row};

/// An alarm in the hub's store.
#[derive(Debug)]
pub struct Alarm {
    pub board: String,
    pub camera: String,
    pub kind: String,
}

/// One end of a fault of a camera in the hub's store.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    pub camera: String,
    pub kind: String,
    pub edge: String,
}

impl Fault {
    pub fn of(camera: &str, kind: &str, edge: &str) -> Self {
        Self { camera: camera.to_owned(), kind: kind.to_owned(), edge: edge.to_owned() }
    }
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
        Self::start_at(folder, free_port().unwrap())
    }

    /// The same on a port, with the store that an earlier one left in the folder.
    fn start_at(folder: &Path, port: u16) -> Self {
        let store = folder.join("hub.sqlite");
        let mut command = Command::new(program("watchpost-hub"));
        command.arg("run").arg("--store").arg(&store).args(["--listen", &format!("127.0.0.1:{port}")]);
        let log = File::create(folder.join("hub.log")).unwrap();
        let process =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { port, store, process }
    }

    /// Kills it, and starts another one in its place.
    pub fn kill_and_start(&mut self) {
        // Reaped before the port is taken again.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let folder = self.store.parent().unwrap().to_owned();
        *self = Self::start_at(&folder, self.port);
    }

    /// Holds the process still, so that nothing is acknowledged, or lets it go on.
    pub fn hold(&self, still: bool) {
        let signal = if still { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Every alarm in the store, oldest first.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.rows("SELECT board, camera, kind FROM alarms ORDER BY id", |row| {
            Ok(Alarm { board: row.get(0)?, camera: row.get(1)?, kind: row.get(2)? })
        })
    }

    /// Every end of a fault in the store, oldest first.
    pub fn faults(&self) -> Vec<Fault> {
        self.rows("SELECT camera, kind, edge FROM faults ORDER BY id", |row| {
            Ok(Fault { camera: row.get(0)?, kind: row.get(1)?, edge: row.get(2)? })
        })
    }

    fn rows<T>(&self, select: &str, read: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let rows = || -> rusqlite::Result<Vec<T>> {
            let store = Connection::open_with_flags(&self.store, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            let mut statement = store.prepare(select)?;
            let rows = statement.query_map([], |row| read(row))?;
            rows.collect()
        };
        // There is no store before the hub has made it.
        rows().unwrap_or_default()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
