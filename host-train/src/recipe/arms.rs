//! ARMS (TMM 2024): abnormal ratios guide a training in three phases.
//!
//! Each iteration trains a network from fresh weights (algorithm 1). The first one, bootstrapping, asks an abnormal video for
//! a small share of abnormal snippets ([`crate::loss::ar_mil`]). Before every later one the model so far labels the highest
//! and the lowest quarter of each abnormal video ([`crate::quarter_label`]), which are learnt from with all snippets of
//! normal videos. The second iteration, hard anomaly mining, asks for a large share; all later ones, adaptive, ask each video
//! for the share that the model before found in it ([`crate::abnormal_ratio`]).
//!
//! Where the text leaves a choice: iteration k is labelled by the model of iteration k - 1 after its last step, on the same
//! 32 segments that it is trained on; the i-th normal video of a step meets the i-th abnormal one, which changes nothing in
//! the mean of eq 4; crops of a clip share its label and their scores are averaged; the optimiser starts afresh with the
//! weights. Scoring runs on whole videos. The paper reports the last iteration.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use vad_core::{HeadContext, HeadKind, HeadSpec};

use crate::abnormal_ratio::RatioSchedule;
use crate::bag::{Bag, BagSet, TrainingSet};
use crate::loss::ar_mil::ar_mil;
use crate::loss::labelled_cross_entropy::labelled_cross_entropy;
use crate::loss::ms_mil::ms_mil;
use crate::model::arms::{Arms, HIDDEN, Start};
use crate::optim::adam::{Adam, AdamConfig};
use crate::optim::clip::global_norm;
use crate::recipe::arms_config::{ArmsConfig, Objective};
use crate::recipe::arms_guide::Guide;
use crate::recipe::sequences::{Segments, score_video};
use crate::recipe::settings::{ConfigError, Settings};
use crate::recipe::system::{Detector, Losses, System};
use crate::score_correction::ScoreCorrection;
use crate::tensors::{Arrays, TensorsError, group, grouped};

/// Parts of a snapshot, and the prefixes of their arrays.
const MODEL: &str = "model.";
const OPTIMISER: &str = "optimiser.";
const GUIDE: &str = "guide.";

/// A training in progress.
#[derive(Debug)]
pub struct ArmsSystem {
    config: ArmsConfig,
    schedule: RatioSchedule,
    plain: Device,
    autodiff: Device,
    dim: usize,
    segments: Segments,
    model: Arms,
    optimiser: Adam,
    guide: Guide,
}

/// Scores the clips of a whole video together.
#[derive(Debug)]
pub struct ArmsDetector {
    model: Arms,
    correction: ScoreCorrection,
    /// Of a training video.
    segments: usize,
    device: Device,
}

/// The losses of one step, each a one-element tensor; those that the objective does not have are 0.
struct Terms {
    total: Tensor<1>,
    normal: Tensor<1>,
    abnormal: Tensor<1>,
    ranking: Tensor<1>,
    cross_entropy: Tensor<1>,
}

impl System for ArmsSystem {
    const NAME: &'static str = "arms";

    const ABOUT: &'static str =
        "ARMS (TMM 2024): a least share of abnormal snippets, asked for in three phases of self-training";

    type Config = ArmsConfig;

    type Detector = ArmsDetector;

    fn training_segments(config: &ArmsConfig) -> Option<usize> {
        Some(config.segments)
    }

    fn new(config: &ArmsConfig, data: &TrainingSet, device: &Device) -> Result<Self, ConfigError> {
        config.validate()?;
        let (schedule, dim, autodiff) = (config.schedule()?, data.train.dim, device.clone().autodiff());
        Ok(Self {
            segments: Segments::of(&data.train, config.segments),
            model: fresh(config, dim, 0, &autodiff),
            optimiser: Adam::new(adam(config)),
            guide: Guide::first(&data.train, config.segments, &schedule),
            config: config.clone(),
            schedule,
            plain: device.clone(),
            autodiff,
            dim,
        })
    }

    fn steps(&self) -> u64 {
        self.config.steps()
    }

    fn step(&mut self, step: u64, data: &TrainingSet) -> Losses {
        let iteration = step / self.config.iteration_steps;
        if iteration > 0 && step.is_multiple_of(self.config.iteration_steps) {
            self.begin(iteration, &data.train);
        }
        let Terms { total, normal, abnormal, ranking, cross_entropy } = self.loss(step);
        let grads = GradientsParams::from_grads(total.backward(), &self.model);
        let grad_norm = global_norm(&self.model, &grads);
        self.model = self.optimiser.step(self.model.clone(), grads);
        let parts = [
            ("normal", normal),
            ("abnormal", abnormal),
            ("ranking", ranking),
            ("cross_entropy", cross_entropy),
        ];
        Losses {
            total: total.into_scalar::<f32>(),
            parts: parts.map(|(name, part)| (name, part.into_scalar::<f32>())).into(),
            grad_norm,
        }
    }

    fn detector(&self) -> ArmsDetector {
        self.config.detector(self.model.valid(), &self.plain)
    }

    fn weights(&self) -> Arrays {
        self.model.to_arrays()
    }

    fn load(
        config: &ArmsConfig,
        weights: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<ArmsDetector, TensorsError> {
        let model = Arms::from_arrays(weights, origin, device)?;
        Ok(config.detector(model, device))
    }

    fn snapshot(&self) -> Arrays {
        grouped([
            (MODEL, self.model.to_arrays()),
            (OPTIMISER, self.optimiser.to_arrays()),
            (GUIDE, self.guide.to_arrays()),
        ])
    }

    fn restore(&mut self, snapshot: &Arrays, origin: &str) -> Result<(), TensorsError> {
        let part = |prefix: &str| group(snapshot, prefix);
        let model = Arms::from_arrays(&part(MODEL), origin, &self.autodiff)?;
        let optimiser = Adam::from_arrays(adam(&self.config), &part(OPTIMISER), origin, &self.plain)?;
        let guide = self.guide.restored(&part(GUIDE), origin)?;
        (self.model, self.optimiser, self.guide) = (model, optimiser, guide);
        Ok(())
    }
}

impl Detector for ArmsDetector {
    fn feature_dim(&self) -> usize {
        self.model.feature_dim()
    }

    fn head(&self) -> HeadSpec {
        let dim = self.feature_dim() as u32;
        if self.correction != ScoreCorrection::None {
            // The probability of a video is known at its end.
            return HeadSpec::on_host(dim);
        }
        // Segments are at most 1024. A board looks at as many clips as the training had segments.
        let context = HeadContext::Window { clips: self.segments as u16 };
        let dims = vec![dim, self.model.width() as u32, HIDDEN as u32, 1];
        HeadSpec { kind: HeadKind::Arms, dims, context }
    }

    fn score(&self, bags: &BagSet) -> Vec<Vec<f32>> {
        let score = |features: Tensor<4>| self.model.forward(features);
        let one = |bag: &Bag| {
            let scores = score_video(bags, bag, &self.device, score);
            let scores: Vec<f64> = scores.into_iter().map(f64::from).collect();
            self.correction.apply(&scores).into_iter().map(|score| score as f32).collect()
        };
        bags.bags.iter().map(one).collect()
    }
}

impl ArmsConfig {
    fn detector(&self, model: Arms, device: &Device) -> ArmsDetector {
        let (correction, segments) = (self.score_correction, self.segments);
        ArmsDetector { model, correction, segments, device: device.clone() }
    }
}

impl ArmsSystem {
    /// Lets the model so far find ratios and pseudo labels, then starts afresh.
    fn begin(&mut self, iteration: u64, bags: &BagSet) {
        let model = self.model.valid();
        let score = |video: usize| {
            let scores = model.forward(self.segments.tensor(&[video], &self.plain));
            scores.into_data().iter::<f64>().collect::<Vec<_>>()
        };
        self.guide = self.guide.next(bags, iteration, &self.schedule, self.config.quarters, score);
        self.model = fresh(&self.config, self.dim, iteration, &self.autodiff);
        self.optimiser = Adam::new(adam(&self.config));
    }

    fn loss(&self, step: u64) -> Terms {
        let ArmsConfig { seed, pairs, topk, pseudo_label_weight, .. } = self.config;
        let batch = self.segments.batch(seed, pairs, step);
        let scores = self.model.forward(self.segments.tensor(&batch, &self.autodiff));
        let cross_entropy = labelled_cross_entropy(scores.clone(), &self.guide.labels(&batch));
        let [normal, abnormal] = [0, pairs].map(|first| scores.clone().narrow(0, first, pairs));
        let none = Tensor::zeros([1], &self.autodiff);
        let (bags, [normal, abnormal, ranking]) = match self.config.objective {
            Objective::AbnormalRatio => {
                let loss = ar_mil(normal, abnormal, &self.guide.ratios(&batch[pairs..]));
                let (normal, abnormal) = (loss.normal.mean(), loss.abnormal.mean());
                (normal.clone() + abnormal.clone(), [normal, abnormal, none])
            }
            Objective::Ranking => {
                let ranking = ms_mil(normal, abnormal, topk).mean();
                (ranking.clone(), [none.clone(), none, ranking])
            }
        };
        // Eq 5; in the first iteration nothing has a label.
        let total = bags + cross_entropy.clone() * pseudo_label_weight;
        Terms { total, normal, abnormal, ranking, cross_entropy }
    }
}

fn fresh(config: &ArmsConfig, dim: usize, iteration: u64, device: &Device) -> Arms {
    Arms::init(dim, config.width, Start { seed: config.seed, iteration }, device)
}

fn adam(config: &ArmsConfig) -> AdamConfig {
    AdamConfig {
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        ..AdamConfig::default()
    }
}
