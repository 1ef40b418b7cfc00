//! `watchpostd bench`: figures of both kinds of encoder that fit together, and refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::process::Output;

use common::{lite, stderr, stdout, tiny, tiny_stream, watchpostd};
use serde_json::Value;
use vad_core::LiteSize;

fn bench(bundle: &Path, more: &[&str]) -> Output {
    watchpostd().args(["bench", "--bundle"]).arg(bundle).args(more).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_str(&stdout(output)).unwrap()
}

fn number(figures: &Value, path: &str) -> f64 {
    figures.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {figures}"))
}

#[test]
fn every_part_of_a_stream_is_timed() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    lite::bundle(&bundle);
    let more = ["--json", "--pulse", "2", "--cameras", "2", "--frames", "33", "--picture", "64x48"];
    let figures = json(&bench(&bundle, &more));
    assert_eq!(figures["frames"], 2 * 48, "whole clips of both cameras");
    assert_eq!(figures["encoder_kind"], "i3d-lite-small");
    for part in ["preprocessing", "encoder", "head", "whole"] {
        let [p50, p99] = ["p50_ms", "p99_ms"].map(|name| number(&figures, &format!("/{part}/{name}")));
        assert!(0.0 < p50 && p50 <= p99, "{part}: {figures}");
    }
    assert!(number(&figures, "/whole/p99_ms") >= number(&figures, "/head/p50_ms"));
    let plan = LiteSize::Small.plan();
    let gmac = plan.macs_per_frame(112, 112) as f64 * 1e-9;
    let rate = gmac / (number(&figures, "/encoder/p50_ms") * 1e-3);
    assert!((number(&figures, "/gmac_per_s") / rate - 1.0).abs() < 1e-6);
    let cameras = 1e3 / (number(&figures, "/whole/p50_ms") * 25.0);
    assert!((number(&figures, "/cameras_per_core") / cameras - 1.0).abs() < 1e-6);
    assert!(number(&figures, "/first_score_ms") > number(&figures, "/load_ms"));
    assert!(number(&figures, "/peak_memory_mib") > 1.0);
}

#[test]
fn an_encoder_of_clips_is_timed_and_printed_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    tiny::bundle(&bundle);
    let output = bench(&bundle, &["--frames", "16", "--picture", "32x32"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for word in
        ["preprocessing", "encoder", "head", "whole", "load", "cameras per core", "peak memory", "energy"]
    {
        assert!(text.contains(word), "{word} in {text}");
    }
    assert!(!text.contains("GMAC/s"), "its work is not known");
}

#[test]
fn a_head_that_looks_at_a_window_is_timed_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    tiny_stream::bundle(&bundle, 1.0, tiny_stream::WINDOW_CLIPS);
    let figures = json(&bench(&bundle, &["--json", "--frames", "32", "--picture", "32x32"]));
    assert_eq!(figures["frames"], 32);
    assert!(number(&figures, "/head/p50_ms") > 0.0);
}

#[test]
fn what_cannot_be_timed_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    tiny::bundle(&bundle);
    let refusals = [
        (["--pulse", "3"], "take 1"),
        (["--picture", "640"], "640x480"),
        (["--picture", "0x480"], "1 to 8192"),
        (["--rate-hz", "0"], "above 0"),
        (["--cameras", "0"], "--cameras"),
    ];
    for (more, remedy) in refusals {
        let output = bench(&bundle, &more);
        assert!(!output.status.success(), "{more:?}");
        assert!(stderr(&output).contains(remedy), "{more:?}: {}", stderr(&output));
    }
    let missing = bench(&folder.path().join("nothing"), &[]);
    assert!(stderr(&missing).contains("nothing"), "{}", stderr(&missing));
}
