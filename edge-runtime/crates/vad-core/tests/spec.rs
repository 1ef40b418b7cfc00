//! Specs as they travel: exact round trip, strict reading, errors that name the field.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use serde_json::{Value, json};
use vad_core::{
    AttentionSpec, Calibration, EncoderSpec, EndPoint, Fit, Grid, HeadContext, HeadKind, HeadSpec, I3dTap,
    Line, LiteSize, ModelSpec, PreprocessSpec, ScoreSpec, Smoothing,
};

fn model() -> ModelSpec {
    ModelSpec::i3d_mist("ped2-seed7")
}

fn as_json(spec: &ModelSpec) -> Value {
    // Through text: it is what a bundle holds, and it prints `f32` in its own shortest form.
    serde_json::from_str(&serde_json::to_string(spec).unwrap()).unwrap()
}

fn read(value: &Value) -> Result<ModelSpec, serde_json::Error> {
    serde_json::from_str(&value.to_string())
}

#[test]
fn the_json_form_is_stable() {
    let expected = json!({
        "name": "ped2-seed7",
        "encoder": { "kind": "i3d-inception-v1", "tap": "Mixed_5c", "feature_dim": 1024 },
        "preprocess": {
            "width_px": 224, "height_px": 224, "fit": "squeeze", "channel_order": "rgb",
            "mean": [127.5, 127.5, 127.5], "std": [127.5, 127.5, 127.5]
        },
        "clip": { "frames": 16, "stride": 16 },
        "head": { "kind": "mlp", "dims": [1024, 512, 32, 1] },
        "score": {
            "calibration": "identity", "smoothing": "none",
            "raise_threshold": 0.5, "clear_threshold": 0.4,
            "min_duration_ms": 0, "cool_down_ms": 10000, "update_interval_ms": 5000
        }
    });
    assert_eq!(as_json(&model()), expected);
    assert_eq!(read(&expected).unwrap(), model());
    model().validate().unwrap();
}

#[test]
fn parameters_of_maps_round_trip() {
    let mut spec = model();
    spec.score.calibration = Calibration::Logistic { slope: 1.25, intercept: -0.1 };
    spec.score.smoothing = Smoothing::Mean { clips: 5 };
    let value = as_json(&spec);
    let expected = json!({ "logistic": { "slope": 1.25, "intercept": -0.1 } });
    assert_eq!(value["score"]["calibration"], expected);
    assert_eq!(value["score"]["smoothing"], json!({ "mean": { "clips": 5 } }));
    assert_eq!(read(&value).unwrap(), spec);
}

/// Every object of the spec, as a path of keys.
const OBJECTS: [&str; 8] = [
    "",
    "/encoder",
    "/preprocess",
    "/clip",
    "/head",
    "/score",
    "/score/calibration/logistic",
    "/score/smoothing/exponential",
];

fn full() -> Value {
    let mut spec = model();
    spec.score.calibration = Calibration::Logistic { slope: 1.0, intercept: 0.0 };
    spec.score.smoothing = Smoothing::Exponential { alpha: 0.5 };
    as_json(&spec)
}

#[test]
fn an_unknown_field_is_refused_at_every_level() {
    for path in OBJECTS {
        let mut value = full();
        let object = value.pointer_mut(path).unwrap().as_object_mut().unwrap();
        object.insert("treshold".into(), json!(1));
        let error = read(&value).unwrap_err().to_string();
        assert!(error.contains("unknown field `treshold`"), "{path}: {error}");
    }
}

#[test]
fn a_missing_field_is_refused_at_every_level() {
    for path in OBJECTS {
        let keys: Vec<_> = full().pointer(path).unwrap().as_object().unwrap().keys().cloned().collect();
        for key in keys {
            let mut value = full();
            value.pointer_mut(path).unwrap().as_object_mut().unwrap().remove(&key);
            let error = read(&value).unwrap_err().to_string();
            assert!(error.contains(&format!("missing field `{key}`")), "{path}/{key}: {error}");
        }
    }
}

#[test]
fn a_duplicate_field_is_refused() {
    let text = full().to_string().replacen("\"frames\":16", "\"frames\":16,\"frames\":8", 1);
    let error = serde_json::from_str::<ModelSpec>(&text).unwrap_err().to_string();
    assert!(error.contains("duplicate field `frames`"), "{error}");
}

type Spoil = fn(&mut ModelSpec);

#[test]
fn the_first_wrong_field_is_named() {
    let cases: [(Spoil, &str); 19] = [
        (|m| m.name = String::new(), "name is \"\", but must be 1 to 64 of ASCII letters"),
        (|m| m.name = "../x".into(), "name is \"../x\", but must be"),
        (|m| m.name = "x".repeat(65), "but must be 1 to 64"),
        (
            |m| m.encoder.tap = "mixed_5c".into(),
            "encoder.tap is \"mixed_5c\", but must be Mixed_5c or Mixed_4f",
        ),
        (|m| m.encoder.feature_dim = 832, "encoder.feature_dim is 832, but encoder.tap makes it 1024"),
        (|m| m.preprocess.width_px = 0, "preprocess.width_px is 0, but must be 1 to 2048"),
        (|m| m.preprocess.height_px = 4096, "preprocess.height_px is 4096"),
        (|m| m.preprocess.mean[1] = f32::NAN, "preprocess.mean is NaN, but must be a finite number"),
        (|m| m.preprocess.std[2] = 0.0, "preprocess.std is 0, but must be"),
        (|m| m.clip.stride = 17, "clip.stride is 17, but must be 1 to 16"),
        (|m| m.head.dims = vec![1024], "number of head.dims is 1, but must be 2 to 16"),
        (|m| m.head.dims[1] = 0, "head.dims is 0, but must be 1 to 65536"),
        (|m| m.head.dims[3] = 2, "last of head.dims is 2, but the single score makes it 1"),
        (|m| m.head.dims[0] = 512, "first of head.dims is 512, but encoder.feature_dim makes it 1024"),
        (|m| m.score.raise_threshold = 1.5, "score.raise_threshold is 1.5, but must be 0 to 1"),
        (|m| m.score.raise_threshold = f32::NAN, "score.raise_threshold is NaN, but must be 0 to 1"),
        (|m| m.score.clear_threshold = 0.75, "score.clear_threshold is 0.75, but must be 0 to 0.5"),
        (
            |m| m.score.smoothing = Smoothing::Mean { clips: 0 },
            "score.smoothing.clips is 0, but must be 1 to 1024",
        ),
        (|m| m.score.cool_down_ms = u32::MAX, "score.cool_down_ms is 4294967295, but must be 0 to 86400000"),
    ];
    for (spoil, expected) in cases {
        let mut spec = model();
        spoil(&mut spec);
        let error = spec.validate().unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }
}

fn with_context(kind: HeadKind, context: HeadContext) -> ModelSpec {
    let head = HeadSpec { context, ..HeadSpec::per_clip(kind, vec![1024, 512, 128, 1]) };
    ModelSpec { head, ..model() }
}

#[test]
fn a_context_round_trips_and_is_written_only_where_there_is_one() {
    let window = HeadContext::Window { clips: 16 };
    let value = as_json(&with_context(HeadKind::RtfmCausal, window));
    let expected = json!({
        "kind": "rtfm-causal", "dims": [1024, 512, 128, 1], "context": { "window": { "clips": 16 } }
    });
    assert_eq!(value["head"], expected);
    assert_eq!(read(&value).unwrap(), with_context(HeadKind::RtfmCausal, window));
    assert!(as_json(&with_context(HeadKind::Rtfm, HeadContext::Clip))["head"].get("context").is_none());
    let mut unknown = value;
    unknown["head"]["context"]["window"]["delay"] = json!(1);
    assert!(read(&unknown).unwrap_err().to_string().contains("unknown field `delay`"));
}

#[test]
fn a_context_that_does_not_suit_the_head_is_named() {
    let (memory, window) = (HeadContext::Memory { clips: 5 }, HeadContext::Window { clips: 16 });
    let all = [HeadContext::Clip, memory, window];
    let suits = |kind| all.map(|context| with_context(kind, context).validate().is_ok());
    for kind in [HeadKind::Mlp, HeadKind::UnitLengthMlp, HeadKind::CuGenerator, HeadKind::Temporal] {
        assert_eq!(suits(kind), [true, false, false], "{kind:?}");
    }
    assert_eq!(suits(HeadKind::CuClassifier), [false, true, false]);
    assert_eq!(suits(HeadKind::Rtfm), [true, false, true]);
    assert_eq!(suits(HeadKind::RtfmCausal), [false, false, true]);
    assert_eq!(suits(HeadKind::Arms), [false, false, true]);
    let cases = [
        (HeadKind::Mlp, window, "head.context is \"window\", but must be clip"),
        (HeadKind::Arms, HeadContext::Clip, "head.context is \"clip\", but must be window"),
        (
            HeadKind::Arms,
            HeadContext::Window { clips: 0 },
            "head.context.window.clips is 0, but must be 1 to 1024",
        ),
        (
            HeadKind::RtfmCausal,
            HeadContext::Window { clips: 10 },
            "head.context.window.clips is 10, but must be 11 to 1024",
        ),
        (
            HeadKind::CuClassifier,
            HeadContext::Memory { clips: 2000 },
            "head.context.memory.clips is 2000, but must be 1 to 1024",
        ),
    ];
    for (kind, context, expected) in cases {
        let error = with_context(kind, context).validate().unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }
}

#[test]
fn maps_are_checked_too() {
    let score = |calibration, smoothing| ScoreSpec { calibration, smoothing, ..ScoreSpec::default() };
    let identity = Calibration::Identity;
    for alpha in [0.0, -0.5, 1.5, f32::NAN] {
        assert!(score(identity, Smoothing::Exponential { alpha }).validate().is_err(), "{alpha}");
    }
    let parameters =
        [(0.0, 0.0), (-1.0, 0.0), (f32::NAN, 0.0), (f32::INFINITY, 0.0), (1.0, f32::NAN), (1.0, 2e3)];
    for (slope, intercept) in parameters {
        let logistic = Calibration::Logistic { slope, intercept };
        assert!(score(logistic, Smoothing::None).validate().is_err(), "{slope} {intercept}");
    }
}

#[test]
fn other_taps_and_sizes_are_valid() {
    let mut spec = model();
    spec.encoder.tap = "Mixed_4f".into();
    spec.encoder.feature_dim = 832;
    spec.head.dims[0] = 832;
    spec.preprocess = PreprocessSpec { width_px: 320, height_px: 180, ..PreprocessSpec::i3d() };
    spec.validate().unwrap();
    assert_eq!(spec.clip_len(), 3 * 16 * 320 * 180);
    let grid = I3dTap { point: EndPoint::Mixed5c, grid: 4 };
    assert_eq!(EncoderSpec::i3d_at(grid).feature_dim, 16 * 1024);
    EncoderSpec::i3d_at(grid).validate().unwrap();
}

#[test]
fn imported_features_may_have_any_width_but_none() {
    let mut spec = model();
    spec.encoder = EncoderSpec::imported("ucf-crime", 2048);
    spec.head.dims[0] = 2048;
    spec.validate().unwrap();
    for encoder in [EncoderSpec::imported("ucf-crime", 0), EncoderSpec::imported("", 2048)] {
        assert!(ModelSpec { encoder, ..spec.clone() }.validate().is_err());
    }
}

#[test]
fn the_sizes_of_i3d_lite_cost_what_they_promise() {
    let promised =
        [(LiteSize::Small, 0.34, 112), (LiteSize::Middle, 1.09, 128), (LiteSize::Large, 3.92, 160)];
    for (size, gmacs, side) in promised {
        let plan = size.plan();
        assert_eq!(plan.side_px, side);
        let macs = 16 * plan.macs_per_frame(side.into(), side.into());
        assert!((macs as f64 / 1e9 - gmacs).abs() < 0.01, "{size}: {macs}");
        assert!(plan.stages.iter().all(|stage| stage.channels % 16 == 0), "{size}");
        // A clip of 16 frames and what came before it.
        assert!(plan.memory_frames() <= 16, "{size}: {}", plan.memory_frames());
    }
}

#[test]
fn i3d_lite_is_valid_in_every_size_and_only_with_its_own_width() {
    for size in LiteSize::ALL {
        let spec = ModelSpec::mist("lite", EncoderSpec::lite(size));
        spec.validate().unwrap();
        assert_eq!(spec.encoder.kind.lite(), Some(size));
        assert_eq!(as_json(&spec)["encoder"]["kind"], format!("i3d-lite-{size}"));
        assert_eq!(read(&as_json(&spec)).unwrap(), spec);
    }
    let cases: [(Spoil, &str); 3] = [
        (|m| m.encoder.tap = "Mixed_5c".into(), "encoder.tap is \"Mixed_5c\", but must be last"),
        (
            |m| m.encoder.feature_dim = 1024,
            "encoder.feature_dim is 1024, but the size of the I3D-lite makes it 256",
        ),
        (
            |m| m.preprocess.width_px = 110,
            "preprocess.width_px is 110, but the stem of I3D-lite makes it 112",
        ),
    ];
    for (spoil, expected) in cases {
        let mut spec = ModelSpec::mist("lite", EncoderSpec::lite(LiteSize::Small));
        spoil(&mut spec);
        let error = spec.validate().unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }
}

fn with_attention() -> ModelSpec {
    let line = |first_px| Line { first_px, step_px: 32.0 };
    let grid = Grid { rows: line(7.5), columns: line(-0.5) };
    let attention = Some(AttentionSpec { stage: 3, rows: 4, columns: 5, grid });
    ModelSpec { attention, ..ModelSpec::mist("looks", EncoderSpec::lite(LiteSize::Small)) }
}

#[test]
fn an_attention_round_trips_and_is_written_only_where_there_is_one() {
    let value = as_json(&with_attention());
    let expected = json!({
        "stage": 3, "rows": 4, "columns": 5,
        "grid": {
            "rows": { "first_px": 7.5, "step_px": 32.0 },
            "columns": { "first_px": -0.5, "step_px": 32.0 }
        }
    });
    assert_eq!(value["attention"], expected);
    assert_eq!(read(&value).unwrap(), with_attention());
    with_attention().validate().unwrap();
    assert!(as_json(&model()).get("attention").is_none());
    for path in ["/attention", "/attention/grid", "/attention/grid/rows"] {
        let mut unknown = value.clone();
        unknown.pointer_mut(path).unwrap().as_object_mut().unwrap().insert("colour".into(), json!(1));
        assert!(read(&unknown).unwrap_err().to_string().contains("unknown field `colour`"), "{path}");
    }
}

#[test]
fn an_attention_that_cannot_be_is_named() {
    type SpoilAttention = fn(&mut AttentionSpec);
    let cases: [(SpoilAttention, &str); 7] = [
        (|a| a.stage = 0, "attention.stage is 0, but must be 1 to 3"),
        (|a| a.stage = 4, "attention.stage is 4, but must be 1 to 3"),
        (|a| a.rows = 0, "attention.rows is 0, but must be 1 to 512"),
        (|a| a.columns = 513, "attention.columns is 513"),
        (|a| a.grid.rows.first_px = f64::NAN, "attention.grid.rows.first_px is NaN"),
        (|a| a.grid.columns.step_px = 0.0, "attention.grid.columns.step_px is 0, but must be 1 to 2048"),
        (|a| a.grid.rows.step_px = f64::INFINITY, "attention.grid.rows.step_px is inf"),
    ];
    for (spoil, expected) in cases {
        let mut spec = with_attention();
        spec.attention.iter_mut().for_each(spoil);
        let error = spec.validate().unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }
    let of_clips = ModelSpec { attention: with_attention().attention, ..model() };
    let error = of_clips.validate().unwrap_err().to_string();
    assert!(error.contains("encoder.tap is \"Mixed_5c\"") && error.contains("I3D-lite"), "{error}");
    let mut cut = with_attention();
    cut.preprocess.fit = Fit::CoverCentreCrop;
    let error = cut.validate().unwrap_err().to_string();
    assert!(error.contains("preprocess.fit") && error.contains("squeeze"), "{error}");
}
