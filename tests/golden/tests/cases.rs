//! The kept cases load, agree with their descriptions, and damage to them is noticed.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use golden::{Case, Tolerance, assert_close, cases, cases_in, compare};

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// A folder with a copy of one case.
fn copy_of(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
    for ending in ["json", "npz"] {
        let file = format!("{name}.{ending}");
        fs::copy(kept().join(&file), dir.path().join(&file)).unwrap();
    }
    dir
}

#[test]
fn every_case_loads_and_states_a_tolerance() {
    let all = cases("");
    assert!(all.len() >= 41, "only {} cases", all.len());
    for case in &all {
        let tolerance = case.tolerance();
        assert!(tolerance.relative <= 1e-2 && tolerance.absolute <= 1e-2, "{}: {tolerance}", case.name());
        for key in case.array_names() {
            let elements: usize = case.shape(key).iter().product();
            assert_eq!(case.f64(key).data.len(), elements, "{}", case.what(key));
        }
    }
}

#[test]
fn element_types_and_scalars_are_read() {
    let tiny = &cases("metrics/tiny")[0];
    assert_eq!(tiny.f64("in.scores").shape, [12]);
    assert_eq!(tiny.i64("in.labels").data.iter().sum::<i64>(), 4);
    assert_eq!(tiny.bool("in.labels").data.iter().filter(|&&label| label).count(), 4);
    assert_eq!(tiny.shape("out.rmse"), [0_usize; 0]);
    assert!(tiny.scalar_f64("out.roc_auc") <= 1.0);
    assert_eq!(tiny.param_usize("n"), Some(12));

    let table = &cases("rtfm/segment_index_table")[0];
    assert_eq!(table.dtype("r"), "int16");
    assert_eq!(table.i64("r").row(31)[..3], [0, 1, 2]);
    assert_eq!(cases("i3d/cricket")[0].u8("input_first16").shape, [16, 224, 224, 3]);
}

#[test]
fn hashed_tensors_agree_with_their_checks() {
    let case = &cases("rtfm/model_2048_hashed")[0];
    let first = |array: golden::Array<f32>| array.data[..8].to_vec();
    assert_close(
        "features",
        &first(case.hashed("features")),
        &case.f32("check.features_first8").data,
        Tolerance::exact(),
    );
    let fc3 = case.hashed("fc3.weight");
    assert_eq!(fc3.shape, [1, 128]);
    assert_close("fc3", &first(fc3), &case.f32("check.fc3_weight_first8").data, Tolerance::exact());
}

#[test]
fn cases_of_a_further_folder_are_added_and_replace() {
    let dir = copy_of("metrics/tiny");
    fs::rename(dir.path().join("metrics/tiny.json"), dir.path().join("metrics/tiny_b.json")).unwrap();
    fs::rename(dir.path().join("metrics/tiny.npz"), dir.path().join("metrics/tiny_b.npz")).unwrap();
    let names = |roots: &[PathBuf]| {
        cases_in(roots, "metrics/tiny").iter().map(|c| c.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[kept(), dir.path().to_owned()]), ["metrics/tiny", "metrics/tiny_b"]);
    assert_eq!(names(&[dir.path().to_owned()]), ["metrics/tiny_b"]);
}

#[test]
#[should_panic(expected = "no reference case starts with `metrics/nothing`")]
fn a_prefix_without_cases_fails() {
    cases("metrics/nothing");
}

#[test]
fn a_changed_byte_is_noticed() {
    let dir = copy_of("metrics/tiny");
    let path = dir.path().join("metrics/tiny.npz");
    let mut bytes = fs::read(&path).unwrap();
    bytes[200] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = Case::load(dir.path(), "metrics/tiny").unwrap_err();
    assert!(error.contains("SHA-256") && error.contains("tiny.npz"), "{error}");
}

#[test]
fn a_changed_description_is_noticed() {
    for (from, to, reason) in [
        ("\"in.labels\"", "\"in.label\"", "not stored"),
        ("\"int64\"", "\"int32\"", "int64"),
        ("12\n", "13\n", "shape"),
    ] {
        let dir = copy_of("metrics/tiny");
        let path = dir.path().join("metrics/tiny.json");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = Case::load(dir.path(), "metrics/tiny").unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_missing_npz_is_noticed() {
    let dir = copy_of("metrics/tiny");
    fs::remove_file(dir.path().join("metrics/tiny.npz")).unwrap();
    assert!(Case::load(dir.path(), "metrics/tiny").unwrap_err().contains("no npz"));
}

#[test]
fn a_changed_value_is_outside_the_tolerance() {
    let case = &cases("metrics/tiny")[0];
    let want = case.f64("in.scores").data;
    let mut got = want.clone();
    assert_close("unchanged", &got, &want, case.tolerance());
    got[7] += 1e-9;
    let mismatch = compare(&got, &want, case.tolerance()).unwrap_err();
    assert!(mismatch.to_string().contains("worst at index 7"), "{mismatch}");
    assert!(compare(&got[..11], &want, case.tolerance()).is_err());
    got[7] = f64::NAN;
    assert!(compare(&got, &want, Tolerance::new(1.0, 1e9)).is_err());
}

#[test]
#[should_panic(expected = "metrics/tiny out.rmse: 1 of 1 elements differ; worst at index 0")]
fn the_message_names_the_array_and_the_place() {
    let case = &cases("metrics/tiny")[0];
    let want = case.f64("out.rmse").data;
    assert_close(&case.what("out.rmse"), &[want[0] + 1.0], &want, case.tolerance());
}

#[test]
fn the_share_of_the_maximum_is_applied_to_all() {
    let of_max = Tolerance::parse("rtol 1e-3 of max abs").unwrap();
    assert!(compare(&[0.0009_f32, 1.0], &[0.0_f32, 1.0], of_max).is_ok());
    assert!(compare(&[0.0011_f32, 1.0], &[0.0_f32, 1.0], of_max).is_err());
}
