//! ARMS: ratios, losses, pseudo labels, corrected scores, the units of the network and its size.

use crate::stored::{self, doubles, group, numbers, tensor};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use golden::{Case, assert_close, cases};
use vad_data::Label;
use watchpost::abnormal_ratio::{AbnormalRatio, Phases, RatioSchedule, Threshold};
use watchpost::loss::ar_mil::{ar_mil, share};
use watchpost::loss::labelled_cross_entropy::labelled_cross_entropy;
use watchpost::loss::ms_mil::ms_mil;
use watchpost::model::arms::attention::HEADS;
use watchpost::model::arms::{Arms, PUBLISHED_WIDTH, Start};
use watchpost::quarter_label::QuarterRule;
use watchpost::score_correction::{ScoreCorrection, scaled};
use watchpost::segments::PUBLISHED_SEGMENTS;
use watchpost::tensors::Arrays;

const KINDS: [&str; 6] = [
    "adaptive_lambda_",
    "ar_mil_",
    "network_units_",
    "param_count_by_width",
    "quartile_labels_",
    "score_correction_",
];

/// Features of I3D-ResNet50, which the stored numbers of parameters are for.
const FEATURE_DIM: usize = 2048;

/// What the paper prints, in millions and in 10^9 multiplications, both with two decimals.
const PRINTED_PARAMETERS: &str = "10.53";
const PRINTED_MACS: &str = "0.34";

#[test]
fn every_kind_of_case_has_a_test() {
    for case in cases("arms/") {
        let name = case.name().trim_start_matches("arms/");
        assert!(KINDS.iter().any(|kind| name.starts_with(kind)), "{}: no test", case.name());
    }
}

fn ratio(value: f64) -> AbnormalRatio {
    AbnormalRatio::new(value).unwrap()
}

fn param(case: &Case, key: &str) -> f64 {
    case.param_f64(key).unwrap_or_else(|| panic!("{}: no parameter `{key}`", case.name()))
}

#[test]
fn the_ratios_of_all_iterations_equal_the_reference_in_both_readings() {
    for case in cases("arms/adaptive_lambda") {
        let readings =
            [(Threshold::Fixed, "out.lambda_fixed_mu"), (Threshold::Recursive, "out.lambda_recursive_mu")];
        let zeros = readings.map(|(threshold, key)| {
            let got = schedule(&case, threshold);
            assert_close(&case.what(key), &got, &case.f64(key).data, case.tolerance());
            got.iter().filter(|ratio| **ratio == 0.0).count()
        });
        assert_eq!(zeros.to_vec(), case.usize("out.has_zero").data, "{}", case.name());
    }
}

/// Lambda of every video in every iteration, `[K, n]`. The scores stored for an iteration are those of its own model.
fn schedule(case: &Case, threshold: Threshold) -> Vec<f64> {
    let (small, large) = (ratio(param(case, "lambda_small")), ratio(param(case, "lambda_large")));
    let schedule = RatioSchedule { small, large, threshold, phases: Phases::All };
    let scores = case.f64("in.scores");
    let [iterations, videos, snippets] = [scores.shape[0], scores.shape[1], scores.shape[2]];
    let mut ratios = vec![small; videos];
    let mut all = Vec::new();
    for iteration in 0..iterations {
        for (video, ratio) in ratios.iter_mut().enumerate() {
            let before = match iteration.checked_sub(1) {
                Some(before) => &scores.row(before)[video * snippets..(video + 1) * snippets],
                None => &[],
            };
            *ratio = schedule.ratio(iteration as u64, *ratio, before);
        }
        all.extend(ratios.iter().map(|ratio| ratio.get()));
    }
    all
}

#[track_caller]
fn check<const D: usize>(case: &Case, key: &str, got: Tensor<D>) {
    stored::check(case, key, got, case.tolerance());
}

#[test]
fn losses_and_their_gradients_equal_the_reference_in_double_precision() {
    for case in cases("arms/ar_mil") {
        let device = Device::flex().autodiff();
        let normal: Tensor<2> = doubles(&case, "in.s_nor", &device).require_grad();
        let abnormal: Tensor<2> = doubles(&case, "in.s_abn", &device).require_grad();
        check(&case, "out.r_neg", share(normal.clone()));
        check(&case, "out.r_pos", share(abnormal.clone()));
        check_baseline(&case, normal.clone(), abnormal.clone());
        let by_video: Vec<AbnormalRatio> =
            case.f64("in.lambda_per_video").data.into_iter().map(ratio).collect();
        check(&case, "out.ar_mil_per_video", ar_mil(normal.clone(), abnormal.clone(), &by_video).per_pair());
        let same = vec![ratio(param(&case, "lambda_")); by_video.len()];
        assert_eq!(same[0].weight(), param(&case, "alpha"));
        let loss = ar_mil(normal.clone(), abnormal.clone(), &same).per_pair();
        check(&case, "out.ar_mil", loss.clone());
        let loss = loss.mean();
        check(&case, "out.ar_mil_mean", loss.clone());
        let cross_entropy = cross_entropy(&case, normal.clone(), abnormal.clone());
        let total = loss + cross_entropy * param(&case, "beta");
        check(&case, "out.total", total.clone());
        let grads = total.backward();
        check(&case, "grad.s_nor", normal.grad(&grads).unwrap());
        check(&case, "grad.s_abn", abnormal.grad(&grads).unwrap());
    }
}

fn check_baseline(case: &Case, normal: Tensor<2>, abnormal: Tensor<2>) {
    check(case, "out.ms_mil_top1", ms_mil(normal.clone(), abnormal.clone(), 1));
    let k = case.param_usize("k").expect("k");
    check(case, "out.ms_mil_topk", ms_mil(normal, abnormal, k));
}

/// Eq 5's second term, with the pseudo labels that the scores themselves give.
fn cross_entropy(case: &Case, normal: Tensor<2>, abnormal: Tensor<2>) -> Tensor<1> {
    let scores = case.f64("in.s_abn");
    let videos = scores.shape[0];
    let mined: Vec<Vec<Option<Label>>> =
        (0..videos).map(|video| QuarterRule::Count.labels(scores.row(video))).collect();
    let coded: Vec<i64> = mined.iter().flatten().map(|label| code(*label)).collect();
    assert_eq!(coded, case.i64("out.pseudo").data, "{}", case.what("out.pseudo"));
    let snippets = scores.shape[1];
    let labels = [vec![vec![Some(Label::Normal); snippets]; videos], mined].concat();
    let labelled = labels.iter().flatten().flatten().count();
    assert_eq!(vec![labelled], case.usize("out.N").data, "{}", case.what("out.N"));
    let loss = labelled_cross_entropy(Tensor::cat(vec![normal, abnormal], 0), &labels);
    check(case, "out.bce", loss.clone());
    loss
}

/// As the cases write labels.
fn code(label: Option<Label>) -> i64 {
    match label {
        Some(Label::Abnormal) => 1,
        Some(Label::Normal) => 0,
        None => -1,
    }
}

#[test]
fn pseudo_labels_equal_the_reference_in_both_readings() {
    for case in cases("arms/quartile_labels") {
        let lengths: Vec<String> =
            case.array_names().filter_map(|name| Some(name.strip_prefix("in.")?.to_owned())).collect();
        assert!(!lengths.is_empty(), "{}: no scores", case.name());
        for length in lengths {
            let scores = case.f64(&format!("in.{length}")).data;
            let readings = [(QuarterRule::Count, "count_rule"), (QuarterRule::Percentile, "percentile_rule")];
            for (rule, name) in readings {
                let key = format!("{name}.{length}");
                let got: Vec<i64> = rule.labels(&scores).into_iter().map(code).collect();
                assert_eq!(got, case.i64(&key).data, "{}", case.what(&key));
            }
        }
    }
}

#[test]
fn corrected_scores_equal_the_reference() {
    for case in cases("arms/score_correction") {
        let (scores, given) = (case.f64("in.scores"), case.f64("in.p").data);
        let by_video = |correct: &dyn Fn(usize, &[f64]) -> Vec<f64>| -> Vec<f64> {
            (0..scores.shape[0]).flat_map(|video| correct(video, scores.row(video))).collect()
        };
        let compare = |key: &str, got: Vec<f64>| {
            assert_close(&case.what(key), &got, &case.f64(key).data, case.tolerance());
        };
        compare("out.mul_p", by_video(&|video, scores| scaled(scores, given[video])));
        compare("out.mul_max", by_video(&|_, scores| ScoreCorrection::Max.apply(scores)));
        compare("out.mul_mean", by_video(&|_, scores| ScoreCorrection::Mean.apply(scores)));
        assert_eq!(by_video(&|_, scores| ScoreCorrection::None.apply(scores)), scores.data);
    }
}

fn close<const D: usize>(case: &Case, key: &str, got: Tensor<D>) {
    assert_close(&case.what(key), &numbers(got), &case.f64(key).data, case.tolerance());
}

/// The paper leaves the order of the units open, so the case has them in every order; the network's own is among them.
#[test]
fn units_in_every_order_and_the_network_equal_the_reference() {
    for case in cases("arms/network_units") {
        let device = Device::flex();
        let network = Arms::from_arrays(&group(&case, "w."), case.name(), &device).unwrap();
        assert_eq!(case.param_usize("heads"), Some(HEADS));
        let features: Tensor<3> = tensor(&case, "in.x", &device);
        let [_, clips, _] = features.dims();
        let rows: Tensor<2> = features.clone().flatten(0, 1);
        let convolved = network.conv.forward(rows, clips);
        close(&case, "out.conv", convolved.clone());
        check_orders(&case, &network, "relu", relu(convolved.clone()), clips);
        check_orders(&case, &network, "lin", convolved, clips);
        close(&case, "out.relu.post.score", network.forward(features.unsqueeze_dim(1)));
    }
}

fn check_orders(case: &Case, network: &Arms, start: &str, near: Tensor<2>, clips: usize) {
    let attend = |rows: Tensor<2>| network.attention.forward(rows, clips);
    close(case, &format!("out.{start}.mha"), attend(near.clone()));
    close(case, &format!("out.{start}.attn"), network.attention.weights(near.clone(), clips));
    let orders = [
        ("post", network.norm.forward(near.clone() + attend(near.clone()))),
        ("pre", near.clone() + attend(network.norm.forward(near.clone()))),
        ("res", near.clone() + attend(near)),
    ];
    for (order, seen) in orders {
        let key = format!("out.{start}.{order}");
        close(case, &key, seen.clone());
        let hidden = network.fc1.forward(seen, clips);
        let score = |hidden| sigmoid(network.fc2.forward(hidden, clips));
        close(case, &format!("{key}.score"), score(relu(hidden.clone())));
        close(case, &format!("{key}.score_nomidrelu"), score(hidden));
    }
}

#[test]
fn the_width_follows_from_the_printed_number_of_parameters() {
    for case in cases("arms/param_count_by_width") {
        let widths = case.meta().as_object().unwrap();
        let mut printed = Vec::new();
        for (text, counts) in widths {
            let width: usize = text.parse().unwrap();
            let start = Start { seed: 1, iteration: 0 };
            let arrays = Arms::init(FEATURE_DIM, width, start, &Device::flex()).to_arrays();
            let got = values(&arrays, |_| true);
            let norm = values(&arrays, |name| name.starts_with("ln."));
            // Two linear layers, 4 times as wide between them.
            let feed_forward = 2 * 4 * width * width + 4 * width + width;
            for (key, want) in [
                ("no_norm", got - norm),
                ("one_ln", got),
                ("two_ln", got + norm),
                ("with_ffn_4x_two_ln", got + norm + feed_forward),
                ("macs_T32", multiplications(&arrays, width)),
            ] {
                assert_eq!(counts[key].as_u64(), Some(want as u64), "{}, width {width}: {key}", case.name());
            }
            if format!("{:.2}", got as f64 / 1e6) == PRINTED_PARAMETERS {
                let macs = multiplications(&arrays, width) as f64 / 1e9;
                assert_eq!(format!("{macs:.2}"), PRINTED_MACS);
                printed.push(width);
            }
        }
        assert_eq!(printed, [PUBLISHED_WIDTH], "{}", case.name());
    }
}

fn values(arrays: &Arrays, counts: impl Fn(&str) -> bool) -> usize {
    arrays.iter().filter(|(name, _)| counts(name)).map(|(_, array)| array.values.len()).sum()
}

/// Every weight meets every clip once, and every clip meets every other one twice: compared, and taken from.
fn multiplications(arrays: &Arrays, width: usize) -> usize {
    let weights: usize =
        arrays.values().filter(|array| array.shape.len() > 1).map(|array| array.values.len()).sum();
    PUBLISHED_SEGMENTS * weights + 2 * PUBLISHED_SEGMENTS * PUBLISHED_SEGMENTS * width
}
