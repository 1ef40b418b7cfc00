//! CU: losses, repeated scoring, whole videos and optimiser steps.

use crate::stored::{check, check_scalar, doubles, group, hashed_weights, numbers, overwritten, tensor};
use crate::twister::Twister;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use golden::{Case, Tolerance, assert_close, cases};
use std::collections::BTreeMap;
use watchpost::dropout::Mask;
use watchpost::loss::cu_completeness::{self, CompletenessWeights, Scope};
use watchpost::loss::soft_cross_entropy::soft_cross_entropy;
use watchpost::memory::Memory;
use watchpost::model::cu_classifier::{self, CuClassifier};
use watchpost::model::cu_generator::{self, CuGenerator, GeneratorMasks, PUBLISHED_HIDDEN};
use watchpost::optim::adadelta::{Adadelta, AdadeltaConfig};
use watchpost::optim::adam::{Adam, AdamConfig};
use watchpost::tensors::Arrays;
use watchpost::uncertainty::{Estimate, kept_clips};

/// Frames of a clip, each of which gets the clip's score.
const FRAMES_PER_CLIP: usize = 16;

/// Looked back over where a case does not say.
const PUBLISHED_WINDOW: usize = 5;

/// The kinds of case that score a whole video with the classifier.
const WHOLE_VIDEOS: [&str; 2] = ["cu/stage2_window_", "cu/stage2_2048_"];

/// Both readings of what the diversity and the norm term look at, as the cases name them.
const SCOPES: [(Scope, &str); 2] = [(Scope::All, "all"), (Scope::Abnormal, "abn")];

/// Two steps of Adadelta in single precision throughout; the case states a tolerance for double precision alone. A step moves a
/// weight by about 3e-4.
const OF_SINGLE_PRECISION: Tolerance = Tolerance::new(1e-6, 1e-6);

/// Every kind of case and where it is tested: here, or with the ground truth of the evaluation.
const KINDS: [&str; 7] = [
    "cu/stage1_",
    "cu/mc_dropout_",
    "cu/uncertainty_select_",
    "cu/stage2_train_",
    WHOLE_VIDEOS[0],
    WHOLE_VIDEOS[1],
    "cu/ucf_gt_alignment",
];

#[test]
fn every_kind_of_case_has_a_test() {
    for case in cases("cu/") {
        assert!(KINDS.iter().any(|kind| case.name().starts_with(kind)), "{}: no test", case.name());
    }
}

#[test]
fn stage1_losses_and_their_gradients_in_double_precision() {
    for case in cases("cu/stage1_") {
        check_terms(&case);
        for (scope, name) in SCOPES {
            check_total(&case, scope, name);
        }
    }
}

fn check_terms(case: &Case) {
    let (logits, tolerance): (Tensor<3>, _) = (doubles(case, "out.A", &Device::flex()), case.tolerance());
    let labels = cu_completeness::labels(logits.clone());
    check(case, "out.P", cu_completeness::distributions(logits.clone()), tolerance);
    check(case, "out.diver", cu_completeness::diversity(logits.clone()), tolerance);
    check(case, "out.norm", cu_completeness::norm_excess(logits.clone()), tolerance);
    check(case, "out.A_avg", cu_completeness::mean_over_heads(logits), tolerance);
    check(case, "out.y", labels.clone(), tolerance);
    check(case, "out.mil", cu_completeness::ranking(labels, weights(case).margin), tolerance);
}

fn weights(case: &Case) -> CompletenessWeights {
    let alpha = case.param_f64("alpha").expect("alpha") as f32;
    CompletenessWeights { margin: case.param_f64("margin").unwrap_or(1.0) as f32, alpha }
}

fn check_total(case: &Case, scope: Scope, name: &str) {
    let logits: Tensor<3> = doubles(case, "out.A", &Device::flex().autodiff()).require_grad();
    let loss = cu_completeness::completeness(logits.clone(), scope, weights(case));
    let grads = loss.total.backward();
    check(case, &format!("out.total_{name}"), loss.total.inner(), case.tolerance());
    let grad = logits.grad(&grads).expect("a gradient of the logits");
    check(case, &format!("grad_{name}.A"), grad, case.tolerance());
}

/// The weights that the reference began with: PyTorch's `Linear` layers, drawn head after head from the case's seed.
fn drawn(case: &Case) -> Arrays {
    let count = |key: &str| case.param_usize(key).unwrap_or_else(|| panic!("{}: no `{key}`", case.name()));
    let mut twister = Twister::of(case);
    let [first, second] = PUBLISHED_HIDDEN;
    let layers = [("fc1", count("D"), first), ("fc2", first, second), ("fc3", second, 1)];
    let mut arrays = Arrays::new();
    for head in 0..count("K") {
        for (layer, inputs, outputs) in layers {
            let [weight, bias] = twister.linear(inputs, outputs);
            arrays.insert(format!("{head}.{layer}.weight"), weight);
            arrays.insert(format!("{head}.{layer}.bias"), bias);
        }
    }
    arrays
}

fn starts_after_its_own_steps(case: &Case) -> bool {
    overwritten(case, "adadelta.")
}

/// The weights that `out.A` comes from: as stored, or drawn anew where they were overwritten.
fn start(case: &Case) -> Arrays {
    if starts_after_its_own_steps(case) { drawn(case) } else { group(case, "w.") }
}

/// What entitles the tests to draw a start that was overwritten.
#[test]
fn a_start_drawn_from_the_seed_is_the_stored_one_bit_for_bit() {
    let (overwritten, kept): (Vec<Case>, Vec<Case>) =
        cases("cu/stage1_").into_iter().partition(starts_after_its_own_steps);
    for case in &kept {
        assert!(drawn(case) == group(case, "w."), "{}: drawn in another way", case.name());
    }
    assert!(!kept.is_empty() || overwritten.is_empty(), "no case shows how the weights were drawn");
}

/// Weights drawn in single precision, computed with in this one.
struct InPrecision(DType);

impl ModuleMapper for InPrecision {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let value = Tensor::from_inner(tensor.inner().cast(self.0)).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}

fn generator(case: &Case, precision: DType) -> CuGenerator {
    let device = Device::flex().autodiff();
    let model = CuGenerator::from_arrays(&start(case), case.name(), &device).unwrap();
    model.map(&mut InPrecision(precision))
}

/// `[K, 2B, S]`.
fn logits(case: &Case, model: &CuGenerator, precision: DType) -> Tensor<3> {
    let features: Tensor<3> = doubles(case, "in.x", &Device::flex().autodiff());
    let [bags, segments, _] = features.dims();
    let logits = model.forward(features.cast(precision).flatten(0, 1));
    let heads = logits.dims()[0];
    logits.reshape([heads, bags, segments])
}

/// Collects parameters by their stored names, or their gradients, in the precision that they are in.
struct Collector<'a> {
    grads: Option<&'a GradientsParams>,
    path: Vec<String>,
    found: BTreeMap<String, Vec<f64>>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // `heads.0.fc1.weight` is stored as `0.fc1.weight`, outputs first.
        let name = self.path[1..].join(".");
        let value = match self.grads {
            None => param.val(),
            Some(grads) => grads.get(param.id).unwrap_or_else(|| panic!("{name}: no gradient")),
        };
        let value = if D == 2 { value.transpose() } else { value };
        self.found.insert(name, value.into_data().iter::<f64>().collect());
    }
}

fn collected(model: &CuGenerator, grads: Option<&GradientsParams>) -> BTreeMap<String, Vec<f64>> {
    let mut collector = Collector { grads, path: Vec::new(), found: BTreeMap::new() };
    model.visit(&mut collector);
    collector.found
}

/// The arrays `PREFIX{head}.fc3.*`, every one of which must be there.
fn check_last_layers(case: &Case, prefix: &str, got: &BTreeMap<String, Vec<f64>>, tolerance: Tolerance) {
    for head in 0..case.param_usize("K").expect("K") {
        for part in ["weight", "bias"] {
            let name = format!("{head}.fc3.{part}");
            let key = format!("{prefix}{name}");
            assert_close(&case.what(&key), &got[&name], &case.f64(&key).data, tolerance);
        }
    }
}

/// The cases that go on from the logits to the last layers: of these, gradients and steps must all be stored.
fn cases_with_last_layers() -> Vec<Case> {
    let goes_on =
        |case: &Case| case.array_names().any(|name| name.contains(".fc3.") && !name.starts_with("w."));
    let cases: Vec<Case> = cases("cu/stage1_").into_iter().filter(goes_on).collect();
    assert!(!cases.is_empty(), "no case holds gradients of the last layers");
    cases
}

#[test]
fn stage1_logits_follow_from_the_weights() {
    for case in cases("cu/stage1_") {
        let got = logits(&case, &generator(&case, DType::F64), DType::F64);
        check(&case, "out.A", got.inner(), case.tolerance());
    }
}

#[test]
fn stage1_gradients_of_the_last_layers_follow_from_the_weights() {
    for case in cases_with_last_layers() {
        let model = generator(&case, DType::F64);
        for (scope, name) in SCOPES {
            let loss =
                cu_completeness::completeness(logits(&case, &model, DType::F64), scope, weights(&case));
            let grads = GradientsParams::from_grads(loss.total.backward(), &model);
            let got = collected(&model, Some(&grads));
            check_last_layers(&case, &format!("grad_{name}."), &got, case.tolerance());
        }
    }
}

#[test]
fn two_steps_of_adadelta_move_the_generator_as_the_reference_does() {
    for case in cases_with_last_layers() {
        check_adadelta(&case, DType::F64, case.tolerance());
        check_adadelta(&case, DType::F32, OF_SINGLE_PRECISION);
    }
}

fn check_adadelta(case: &Case, precision: DType, tolerance: Tolerance) {
    let mut model = generator(case, precision);
    // The description of the arrays states it, and PyTorch's defaults for the rest; the case has no parameters for them.
    let mut adadelta = Adadelta::new(AdadeltaConfig { learning_rate: 0.1, ..AdadeltaConfig::default() });
    for step in 0..2 {
        let logits = logits(case, &model, precision);
        let loss = cu_completeness::completeness(logits, Scope::All, weights(case)).total;
        let key = format!("adadelta.loss{step}");
        let got: Vec<f64> = loss.clone().into_data().iter::<f64>().collect();
        assert_close(&case.what(&key), &got, &case.f64(&key).data, tolerance);
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = adadelta.step(model, grads);
    }
    let got = collected(&model, None);
    check_last_layers(case, "adadelta.", &got, tolerance);
    if starts_after_its_own_steps(case) {
        // Then `w.*` are the other layers after the steps.
        for (name, got) in &got {
            let key = format!("w.{name}");
            assert_close(&case.what(&key), got, &case.f64(&key).data, tolerance);
        }
    }
}

/// Factors of one pass and head from bits that say which units are kept, the first unit in the highest bit.
fn mask(case: &Case, key: &str, head: usize, pass: usize) -> Option<Mask> {
    let stored = case.u8(key);
    let [passes, clips, bytes] = [stored.shape[1], stored.shape[2], stored.shape[3]];
    let keep = (1.0 / (1.0 - case.param_f64("p").expect("p"))) as f32;
    let first = (head * passes + pass) * clips * bytes;
    let bits = stored.data[first..first + clips * bytes]
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| if (byte >> bit) & 1 == 1 { keep } else { 0.0 }));
    let factors = TensorData::new(bits.collect::<Vec<f32>>(), [clips, bytes * 8]);
    Some(Mask::from_factors(Tensor::from_data(factors, &Device::flex())))
}

fn masks(case: &Case, heads: usize, pass: usize) -> GeneratorMasks {
    let of_head = |head| ["mask.fc1_bits", "mask.fc2_bits"].map(|key| mask(case, key, head, pass));
    GeneratorMasks::new((0..heads).map(of_head).collect())
}

fn passes_of(case: &Case, key: &str) -> Vec<Vec<f64>> {
    let scores = case.f64(key);
    (0..scores.shape[0]).map(|pass| scores.row(pass).to_vec()).collect()
}

#[test]
fn dropout_passes_give_the_reference_scores() {
    for case in cases("cu/mc_dropout_") {
        let device = Device::flex();
        let model = CuGenerator::from_arrays(&group(&case, "w."), case.name(), &device).unwrap();
        let hidden = model.hidden(tensor(&case, "in.x", &device));
        let heads = case.shape("mask.fc1_bits")[0];
        let score = |pass| {
            let logits = model.logits(&hidden, masks(&case, heads, pass));
            numbers(cu_generator::clip_scores(logits, 1))
        };
        let got: Vec<f32> = (0..case.shape("out.scores")[0]).flat_map(score).collect();
        let want = case.f64("out.scores").data;
        assert_close(&case.what("out.scores"), &got, &want, case.tolerance_for("scores"));
    }
}

fn check_estimate(case: &Case, key: &str) -> Estimate {
    let estimate = Estimate::from_passes(&passes_of(case, key));
    let tolerance = case.tolerance_for("mean/var");
    assert_close(&case.what("out.mean"), &estimate.mean, &case.f64("out.mean").data, tolerance);
    assert_close(&case.what("out.var"), &estimate.variance, &case.f64("out.var").data, tolerance);
    assert_eq!(estimate.rank(), case.usize("out.rank").data, "{}", case.what("out.rank"));
    estimate
}

#[test]
fn means_variances_and_ranks_equal_the_reference() {
    for case in cases("cu/uncertainty_select_") {
        check_estimate(&case, "in.scores");
    }
    for case in cases("cu/mc_dropout_") {
        let estimate = check_estimate(&case, "out.scores");
        check_selections(&case, &estimate);
    }
}

/// The reference counts by three roundings and selects by the one that is used here.
fn check_selections(case: &Case, estimate: &Estimate) {
    let share = |name: &str| -> Option<String> {
        Some(name.strip_prefix("out.selected_")?.strip_suffix("_floor")?.to_owned())
    };
    let shares: Vec<String> = case.array_names().filter_map(share).collect();
    assert!(!shares.is_empty(), "{}: no selection", case.name());
    for text in shares {
        let share: f64 = text.parse().unwrap();
        let want = case.usize(&format!("out.selected_{text}_floor")).data;
        assert_eq!(estimate.reliable(share), want, "{}", case.what(&text));
        let count = case.usize(&format!("out.count_{text}_floor")).data[0];
        assert_eq!(kept_clips(estimate.mean.len(), share), count, "{}", case.what(&text));
    }
}

/// Features `[clips, crops, D]` and the weights, stored or made by the case's hash.
fn stage2_parts(case: &Case) -> (golden::Array<f32>, Arrays) {
    if case.has("in.features") {
        return (case.f32("in.features"), group(case, "w."));
    }
    (case.hashed("features"), hashed_weights(case))
}

#[test]
fn the_classifier_scores_whole_videos_as_published() {
    for case in WHOLE_VIDEOS.into_iter().flat_map(cases) {
        check_whole_video(&case);
    }
}

fn check_whole_video(case: &Case) {
    let (features, weights) = stage2_parts(case);
    let [clips, crops, dim] = [features.shape[0], features.shape[1], features.shape[2]];
    let memory = Memory { window: case.param_usize("win").unwrap_or(PUBLISHED_WINDOW) };
    let inputs = memory.extend(&features.data, crops, dim, 0..clips);
    // A case whose features are made by the hash keeps its frame scores alone.
    let keeps_stages = case.has("in.features");
    if keeps_stages {
        check_stored(case, "out.concat", &inputs);
    }
    let device = Device::flex();
    let model = CuClassifier::from_arrays(&weights, case.name(), &device).unwrap();
    let inputs = Tensor::from_data(TensorData::new(inputs, [clips * crops, 2 * dim]), &device);
    let logits = model.forward(inputs);
    if keeps_stages {
        check_stored(case, "out.logits", &numbers(logits.clone()));
    }
    let scores = numbers(cu_classifier::clip_scores(logits, crops));
    let frames: Vec<f32> =
        scores.into_iter().flat_map(|score| std::iter::repeat_n(score, FRAMES_PER_CLIP)).collect();
    assert_close(
        &case.what("out.frame_scores"),
        &frames,
        &case.f64("out.frame_scores").data,
        case.tolerance(),
    );
}

fn check_stored(case: &Case, key: &str, got: &[f32]) {
    assert_close(&case.what(key), got, &case.f64(key).data, case.tolerance());
}

#[test]
fn the_classifier_learns_as_the_reference_does() {
    for case in cases("cu/stage2_train_") {
        let device = Device::flex().autodiff();
        let model = CuClassifier::from_arrays(&group(&case, "w."), case.name(), &device).unwrap();
        let logits = model.forward(tensor(&case, "in.x", &device));
        check_stored(&case, "out.p", &numbers(cu_classifier::clip_scores(logits.clone(), 1)));
        let loss = soft_cross_entropy(logits, tensor(&case, "in.y", &device));
        check_scalar(&case, "out.sum", loss.clone().sum().into_scalar::<f32>());
        check_scalar(&case, "out.mean", loss.clone().mean().into_scalar::<f32>());
        let grads = GradientsParams::from_grads(loss.mean().backward(), &model);
        check_group(&case, "grad.", &model.gradients(&grads).to_arrays());
        check_adam_on_stored_gradients(&case, model);
    }
}

fn check_adam_on_stored_gradients(case: &Case, model: CuClassifier) {
    let grads = model.with_gradients(&group(case, "grad."), case.name()).unwrap();
    // The note of the case states both; it has no parameters for them.
    let mut adam = Adam::new(AdamConfig { learning_rate: 1e-4, weight_decay: 5e-4, ..AdamConfig::default() });
    check_group(case, "adam.", &adam.step(model, grads).to_arrays());
}

fn check_group(case: &Case, prefix: &str, got: &Arrays) {
    let want = group(case, prefix);
    assert!(!want.is_empty(), "{}: no `{prefix}`", case.name());
    for (name, want) in want {
        let what = case.what(&format!("{prefix}{name}"));
        assert_close(&what, &got[&name].values, &want.values, case.tolerance());
    }
}
