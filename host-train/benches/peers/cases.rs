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
    measured: Measured,
}

enum Measured {
    /// A training step with these settings, after steps that only lead there.
    Step {
        run: fn(&str, u64, u64) -> Figures,
        settings: &'static str,
        steps_before: u64,
    },
    Metrics,
}

/// Step sizes are small on both sides: on made-up features the published ones saturate the scores within a few steps, and
/// gradients behind a saturated sigmoid are denormal numbers, which processors are tens of times slower at.
pub const CASES: [Case; 7] = [
    step::<SultaniSystem>(
        "sultani",
        "Sultani et al.: ranking of 32 segments per video",
        "dataset = 'ucf-crime'\nmode = 'released'\npairs = 32\nlearning_rate = 1e-6",
    ),
    step::<MistStage1>(
        "mist",
        "MIST, first stage: 32 sub-bags of 4 clips per video, 8192 rows",
        "dataset = 'ucf-crime'\npairs = 32\nlearning_rate = 1e-6",
    ),
    step::<RtfmSystem>(
        "rtfm",
        "RTFM: temporal network and magnitude loss, 32 segments per video",
        "dataset = 'ucf-crime'\nlearning_rate = 1e-6",
    ),
    step::<Cu>(
        "cu-generator",
        "CU, first stage: two heads, 32 segments per video",
        "dataset = 'ucf-crime'\npairs = 32\ngenerator_learning_rate = 1e-6",
    ),
    Case {
        name: "cu-classifier",
        about: "CU, second stage: 2048 clips with their memory",
        measured: Measured::Step {
            run: step_of::<Cu>,
            settings: "dataset = 'ucf-crime'\ngenerator_steps = 1\nfirst_passes = 2\nreliable_share = 1.0\n\
                clips = 1024\nclassifier_learning_rate = 1e-6",
            // The step after the generator's only one makes pseudo labels.
            steps_before: 1,
        },
    },
    step::<ArmsSystem>(
        "arms",
        "ARMS: convolution and self-attention, 32 segments per video",
        "dataset = 'ucf-crime'\npairs = 32\nlearning_rate = 1e-6",
    ),
    Case {
        name: "metrics",
        about: "frame ROC AUC and average precision of 1,114,144 frames",
        measured: Measured::Metrics,
    },
];

/// A step that is measured from the first on.
const fn step<S: System>(name: &'static str, about: &'static str, settings: &'static str) -> Case {
    Case { name, about, measured: Measured::Step { run: step_of::<S>, settings, steps_before: 0 } }
}

impl Case {
    /// Measures in this process.
    pub fn run(&self, warm_up: u64, steps: u64) -> Figures {
        match self.measured {
            Measured::Step { run, settings, steps_before } => run(settings, warm_up + steps_before, steps),
            Measured::Metrics => metrics(warm_up, steps),
        }
    }

    /// The peer's script and its arguments, before those for the number of steps.
    pub fn peer(&self) -> Vec<String> {
        match self.measured {
            Measured::Step { .. } => {
                let sizes = [VIDEOS, CLIPS, DIM].map(|size| size.to_string());
                ["recipes.py", self.name].map(str::to_owned).into_iter().chain(sizes).collect()
            }
            Measured::Metrics => vec!["metrics.py".to_owned()],
        }
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
