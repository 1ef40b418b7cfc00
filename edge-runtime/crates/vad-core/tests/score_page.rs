//! The reference page `docs/reference/score.md` against the source: neither drifts alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic")]

use serde_json::Value;
use vad_core::clip::MAX_CLIP_FRAMES;
use vad_core::preprocess::MAX_MODEL_SIDE_PX;
use vad_core::score::MAX_MEAN_CLIPS;
use vad_core::{ModelSpec, ScoreSpec};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/reference/score.md"));

/// `(field, default, range)` of each row whose first cell is code.
fn rows_of(section: &str) -> Vec<(String, Value, String)> {
    let heading = format!("## {section}\n");
    let body = PAGE.split(&heading).nth(1).unwrap_or_else(|| panic!("no section {section:?}"));
    let body = body.split("\n## ").next().unwrap_or_default();
    let rows = body.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{line}");
        let value = serde_json::from_str(cells[1].trim_matches('`'));
        let value = value.unwrap_or_else(|error| panic!("{line}: {error}"));
        (cells[0].trim_matches('`').to_string(), value, cells[2].to_string())
    };
    rows.map(row).collect()
}

fn json(value: &impl serde::Serialize) -> Value {
    // Through text, which prints `f32` in its own shortest form.
    let text = serde_json::to_string(value).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[test]
fn score_defaults_are_as_documented() {
    let mut source = json(&ScoreSpec::default());
    let fields = source.as_object_mut().unwrap();
    for (field, default, _) in rows_of("ScoreSpec") {
        assert_eq!(fields.remove(&field), Some(default), "{field}");
    }
    assert!(fields.is_empty(), "not on the page: {fields:?}");
}

#[test]
fn i3d_values_are_as_documented() {
    let source = json(&ModelSpec::i3d_mist("i3d"));
    let rows = rows_of("PreprocessSpec and ClipSpec");
    for (field, value, _) in &rows {
        assert_eq!(source.pointer(&format!("/{}", field.replace('.', "/"))), Some(value), "{field}");
    }
    let count = |part: &str| source[part].as_object().unwrap().len();
    assert_eq!(rows.len(), count("preprocess") + count("clip"), "a field is not on the page");
}

#[test]
fn limits_are_as_documented() {
    let rows: Vec<_> =
        rows_of("ScoreSpec").into_iter().chain(rows_of("PreprocessSpec and ClipSpec")).collect();
    let range = |name: &str| {
        let row = rows.iter().find(|(field, ..)| field == name);
        row.map(|(.., range)| range.as_str()).unwrap()
    };
    assert!(range("smoothing").contains(&format!("1 to {MAX_MEAN_CLIPS}}}")));
    assert_eq!(range("preprocess.width_px"), format!("1 to {MAX_MODEL_SIDE_PX}"));
    assert_eq!(range("preprocess.height_px"), format!("1 to {MAX_MODEL_SIDE_PX}"));
    assert_eq!(range("clip.frames"), format!("1 to {MAX_CLIP_FRAMES}"));
}

/// A documented duration limit is the greatest accepted, and one more is refused.
#[test]
fn duration_limits_hold() {
    type Field = fn(&mut ScoreSpec) -> &mut u32;
    let fields: [(&str, Field); 3] = [
        ("min_duration_ms", |spec| &mut spec.min_duration_ms),
        ("cool_down_ms", |spec| &mut spec.cool_down_ms),
        ("update_interval_ms", |spec| &mut spec.update_interval_ms),
    ];
    let rows = rows_of("ScoreSpec");
    for (name, field) in fields {
        let range = &rows.iter().find(|(field, ..)| field == name).unwrap().2;
        let limit = range.split(' ').nth(2).unwrap().trim_end_matches(';').parse().unwrap();
        let mut spec = ScoreSpec::default();
        *field(&mut spec) = limit;
        assert_eq!(spec.validate(), Ok(()), "{name}");
        *field(&mut spec) = limit + 1;
        assert!(spec.validate().is_err(), "{name}");
    }
}
