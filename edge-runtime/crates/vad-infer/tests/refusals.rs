//! Files that are not one sound encoder are refused, by name and without a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test")]

mod common;

use common::{bytes, encoder, float, graph, half_encoder, int, ints, node, spec, value};
use proptest::prelude::*;
use tract_onnx::pb;
use vad_infer::{Encoder, Head, InferError};

fn load(bytes: &[u8]) -> Result<Encoder, InferError> {
    Encoder::from_onnx(bytes, "encoder.onnx", &spec())
}

/// The refusal of the small encoder after a change.
fn refusal(change: impl FnOnce(&mut pb::GraphProto)) -> InferError {
    let mut model = encoder();
    change(graph(&mut model));
    let error = load(&bytes(&model)).expect_err("it must be refused");
    assert!(error.to_string().contains("encoder.onnx"), "{error}");
    error
}

#[test]
fn the_unspoilt_graph_loads() {
    let encoder = load(&bytes(&encoder())).unwrap();
    assert_eq!((encoder.feature_dim(), encoder.clip_len()), (1024, 72));
}

#[test]
fn every_truncation_is_refused() {
    let whole = bytes(&encoder());
    for end in 0..whole.len() {
        let error = load(&whole[..end]).expect_err("a truncated file must be refused");
        assert!(matches!(error, InferError::Malformed { .. }), "{end}: {error}");
    }
}

#[test]
fn bytes_behind_the_model_are_refused() {
    let whole = bytes(&encoder());
    let graph_again = whole.clone();
    let tails: [&[u8]; 7] = [
        &[0],
        b"\n",
        b"garbage",
        &[0x80; 12],
        // An unknown field 99, and a second producer name: both valid protobuf.
        &[0x98, 0x06, 0x01],
        &[0x08, 0x07],
        &graph_again,
    ];
    for tail in tails {
        let error = load(&[&whole, tail].concat()).expect_err("a longer file must be refused");
        assert!(matches!(error, InferError::Malformed { .. }), "{tail:?}: {error}");
    }
}

#[test]
fn an_unsupported_operator_is_named_with_its_node() {
    for op in ["Loop", "Einsum", "NoSuchThing", "Constant", "RandomNormal", ""] {
        let error = refusal(|g| g.node[0].op_type = op.to_owned());
        let InferError::UnsupportedOperator { node, operator, .. } = error else { panic!("{error}") };
        assert_eq!((node.as_str(), operator.as_str()), ("mean", op));
    }
    let error = refusal(|g| g.node[1].domain = "com.example".to_owned());
    assert!(error.to_string().contains("com.example::Flatten"), "{error}");
}

#[test]
fn a_weight_that_is_not_finite_is_named_with_its_place() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let spoil = |g: &mut pb::GraphProto| {
            g.initializer[0].raw_data[400..404].copy_from_slice(&value.to_le_bytes());
        };
        let error = refusal(spoil);
        assert!(
            matches!(&error, InferError::NonFiniteWeight { tensor, index: 100, .. } if tensor == "w"),
            "{error}"
        );
    }
    let error = refusal(|g| {
        g.initializer[0].raw_data.clear();
        g.initializer[0].float_data = vec![f32::NAN; 3072];
    });
    assert!(matches!(error, InferError::NonFiniteWeight { index: 0, .. }), "{error}");
}

#[test]
fn external_data_is_refused() {
    let entry =
        |key: &str, value: &str| pb::StringStringEntryProto { key: key.to_owned(), value: value.to_owned() };
    let error = refusal(|g| {
        g.initializer[0].raw_data.clear();
        g.initializer[0].data_location = Some(1);
        g.initializer[0].external_data = vec![entry("location", "../../etc/passwd")];
    });
    assert!(matches!(&error, InferError::ExternalData { tensor, .. } if tensor == "w"), "{error}");
    let error = refusal(|g| g.initializer[0].external_data = vec![entry("location", "w.bin")]);
    assert!(matches!(error, InferError::ExternalData { .. }), "{error}");
    let error = refusal(|g| g.initializer[0].data_location = Some(1));
    assert!(matches!(error, InferError::ExternalData { .. }), "{error}");
}

#[test]
fn shapes_are_compared_with_the_spec() {
    let error = refusal(|g| g.input[0] = value("clip", &[1, 3, 3, 4, 2]));
    assert!(matches!(error, InferError::Shape { what: "input", .. }), "{error}");
    assert!(error.to_string().contains("[1, 3, 3, 4, 2]"), "{error}");
    assert!(error.to_string().contains("[1, 3, 3, 2, 4]"), "{error}");
    let error = refusal(|g| g.input[0].r#type = None);
    assert!(matches!(error, InferError::Shape { what: "input", .. }), "{error}");
    let error = refusal(|g| {
        g.initializer[0] = float("w", &[512, 3], &[0.5; 1536]);
    });
    assert!(matches!(error, InferError::Shape { what: "output", .. }), "{error}");
    let head = Head::from_onnx(&bytes(&encoder()), "encoder.onnx", &spec());
    assert!(matches!(head, Err(InferError::Shape { what: "input", .. })), "not a head");
}

#[test]
fn sizes_that_lie_are_refused_before_anything_is_allocated() {
    for dims in [
        vec![i64::MAX, 3],
        vec![1 << 40, 1 << 40],
        vec![-1, 3],
        vec![0],
        vec![1024, 3, 2],
        vec![1, 1, 1, 1, 1, 1024, 3],
    ] {
        let error = refusal(|g| g.initializer[0].dims = dims.clone());
        assert!(matches!(error, InferError::Malformed { .. }), "{dims:?}: {error}");
    }
    let error = refusal(|g| {
        let mut pool = node("AveragePool", "wide", &["clip"]);
        pool.attribute =
            vec![ints("kernel_shape", &[1, 1, 1]), ints("pads", &[2000; 6]), int("count_include_pad", 1)];
        g.node.insert(0, pool);
        g.node[1].input[0] = "wide".to_owned();
    });
    assert!(matches!(error, InferError::TooLarge { .. }), "{error}");
    let error = refusal(|g| g.node[0].attribute.push(ints("kernel_shape", &[4096; 3])));
    assert!(matches!(error, InferError::Malformed { .. }), "{error}");
    let error = refusal(|g| g.node[1].attribute.push(int("axis", i64::MIN)));
    assert!(matches!(error, InferError::Malformed { .. }), "{error}");
}

#[test]
fn names_must_resolve_once_and_in_order() {
    type Spoil = fn(&mut pb::GraphProto);
    let spoils: [(&str, Spoil); 9] = [
        ("unknown input", |g| g.node[0].input[0] = "nothing".to_owned()),
        ("read before made", |g| g.node.swap(0, 1)),
        ("made twice", |g| g.node[1].output[0] = "mean".to_owned()),
        ("shadowed weight", |g| g.node[0].output[0] = "w".to_owned()),
        ("no output node", |g| g.output[0].name = "lost".to_owned()),
        ("nameless node", |g| g.node[0].name.clear()),
        ("two outputs", |g| g.node[0].output.push("more".to_owned())),
        ("no nodes", |g| g.node.clear()),
        ("two inputs", |g| g.input.push(value("more", &[1]))),
    ];
    for (what, spoil) in spoils {
        let error = refusal(spoil);
        assert!(matches!(error, InferError::Malformed { .. }), "{what}: {error}");
    }
}

#[test]
fn graphs_and_tensors_in_attributes_are_refused() {
    let error = refusal(|g| {
        let mut attribute = int("value", 0);
        attribute.t = Some(float("hidden", &[1], &[1.0]));
        g.node[0].attribute.push(attribute);
    });
    assert!(matches!(error, InferError::Malformed { .. }), "{error}");
    let error = refusal(|g| {
        let mut attribute = int("body", 0);
        attribute.g = Some(pb::GraphProto::default());
        g.node[0].attribute.push(attribute);
    });
    assert!(matches!(error, InferError::Malformed { .. }), "{error}");
}

#[test]
fn other_operator_sets_are_refused() {
    for imports in [vec![], vec![("", 8)], vec![("", 19)], vec![("ai.onnx.ml", 3)], vec![("", 13), ("x", 1)]]
    {
        let mut model = encoder();
        let import =
            |&(domain, version): &(&str, i64)| pb::OperatorSetIdProto { domain: domain.to_owned(), version };
        model.opset_import = imports.iter().map(import).collect();
        let error = load(&bytes(&model)).expect_err("it must be refused");
        assert!(matches!(error, InferError::Malformed { .. }), "{imports:?}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn damage_never_panics(flips in proptest::collection::vec((any::<usize>(), 0u8..8), 1..6)) {
        // Keep to the structure in front of and behind the weights, where damage matters most.
        let mut file = bytes(&encoder());
        for (place, bit) in flips {
            let structure = file.len() - 1024 * 3 * 4;
            let place = place % structure;
            let at = if place < 160 { place } else { place + 1024 * 3 * 4 };
            let at = at.min(file.len() - 1);
            file[at] ^= 1 << bit;
        }
        drop(load(&file));
    }

    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(load(&noise).is_err());
    }
}

/// The refusal of the small encoder with its weights in f16, after a change.
fn half_refusal(change: impl FnOnce(&mut pb::GraphProto)) -> String {
    let mut model = half_encoder();
    change(graph(&mut model));
    load(&bytes(&model)).expect_err("it must be refused").to_string()
}

#[test]
fn constants_in_f16_are_widened_to_f32_and_nothing_else_is_done_with_them() {
    assert_eq!(load(&bytes(&half_encoder())).unwrap().feature_dim(), 1024);
    let cast = |g: &mut pb::GraphProto, change: fn(&mut pb::NodeProto)| {
        change(g.node.iter_mut().find(|node| node.op_type == "Cast").unwrap());
    };
    let other = |n: &mut pb::NodeProto| n.attribute[0].i = 11;
    for (said, error) in [
        (["`w.f32`", "another type than f32"], half_refusal(|g| cast(g, other))),
        (["`w.f32`", "another type than f32"], half_refusal(|g| cast(g, |n| n.attribute.clear()))),
        (
            ["`w.f32`", "another type than f32"],
            half_refusal(|g| cast(g, |n| n.attribute.push(int("saturate", 0)))),
        ),
        (["`w.f32`", "no constant in f16"], half_refusal(|g| cast(g, |n| n.input[0] = "clip".to_owned()))),
        (["`feature` reads `w`", "without a Cast"], half_refusal(|g| g.node[3].input[1] = "w".to_owned())),
        (
            ["`unread`", "no Cast widens it"],
            half_refusal(|g| {
                let mut unread = g.initializer[0].clone();
                unread.name = "unread".to_owned();
                g.initializer.push(unread);
            }),
        ),
        (["`w`", "3071 values"], half_refusal(|g| drop(g.initializer[0].raw_data.drain(..2)))),
        (["`w`", "half a value"], half_refusal(|g| drop(g.initializer[0].raw_data.drain(..1)))),
        (
            ["`w`", "does not belong to its type"],
            half_refusal(|g| {
                g.initializer[0].raw_data.clear();
                g.initializer[0].float_data = vec![0.5; 3072];
            }),
        ),
        (["`w` holds inf", "index 7"], half_refusal(|g| g.initializer[0].raw_data[15] = 0x7c)),
    ] {
        assert!(said.iter().all(|said| error.contains(said)), "{said:?}: {error}");
    }
}
