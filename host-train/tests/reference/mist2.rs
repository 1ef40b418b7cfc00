//! MIST stage II: both backbones, attention and guided head, loss and warm-up.

use crate::stored::{check_scalar, group, hashed_weights, numbers, tensor};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use golden::{Case, assert_close, cases};
use watchpost::backbone::c3d::C3d;
use watchpost::backbone::i3d::{I3d, global_average};
use watchpost::backbone::inception::Inception;
use watchpost::backbone::padding::Padding;
use watchpost::backbone::source::{Names, Source};
use watchpost::backbone::unit::{Build, Form, Unit};
use watchpost::loss::weighted_bce::{ClassWeights, guided_loss, weighted_bce};
use watchpost::model::sga::attention::PUBLISHED_K;
use watchpost::model::sga::encoder::{Backbone, SgaEncoder};
use watchpost::model::sga::maps::Maps;
use watchpost::model::sga::{Guided, SgaHead};
use watchpost::optim::warmup;
use watchpost::tensors::{Array, Arrays};

/// Kinds tested here.
const KINDS: [&str; 6] =
    ["c3d_full_hashed", "i3d_blocks", "i3d_full_hashed", "sga_head", "warmup_lr", "weighted_bce"];

/// Kinds of stage I, tested beside this.
const STAGE1_KINDS: [&str; 4] = ["pseudo_labels", "sampling", "stage1_step", "stage1_two_steps"];

#[test]
fn every_kind_of_case_has_a_test() {
    for case in cases("mist/") {
        let kind = case.name().trim_start_matches("mist/");
        let known = KINDS.iter().chain(&STAGE1_KINDS).any(|known| kind.starts_with(known));
        assert!(known, "{}: no test", case.name());
    }
}

/// MIST's I3D, from weights under its own names.
fn build<'a>(arrays: &'a Arrays, case: &'a Case, form: Form, device: &'a Device) -> Build<'a> {
    let source = Source { arrays, origin: case.name(), prefix: "", names: Names::Mist };
    Build { source, padding: Padding::Mist, form, device }
}

#[track_caller]
fn compare(case: &Case, key: &str, got: &[f32]) {
    assert_close(&case.what(key), got, &case.f32(key).data, case.tolerance());
}

/// A clip made by the case's hash.
fn clip(case: &Case, device: &Device) -> Tensor<5> {
    let clip = case.hashed("clip");
    Tensor::from_data(TensorData::new(clip.data, clip.shape), device)
}

/// Compares the channels and pixels that are stored: each n-th, from the first on.
fn compare_thinned(case: &Case, key: &str, map: Tensor<5>) {
    let shape = map.dims();
    let stored = case.shape(key);
    assert_eq!(stored.len(), shape.len(), "{}: rank", case.what(key));
    let mut thinned = map;
    for (axis, (size, stored)) in shape.into_iter().zip(stored).enumerate() {
        let step = size / stored;
        assert_eq!(stored * step, size, "{}: axis {axis}", case.what(key));
        let kept: Vec<i64> = (0..size).step_by(step).map(|place| place as i64).collect();
        let kept = Tensor::from_data(TensorData::new(kept, [*stored]), &thinned.device());
        thinned = thinned.select(axis, kept);
    }
    compare(case, key, &numbers(thinned));
}

/// `pool_3x3x3_s2` or `pool_1x3x3_s122`: kernel and stride, over time, height and width.
fn window(key: &str) -> ([usize; 3], [usize; 3]) {
    let (kernel, stride) = key.trim_start_matches("out.pool_").split_once("_s").expect("_s");
    let digits = |text: &str| -> Vec<usize> {
        text.chars().filter_map(|digit| digit.to_digit(10)).map(|digit| digit as usize).collect()
    };
    let (kernel, stride) = (digits(kernel), digits(stride));
    let stride = if stride.len() == 1 { vec![stride[0]; 3] } else { stride };
    (kernel.try_into().unwrap(), stride.try_into().unwrap())
}

#[test]
fn blocks_of_odd_size_equal_the_reference_in_both_forms() {
    for case in cases("mist/i3d_blocks") {
        let device = Device::flex();
        let arrays = group(&case, "w.");
        for form in [Form::Trainable, Form::Folded] {
            let build = build(&arrays, &case, form, &device);
            let x = tensor::<5>(&case, "in.x", &device);
            let unit = Unit::load(build, "unit", x.dims()[1], [7; 3], 2).unwrap();
            let map = unit.forward(x);
            compare(&case, "out.unit", &numbers(map.clone()));
            let pools: Vec<&str> = case.array_names().filter(|name| name.starts_with("out.pool_")).collect();
            assert!(!pools.is_empty(), "{}: no `out.pool_*`", case.name());
            for key in pools {
                let (kernel, stride) = window(key);
                let pooled = Padding::Mist.max_pool3d(map.clone(), kernel, stride);
                assert_eq!(pooled.dims(), case.shape(key), "{}", case.what(key));
                compare(&case, key, &numbers(pooled));
            }
            let block = Inception::load(build, "mixed", unit.outputs()).unwrap();
            compare(&case, "out.mixed", &numbers(block.forward(map)));
        }
    }
}

#[test]
fn the_whole_i3d_equals_the_reference_in_both_forms() {
    for case in cases("mist/i3d_full_hashed") {
        let device = Device::flex();
        let arrays = hashed_weights(&case);
        for form in [Form::Trainable, Form::Folded] {
            let network = I3d::load(build(&arrays, &case, form, &device)).unwrap();
            if form == Form::Trainable {
                assert_eq!(Some(network.num_params()), case.param_usize("n_params"), "{}", case.name());
            }
            let maps = network.forward(clip(&case, &device));
            compare_thinned(&case, "out.mixed_3c", maps.mixed_3c);
            compare_thinned(&case, "out.mixed_4f", maps.mixed_4f);
            compare(&case, "out.gap_1024", &numbers(global_average(maps.mixed_5c.clone())));
            compare_thinned(&case, "out.mixed_5c", maps.mixed_5c);
        }
        let source = build(&arrays, &case, Form::Trainable, &device).source;
        let backbone = Backbone::i3d(source, Padding::Mist, &device).unwrap();
        let encoder = SgaEncoder::with_fresh_head(backbone, PUBLISHED_K, 0, &device);
        assert_eq!(encoder.num_params(), 30_993_827);
    }
}

#[test]
fn the_whole_c3d_equals_the_reference() {
    for case in cases("mist/c3d_full_hashed") {
        let device = Device::flex();
        let arrays = hashed_weights(&case);
        let network = C3d::from_arrays(&arrays, case.name(), "", &device).unwrap();
        let count: usize = arrays.values().map(|array| array.values.len()).sum();
        assert_eq!([network.num_params(), count], [27_655_936; 2]);
        let maps = network.forward(clip(&case, &device));
        compare_thinned(&case, "out.conv4b", maps.conv4b);
        compare_thinned(&case, "out.conv5b", maps.conv5b);
        let encoder = SgaEncoder::with_fresh_head(Backbone::C3d(network), PUBLISHED_K, 0, &device);
        assert_eq!(encoder.num_params(), 34_743_875);
    }
}

/// The stored names of the head's two parts, and those of published files.
const HEAD_PARTS: [(&str, &str); 2] = [("att.", "Conv_Atten."), ("reg.", "Regressor.1.")];

/// Arrays of the head whose names start with `prefix`, under published names.
fn head_arrays(case: &Case, prefix: &str) -> Arrays {
    let part = |(stored, published): (&str, &str)| -> Vec<(String, Array)> {
        let members = group(case, &format!("{prefix}{stored}"));
        members.into_iter().map(|(name, array)| (format!("{published}{name}"), array)).collect()
    };
    HEAD_PARTS.into_iter().flat_map(part).collect()
}

fn check_head_outputs(case: &Case, guided: &Guided) {
    let attention = &guided.attention;
    compare(case, "out.attention", &numbers(attention.map.clone()));
    compare(case, "out.M_star", &numbers(attention.detectors.clone()));
    compare(case, "out.M_A", &numbers(guided.attended.clone()));
    for (name, logits, scores) in [
        ("", guided.logits.clone(), guided.scores()),
        ("guided_", attention.guided_logits.clone(), guided.guided_scores()),
    ] {
        compare(case, &format!("out.{name}logits"), &numbers(logits.clone()));
        let both = numbers(softmax(logits, 1));
        compare(case, &format!("out.{name}scores"), &both);
        let abnormal: Vec<f32> = both.iter().skip(1).step_by(2).copied().collect();
        let what = case.what(&format!("abnormal {name}scores"));
        assert_close(&what, &numbers(scores), &abnormal, case.tolerance());
    }
}

#[test]
fn the_head_its_loss_and_gradients_equal_the_reference() {
    for case in cases("mist/sga_head") {
        let device = Device::flex().autodiff();
        let weights = head_arrays(&case, "w.");
        let head = SgaHead::from_arrays(&weights, case.name(), &device).unwrap();
        let block_4 = tensor::<5>(&case, "in.M4", &device).require_grad();
        let block_5 = tensor::<5>(&case, "in.M5", &device).require_grad();
        assert_eq!(head.widths(), [block_4.dims()[1], block_5.dims()[1]]);
        let guided = head.forward(Maps { block_4: block_4.clone(), block_5: block_5.clone() }).unwrap();
        check_head_outputs(&case, &guided);
        let labels = tensor::<1>(&case, "in.targets", &device);
        // The weights that the description of `out.loss` names.
        let loss = guided_loss(guided.scores(), guided.guided_scores(), labels, ClassWeights::UCF_CRIME);
        assert!(case.has("out.loss"), "{}: no `out.loss`", case.name());
        check_scalar(&case, "out.loss", loss.total.clone().into_scalar::<f32>());
        let grads = loss.total.backward();
        compare(&case, "grad.M4", &numbers(block_4.grad(&grads).unwrap()));
        compare(&case, "grad.M5", &numbers(block_5.grad(&grads).unwrap()));
        let got = head.gradients(&GradientsParams::from_grads(grads, &head));
        let want = head_arrays(&case, "grad.");
        assert!(want.keys().eq(weights.keys()), "{}: gradients of every weight", case.name());
        for (name, want) in want {
            assert_eq!(got[&name].shape, want.shape, "{}", case.what(&name));
            let what = case.what(&format!("grad.{name}"));
            assert_close(&what, &got[&name].values, &want.values, case.tolerance());
        }
    }
}

/// `out.1.2_0.8_ls0.1`: the weights of abnormal and normal and the smoothing.
fn class_weights(key: &str) -> ClassWeights {
    let figures: Vec<f32> = key
        .trim_start_matches("out.")
        .split('_')
        .map(|figure| figure.trim_start_matches("ls").parse().unwrap())
        .collect();
    ClassWeights { abnormal: figures[0], normal: figures[1], label_smoothing: figures[2] }
}

#[test]
fn the_weighted_loss_and_its_gradient_equal_the_reference() {
    for case in cases("mist/weighted_bce") {
        let device = Device::flex().autodiff();
        let keys: Vec<&str> = case.array_names().filter(|name| name.starts_with("out.")).collect();
        assert!(!keys.is_empty(), "{}: no `out.*`", case.name());
        for key in keys {
            let scores = tensor::<1>(&case, "in.scores", &device).require_grad();
            let labels = tensor::<1>(&case, "in.targets", &device);
            let loss = weighted_bce(scores.clone(), labels, class_weights(key));
            check_scalar(&case, key, loss.clone().into_scalar::<f32>());
            let grads = loss.backward();
            compare(&case, &key.replacen("out.", "grad.", 1), &numbers(scores.grad(&grads).unwrap()));
        }
    }
}

#[test]
fn the_warm_up_equals_the_reference() {
    for case in cases("mist/warmup_lr") {
        let want = case.f64("factor").data;
        let epochs = 0..u32::try_from(want.len()).unwrap();
        // The published length; the case states none.
        let got: Vec<f64> = epochs.map(|epoch| warmup::factor(epoch, 5)).collect();
        assert_close(&case.what("factor"), &got, &want, case.tolerance());
    }
}
