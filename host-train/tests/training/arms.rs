//! ARMS, whose iterations follow one another within one training.

use crate::made_up::{bags, bytes, mean, shifted_and_plain};
use burn::tensor::Device;
use vad_data::Label;
use watchpost::abnormal_ratio::Threshold;
use watchpost::bag::{BagSet, TrainingSet};
use watchpost::quarter_label::QuarterRule;
use watchpost::recipe::arms::ArmsSystem;
use watchpost::recipe::arms_config::{ArmsConfig, Objective};
use watchpost::recipe::system::{Detector, Losses, System};
use watchpost::score_correction::ScoreCorrection;
use watchpost::tensors::decode;

const DIM: usize = 16;

/// Share of the score range by which abnormal clips must lie above normal ones.
const CLEARLY_ABOVE: f32 = 0.3;

/// Products of two `f32` scores.
const ROUNDING: f32 = 1e-6;

fn data(crops: usize) -> TrainingSet {
    TrainingSet::from_bags(bags(20, crops, DIM, 2.0, 1), bags(8, crops, DIM, 2.0, 2)).unwrap()
}

/// Four iterations of five steps: every phase, and two adaptive ones.
fn short() -> ArmsConfig {
    ArmsConfig {
        seed: 5,
        iterations: 4,
        iteration_steps: 5,
        pairs: 3,
        segments: 8,
        width: 16,
        ..ArmsConfig::small()
    }
}

fn fresh(config: &ArmsConfig, data: &TrainingSet) -> ArmsSystem {
    ArmsSystem::new(config, data, &Device::flex()).unwrap()
}

fn run(system: &mut ArmsSystem, data: &TrainingSet, steps: std::ops::Range<u64>) -> Vec<Losses> {
    steps.map(|step| system.step(step, data)).collect()
}

fn trained(config: &ArmsConfig, data: &TrainingSet) -> ArmsSystem {
    let mut system = fresh(config, data);
    run(&mut system, data, 0..config.steps());
    system
}

fn part(losses: &Losses, wanted: &str) -> f32 {
    losses.parts.iter().find(|(name, _)| *name == wanted).unwrap().1
}

#[test]
fn every_phase_learns_to_point_at_the_abnormal_clips() {
    let data = data(1);
    for objective in [Objective::AbnormalRatio, Objective::Ranking] {
        let config = ArmsConfig {
            objective,
            iteration_steps: 100,
            pairs: 6,
            width: 32,
            // Of what the small one asks for, a quarter of the clips can hold most.
            small_ratio: 0.2,
            learning_rate: 3e-3,
            ..short()
        };
        let mut system = fresh(&config, &data);
        for iteration in 0..config.iterations {
            let first = iteration * config.iteration_steps;
            let losses = run(&mut system, &data, first..first + config.iteration_steps);
            let totals: Vec<f32> = losses.iter().map(|losses| losses.total).collect();
            let (early, late) = (mean(&totals[..5]), mean(&totals[totals.len() - 5..]));
            assert!(late < early, "{objective:?} {iteration}: the loss went from {early} to {late}");
            let [shifted, plain] = shifted_and_plain(&data.val, &system.detector().score(&data.val));
            assert!(shifted > plain + CLEARLY_ABOVE, "{objective:?} {iteration}: {shifted} {plain}");
        }
    }
}

#[test]
fn pseudo_labels_begin_with_the_second_iteration_and_losses_keep_their_names() {
    let data = data(2);
    for objective in [Objective::AbnormalRatio, Objective::Ranking] {
        let config = ArmsConfig { objective, ..short() };
        let losses = run(&mut fresh(&config, &data), &data, 0..config.steps());
        for (step, losses) in losses.iter().enumerate() {
            let names: Vec<&str> = losses.parts.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["normal", "abnormal", "ranking", "cross_entropy"]);
            assert_eq!(part(losses, "cross_entropy") > 0.0, step >= 5, "step {step}");
            assert_eq!(part(losses, "ranking") > 0.0, objective == Objective::Ranking, "step {step}");
            assert!(losses.total.is_finite() && losses.grad_norm > 0.0);
        }
    }
}

#[test]
fn every_iteration_starts_from_weights_of_its_own() {
    let (data, config) = (data(1), short());
    let mut system = fresh(&config, &data);
    let start = system.weights();
    run(&mut system, &data, 0..5);
    let end = system.snapshot();
    run(&mut system, &data, 5..6);
    let next = system.snapshot();
    assert_eq!(next["optimiser.t.fc2.bias"].values, [1.0], "the optimiser goes on");
    // One step of Adam moves no weight by much more than its step size.
    let moved = |from: &[f32]| {
        let pairs = from.iter().zip(&next["model.conv.weight"].values);
        pairs.map(|(from, to)| (from - to).abs()).fold(0.0, f32::max)
    };
    let most = 10.0 * config.learning_rate;
    assert!(moved(&end["model.conv.weight"].values) > most, "the weights go on");
    assert!(moved(&start["conv.weight"].values) > most, "the first weights come again");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let data = data(2);
    let first = bytes(&trained(&short(), &data).snapshot());
    assert!(first == bytes(&trained(&short(), &data).snapshot()), "two equal trainings differ");
    assert!(first != bytes(&trained(&ArmsConfig { seed: 6, ..short() }, &data).snapshot()));
}

/// Stops within each phase and at each border: what happens between phases must not be lost or done twice.
#[test]
fn resuming_equals_never_having_stopped_bit_for_bit() {
    let readings = [
        (1, Threshold::Fixed, QuarterRule::Count, Objective::AbnormalRatio),
        (3, Threshold::Recursive, QuarterRule::Percentile, Objective::AbnormalRatio),
        (1, Threshold::Fixed, QuarterRule::Count, Objective::Ranking),
    ];
    for (crops, threshold, quarters, objective) in readings {
        let data = data(crops);
        // Seven segments: their shares are no binary fractions.
        let config = ArmsConfig { threshold, quarters, objective, segments: 7, ..short() };
        let mut straight = fresh(&config, &data);
        let losses = run(&mut straight, &data, 0..config.steps());
        let end = bytes(&straight.snapshot());
        for stop in [0, 2, 5, 7, 10, 13, 15, 16] {
            let mut first = fresh(&config, &data);
            run(&mut first, &data, 0..stop);
            let (saved, _) = decode(&bytes(&first.snapshot()), "saved".as_ref()).unwrap();
            let mut second = fresh(&config, &data);
            second.restore(&saved, "saved").unwrap();
            assert_eq!(
                second.detector().score(&data.val),
                first.detector().score(&data.val),
                "stopped after {stop}"
            );
            let rest = run(&mut second, &data, stop..config.steps());
            assert_eq!(rest, losses[stop as usize..], "stopped after {stop}");
            assert!(end == bytes(&second.snapshot()), "{crops} crops, stopped after {stop}");
        }
    }
}

#[test]
fn an_incomplete_snapshot_is_refused_by_name_and_changes_nothing() {
    let data = data(1);
    let mut system = trained(&short(), &data);
    let before = system.snapshot();
    for name in ["model.mha.in_proj_weight", "model.ln.bias", "guide.labels", "guide.ratios"] {
        let mut broken = before.clone();
        broken.remove(name).unwrap();
        let error = system.restore(&broken, "half.safetensors").unwrap_err().to_string();
        let short_name = name.split_once('.').unwrap().1;
        assert!(error.contains("half.safetensors") && error.contains(short_name), "{error}");
        assert_eq!(system.snapshot(), before);
    }
}

#[test]
fn one_clip_videos_and_wide_settings_train() {
    let mut train = BagSet::with_crops(3);
    train.push("one clip", Label::Abnormal, DIM, &[1.0; 3 * DIM]).unwrap();
    train.push("two clips", Label::Normal, DIM, &[0.5; 6 * DIM]).unwrap();
    train.push("no clip", Label::Normal, DIM, &[]).unwrap();
    let data = TrainingSet::from_bags(train, BagSet::default()).unwrap();
    for objective in [Objective::AbnormalRatio, Objective::Ranking] {
        let config = ArmsConfig { objective, topk: 50, segments: 4, ..short() };
        let mut system = fresh(&config, &data);
        let losses = run(&mut system, &data, 0..config.steps());
        assert!(losses.iter().all(|loss| loss.total.is_finite()));
        let scores = system.detector().score(&data.train);
        assert_eq!(scores.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
        assert!(scores.iter().flatten().all(|score| (0.0..=1.0).contains(score)));
    }
}

/// A ratio that no snippet reaches must not divide by zero.
#[test]
fn a_threshold_that_nothing_reaches_leaves_the_adaptive_phase_finite() {
    let data = data(1);
    let config = ArmsConfig { large_ratio: 1.0, ..short() };
    let mut system = fresh(&config, &data);
    let losses = run(&mut system, &data, 0..config.steps());
    assert!(system.snapshot()["guide.ratios"].values.contains(&0.0));
    for losses in &losses[10..] {
        assert_eq!(part(losses, "abnormal"), 0.0);
        assert!(losses.total.is_finite());
    }
}

#[test]
fn corrected_scores_are_the_plain_ones_times_one_number_per_video() {
    let data = data(2);
    let plain = trained(&short(), &data).detector().score(&data.val);
    let correction = ScoreCorrection::Max;
    let corrected =
        trained(&ArmsConfig { score_correction: correction, ..short() }, &data).detector().score(&data.val);
    for (plain, corrected) in plain.iter().zip(&corrected) {
        let best = plain.iter().copied().fold(0.0, f32::max);
        assert!(plain.iter().zip(corrected).all(|(a, b)| (a * best - b).abs() < ROUNDING));
    }
}
