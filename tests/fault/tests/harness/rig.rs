//! Boards, hub and broker as real processes on loopback, with random kills.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use fault_tests::judge::{self, Hidden, Judgement, Key};
use fault_tests::process::{Lines, Process};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{binary, free_port};

/// How long anything that must happen may take on a loaded machine; only reached on failure.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two alarms of a board.
const INTERVAL_MS: u64 = 4;
/// More alarms than a board raises between two kills.
const ENDLESS: u64 = 1_000_000;

/// The broker between boards and hub.
pub enum Broker {
    /// The hub's own.
    Embedded,
    /// A mosquitto process, also killed.
    Mosquitto { program: PathBuf, process: Option<Process> },
}

pub struct Board {
    name: String,
    config: PathBuf,
    process: Option<Process>,
    /// The outside ledger: what this board's processes printed.
    lines: Lines,
    kills: usize,
}

pub struct Rig {
    folder: tempfile::TempDir,
    port: u16,
    broker: Broker,
    boards: Vec<Board>,
    hub: Option<Process>,
    hub_lines: Lines,
    pub tally: Tally,
}

/// What the kills hit.
#[derive(Debug, Default)]
pub struct Tally {
    pub board: usize,
    pub hub: usize,
    pub broker: usize,
    /// Kills at a moment when raised alarms were not yet in the hub's store.
    pub with_records_in_flight: usize,
    /// Most records in flight at a kill.
    pub most_in_flight: usize,
}

impl Tally {
    pub fn total(&self) -> usize {
        self.board + self.hub + self.broker
    }
}

impl Rig {
    /// Writes the configs; starts nothing. `board_port` is where boards connect, by default the broker's own port.
    pub fn new(broker: Broker, boards: usize, board_port: Option<u16>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let boards =
            (0..boards).map(|index| Board::new(folder.path(), index, board_port.unwrap_or(port))).collect();
        Self { folder, port, broker, boards, hub: None, hub_lines: Lines::default(), tally: Tally::default() }
    }

    /// Port of the broker.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set_board_port(&mut self, port: u16) {
        for board in &self.boards {
            write_config(&board.config, &board.name, port);
        }
    }

    /// The hub's store.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("hub.sqlite")
    }

    /// Starts broker, hub and boards, which raise alarms until they are killed.
    pub fn start(&mut self) {
        self.start_broker();
        self.start_hub();
        for index in 0..self.boards.len() {
            self.start_board(index, ENDLESS);
        }
    }

    pub fn start_broker(&mut self) {
        let (folder, port) = (self.folder.path(), self.port);
        if let Broker::Mosquitto { program, process } = &mut self.broker {
            let config = folder.join("mosquitto.conf");
            let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n");
            std::fs::write(&config, text).expect("mosquitto's config");
            let lines = Lines::default();
            *process = Some(Process::spawn(
                "mosquitto",
                Command::new(program).arg("-c").arg(&config),
                &lines,
                &folder.join("mosquitto.stderr"),
            ));
        }
    }

    pub fn start_hub(&mut self) {
        let mut command = Command::new(binary("watchpost-hub"));
        command.arg("run").arg("--store").arg(self.store());
        match &self.broker {
            Broker::Embedded => command.arg("--listen").arg(format!("127.0.0.1:{}", self.port)),
            Broker::Mosquitto { .. } => {
                command.arg("--broker").arg(format!("mqtt://127.0.0.1:{}", self.port))
            }
        };
        self.hub = Some(Process::spawn(
            "watchpost-hub",
            &mut command,
            &self.hub_lines,
            &self.folder.path().join("hub.stderr"),
        ));
    }

    pub fn start_board(&mut self, index: usize, count: u64) {
        let folder = self.folder.path().to_owned();
        let board = &mut self.boards[index];
        let mut command = Command::new(binary("watchpostd"));
        command.arg("drill").arg("--config").arg(&board.config);
        command.arg("--count").arg(count.to_string()).arg("--interval-ms").arg(INTERVAL_MS.to_string());
        command.arg("--wait-s").arg((PATIENCE.as_secs() - 10).to_string());
        let stderr = folder.join(format!("{}.stderr", board.name));
        board.process = Some(Process::spawn(&board.name, &mut command, &board.lines, &stderr));
    }

    /// One kill: a random victim at a random moment, restarted at once.
    pub fn kill_one(&mut self, random: &mut ChaCha8Rng) {
        let victims = match self.broker {
            Broker::Embedded => 2,
            Broker::Mosquitto { .. } => 3,
        };
        match random.random_range(0..victims) {
            0 => self.kill_board(random),
            1 => self.kill_hub(random),
            _ => self.kill_broker(random),
        }
    }

    fn kill_board(&mut self, random: &mut ChaCha8Rng) {
        let index = random.random_range(0..self.boards.len());
        let mut process = self.boards[index].process.take().expect("a running board");
        await_moment(&mut process, random);
        assert!(process.kill(), "{} ended by itself", self.boards[index].name);
        self.boards[index].kills += 1;
        self.tally.board += 1;
        self.note_in_flight();
        self.start_board(index, ENDLESS);
    }

    fn kill_hub(&mut self, random: &mut ChaCha8Rng) {
        let mut process = self.hub.take().expect("a running hub");
        await_moment(&mut process, random);
        assert!(process.kill(), "the hub ended by itself");
        self.tally.hub += 1;
        self.note_in_flight();
        self.start_hub();
    }

    fn kill_broker(&mut self, random: &mut ChaCha8Rng) {
        pause(random);
        if let Broker::Mosquitto { process, .. } = &mut self.broker {
            assert!(process.take().expect("a running broker").kill(), "mosquitto ended by itself");
        }
        self.tally.broker += 1;
        self.note_in_flight();
        self.start_broker();
    }

    /// Raised by the ledger and not in the store: these were under way when the kill landed.
    fn note_in_flight(&mut self) {
        let raised: usize = self.boards.iter().map(|board| board.lines.lock().expect("lines").len()).sum();
        let in_flight = raised.saturating_sub(judge::count_stored(&self.store()));
        self.tally.with_records_in_flight += usize::from(in_flight > 0);
        self.tally.most_in_flight = self.tally.most_in_flight.max(in_flight);
    }

    /// Kills the boards, then lets each raise one last alarm and deliver everything it holds.
    pub fn drain(&mut self) {
        for index in 0..self.boards.len() {
            if let Some(process) = self.boards[index].process.take() {
                process.kill();
                self.boards[index].kills += 1;
            }
            self.start_board(index, 1);
        }
        for board in &mut self.boards {
            let status = board.process.take().expect("a draining board").wait(PATIENCE);
            assert!(
                status.success(),
                "{} could not deliver everything: {status}\n{}",
                board.name,
                tail(self.folder.path(), &board.name)
            );
        }
    }

    /// Compares ledger and store.
    pub fn judge(&mut self) -> Result<Judgement, String> {
        if let Some(hub) = self.hub.take() {
            hub.kill();
        }
        let mut ledger = Vec::new();
        for board in &self.boards {
            for line in board.lines.lock().expect("lines").iter() {
                ledger.push(Key::of_line(line).unwrap_or_else(|| panic!("{} printed {line:?}", board.name)));
            }
        }
        let held =
            judge::read_store(&self.store()).map_err(|error| format!("the store cannot be read: {error}"))?;
        let ends: BTreeMap<_, _> =
            self.boards.iter().map(|board| (board.name.clone(), board.kills)).collect();
        judge::judge(&ledger, &held, &Hidden { ends, records_per_end: 1 })
    }

    /// Keeps the folder when a test fails, and says where.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

impl Board {
    fn new(folder: &Path, index: usize, port: u16) -> Self {
        let name = format!("board-{index}");
        let config = folder.join(format!("{name}.toml"));
        write_config(&config, &name, port);
        Self { name, config, process: None, lines: Arc::default(), kills: 0 }
    }
}

fn write_config(path: &Path, name: &str, port: u16) {
    let text = format!(
        "[board]\nid = \"{name}\"\nsite = \"yard\"\n\n[model]\nbundle = \"bundle\"\n\n[network]\nbroker = \"mqtt://127.0.0.1:{port}\"\n\
         keep_alive_s = 5\nheartbeat_interval_ms = 1000\nresend_after_ms = 500\n\n[outbox]\npath = \"{name}.db\"\n"
    );
    std::fs::write(path, text).expect("the board's config");
}

/// Mostly a moment at work: after a sign of life. Sometimes one during the start.
fn await_moment(process: &mut Process, random: &mut ChaCha8Rng) {
    if random.random_bool(0.85) {
        process.wait_until_it_speaks(PATIENCE);
    }
    pause(random);
}

fn pause(random: &mut ChaCha8Rng) {
    std::thread::sleep(Duration::from_micros(random.random_range(0..250_000)));
}

fn tail(folder: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(folder.join(format!("{name}.stderr"))).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
