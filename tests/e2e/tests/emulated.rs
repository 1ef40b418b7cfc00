//! The aarch64 program gives the scores of this machine's, clip by clip. `cargo xtask cross` builds it and runs this
//! test with its path in `WATCHPOSTD_AARCH64`; the emulator is qemu's user mode.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken set-up must stop the test")]

use e2e_tests::{Run, finish, program, run};
use golden::kinetics_i3d;
use safetensors::tensor::{Dtype, TensorView};
use std::path::{Path, PathBuf};
use std::process::Command;
use vad_core::ModelSpec;

/// Kernels of the two processors sum in another order.
const SCORE_TOLERANCE: f64 = 1e-4;
/// Small pictures: emulated arithmetic is fifty times slower.
const INPUT_PX: u16 = 64;

#[test]
fn emulated_scores_equal_native_ones() {
    let Some(board) = std::env::var_os("WATCHPOSTD_AARCH64").map(PathBuf::from) else {
        eprintln!(
            "\n*** SKIPPED: no aarch64 program; `cargo xtask cross` builds it and runs this test ***\n"
        );
        return;
    };
    let Some(weights) = kinetics_i3d() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bundle = small_bundle(&weights, folder.path());
    let out = folder.path().join("scenes");
    run(
        "watchpost",
        &["scenes", "--out", out.to_str().unwrap(), "--videos", "1", "--abnormal", "1", "--frames", "48"],
    )
    .expect_success();
    let video = out.join("scene-000.mp4");

    let native = replay(Command::new(program("watchpostd")), &bundle, &video);
    let mut emulator = Command::new("qemu-aarch64");
    emulator.arg(&board);
    let emulated = replay(emulator, &bundle, &video);

    let (native, emulated) = (scores(&native), scores(&emulated));
    assert_eq!(native.len(), 3);
    assert_eq!(native.len(), emulated.len());
    let worst = native.iter().zip(&emulated).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("{} clips, largest difference between aarch64 and this machine {worst:.1e}", native.len());
    assert!(worst <= SCORE_TOLERANCE, "native {native:?}, emulated {emulated:?}");
}

fn replay(mut command: Command, bundle: &Path, video: &Path) -> Run {
    command.args(["replay", "--json", "--bundle"]).arg(bundle).arg(video);
    finish(&mut command).expect_success()
}

fn scores(replay: &Run) -> Vec<f64> {
    let clip = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["raw"].as_f64().unwrap();
    replay.stdout.lines().map(clip).collect()
}

/// I3D on small pictures with a head whose weights come from a formula.
fn small_bundle(weights: &Path, folder: &Path) -> PathBuf {
    let mut spec = ModelSpec::i3d_mist("emulated");
    spec.preprocess.width_px = INPUT_PX;
    spec.preprocess.height_px = INPUT_PX;
    let head = folder.join("head.safetensors");
    std::fs::write(&head, formula_head(&spec.head.dims)).unwrap();
    let bundle = folder.join("bundle");
    let int8 = model_export::Int8Plan::default();
    let sources = model_export::BundleSources { encoder: weights, int8: &int8, head: &head };
    model_export::bundle(&spec, sources, &bundle, &model_export::BundleFacts::default()).unwrap();
    bundle
}

fn formula_head(dims: &[u32]) -> Vec<u8> {
    let mut tensors = Vec::new();
    for (layer, pair) in dims.windows(2).enumerate() {
        let name = ["regressor.0", "regressor.3", "regressor.5"][layer];
        let (inputs, outputs) = (pair[0] as usize, pair[1] as usize);
        let values = (0..inputs * outputs).map(|i| ((i * 37 + 11) % 101) as f32 / 101.0 - 0.5);
        let bytes: Vec<u8> =
            values.flat_map(|value| (value / (inputs as f32).sqrt()).to_le_bytes()).collect();
        tensors.push((format!("{name}.weight"), vec![outputs, inputs], bytes));
        tensors.push((format!("{name}.bias"), vec![outputs], vec![0; outputs * 4]));
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}
