//! MIST stage I: scores, losses, gradients, optimiser steps, sampling and pseudo labels.

use crate::stored::{check_scalar, group, numbers, overwritten};
use crate::twister::Twister;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use golden::{Case, assert_close, cases};
use watchpost::loss::mil_ranking::{self, RankingWeights};
use watchpost::model::mist_generator::{LAYERS, MistGenerator, PUBLISHED_HIDDEN};
use watchpost::optim::adagrad::{Adagrad, AdagradConfig};
use watchpost::optim::clip::{clip_global_norm, global_norm};
use watchpost::pseudo_label;
use watchpost::sampling::SubBags;
use watchpost::tensors::Arrays;

/// Greatest bias that the reference drew where it drew weights itself; no parameter of the case states it.
const DRAWN_BIAS: f32 = 0.1;

fn weights_of(case: &Case) -> RankingWeights {
    let value = |keys: &[&str], otherwise: f64| {
        keys.iter().find_map(|key| case.param_f64(key)).unwrap_or(otherwise) as f32
    };
    RankingWeights {
        margin: value(&["margin", "epsilon"], 1.0),
        sparsity: value(&["lambda_sparse", "lambda"], 0.01),
        smoothness: value(&["lambda_smooth"], 0.0),
    }
}

fn adagrad_of(case: &Case) -> Adagrad {
    let value = |key: &str, otherwise: f64| case.param_f64(key).unwrap_or(otherwise) as f32;
    assert_eq!(value("initial_accumulator", 0.0), 0.0, "{}: only a zero accumulator is known", case.name());
    Adagrad::new(AdagradConfig {
        learning_rate: value("lr", 0.01),
        weight_decay: value("weight_decay", 0.001),
        epsilon: value("adagrad_eps", 1e-10),
    })
}

fn clip_of(case: &Case) -> f32 {
    let value = case.param_f64("grad_clip_norm").or_else(|| case.param_f64("clip"));
    value.unwrap_or(f64::from(f32::MAX)) as f32
}

/// Scores of a batch `[2B, clips, D]` (normal first) as `[B, clips]` twice.
fn halves(
    head: &MistGenerator,
    case: &Case,
    key: &str,
    device: &Device,
) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let batch = case.f32(key);
    let [bags, clips, dim] = [batch.shape[0], batch.shape[1], batch.shape[2]];
    let data = TensorData::new(batch.data, [bags * clips, dim]);
    let scores: Tensor<2> = head.forward(Tensor::from_data(data, device)).reshape([bags, clips]);
    let pairs = case.param_usize("B").unwrap_or(bags / 2);
    let (normal, abnormal) =
        (scores.clone().narrow(0, 0, pairs), scores.clone().narrow(0, pairs, bags - pairs));
    (scores, normal, abnormal)
}

fn topk(case: &Case) -> usize {
    case.param_usize("topk").expect("topk")
}

#[test]
fn stage1_scores_losses_gradients_and_adagrad_step() {
    for case in cases("mist/stage1_step") {
        check_losses_of_stored_scores(&case);
        check_network(&case);
    }
}

/// The weights that the case begins with: as stored, or drawn anew where they were overwritten.
fn start(case: &Case) -> Arrays {
    if overwritten(case, "adagrad.") { drawn(case) } else { group(case, "w.") }
}

/// As the reference drew them from the case's seed: fresh PyTorch layers first, then, over them, Kaiming normal weights and
/// uniform biases. Scores, gradients and weights after the step show that these are they.
fn drawn(case: &Case) -> Arrays {
    let [first, second] = PUBLISHED_HIDDEN;
    let layers = [(case.param_usize("D").expect("D"), first), (first, second), (second, 1)];
    let mut twister = Twister::of(case);
    for (inputs, outputs) in layers {
        twister.linear(inputs, outputs);
    }
    let mut arrays = Arrays::new();
    for (name, (inputs, outputs)) in LAYERS.into_iter().zip(layers) {
        let deviation = (2.0 / inputs as f64).sqrt();
        arrays.insert(format!("{name}.weight"), twister.normal(deviation, vec![outputs, inputs]));
        arrays.insert(format!("{name}.bias"), twister.uniform(DRAWN_BIAS, vec![outputs]));
    }
    arrays
}

/// Forward pass, loss, gradients and step.
fn check_network(case: &Case) {
    let device = Device::flex().autodiff();
    let head = MistGenerator::from_arrays(&start(case), case.name(), &device).unwrap();
    let (scores, normal, abnormal) = halves(&head, case, "in.features", &device);
    if case.has("out.scores") {
        let want = case.f32("out.scores").data;
        assert_close(&case.what("out.scores"), &numbers(scores), &want, case.tolerance());
    }
    let loss = mil_ranking::released(normal, abnormal, topk(case), weights_of(case));
    if case.has("out.loss") {
        let got = [loss.total.clone().into_scalar::<f32>()];
        let want = case.f64("out.loss").data;
        assert_close(&case.what("out.loss from weights"), &got, &want, case.tolerance());
    }
    let grads = GradientsParams::from_grads(loss.total.backward(), &head);
    check_gradients(case, &head, &grads);
    if case.has("grad.total_norm") {
        check_adagrad_on_stored_gradients(case, head);
    }
}

/// Both forms of the loss, computed from the stored scores.
fn check_losses_of_stored_scores(case: &Case) {
    if !case.has("out.scores") {
        return;
    }
    let stored = case.f32("out.scores");
    let (bags, clips) = (stored.shape[0], stored.shape[1]);
    let pairs = case.param_usize("B").unwrap_or(bags / 2);
    let scores: Tensor<2> = Tensor::from_data(TensorData::new(stored.data, [bags, clips]), &Device::flex());
    let (normal, abnormal) = (scores.clone().narrow(0, 0, pairs), scores.narrow(0, pairs, bags - pairs));
    check_paper_forms(case, normal.clone(), abnormal.clone());
    check_scalar(case, "out.smooth", mil_ranking::smoothness(abnormal.clone()).into_scalar::<f32>());
    let loss = mil_ranking::released(normal, abnormal, topk(case), weights_of(case));
    check_scalar(case, "out.rank", loss.rank.into_scalar::<f32>());
    check_scalar(case, "out.sparse", loss.sparse.into_scalar::<f32>());
    check_scalar(case, "out.loss", loss.total.into_scalar::<f32>());
}

/// Norm, clipping and Adagrad step. Of the stored gradients, because a first step is nearly as long for those of 1e-8, which
/// the order of a sum decides, as for all others.
fn check_adagrad_on_stored_gradients(case: &Case, head: MistGenerator) {
    let mut grads = head.with_gradients(&group(case, "grad."), case.name()).unwrap();
    check_scalar(case, "grad.total_norm", global_norm(&head, &grads));
    clip_global_norm(&head, &mut grads, clip_of(case));
    let after = adagrad_of(case).step(head, grads).to_arrays();
    for (name, want) in group(case, "adagrad.") {
        let what = case.what(&format!("adagrad.{name}"));
        assert_close(&what, &after[&name].values, &want.values, case.tolerance_for("adagrad"));
    }
}

fn check_paper_forms(case: &Case, normal: Tensor<2>, abnormal: Tensor<2>) {
    let per_segment = case.param_usize("T").unwrap_or(1);
    let weights = weights_of(case);
    if case.has("paper.sub_bag_scores") {
        let both = Tensor::cat(vec![normal.clone(), abnormal.clone()], 0);
        let got = numbers(mil_ranking::sub_bag_scores(both, per_segment));
        let want = case.f64("paper.sub_bag_scores").data;
        assert_close(&case.what("paper.sub_bag_scores"), &got, &want, case.tolerance());
    }
    if case.has("paper.eq7_paired") {
        let paired = mil_ranking::paper_paired(normal.clone(), abnormal.clone(), per_segment, weights);
        let want = case.f64("paper.eq7_paired").data;
        assert_close(&case.what("paper.eq7_paired"), &numbers(paired), &want, case.tolerance());
        let mean = mil_ranking::paper(normal.clone(), abnormal.clone(), per_segment, weights).total;
        let want = want.iter().sum::<f64>() / want.len() as f64;
        assert_close(&case.what("mean of paper.eq7_paired"), &numbers(mean), &[want], case.tolerance());
    }
    let all_pairs = mil_ranking::paper_all_pairs(normal, abnormal, per_segment, weights);
    check_scalar(case, "paper.eq7_allpairs", all_pairs.into_scalar::<f32>());
}

/// The gradients as arrays under the published names: a head whose weights are the gradients.
fn check_gradients(case: &Case, head: &MistGenerator, grads: &GradientsParams) {
    let got = head.gradients(grads).to_arrays();
    for (name, want) in group(case, "grad.regressor") {
        let name = format!("regressor{name}");
        let what = case.what(&format!("grad.{name}"));
        assert_close(&what, &got[&name].values, &want.values, case.tolerance());
    }
}

#[test]
fn stage1_steps_with_an_active_clip_carry_the_accumulator() {
    for case in cases("mist/stage1_two_steps") {
        let device = Device::flex().autodiff();
        let mut head = MistGenerator::from_arrays(&group(&case, "w."), case.name(), &device).unwrap();
        let mut optimiser = adagrad_of(&case);
        for step in (0..).take_while(|step| case.has(&format!("in.{step}"))) {
            let (_, normal, abnormal) = halves(&head, &case, &format!("in.{step}"), &device);
            let loss = mil_ranking::released(normal, abnormal, topk(&case), weights_of(&case));
            check_scalar(&case, &format!("loss.{step}"), loss.total.clone().into_scalar::<f32>());
            let mut grads = GradientsParams::from_grads(loss.total.backward(), &head);
            let norm = clip_global_norm(&head, &mut grads, clip_of(&case));
            check_scalar(&case, &format!("norm.{step}"), norm);
            head = optimiser.step(head, grads);
        }
        let after = head.to_arrays();
        for (name, want) in group(&case, "after.") {
            let what = case.what(&format!("after.{name}"));
            assert_close(&what, &after[&name].values, &want.values, case.tolerance());
        }
    }
}

#[test]
fn sampling_chooses_the_reference_clips() {
    for case in cases("mist/sampling") {
        let keys: Vec<String> =
            case.array_names().filter_map(|name| name.strip_prefix("base.")).map(str::to_owned).collect();
        assert!(!keys.is_empty(), "{}: no `base.L.T.N`", case.name());
        for key in keys {
            let numbers: Vec<usize> = key.split('.').map(|part| part.parse().unwrap()).collect();
            let (bags, clips) = (SubBags { segments: numbers[0], clips_per_segment: numbers[1] }, numbers[2]);
            assert_eq!(
                bags.base_starts(clips),
                case.usize(&format!("base.{key}")).data,
                "{}",
                case.what(&key)
            );
            let bound = format!("uniform_shift_bound.{key}");
            if case.has(&bound) {
                let want = case.i64(&bound).data[0].max(0);
                assert_eq!(bags.uniform_bound(clips) as i64, want, "{}", case.what(&bound));
            }
            for kind in ["uniform", "random"].into_iter().filter(|kind| case.has(&format!("{kind}.{key}"))) {
                let shifts = case.usize(&format!("{kind}_shift.{key}")).data;
                let want = case.usize(&format!("{kind}.{key}")).data;
                assert_eq!(bags.indices(clips, &shifts), want, "{}", case.what(&format!("{kind}.{key}")));
            }
            let largest = case.usize(&format!("random_shift.{key}")).data.into_iter().max().unwrap_or(0);
            assert!(largest < bags.random_bound(clips).max(1), "{}", case.what(&key));
        }
    }
}

#[test]
fn pseudo_labels_equal_the_reference() {
    for case in cases("mist/pseudo_labels") {
        let names: Vec<String> = case.array_names().map(str::to_owned).collect();
        for name in &names {
            let Some((kind, key)) = name.split_once('.').filter(|(kind, _)| *kind != "in") else {
                continue;
            };
            let scores = case.f64(&format!("in.{key}")).data;
            let got = match kind {
                "smooth1" => pseudo_label::smooth_replicated(&scores, pseudo_label::RELEASED_WIDTH),
                "smooth2" => pseudo_label::released_normal(&scores),
                "label" => pseudo_label::released_abnormal(&scores),
                other => {
                    let k = other.strip_prefix("paper_eq2_k").and_then(|k| k.parse().ok());
                    let k = k.unwrap_or_else(|| panic!("{}: unknown array {name}", case.name()));
                    pseudo_label::smooth_paper(&scores, k)
                }
            };
            assert_close(&case.what(name), &got, &case.f64(name).data, case.tolerance());
        }
    }
}
