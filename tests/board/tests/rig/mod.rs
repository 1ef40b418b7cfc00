//! An emulated board with footage to see, a detector to run and a hub to report to.

mod footage;
mod hub;

use std::path::{Path, PathBuf};

use board_tests::virt::{BROKER, Running};
use board_tests::vivid::RATE_HZ;
use board_tests::{Board, Virt};
use e2e_tests::bundles::{bundle, export};
use model_export::EncoderPrecision;
use vad_core::{ClipSpec, LiteSize};

pub use footage::Footage;
pub use hub::Hub;

/// Small pictures for the network: emulated arithmetic is fifty times slower.
const INPUT_PX: u16 = 64;

/// Everything a board needs, before it is switched on.
pub struct Rig {
    folder: tempfile::TempDir,
    watchpostd: PathBuf,
    bundle: PathBuf,
    footage: Footage,
}

impl Rig {
    /// `None`, with a line that says so, where nobody built the board's program.
    pub fn build() -> Option<Self> {
        let Some(watchpostd) = std::env::var_os("WATCHPOSTD_AARCH64").map(PathBuf::from) else {
            eprintln!(
                "\n*** SKIPPED: no aarch64 program; `cargo xtask board virt` builds it and runs this test ***\n"
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let bundle = light_bundle(folder.path());
        let footage = Footage::make(folder.path(), &bundle);
        Some(Self { folder, watchpostd, bundle, footage })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Switches a new board on, which reaches the hub.
    pub fn start(&self, hub: &Hub) -> Running {
        let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("board");
        let pipe = Path::new(env!("CARGO_BIN_EXE_tcp-pipe"));
        let board = Board::read("virt").unwrap();
        let virt = Virt::new(&board, &target, self.folder(), pipe, hub.port).unwrap();
        virt.start(&self.footage.raw).unwrap()
    }

    /// Puts program, bundle and configuration on the board's disk.
    pub fn install(&self, board: &Running) {
        board.remote.put(&std::fs::read(&self.watchpostd).unwrap(), "/data/watchpostd").unwrap();
        board.remote.put_folder(&self.bundle, "/data/bundle").unwrap();
        let config = format!(
            r#"
            [board]
            id = "virt-1"
            site = "test"

            [model]
            bundle = "bundle"

            [network]
            broker = "mqtt://{BROKER}"

            [score]
            raise_threshold = {threshold}
            clear_threshold = {threshold}
            min_duration_ms = 0

            [[camera]]
            id = "north"
            source = {{ kind = "v4l", device = "/dev/video0", width_px = 320, height_px = 240, frame_rate_hz = {rate} }}
            "#,
            threshold = self.footage.threshold,
            rate = RATE_HZ / Footage::REPEATS,
        );
        board.remote.put(config.as_bytes(), "/data/board.toml").unwrap();
    }
}

fn light_bundle(folder: &Path) -> PathBuf {
    let size = LiteSize::Small;
    let spec = export::lite_spec(size, ClipSpec { frames: 16, stride: 16 }, INPUT_PX);
    let weights = folder.join("lite.safetensors");
    std::fs::write(&weights, export::safetensors(&export::lite_tensors(size))).unwrap();
    bundle(&spec, &weights, &EncoderPrecision::F32, &folder.join("bundle"))
}
