//! What is learnt, and what stays.

use crate::footage::{config, job, labelled, pretrained, training_videos, validation_videos, video};
use burn::module::Module;
use burn::tensor::Device;
use vad_core::LiteSize;
use vad_data::Label;
use watchpost::backbone::i3d_lite::I3dLite;
use watchpost::finetune::clips::ClipInput;
use watchpost::finetune::start::Pretrained;
use watchpost::finetune::training::{Training, score_video};
use watchpost::model::sga::encoder::SgaEncoder;
use watchpost::recipe::curves::Selection;
use watchpost::recipe::mist_stage2_config::{EncoderChoice, Stage2Config};
use watchpost::run::Flow;
use watchpost::tensors::Arrays;

/// Weights after so many steps.
pub fn weights_after(steps: u64, config: &Stage2Config) -> Arrays {
    let folder = tempfile::tempdir().unwrap();
    let (train, pretrained, device) = (training_videos(&folder), pretrained(), Device::flex());
    let mut training = Training::new(job(config, &train, &[], &pretrained, &device)).unwrap();
    if steps > 0 {
        let stop = |report: u64| if report == steps { Flow::Stop } else { Flow::Continue };
        training.work(&mut |_, report| Ok(stop(report.train.step))).unwrap();
    }
    training.outcome().last
}

#[test]
fn the_frozen_phase_moves_the_head_alone_and_the_stem_never_moves() {
    let config = config();
    // Two batches in an epoch, each a step; two epochs are frozen.
    let [start, frozen, later] = [0, 4, 6].map(|steps| weights_after(steps, &config));
    let mut moved = 0;
    for (name, first) in &start {
        let is_backbone = name.starts_with("backbone.");
        assert_eq!(frozen[name] == *first, is_backbone, "{name} after the frozen phase");
        let learns = name.contains("mixed_") && name.contains("conv3d");
        assert_eq!(later[name] != *first, learns || !is_backbone, "{name} later");
        moved += usize::from(learns);
    }
    assert_eq!(moved, 18, "three blocks of six convolutions");
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_one_others() {
    let config = config();
    let first = weights_after(5, &config);
    assert!(first == weights_after(5, &config), "two equal trainings differ");
    let other = Stage2Config { seed: 4, ..config };
    assert!(first != weights_after(5, &other));
}

#[test]
fn a_moving_square_is_told_from_a_resting_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = Stage2Config {
        epochs: 120,
        frozen_epochs: 10,
        videos: 2,
        learning_rate: 1e-2,
        thawed_rate: 0.3,
        dropout: 0.0,
        crop_share: 1.0,
        clips_at_once: 8,
        eval_every: 10,
        ..config()
    };
    let train = training_videos(&folder);
    let (val, pretrained, device) = (validation_videos(&folder), pretrained(), Device::flex());
    let mut training = Training::new(job(&config, &train, &val, &pretrained, &device)).unwrap();
    assert_eq!(training.work(&mut |_, _| Ok(Flow::Continue)).unwrap(), Flow::Continue);
    let outcome = training.outcome();
    assert!(
        matches!(outcome.selection, Selection::Validation(point) if point.auc == 1.0),
        "{:?}",
        outcome.selection
    );
    let encoder = SgaEncoder::from_arrays(
        config.encoder.kind(),
        &outcome.selected,
        "selected",
        watchpost::finetune::start::PADDING,
        &device,
    )
    .unwrap();
    let input = ClipInput::new(config.encoder, config.width_px, config.height_px);
    let scores = |id: &str, label| {
        let held_back = video(&folder, id, label, 32);
        score_video(&encoder, &input, &held_back, &device).unwrap()
    };
    let (moving, resting) = (scores("moving-t", Label::Abnormal), scores("still-t", Label::Normal));
    let least = moving.iter().copied().fold(1.0, f32::min);
    let most = resting.iter().copied().fold(0.0, f32::max);
    // In log-odds: both may lie near 1, as a softmax that learnt for long enough does.
    let log_odds = |score: f32| (score / (1.0 - score)).ln();
    assert!(log_odds(least) > log_odds(most) + 1.0, "{moving:?} {resting:?}");
}

#[test]
fn the_small_encoder_has_the_size_that_the_documentation_says() {
    let Some(path) = golden::kinetics_i3d() else {
        return;
    };
    let config = Stage2Config::default();
    let pretrained = Pretrained::read(&path).unwrap();
    let encoder = pretrained.encoder(&config, &Device::flex()).unwrap();
    assert_eq!(encoder.num_params(), 3_196_163);
}

#[test]
fn encoders_for_boards_have_the_sizes_that_the_documentation_says() {
    let page = include_str!("../../../docs/reference/recipes.md");
    let device = Device::flex();
    for size in LiteSize::ALL {
        let choice = EncoderChoice::from(size);
        let start = Pretrained::new(I3dLite::init(size, 1, &device).to_arrays(), "test");
        let count = start.encoder(&Stage2Config::small(choice), &device).unwrap().num_params().to_string();
        let (millions, rest) = count.split_at(count.len().saturating_sub(6));
        let parts = [millions, &rest[..3], &rest[3..]].into_iter().filter(|part| !part.is_empty());
        let shown = format!("| {} (", parts.collect::<Vec<_>>().join(","));
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", choice.name())));
        assert!(row.is_some_and(|row| row.contains(&shown)), "{row:?} {shown}");
    }
}

#[test]
fn videos_shorter_than_a_clip_are_learnt_from_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let train = [
        labelled(video(&folder, "still-s", Label::Normal, 3), 3),
        labelled(video(&folder, "moving-s", Label::Abnormal, 9), 9),
    ];
    let config = Stage2Config { epochs: 1, ..config() };
    let (pretrained, device) = (pretrained(), Device::flex());
    let mut training = Training::new(job(&config, &train, &[], &pretrained, &device)).unwrap();
    training.work(&mut |_, _| Ok(Flow::Continue)).unwrap();
    assert!(training.outcome().last.values().all(|array| array.values.iter().all(|value| value.is_finite())));
}
