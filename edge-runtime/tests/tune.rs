//! `watchpostd tune`: what it stores is found again and used, only where it holds, and never stops the board.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::{lite, stderr, stdout, tiny, tiny_stream, watchpostd, write_config};
use model_bundle::Bundle;
use serde_json::Value;
use vad_infer::{Kernels, LazyIm2col, Pulse, Tuning};
use watchpostd::model::Model;
use watchpostd::tuned::{Choice, MadeFor, Measured, Origin, TuningSource};

/// Scores of the same frames with sums in another order.
const REORDERED: f32 = 1e-5;

const BOARD: &str = "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"bundle\"\n";

fn command(folder: &Path, args: &[&str]) -> Output {
    watchpostd().args(args).current_dir(folder).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_str(&stdout(output)).unwrap()
}

/// Another tuning than the default, for an encoder that streams on tract.
fn tuning(bundle: &Bundle) -> Tuning {
    let pulse = Pulse::new(4, bundle.model().clip).unwrap();
    Tuning { kernels: Kernels::Tract, pulse, lazy_im2col: LazyIm2col { min_taps: 6 } }
}

/// A bundle in `bundle/` and a choice for it.
fn tuned(folder: &Path) -> (Bundle, PathBuf) {
    let bundle = tiny_stream::bundle(&folder.join("bundle"), 1.0, tiny_stream::WINDOW_CLIPS);
    let file = folder.join("tune.toml");
    let choice = Choice {
        made_for: MadeFor::here(&bundle),
        tuning: tuning(&bundle).into(),
        measured: Measured { ms_per_frame: 0.25, default_ms_per_frame: 0.5 },
    };
    choice.write(&file).unwrap();
    (bundle, file)
}

fn load(folder: &Path, pulse: Option<usize>) -> Model {
    let source = TuningSource::Stored { file: folder.join("tune.toml"), pulse };
    Model::load(&folder.join("bundle"), None, &source).unwrap()
}

#[test]
fn a_stored_choice_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, file) = tuned(folder.path());
    for pulse in [None, Some(4)] {
        let model = load(folder.path(), pulse);
        assert_eq!(model.tuned().tuning, tuning(&bundle));
        assert!(matches!(&model.tuned().origin, Origin::Stored(stored) if *stored == file));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing but the bundle and the file");
    std::fs::remove_file(file).unwrap();
    let model = load(folder.path(), None);
    assert_eq!(model.tuned().tuning, Tuning { kernels: Kernels::Tract, ..Tuning::default() });
    assert!(matches!(model.tuned().origin, Origin::Untuned));
}

#[test]
fn a_choice_that_does_not_hold_is_told_and_the_default_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, file) = tuned(folder.path());
    let text = std::fs::read_to_string(&file).unwrap();
    let hash = MadeFor::here(&bundle).encoder_sha256;
    let lacking = Kernels::ALL.into_iter().find(|kernels| !kernels.is_available()).unwrap();
    let kernels = format!("kernels = \"{lacking}\"");
    let line = text.lines().find(|line| line.starts_with("processor")).unwrap();
    let long = format!("# {}\n{text}", "x".repeat(20_000));
    let cases = [
        (text.replace(&hash, &"0".repeat(64)), "another encoder"),
        (text.replace(line, "processor = \"Cortex-Z9: asimd\""), "another processor (Cortex-Z9)"),
        (text.replace(env!("CARGO_PKG_VERSION"), "0.0.9"), "by watchpostd 0.0.9"),
        (text.replace("kernels = \"tract\"", &kernels), "this processor does not have"),
        (text.replace("kernels = \"tract\"", "kernels = \"sse9\""), "is damaged (`sse9`"),
        (text.replace("pulse = 4", "pulse = 3"), "is damaged (a pulse of 3"),
        (text[..text.len() / 2].to_owned(), "is damaged"),
        (String::new(), "is damaged (missing field `made_for`"),
        (long, "more than 16384 bytes"),
    ];
    for (changed, reason) in cases {
        assert_ne!(changed, text);
        std::fs::write(&file, changed).unwrap();
        let model = load(folder.path(), None);
        assert_eq!(model.tuned().tuning, Tuning { kernels: Kernels::Tract, ..Tuning::default() }, "{reason}");
        let says = model.tuned().to_string();
        assert!(model.tuned().is_stale() && says.contains(reason), "{says} does not say {reason}");
        assert!(says.contains("tune.toml") && says.contains("run `watchpostd tune`"), "{says}");
    }
    std::fs::write(&file, [0xff, 0xfe]).unwrap();
    assert!(load(folder.path(), None).tuned().to_string().contains("is damaged"));
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert!(load(folder.path(), None).tuned().to_string().contains("cannot be read"));
}

#[test]
fn a_configured_pulse_wins_over_a_stored_one() {
    let folder = tempfile::tempdir().unwrap();
    tuned(folder.path());
    let model = load(folder.path(), Some(2));
    assert_eq!(model.tuned().tuning.pulse.frames(), 2);
    let says = model.tuned().to_string();
    assert!(says.contains("a pulse of 4, but model.pulse is 2"), "{says}");
}

#[test]
fn the_board_scores_as_before_with_what_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = tuned(folder.path());
    let greys: Vec<u8> = (0..37).map(|frame| (frame * 13 % 200) as u8).collect();
    tiny::video(&folder.path().join("clip.mp4"), &greys);
    write_config(folder.path(), BOARD);
    let scores = |expected: &str| -> Vec<f32> {
        let args = ["replay", "--json", "--config", "board.toml", "--bundle", "bundle", "clip.mp4"];
        let replay = command(folder.path(), &args);
        assert!(replay.status.success() && stderr(&replay).contains(expected), "{}", stderr(&replay));
        let raw = |line: &str| serde_json::from_str::<Value>(line).unwrap()["raw"].as_f64().unwrap() as f32;
        stdout(&replay).lines().map(raw).collect()
    };
    let tuned = scores("tuned on this board");
    std::fs::remove_file(file).unwrap();
    let default = scores("the default");
    assert_eq!(tuned.len(), 9, "8 clips and a tail");
    for (tuned, default) in tuned.iter().zip(&default) {
        assert!((tuned - default).abs() <= REORDERED, "{tuned} {default}");
    }
}

#[test]
fn a_search_is_stored_and_then_used_by_every_command() {
    let folder = tempfile::tempdir().unwrap();
    lite::bundle(&folder.path().join("bundle"), 32);
    write_config(folder.path(), BOARD);
    let check = || stdout(&command(folder.path(), &["check", "--config", "board.toml"]));
    assert!(check().contains("ok    tuning") && check().contains("the default"), "{}", check());
    let found = json(&command(folder.path(), &["tune", "--config", "board.toml", "--rounds", "1", "--json"]));
    let candidates = found["candidates"].as_array().unwrap();
    let suitable = Kernels::available().into_iter().filter(|kernels| *kernels != Kernels::TractF16).count();
    assert_eq!(candidates.len(), 3 * suitable, "three pulses fit clips of 16 frames");
    assert_eq!(candidates[0]["state"], "default");
    assert_eq!(candidates[0]["to_default"], 1.0);
    for candidate in candidates {
        assert!(candidate["ms_per_frame"].as_f64().is_some_and(|ms| ms > 0.0), "none differs: {candidate}");
    }
    let chosen = &found["tuning"];
    assert!(candidates.iter().any(|c| c["kernels"] == chosen["kernels"] && c["pulse"] == chosen["pulse"]));
    let [chosen_ms, default_ms] =
        ["ms_per_frame", "default_ms_per_frame"].map(|name| found["measured"][name].as_f64().unwrap());
    assert!(chosen_ms <= default_ms, "{found}");
    assert!(check().contains("ok    tuning") && check().contains("tuned on this board"), "{}", check());
    let bench = |more: &[&str]| {
        let args = ["bench", "--bundle", "bundle", "--json", "--frames", "16", "--picture", "32x32"];
        json(&command(folder.path(), &[&args, more].concat()))
    };
    for more in [["--config", "board.toml"], ["--tuned", "tune.toml"]] {
        let figures = bench(&more);
        assert_eq!(figures["origin"], "tuned", "{figures}");
        assert_eq!((&figures["kernels"], &figures["pulse"]), (&chosen["kernels"], &chosen["pulse"]));
    }
    let figures = bench(&["--kernels", "portable", "--pulse", "2"]);
    assert_eq!((&figures["kernels"], &figures["pulse"]), (&"portable".into(), &2.into()));
    std::fs::write(folder.path().join("tune.toml"), "spoilt").unwrap();
    assert!(check().contains("warn  tuning") && check().contains("is damaged"), "{}", check());
    assert_eq!(bench(&["--config", "board.toml"])["origin"], "not used");
}

#[test]
fn an_encoder_that_tells_where_it_looks_is_not_put_on_tract() {
    let folder = tempfile::tempdir().unwrap();
    lite::looking_bundle(&folder.path().join("bundle"));
    write_config(folder.path(), BOARD);
    let args = ["tune", "--config", "board.toml", "--rounds", "1", "--json"];
    let found = json(&command(folder.path(), &args));
    let on_tract: Vec<_> =
        found["candidates"].as_array().unwrap().iter().filter(|c| c["kernels"] == "tract").collect();
    assert!(!on_tract.is_empty(), "{found}");
    for candidate in on_tract {
        assert!(candidate["state"].as_str().unwrap().contains("gives features alone"), "{candidate}");
    }
    // A file that says so all the same stops nothing.
    let file = folder.path().join("tune.toml");
    let chosen = format!("kernels = {}", found["tuning"]["kernels"]);
    let text = std::fs::read_to_string(&file).unwrap().replace(&chosen, "kernels = \"tract\"");
    std::fs::write(&file, text).unwrap();
    let check = stdout(&command(folder.path(), &["check", "--config", "board.toml"]));
    for part in ["warn  tuning", "the default", "does not fit the encoder", "run `watchpostd tune`"] {
        assert!(check.contains(part), "{part} in {check}");
    }
}

#[test]
fn a_configured_pulse_is_kept_and_kernels_alone_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    tiny_stream::bundle(&folder.path().join("bundle"), 1.0, tiny_stream::WINDOW_CLIPS);
    write_config(folder.path(), &format!("{BOARD}pulse = 2\n"));
    let args = ["tune", "--config", "board.toml", "--rounds", "1", "--json", "--out", "elsewhere.toml"];
    let found = json(&command(folder.path(), &args));
    let candidates = found["candidates"].as_array().unwrap();
    assert!(candidates.iter().all(|candidate| candidate["pulse"] == 2), "{found}");
    let taps: Vec<_> = candidates.iter().map(|candidate| &candidate["lazy_im2col_min_taps"]).collect();
    assert_eq!(taps, [2, 6, 28], "its graph runs on tract");
    assert!(folder.path().join("elsewhere.toml").exists() && !folder.path().join("tune.toml").exists());
}

#[test]
fn an_encoder_of_clips_is_tuned_for_people_and_nothing_is_stored_without_a_place() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    let output = command(folder.path(), &["tune", "--bundle", "bundle", "--rounds", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for part in ["lazy im2col from 2 taps", "from 28 taps", "chosen: ", "not stored: give --config or --out"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let neither = command(folder.path(), &["tune"]);
    assert!(!neither.status.success() && stderr(&neither).contains("--bundle"), "{}", stderr(&neither));
}

#[test]
fn f16_is_a_candidate_where_the_processor_and_the_bundle_have_it() {
    let folder = tempfile::tempdir().unwrap();
    lite::half_bundle(&folder.path().join("bundle"), 32);
    write_config(folder.path(), BOARD);
    let found = json(&command(folder.path(), &["tune", "--config", "board.toml", "--rounds", "1", "--json"]));
    let candidates = found["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 3 * Kernels::available().len(), "{found}");
    for candidate in candidates {
        assert!(candidate["ms_per_frame"].as_f64().is_some_and(|ms| ms > 0.0), "none differs: {candidate}");
    }
    // A file that says so is followed, and so is one who asks.
    let file = folder.path().join("tune.toml");
    let chosen = format!("kernels = {}", found["tuning"]["kernels"]);
    let text = std::fs::read_to_string(&file).unwrap().replace(&chosen, "kernels = \"tract-f16\"");
    std::fs::write(&file, text).unwrap();
    assert_eq!(load(folder.path(), None).tuned().tuning.kernels, Kernels::TractF16);
    let args = ["bench", "--bundle", "bundle", "--json", "--frames", "16", "--kernels", "tract-f16"];
    assert_eq!(json(&command(folder.path(), &args))["kernels"], "tract-f16");
}

#[test]
fn a_bundle_that_was_not_tested_in_f16_does_not_compute_in_it() {
    let folder = tempfile::tempdir().unwrap();
    lite::bundle(&folder.path().join("bundle"), 32);
    let bench = command(folder.path(), &["bench", "--bundle", "bundle", "--kernels", "tract-f16"]);
    assert!(!bench.status.success());
    let said = stderr(&bench);
    assert!(
        said.contains("`tract-f16` are for weights in f16") && said.contains("--precision f16"),
        "{said}"
    );
}
