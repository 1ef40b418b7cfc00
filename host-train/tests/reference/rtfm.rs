//! RTFM: the network at every stage, its losses, segments and optimiser steps.

use crate::stored::{check_scalar, group, hashed_weights, numbers, tensor};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use golden::{Case, Tolerance, assert_close, cases};
use vad_data::Label;
use watchpost::bag::{BagSet, TrainingSet};
use watchpost::dropout::Mask;
use watchpost::loss::rtfm::{self, Chosen, RtfmLoss, RtfmWeights};
use watchpost::model::rtfm::norm::Statistics;
use watchpost::model::rtfm::selection::Selection;
use watchpost::model::rtfm::{Masks, Rtfm, Scored, Temporal};
use watchpost::optim::adam::{Adam, AdamConfig};
use watchpost::recipe::rtfm::{RtfmSystem, halves};
use watchpost::recipe::rtfm_config::RtfmConfig;
use watchpost::recipe::system::{Detector, System};
use watchpost::segments::{PUBLISHED_SEGMENTS, boundaries, segment_means};
use watchpost::tensors::{Array, Arrays};

/// Kinds tested here; `gt_alignment` is tested with the ground-truth conventions.
const KINDS: [&str; 8] = [
    "dropout_masks",
    "infer_var_len",
    "loss_terms",
    "model_2048_hashed",
    "model_eval",
    "process_feat",
    "segment_index_table",
    "train_step",
];

/// Kinds tested by the crate that evaluates.
const ELSEWHERE: &str = "gt_alignment";

/// The cases state it for `loss.rtfm_unweighted`, which was got as a difference divided by 1e-4.
const OF_A_DIFFERENCE: Tolerance = Tolerance::new(1e-3, 0.0);

/// Sums over up to twelve million values, added in another order.
const OF_LONG_SUMS: Tolerance = Tolerance::new(1e-9, 1e-9);

/// The cases exempt entries whose decayed gradient is below this from the Adam step, which there is a coin's toss.
const SIGN_IS_OPEN: f64 = 1e-6;

/// What `f32` keeps of a weight moved by Adam's first step.
const OF_A_STEP: f64 = 1e-6;

/// Frames of a snippet.
const SNIPPET: usize = 16;

#[test]
fn every_kind_of_case_has_a_test() {
    for case in cases("rtfm/") {
        let name = case.name().trim_start_matches("rtfm/");
        let known = KINDS.iter().any(|kind| name.starts_with(kind)) || name.contains(ELSEWHERE);
        assert!(known, "{}: no test reads this kind of case", case.name());
    }
}

fn network(case: &Case, device: &Device) -> Rtfm {
    Rtfm::from_arrays(&group(case, "w."), Temporal::Mtn, case.name(), device).unwrap()
}

fn topk(case: &Case) -> usize {
    case.param_usize("k").unwrap_or(3)
}

fn weights(case: &Case) -> RtfmWeights {
    let published = RtfmWeights::default();
    let value = |key: &str, otherwise: f32| case.param_f64(key).map_or(otherwise, |value| value as f32);
    RtfmWeights {
        margin: value("margin", published.margin),
        magnitude: value("alpha", published.magnitude),
        ..published
    }
}

fn compare(case: &Case, key: &str, got: &[f32]) {
    assert_close(&case.what(key), got, &case.f64(key).data, case.tolerance());
}

/// Scores, chosen features and magnitudes; then the released loss.
fn check_pass(case: &Case, scored: &Scored, masks: Option<Mask>) -> RtfmLoss {
    let selection = Selection::strongest(scored.magnitudes.clone(), masks, topk(case));
    let pairs = scored.scores.dims()[0] / 2;
    let [normal, abnormal] = halves(scored, &selection, pairs);
    // The released network takes a single pair for the two halves of an inference and lets the normal video stand for both.
    let abnormal = if pairs == 1 { normal.clone() } else { abnormal };
    compare(case, "out.scores", &numbers(scored.scores.clone()));
    compare(case, "out.feat_magnitudes", &numbers(scored.magnitudes.clone()));
    for (half, score, features) in [
        (&normal, "out.score_normal", "out.feat_select_normal"),
        (&abnormal, "out.score_abnormal", "out.feat_select_abn"),
    ] {
        compare(case, score, &numbers(half.scores.clone().mean_dim(1)));
        compare(case, features, &stored_channels(case, features, half.features.clone()));
    }
    let all = scored.scores.clone().narrow(0, pairs, pairs);
    let loss = rtfm::released(normal, abnormal, all, weights(case));
    check_losses(case, &loss);
    loss
}

/// Large cases keep every n-th channel only.
fn stored_channels(case: &Case, key: &str, features: Tensor<3>) -> Vec<f32> {
    let every = features.dims()[2] / case.shape(key).last().unwrap();
    numbers(features).into_iter().step_by(every).collect()
}

fn check_losses(case: &Case, loss: &RtfmLoss) {
    let number = |part: &Tensor<1>| part.clone().into_scalar::<f32>();
    let weights = weights(case);
    check_scalar(case, "loss.bce", number(&loss.classification));
    check_scalar(case, "loss.rtfm_direct", number(&loss.magnitude));
    check_scalar(case, "loss.sparse", number(&loss.sparse) * weights.sparsity);
    check_scalar(case, "loss.smooth", number(&loss.smooth) * weights.smoothness);
    check_scalar(case, "loss.total", number(&loss.total));
    let key = "loss.rtfm_unweighted";
    assert_close(&case.what(key), &[number(&loss.magnitude)], &case.f64(key).data, OF_A_DIFFERENCE);
}

#[test]
fn evaluation_equals_the_reference_at_every_stage() {
    for case in cases("rtfm/model_eval") {
        let device = Device::flex();
        let network = network(&case, &device);
        let features = tensor::<4>(&case, "in.features", &device);
        check_pass(&case, &network.forward(features.clone()), None);
        let stages = network.stages(features).unwrap();
        let branch = |index: usize| stages.branches[index].clone().swap_dims(1, 2);
        let stored = [
            ("mid.conv_1", branch(0)),
            ("mid.conv_3", branch(2)),
            ("mid.conv_4", stages.reduced.clone().swap_dims(1, 2)),
            ("mid.non_local", stages.non_local.clone().swap_dims(1, 2)),
            ("mid.nl_map", stages.map.clone()),
            ("mid.aggregate", stages.output.clone()),
        ];
        for (key, stage) in stored {
            let first_rows = case.shape(key)[0];
            compare(&case, key, &numbers(stage.narrow(0, 0, first_rows)));
        }
    }
}

fn mask(case: &Case, key: &str, device: &Device) -> Mask {
    let stored = case.f32(key);
    let units = *stored.shape.last().unwrap();
    let rows = stored.data.len() / units;
    let kept = 1.0 / (1.0 - case.param_f64("p").expect("p"));
    let factors = stored.data.iter().map(|bit| bit * kept as f32).collect();
    Mask::from_factors(Tensor::from_data(TensorData::new(factors, [rows, units]), device))
}

#[test]
fn dropout_sits_where_the_reference_has_it() {
    for case in cases("rtfm/dropout_masks") {
        let device = Device::flex();
        let masks = Masks {
            features: Some(mask(&case, "mask.features", &device)),
            fc1: Some(mask(&case, "mask.fc1", &device)),
            fc2: Some(mask(&case, "mask.fc2", &device)),
        };
        let features = tensor::<4>(&case, "in.features", &device);
        let scored = network(&case, &device).forward_train(features, masks, Statistics::Running);
        let halves =
            ["mask.select_nor", "mask.select_abn"].map(|key| mask(&case, key, &device).into_tensor());
        let selectable = Mask::from_factors(Tensor::cat(halves.to_vec(), 0));
        check_pass(&case, &scored, Some(selectable));
        let kept = case.f32("mask.select_abn");
        let kept: Vec<f32> = (0..kept.shape[0]).map(|video| kept.row(video).iter().sum()).collect();
        compare(&case, "mask.kept_per_video_abn", &kept);
    }
}

#[test]
fn whole_videos_of_any_length_are_scored_alike_by_network_and_system() {
    for case in cases("rtfm/infer_var_len") {
        let device = Device::flex();
        let stored = tensor::<3>(&case, "in.features_file_layout", &device);
        let [_, crops, dim] = stored.dims();
        let scored = network(&case, &device).forward(stored.clone().swap_dims(0, 1).unsqueeze_dim(0));
        let scores = numbers(scored.scores);
        compare(&case, "out.scores", &scores);
        compare(&case, "out.feat_magnitudes", &numbers(scored.magnitudes));
        let frames: Vec<f32> = scores.iter().flat_map(|score| [*score; SNIPPET]).collect();
        compare(&case, "out.frames", &frames);
        let mut bags = BagSet::with_crops(crops);
        bags.push("normal", Label::Normal, dim, &numbers(stored.clone())).unwrap();
        bags.push("abnormal", Label::Abnormal, dim, &numbers(stored)).unwrap();
        let data = TrainingSet::from_bags(bags.clone(), BagSet::default()).unwrap();
        let mut system = RtfmSystem::new(&RtfmConfig::small(), &data, &device).unwrap();
        let named = |(name, array): (String, Array)| (format!("model.{name}"), array);
        let snapshot: Arrays = group(&case, "w.").into_iter().map(named).collect();
        system.restore(&snapshot, case.name()).unwrap();
        for video in system.detector().score(&bags) {
            compare(&case, "out.scores", &video);
        }
    }
}

#[test]
fn the_published_size_equals_the_reference() {
    for case in cases("rtfm/model_2048_hashed") {
        let device = Device::flex();
        let arrays = hashed_weights(&case);
        check_hash(&case, &arrays);
        let network = Rtfm::from_arrays(&arrays, Temporal::Mtn, case.name(), &device).unwrap();
        let trained = |(name, _): &(&String, &Array)| !name.contains(".running_");
        let count: usize =
            network.to_arrays().iter().filter(trained).map(|(_, array)| array.values.len()).sum();
        assert_eq!(Some(count), case.param_usize("n_params"), "{}", case.name());
        assert_eq!(count, 24_718_849);
        let features = case.hashed("features");
        let first: Vec<f32> = features.data.iter().take(8).copied().collect();
        assert_eq!(first, case.f32("check.features_first8").data);
        let features: Tensor<4> = Tensor::from_data(TensorData::new(features.data, features.shape), &device);
        check_pass(&case, &network.forward(features), None);
    }
}

/// That the weights are those that the reference had. Its sums are in an order of its own.
fn check_hash(case: &Case, arrays: &Arrays) {
    let first: Vec<f32> = arrays["fc3.weight"].values.iter().take(8).copied().collect();
    assert_eq!(first, case.f32("check.fc3_weight_first8").data);
    let sum = |array: &Array| array.values.iter().map(|value| f64::from(*value)).sum::<f64>();
    let mut sums: Vec<f64> = arrays.values().map(sum).collect();
    let mut want = case.f64("check.sums").data;
    sums.sort_by(f64::total_cmp);
    want.sort_by(f64::total_cmp);
    assert_close(&case.what("check.sums"), &sums, &want, OF_LONG_SUMS);
}

#[test]
fn loss_terms_and_their_gradients_equal_the_reference() {
    for case in cases("rtfm/loss_terms") {
        let device = Device::flex().autodiff();
        let normal_scores = tensor::<2>(&case, "in.score_normal", &device).require_grad();
        let abnormal_scores = tensor::<2>(&case, "in.score_abnormal", &device).require_grad();
        let normal_features = tensor::<3>(&case, "in.feat_n", &device).require_grad();
        let abnormal_features = tensor::<3>(&case, "in.feat_a", &device).require_grad();
        let all = tensor::<1>(&case, "in.abn_scores", &device).require_grad();
        let videos = normal_scores.dims()[0];
        let normal = Chosen { scores: normal_scores.clone(), features: normal_features.clone() };
        let abnormal = Chosen { scores: abnormal_scores.clone(), features: abnormal_features.clone() };
        let table = all.clone().reshape([videos, all.dims()[0] / videos]);
        let weights = weights(&case);
        let loss = rtfm::released(normal, abnormal, table, weights);
        let number = |part: &Tensor<1>| part.clone().into_scalar::<f32>();
        let joint = number(&loss.classification) + weights.magnitude * number(&loss.magnitude);
        check_scalar(&case, "out.rtfm_loss", joint);
        check_scalar(&case, "out.sparse", weights.sparsity * number(&loss.sparse));
        check_scalar(&case, "out.smooth", weights.smoothness * number(&loss.smooth));
        let (n, a) = (normal_features.clone(), abnormal_features.clone());
        check_scalar(&case, "paper.eq6", number(&rtfm::paper_magnitude(n, a, weights.margin)));
        let grads = loss.total.backward();
        compare(&case, "grad.score_normal", &numbers(normal_scores.grad(&grads).unwrap()));
        compare(&case, "grad.score_abnormal", &numbers(abnormal_scores.grad(&grads).unwrap()));
        compare(&case, "grad.feat_n", &numbers(normal_features.grad(&grads).unwrap()));
        compare(&case, "grad.feat_a", &numbers(abnormal_features.grad(&grads).unwrap()));
        compare(&case, "grad.abn_scores", &numbers(all.grad(&grads).unwrap()));
    }
}

#[test]
fn segments_equal_the_reference() {
    for case in cases("rtfm/process_feat") {
        let inputs: Vec<String> =
            case.array_names().filter(|name| name.starts_with("in.")).map(str::to_owned).collect();
        assert!(!inputs.is_empty(), "{}: no `in.N`", case.name());
        for input in inputs {
            let table = case.f32(&input);
            let got = segment_means(&table.data, table.shape[1], PUBLISHED_SEGMENTS);
            compare(&case, &input.replacen("in.", "out.", 1), &got);
        }
    }
    for case in cases("rtfm/segment_index_table") {
        let table = case.usize("r");
        for row in 0..table.shape[0] {
            assert_eq!(boundaries(row + 1, PUBLISHED_SEGMENTS), table.row(row), "{} clips", row + 1);
        }
    }
}

#[test]
fn a_training_step_equals_the_reference() {
    for case in cases("rtfm/train_step") {
        let device = Device::flex().autodiff();
        let network = network(&case, &device);
        let features = tensor::<4>(&case, "in.features", &device);
        let scored = network.forward_train(features, Masks::default(), Statistics::Batch);
        let loss = check_pass(&case, &scored, None);
        check_running_statistics(&case, &network);
        let grads = GradientsParams::from_grads(loss.total.backward(), &network);
        let got = network.gradients(&grads);
        let tolerance = case.tolerance_for("gradients");
        for (name, want) in group(&case, "grad.") {
            assert_close(&case.what(&format!("grad.{name}")), &got[&name].values, &want.values, tolerance);
        }
        check_adam(&case);
    }
}

/// The running statistics after the step. Where the case stores those from before it under that name, which no update
/// by a tenth leaves as they are, only that ours moved; the unit tests of the layer check by how much.
fn check_running_statistics(case: &Case, network: &Rtfm) {
    let (before, after, got) = (group(case, "w."), group(case, "bn_after."), network.to_arrays());
    assert!(!after.is_empty(), "{}: no `bn_after.*`", case.name());
    if after.iter().all(|(name, array)| before[name] == *array) {
        eprintln!("{}: `bn_after.*` are the statistics from before the step", case.name());
        assert!(after.iter().all(|(name, array)| got[name] != *array));
        return;
    }
    for (name, want) in after {
        compare(case, &format!("bn_after.{name}"), &got[&name].values);
        assert_eq!(got[&name].shape, want.shape);
    }
}

/// One step from the stored weights and gradients, for every decay that the case holds.
fn check_adam(case: &Case) {
    let decay = |name: &str| Some(name.strip_prefix("adam_wd")?.split_once('.')?.0.to_owned());
    let mut decays: Vec<String> = case.array_names().filter_map(decay).collect();
    decays.dedup();
    assert!(!decays.is_empty(), "{}: no `adam_wd*`", case.name());
    let all: Vec<Arrays> = decays.iter().map(|decay| group(case, &format!("adam_wd{decay}."))).collect();
    for (decay, want) in decays.iter().zip(&all) {
        let weight_decay: f64 = decay.parse().unwrap();
        let got = adam_step(case, weight_decay);
        check_closed_form(case, &got, weight_decay);
        // The last decay that the reference computed stands under every name.
        let computed = case.param_f64("weight_decay_paper") == Some(weight_decay);
        if !computed && all.iter().filter(|other| *other == want).count() > 1 {
            eprintln!("{}: `adam_wd{decay}.*` equals another decay's; not compared", case.name());
            continue;
        }
        compare_step(case, decay, &got, want, weight_decay);
    }
}

fn adam_step(case: &Case, weight_decay: f64) -> Arrays {
    let network = network(case, &Device::flex().autodiff());
    let grads = network.with_gradients(&group(case, "grad."), case.name()).unwrap();
    let published = AdamConfig::default();
    let betas = case.param("betas").and_then(|betas| Some([betas[0].as_f64()?, betas[1].as_f64()?])).unwrap();
    let config = AdamConfig {
        learning_rate: case.param_f64("lr").map_or(published.learning_rate, |lr| lr as f32),
        weight_decay: weight_decay as f32,
        beta1: betas[0] as f32,
        beta2: betas[1] as f32,
        epsilon: case.param_f64("eps").map_or(published.epsilon, |epsilon| epsilon as f32),
    };
    Adam::new(config).step(network, grads).to_arrays()
}

/// The decayed gradients of a parameter, in `f64`.
fn decayed(case: &Case, name: &str, weight_decay: f64) -> Vec<f64> {
    let (weight, grad) = (case.f64(&format!("w.{name}")), case.f64(&format!("grad.{name}")));
    grad.data.iter().zip(&weight.data).map(|(grad, weight)| grad + weight_decay * weight).collect()
}

fn compare_step(case: &Case, decay: &str, got: &Arrays, want: &Arrays, weight_decay: f64) {
    let tolerance = case.tolerance_for("Adam");
    for (name, want) in want {
        let sign_is_clear: Vec<bool> =
            decayed(case, name, weight_decay).iter().map(|grad| grad.abs() >= SIGN_IS_OPEN).collect();
        let clear = |values: &[f32]| -> Vec<f32> {
            values.iter().zip(&sign_is_clear).filter(|(_, clear)| **clear).map(|(value, _)| *value).collect()
        };
        let what = case.what(&format!("adam_wd{decay}.{name}"));
        assert_close(&what, &clear(&got[name].values), &clear(&want.values), tolerance);
    }
}

/// Adam's first step from a fresh state: `w - lr g / (|g| + eps)`.
fn check_closed_form(case: &Case, got: &Arrays, weight_decay: f64) {
    let (lr, epsilon) = (case.param_f64("lr").unwrap(), case.param_f64("eps").unwrap());
    for name in group(case, "grad.").keys() {
        let grads = decayed(case, name, weight_decay);
        let weights = case.f64(&format!("w.{name}")).data;
        let (mut ours, mut closed) = (Vec::new(), Vec::new());
        for ((grad, weight), got) in grads.iter().zip(&weights).zip(&got[name].values) {
            if grad.abs() >= SIGN_IS_OPEN {
                ours.push(f64::from(*got));
                closed.push(weight - lr * grad / (grad.abs() + epsilon));
            }
        }
        let what = case.what(&format!("first step of {name} with decay {weight_decay}"));
        assert_close(&what, &ours, &closed, Tolerance::new(OF_A_STEP, OF_A_STEP));
    }
}
