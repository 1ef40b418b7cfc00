//! What is measured: one training step of each recipe at the published sizes, and the metrics of a published test set.

use burn::tensor::Device;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use vad_data::Label;
use vad_eval::{average_precision, roc_auc};
use watchpost::bag::{BagSet, TrainingSet};
use watchpost::recipe::arms::ArmsSystem;
use watchpost::recipe::cu::Cu;
use watchpost::recipe::mist_stage1::MistStage1;
use watchpost::recipe::rtfm::RtfmSystem;
use watchpost::recipe::settings::resolve;
use watchpost::recipe::sultani::SultaniSystem;
use watchpost::recipe::system::System;

use crate::figures::{Figures, figures_of};

/// Videos in memory, half of them normal: a step takes all, 32 + 32.
const VIDEOS: usize = 64;

/// Clips of each: more than the 32 segments or the 128 sampled clips that a step looks at.
const CLIPS: usize = 224;

/// Width of I3D-ResNet50 features.
const DIM: usize = 2048;

/// Frames and positive ones in UCF-Crime's test as RTFM counts them, in clips of 16 that share a score.
const FRAMES: usize = 1_114_144;
const POSITIVE_FRAMES: usize = 84_343;
const CLIP_FRAMES: usize = 16;

/// One row of the result.
pub struct Case {
    /// Its name, here and in the Python scripts.
    pub name: &'static str,
    /// What one step is.
    pub about: &'static str,
    /// The script and arguments of the peer, before those for the number of steps.
    pub peer: &'static [&'static str],
    run: fn(warm_up: u64, steps: u64) -> Figures,
}

/// Step sizes are small on both sides: on made-up features the published ones saturate the scores within a few steps, and
/// gradients behind a saturated sigmoid are denormal numbers, which processors are tens of times slower at.
pub const CASES: [Case; 7] = [
    Case {
        name: "sultani",
        about: "Sultani et al.: ranking of 32 segments per video",
        peer: &["recipes.py", "sultani", "64", "224", "2048"],
        run: |warm_up, steps| {
            let settings = "dataset = 'ucf-crime'\nmode = 'released'\npairs = 32\nlearning_rate = 1e-6";
            step_of::<SultaniSystem>(settings, warm_up, steps)
        },
    },
    Case {
        name: "mist",
        about: "MIST, first stage: 32 sub-bags of 4 clips per video, 8192 rows",
        peer: &["recipes.py", "mist", "64", "224", "2048"],
        run: |warm_up, steps| {
            step_of::<MistStage1>("dataset = 'ucf-crime'\npairs = 32\nlearning_rate = 1e-6", warm_up, steps)
        },
    },
    Case {
        name: "rtfm",
        about: "RTFM: temporal network and magnitude loss, 32 segments per video",
        peer: &["recipes.py", "rtfm", "64", "224", "2048"],
        run: |warm_up, steps| {
            step_of::<RtfmSystem>("dataset = 'ucf-crime'\nlearning_rate = 1e-6", warm_up, steps)
        },
    },
    Case {
        name: "cu-generator",
        about: "CU, first stage: two heads, 32 segments per video",
        peer: &["recipes.py", "cu-generator", "64", "224", "2048"],
        run: |warm_up, steps| {
            let settings = "dataset = 'ucf-crime'\npairs = 32\ngenerator_learning_rate = 1e-6";
            step_of::<Cu>(settings, warm_up, steps)
        },
    },
    Case {
        name: "cu-classifier",
        about: "CU, second stage: 2048 clips with their memory",
        peer: &["recipes.py", "cu-classifier", "64", "224", "2048"],
        // The step after the generator's only one makes pseudo labels; it is part of warming up.
        run: |warm_up, steps| {
            let settings = "dataset = 'ucf-crime'\ngenerator_steps = 1\nfirst_passes = 2\nreliable_share = 1.0\n\
                clips = 1024\nclassifier_learning_rate = 1e-6";
            step_of::<Cu>(settings, warm_up + 1, steps)
        },
    },
    Case {
        name: "arms",
        about: "ARMS: convolution and self-attention, 32 segments per video",
        peer: &["recipes.py", "arms", "64", "224", "2048"],
        run: |warm_up, steps| {
            step_of::<ArmsSystem>("dataset = 'ucf-crime'\npairs = 32\nlearning_rate = 1e-6", warm_up, steps)
        },
    },
    Case {
        name: "metrics",
        about: "frame ROC AUC and average precision of 1,114,144 frames",
        peer: &["metrics.py"],
        run: metrics,
    },
];

impl Case {
    /// Measures in this process.
    pub fn run(&self, warm_up: u64, steps: u64) -> Figures {
        (self.run)(warm_up, steps)
    }
}

fn step_of<S: System>(settings: &str, warm_up: u64, steps: u64) -> Figures {
    let data = videos();
    let config: S::Config = resolve(S::NAME, &settings.parse().unwrap()).unwrap();
    let mut system = S::new(&config, &data, &Device::flex()).unwrap();
    let mut step = 0;
    figures_of(warm_up, steps, || {
        let losses = system.step(step, &data);
        assert!(losses.total.is_finite(), "{losses:?}");
        step += 1;
    })
}

fn videos() -> TrainingSet {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut set = BagSet::default();
    for video in 0..VIDEOS {
        let label = if video % 2 == 0 { Label::Normal } else { Label::Abnormal };
        let values: Vec<f32> = (0..CLIPS * DIM).map(|_| rng.random()).collect();
        set.push(&format!("video{video:02}"), label, DIM, &values).unwrap();
    }
    TrainingSet::from_bags(set, BagSet::default()).unwrap()
}

fn metrics(warm_up: u64, steps: u64) -> Figures {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let clips: Vec<f32> = (0..FRAMES / CLIP_FRAMES).map(|_| rng.random()).collect();
    let scores: Vec<f32> = clips.into_iter().flat_map(|score| [score; CLIP_FRAMES]).collect();
    let truth: Vec<bool> = (0..FRAMES).map(|frame| frame < POSITIVE_FRAMES).collect();
    figures_of(warm_up, steps, || {
        let auc = roc_auc(&scores, &truth).unwrap();
        let precision = average_precision(&scores, &truth).unwrap();
        assert!((0.4..0.6).contains(&auc) && precision > 0.0, "{auc} {precision}");
    })
}
