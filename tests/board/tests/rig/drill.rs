//! Alarms that the board raises one after the other, and the ledger of them.

use std::path::Path;
use std::time::Duration;

use board_tests::virt::Running;
use fault_tests::process::{Lines, Process};

/// Longest wait for something that must happen; only reached on failure.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Pause between two alarms.
pub const INTERVAL_MS: u64 = 10;
/// Lines that were on their way out of the board when it ended: more than it raises in the second that a slow connection holds.
pub const HIDDEN_BY_AN_END: usize = 100;

/// Raises alarms on the board, and reads from outside what it says of them.
pub fn raise(board: &Running, count: u64, ledger: &Lines, folder: &Path) -> Process {
    let wait_s = PATIENCE.as_secs();
    let line = format!(
        "/data/watchpostd drill --config /data/board.toml --count {count} --interval-ms {INTERVAL_MS} --wait-s {wait_s}"
    );
    Process::spawn("the board", &mut board.remote.shell(&line), ledger, &folder.join("drill.stderr"))
}
