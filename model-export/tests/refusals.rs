//! Weights that do not fit are refused by name.
#![allow(clippy::unwrap_used, reason = "test")]

mod common;

use common::{Tensors, head_tensors, heads, i3d_tensors, mlp_tensors, safetensors, spec};
use model_export::{ExportError, encoder_onnx, head_onnx};
use safetensors::tensor::{Dtype, TensorView};
use vad_core::{EncoderSpec, HeadContext, HeadKind, HeadSpec, ModelSpec};
use vad_infer::Head;

const DIMS: [u32; 4] = [1024, 512, 32, 1];

fn mlp_error(change: impl FnOnce(&mut Tensors)) -> ExportError {
    let mut tensors = mlp_tensors(&DIMS);
    change(&mut tensors);
    head_onnx(&safetensors(&tensors), &ModelSpec::i3d_mist("m")).unwrap_err()
}

#[test]
fn a_transposed_tensor_is_named_with_both_shapes() {
    let error = mlp_error(|t| t[2].1.swap(0, 1));
    let text = error.to_string();
    assert!(text.contains("regressor.3.weight"), "{text}");
    assert!(text.contains("[512, 32]") && text.contains("[32, 512]"), "{text}");
}

#[test]
fn imported_features_have_no_encoder() {
    let imported = ModelSpec { encoder: EncoderSpec::imported("tad", 1024), ..ModelSpec::i3d_mist("m") };
    let error = encoder_onnx(&[], &imported).unwrap_err();
    assert!(matches!(error, ExportError::Unsupported { .. }) && error.to_string().contains("tad"), "{error}");
}

#[test]
fn a_missing_tensor_is_named() {
    let error = mlp_error(|t| drop(t.remove(5)));
    assert!(matches!(&error, ExportError::MissingTensor { tensor } if tensor == "regressor.5.bias"));
}

#[test]
fn a_weight_that_is_not_finite_is_named_with_its_place() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let error = mlp_error(|t| t[0].2[777] = value);
        let ExportError::NonFiniteWeight { tensor, index, .. } = error else { unreachable!("{error}") };
        assert_eq!((tensor.as_str(), index), ("regressor.0.weight", 777));
    }
}

#[test]
fn another_element_type_is_named() {
    let half = vec![0u8; 1024 * 512 * 2];
    let view = TensorView::new(Dtype::F16, vec![512, 1024], &half).unwrap();
    let file = safetensors::serialize([("regressor.0.weight", view)], None).unwrap();
    let error = head_onnx(&file, &ModelSpec::i3d_mist("m")).unwrap_err();
    assert!(error.to_string().contains("F16"), "{error}");
}

#[test]
fn a_truncated_or_foreign_file_is_no_weights_file() {
    let bytes = safetensors(&mlp_tensors(&DIMS));
    let spec = ModelSpec::i3d_mist("m");
    for end in [0, 4, 100, bytes.len() / 2, bytes.len() - 1] {
        let error = head_onnx(&bytes[..end], &spec).unwrap_err();
        assert!(matches!(error, ExportError::NotSafetensors { .. }), "{end}: {error}");
    }
    let error = head_onnx(b"\x80\x02}q\x00(X\x09", &spec).unwrap_err();
    assert!(matches!(error, ExportError::NotSafetensors { .. }), "{error}");
}

#[test]
fn a_head_of_another_depth_is_refused() {
    let weights = safetensors(&mlp_tensors(&DIMS));
    let mut spec = ModelSpec::i3d_mist("m");
    for dims in [vec![1024, 32, 1], vec![1024, 512, 128, 32, 1], vec![1024, 512, 32, 2]] {
        spec.head.dims = dims;
        assert!(head_onnx(&weights, &spec).is_err());
    }
}

#[test]
fn a_negative_variance_is_refused_by_channel() {
    let mut tensors = i3d_tensors();
    let name = "Mixed_4d.Branch_1.Conv3d_0b_3x3.bn.running_var";
    let variance = tensors.iter_mut().find(|t| t.0 == name).unwrap();
    variance.2[9] = -0.5;
    let error = encoder_onnx(&safetensors(&tensors), &spec(2, 8, 8)).unwrap_err();
    assert!(matches!(error, ExportError::BadVariance { channel: 9, .. }), "{error}");
    assert!(error.to_string().contains(name), "{error}");
}

#[test]
fn a_tap_that_does_not_exist_is_refused() {
    let weights = safetensors(&i3d_tensors());
    let mut spec = spec(2, 8, 8);
    spec.encoder.tap = "Mixed_6a".to_owned();
    let error = encoder_onnx(&weights, &spec).unwrap_err();
    assert!(error.to_string().contains("Mixed_6a"), "{error}");
    spec.encoder.tap = "Mixed_4f".to_owned();
    assert!(encoder_onnx(&weights, &spec).is_err(), "1024 features do not come from Mixed_4f");
    spec.encoder.feature_dim = 832;
    spec.head.dims = vec![832, 512, 32, 1];
    assert!(encoder_onnx(&weights, &spec).is_ok());
}

#[test]
fn a_head_that_only_the_host_runs_is_refused_with_a_remedy() {
    let mut spec = ModelSpec::i3d_mist("m");
    spec.head = HeadSpec::on_host(1024);
    let error = head_onnx(&safetensors(&mlp_tensors(&DIMS)), &spec).unwrap_err().to_string();
    assert!(error.contains("only the host") && error.contains("recipes.md"), "{error}");
}

/// Every head, over features of 64 values.
fn every_head() -> impl Iterator<Item = (ModelSpec, Tensors)> {
    let encoder = EncoderSpec::imported("made-up", 64);
    heads(64).into_iter().map(move |head| {
        let tensors = head_tensors(&head);
        (ModelSpec { head, ..ModelSpec::mist("m", encoder.clone()) }, tensors)
    })
}

#[test]
fn every_head_names_the_tensor_that_is_missing_misshapen_or_not_finite() {
    for (spec, tensors) in every_head() {
        assert!(head_onnx(&safetensors(&tensors), &spec).is_ok(), "{:?}", spec.head);
        for (at, (name, ..)) in tensors.iter().enumerate() {
            let refusal = |change: &dyn Fn(&mut Tensors)| {
                let mut tensors = tensors.clone();
                change(&mut tensors);
                head_onnx(&safetensors(&tensors), &spec)
            };
            let nan = refusal(&|t| t[at].2[0] = f32::NAN).unwrap_err();
            assert!(
                matches!(&nan, ExportError::NonFiniteWeight { tensor, index: 0, .. } if tensor == name),
                "{nan}"
            );
            let flat = refusal(&|t| t[at].1.insert(0, 1)).unwrap_err();
            assert!(matches!(&flat, ExportError::TensorShape { tensor, .. } if tensor == name), "{flat}");
            let missing = refusal(&|t| drop(t.remove(at)));
            match missing {
                // One perceptron fewer is a generator too.
                Ok(_) => assert_eq!(name, "1.fc1.weight"),
                Err(error) => {
                    assert!(
                        matches!(&error, ExportError::MissingTensor { tensor } if tensor == name),
                        "{error}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_head_exported_for_one_context_is_refused_for_another() {
    for (spec, tensors) in every_head() {
        let onnx = head_onnx(&safetensors(&tensors), &spec).unwrap();
        let other = match spec.head.context {
            HeadContext::Window { clips } => HeadContext::Window { clips: clips + 1 },
            HeadContext::Memory { .. } => continue,
            HeadContext::Clip if spec.head.kind == HeadKind::Rtfm => HeadContext::Window { clips: 2 },
            HeadContext::Clip => continue,
        };
        let head = HeadSpec { context: other, ..spec.head.clone() };
        let error = Head::from_onnx(&onnx, "head.onnx", &ModelSpec { head, ..spec }).unwrap_err().to_string();
        assert!(error.contains("head.onnx: the input has shape"), "{error}");
    }
}

#[test]
fn widths_that_a_head_cannot_split_are_refused() {
    let mut rtfm = heads(64).remove(5);
    rtfm.dims[0] = 60;
    let encoder = EncoderSpec::imported("made-up", 60);
    let spec = ModelSpec { head: rtfm.clone(), ..ModelSpec::mist("m", encoder) };
    let error = head_onnx(&safetensors(&head_tensors(&rtfm)), &spec).unwrap_err().to_string();
    assert!(error.contains("60 values") && error.contains("multiple of 8"), "{error}");
    let mut arms = heads(64).remove(7);
    arms.dims[1] = 20;
    let encoder = EncoderSpec::imported("made-up", 64);
    let spec = ModelSpec { head: arms.clone(), ..ModelSpec::mist("m", encoder) };
    let error = head_onnx(&safetensors(&head_tensors(&arms)), &spec).unwrap_err().to_string();
    assert!(error.contains("width 20") && error.contains("multiple of 8"), "{error}");
}
