//! The compatibility backend computes what the default one does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "ndarray")]

use burn::tensor::Device;
use vad_data::Label;
use watchpost::bag::{BagSet, TrainingSet};
use watchpost::device::DeviceChoice;
use watchpost::model::mist_generator::MistGenerator;
use watchpost::recipe::mist_config::MistConfig;
use watchpost::recipe::mist_stage1::{MistDetector, MistStage1};
use watchpost::recipe::system::Detector;
use watchpost::recipe::trainer::Trainer;

/// Two backends sum products in different orders; scores are within 0..=1.
const SCORE_TOLERANCE: f32 = 1e-5;
/// The first Adagrad step is `lr * sign(gradient)`, so gradients near zero may differ by twice the step of 1e-3.
const STEP_TOLERANCE: f32 = 2.1e-3;

fn data() -> TrainingSet {
    let mut bags = BagSet::default();
    for (video, label) in
        [Label::Normal, Label::Abnormal, Label::Normal, Label::Abnormal].into_iter().enumerate()
    {
        let values: Vec<f32> = (0..5 * 12).map(|at| ((at * 31 + video * 17) % 13) as f32 * 0.1).collect();
        bags.push(&video.to_string(), label, 12, &values).unwrap();
    }
    TrainingSet::from_bags(bags.clone(), bags).unwrap()
}

#[test]
fn forward_and_one_step_agree_with_the_default_backend() {
    let data = data();
    let config = MistConfig { steps: 1, pairs: 2, segments: 4, hidden: [32, 8], ..MistConfig::small() };
    let on = |device: Device| {
        let head = MistGenerator::init(12, config.hidden, 3, &device);
        let scores = MistDetector::new(head, device.clone()).score(&data.train).concat();
        let mut trainer = Trainer::<MistStage1>::new(&config, &data, &device).unwrap();
        let report = trainer.step().unwrap();
        (scores, report.train.loss, trainer.outcome().last)
    };
    let flex = on(DeviceChoice::Cpu.open().unwrap());
    let ndarray = on(DeviceChoice::Ndarray.open().unwrap());
    assert!(flex.0.iter().zip(&ndarray.0).all(|(a, b)| (a - b).abs() < SCORE_TOLERANCE));
    assert!((flex.1 - ndarray.1).abs() < SCORE_TOLERANCE, "{} {}", flex.1, ndarray.1);
    for (name, array) in &flex.2 {
        let other = &ndarray.2[name].values;
        assert!(array.values.iter().zip(other).all(|(a, b)| (a - b).abs() < STEP_TOLERANCE), "{name}");
    }
}
