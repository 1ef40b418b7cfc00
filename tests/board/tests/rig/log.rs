//! What the program on the board has said.

use board_tests::Remote;
use board_tests::virt::Running;

/// Its log.
#[derive(Clone, Copy)]
pub struct Log<'a>(&'a Remote);

impl<'a> Log<'a> {
    pub fn of(board: &'a Running) -> Self {
        Self(&board.remote)
    }

    /// Its end, and that of the kernel's, for whoever waits in vain.
    pub fn tail(self) -> String {
        self.0.run("tail -60 /data/log; dmesg | tail -30").unwrap_or_default()
    }

    /// Lines that hold this; those for whoever looks for a defect are left out.
    pub fn lines(self, what: &str) -> String {
        self.0.run(&format!("grep '{what}' /data/log | grep -v DEBUG || true")).unwrap()
    }

    /// How many lines hold this.
    pub fn count(self, what: &str) -> usize {
        self.0.run(&format!("grep -c '{what}' /data/log || true")).unwrap().trim().parse().unwrap()
    }

    /// How many clips of a camera were scored.
    pub fn clips(self, camera: &str) -> usize {
        self.count(&format!("scored camera={camera} "))
    }

    /// Ends the program, as the service manager does. No frame of this camera was left out.
    pub fn ends_and_missed_nothing_of(self, camera: &str) {
        self.0.run("killall -TERM watchpostd").unwrap();
        let ended = || self.lines(&format!("camera ended camera={camera}"));
        super::wait_until("the program has ended", || self.tail(), || !ended().is_empty());
        assert!(ended().contains(" missed=0 "), "{camera} missed no frame: {}", ended());
    }
}
