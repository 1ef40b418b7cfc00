//! The aarch64 program gives the scores of this machine's, clip by clip. `cargo xtask cross` builds it and runs this
//! test with its path in `WATCHPOSTD_AARCH64`; the emulator is qemu's user mode.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken set-up must stop the test")]

use e2e_tests::bundles::{bundle, export};
use e2e_tests::{Run, finish, program, run};
use golden::kinetics_i3d;
use model_export::EncoderPrecision;
use std::path::{Path, PathBuf};
use std::process::Command;
use vad_core::{ClipSpec, LiteSize, ModelSpec};

/// Kernels of the two processors sum in another order.
const SCORE_TOLERANCE: f64 = 1e-4;
/// Besides, a value that lies between two steps in int8 may be rounded to either.
const INT8_SCORE_TOLERANCE: f64 = 2e-3;
/// Small pictures: emulated arithmetic is fifty times slower.
const INPUT_PX: u16 = 64;
/// Clips in the video.
const CLIPS: usize = 3;

#[test]
fn emulated_scores_equal_native_ones() {
    let Some(board) = std::env::var_os("WATCHPOSTD_AARCH64").map(PathBuf::from) else {
        eprintln!(
            "\n*** SKIPPED: no aarch64 program; `cargo xtask cross` builds it and runs this test ***\n"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("scenes");
    run(
        "watchpost",
        &["scenes", "--out", out.to_str().unwrap(), "--videos", "1", "--abnormal", "1", "--frames", "48"],
    )
    .expect_success();
    let footage = Footage { board, video: out.join("scene-000.mp4") };

    if let Some(weights) = kinetics_i3d() {
        let mut spec = ModelSpec::i3d_mist("emulated");
        spec.preprocess.width_px = INPUT_PX;
        spec.preprocess.height_px = INPUT_PX;
        let i3d = bundle(&spec, &weights, &EncoderPrecision::F32, &folder.path().join("i3d"));
        footage.compare("I3D", &i3d, SCORE_TOLERANCE);
    }

    let size = LiteSize::Small;
    let spec = export::lite_spec(size, ClipSpec { frames: 16, stride: 16 }, INPUT_PX);
    let weights = folder.path().join("lite.safetensors");
    std::fs::write(&weights, export::safetensors(&export::lite_tensors(size))).unwrap();
    let lite = bundle(&spec, &weights, &EncoderPrecision::F32, &folder.path().join("lite"));
    let float = footage.compare("I3D-lite", &lite, SCORE_TOLERANCE);
    let int8 = EncoderPrecision::Int8(export::lite_int8(size));
    let int8 = bundle(&spec, &weights, &int8, &folder.path().join("lite-int8"));
    let int8 = footage.compare("I3D-lite in int8", &int8, INT8_SCORE_TOLERANCE);
    assert_ne!(float, int8);
    let half = bundle(&spec, &weights, &EncoderPrecision::F16, &folder.path().join("lite-f16"));
    let in_f16 = footage.compare("I3D-lite with weights in f16", &half, SCORE_TOLERANCE);
    assert_ne!(float, in_f16);
    footage.assert_f16_arithmetic_is_a_candidate(&half);
}

struct Footage {
    board: PathBuf,
    video: PathBuf,
}

impl Footage {
    /// Scores of this machine, which those of the emulated one are compared with.
    fn compare(&self, what: &str, bundle: &Path, tolerance: f64) -> Vec<f64> {
        let native = scores(&replay(Command::new(program("watchpostd")), bundle, &self.video));
        let mut emulator = Command::new("qemu-aarch64");
        emulator.arg(&self.board);
        let emulated = scores(&replay(emulator, bundle, &self.video));
        assert_eq!(native.len(), CLIPS, "{what}");
        assert_eq!(emulated.len(), CLIPS, "{what}");
        let worst = native.iter().zip(&emulated).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{what}: {CLIPS} clips, largest difference between aarch64 and this machine {worst:.1e}");
        assert!(worst <= tolerance, "{what}: native {native:?}, emulated {emulated:?}");
        // A score at either end would hide any difference.
        assert!(native.iter().all(|score| (0.02..0.98).contains(score)), "{what}: {native:?}");
        native
    }
}

impl Footage {
    /// The emulated processor computes in f16. tract reads of it in a file of the system's, which describes this machine, so it is
    /// told.
    fn assert_f16_arithmetic_is_a_candidate(&self, bundle: &Path) {
        let mut emulator = Command::new("qemu-aarch64");
        emulator.args(["-cpu", "max"]).arg(&self.board).env("TRACT_CPU_ISA", "+fp16");
        emulator.args(["tune", "--json", "--rounds", "1", "--bundle"]).arg(bundle);
        let found = finish(&mut emulator).expect_success();
        let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
        let candidates = found["candidates"].as_array().unwrap();
        let in_f16: Vec<_> = candidates.iter().filter(|found| found["kernels"] == "tract-f16").collect();
        assert_eq!(in_f16.len(), 3, "one for each pulse: {found}");
        for candidate in in_f16 {
            assert!(candidate["ms_per_frame"].is_number(), "it ran, and its features are f32's: {candidate}");
        }
    }
}

fn replay(mut command: Command, bundle: &Path, video: &Path) -> Run {
    command.args(["replay", "--json", "--bundle"]).arg(bundle).arg(video);
    finish(&mut command).expect_success()
}

fn scores(replay: &Run) -> Vec<f64> {
    let clip = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["raw"].as_f64().unwrap();
    replay.stdout.lines().map(clip).collect()
}
