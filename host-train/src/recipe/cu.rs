//! CU (CVPR 2023): completeness and uncertainty of pseudo labels.
//!
//! First a generator with several heads learns from segments of videos ([`crate::loss::cu_completeness`]). Then come
//! iterations: clips of abnormal videos are scored many times with dropout, by the generator at first and by the
//! classifier later; the mean is a clip's label, and the clips whose scores vary least are learnt from
//! ([`crate::uncertainty`]); the classifier, which also sees what came just before a clip ([`crate::memory`]), is trained
//! on them and goes on from its weights. Where the text leaves a choice: diversity and norm are of abnormal bags only,
//! normal videos keep the label 0, crops of a clip share its label and are averaged (logits in the generator,
//! probabilities in the classifier), and no gradient is clipped.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use vad_data::Label;

use crate::bag::{Bag, BagSet, TrainingSet};
use crate::batch::videos;
use crate::loss::cu_completeness::{CompletenessWeights, Scope, completeness};
use crate::loss::soft_cross_entropy::soft_cross_entropy;
use crate::memory::Memory;
use crate::model::cu_classifier::{self, CuClassifier, LAYERS};
use crate::model::cu_generator::{self, CuGenerator};
use crate::optim::adadelta::{Adadelta, AdadeltaConfig};
use crate::optim::adam::{Adam, AdamConfig};
use crate::optim::clip::global_norm;
use crate::recipe::cu_config::CuConfig;
use crate::recipe::cu_detector::{CuDetector, Inputs, Network};
use crate::recipe::cu_labels::PseudoLabels;
use crate::recipe::scaling::Scaling;
use crate::recipe::settings::ConfigError;
use crate::recipe::system::{Losses, System};
use crate::rng::{Purpose, stream};
use crate::segments::segment_means;
use crate::tensors::{Arrays, TensorsError, group, grouped};
use crate::uncertainty::Estimate;

/// Parts of a snapshot, and the prefixes of their arrays.
const GENERATOR: &str = "generator.";
const ADADELTA: &str = "adadelta.";
const CLASSIFIER: &str = "classifier.";
const ADAM: &str = "adam.";
const LABELS: &str = "labels.";

/// A training of CU in progress.
#[derive(Debug)]
pub struct Cu {
    config: CuConfig,
    inputs: Inputs,
    plain: Device,
    autodiff: Device,
    /// `[bags * S * crops, D]`, scaled.
    segments: Tensor<2>,
    generator: CuGenerator,
    adadelta: Adadelta,
    classifier: CuClassifier,
    adam: Adam,
    /// `None` until the generator is trained.
    labels: Option<PseudoLabels>,
}

/// What a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Generator,
    Classifier {
        iteration: u64,
        /// Whether it is the iteration's first step, before which pseudo labels are made.
        first: bool,
    },
}

/// Which network makes the pseudo labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Teacher {
    Generator,
    Classifier,
}

impl System for Cu {
    const NAME: &'static str = "cu";

    const ABOUT: &'static str =
        "CU (CVPR 2023): pseudo labels made complete by several heads and certain by repeated scoring";

    type Config = CuConfig;

    type Detector = CuDetector;

    fn new(config: &CuConfig, data: &TrainingSet, device: &Device) -> Result<Self, ConfigError> {
        let (dim, autodiff) = (data.train.dim, device.clone().autodiff());
        let inputs = Inputs {
            scaling: Scaling::fit(config.feature_scaling, &data.train),
            memory: Memory { window: config.window },
        };
        let generator = CuGenerator::init(dim, config.heads, config.generator_hidden, config.seed, &autodiff);
        Ok(Self {
            segments: segment_table(&data.train, config.segments, &inputs, &autodiff),
            generator,
            adadelta: Adadelta::new(adadelta(config)),
            classifier: CuClassifier::init(dim, config.classifier_hidden, config.seed, &autodiff),
            adam: Adam::new(adam(config)),
            labels: None,
            config: config.clone(),
            inputs,
            plain: device.clone(),
            autodiff,
        })
    }

    fn steps(&self) -> u64 {
        self.config.steps()
    }

    fn step(&mut self, step: u64, data: &TrainingSet) -> Losses {
        match self.phase(step) {
            Phase::Generator => self.generator_step(step, &data.train),
            Phase::Classifier { iteration, first } => {
                let labels = match self.labels.take().filter(|_| !first) {
                    Some(labels) => labels,
                    None => self.mine(iteration, &data.train),
                };
                let losses = self.classifier_step(step, &data.train, &labels);
                self.labels = Some(labels);
                losses
            }
        }
    }

    fn detector(&self) -> CuDetector {
        let network = match self.labels {
            None => Network::Generator(self.generator.valid()),
            Some(_) => Network::Classifier(Box::new(self.classifier.valid())),
        };
        CuDetector { inputs: self.inputs.clone(), network, device: self.plain.clone() }
    }

    fn weights(&self) -> Arrays {
        let (mut arrays, layers) = match self.labels {
            None => (self.generator.to_arrays(), self.generator.first_layers()),
            Some(_) => (self.classifier.to_arrays(), vec![LAYERS[0].to_owned()]),
        };
        layers.iter().for_each(|layer| self.inputs.scaling.fold(&mut arrays, layer));
        arrays
    }

    fn load(
        config: &CuConfig,
        weights: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<CuDetector, TensorsError> {
        CuDetector::load(config, weights, origin, device)
    }

    fn snapshot(&self) -> Arrays {
        grouped([
            (GENERATOR, self.generator.to_arrays()),
            (ADADELTA, self.adadelta.to_arrays()),
            (CLASSIFIER, self.classifier.to_arrays()),
            (ADAM, self.adam.to_arrays()),
            (LABELS, self.labels.as_ref().map(PseudoLabels::to_arrays).unwrap_or_default()),
        ])
    }

    fn restore(&mut self, snapshot: &Arrays, origin: &str) -> Result<(), TensorsError> {
        let part = |prefix: &str| group(snapshot, prefix);
        let generator = CuGenerator::from_arrays(&part(GENERATOR), origin, &self.autodiff)?;
        let adadelta = Adadelta::from_arrays(adadelta(&self.config), &part(ADADELTA), origin, &self.plain)?;
        let classifier = CuClassifier::from_arrays(&part(CLASSIFIER), origin, &self.autodiff)?;
        let adam = Adam::from_arrays(adam(&self.config), &part(ADAM), origin, &self.plain)?;
        let labels = PseudoLabels::from_arrays(&part(LABELS), origin)?;
        (self.generator, self.adadelta, self.labels) = (generator, adadelta, labels);
        (self.classifier, self.adam) = (classifier, adam);
        Ok(())
    }
}

impl Cu {
    fn phase(&self, step: u64) -> Phase {
        match step.checked_sub(self.config.generator_steps) {
            None => Phase::Generator,
            Some(later) => Phase::Classifier {
                iteration: later / self.config.classifier_steps,
                first: later.is_multiple_of(self.config.classifier_steps),
            },
        }
    }

    fn generator_step(&mut self, step: u64, bags: &BagSet) -> Losses {
        let logits = self.segment_logits(step, bags);
        let weights = CompletenessWeights { margin: self.config.margin, alpha: self.config.alpha };
        let loss = completeness(logits, Scope::Abnormal, weights);
        let grads = GradientsParams::from_grads(loss.total.backward(), &self.generator);
        let grad_norm = global_norm(&self.generator, &grads);
        self.generator = self.adadelta.step(self.generator.clone(), grads);
        let [total, rank, diversity, norm] =
            [loss.total, loss.rank, loss.diversity, loss.norm].map(|part| part.into_scalar::<f32>());
        Losses { total, parts: parts(rank, diversity, norm, 0.0), grad_norm }
    }

    /// Logits of the step's videos, `[K, 2 * pairs, S]`, normal videos first, averaged over crops.
    fn segment_logits(&self, step: u64, bags: &BagSet) -> Tensor<3> {
        let CuConfig { seed, pairs, segments, generator_dropout, heads, .. } = self.config;
        let rows = self.segment_rows(step, bags);
        let mut rng = stream(seed, Purpose::Dropout, step);
        let masks = self.generator.draw_masks(generator_dropout, rows.len(), &mut rng, &self.autodiff);
        let features = self.segments.clone().select(0, indices(&rows, &self.autodiff));
        let logits = self.generator.forward_train(features, masks);
        let by_crop: Tensor<4> = logits.reshape([heads, 2 * pairs, segments, bags.crops]);
        by_crop.mean_dim(3).squeeze_dim(3)
    }

    /// Rows of the segment table.
    fn segment_rows(&self, step: u64, bags: &BagSet) -> Vec<usize> {
        let CuConfig { seed, pairs, segments, .. } = self.config;
        let per_bag = segments * bags.crops;
        [(Label::Normal, Purpose::NormalOrder), (Label::Abnormal, Purpose::AbnormalOrder)]
            .into_iter()
            .flat_map(|(label, order)| videos(&bags.with_label(label), order, seed, pairs, step))
            .flat_map(|bag| bag * per_bag..(bag + 1) * per_bag)
            .collect()
    }

    fn mine(&self, iteration: u64, bags: &BagSet) -> PseudoLabels {
        let teacher = if iteration == 0 { Teacher::Generator } else { Teacher::Classifier };
        PseudoLabels::mine(bags, self.config.reliable_share, |index, bag| {
            // No training set has 2^32 videos.
            let mut rng =
                stream(self.config.seed, Purpose::RepeatedScoring, (iteration << 32) | index as u64);
            let passes = match teacher {
                Teacher::Generator => self.generator_passes(bags, bag, &mut rng),
                Teacher::Classifier => self.classifier_passes(bags, bag, &mut rng),
            };
            Estimate::from_passes(&passes)
        })
    }

    fn generator_passes(&self, bags: &BagSet, bag: &Bag, rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
        let (generator, rate) = (self.generator.valid(), self.config.generator_dropout);
        let hidden = generator.hidden(self.inputs.clips(bags, bag, &self.plain));
        let pass = |_: usize| {
            let masks = generator.draw_masks(rate, bag.clips * bags.crops, rng, &self.plain);
            doubles(cu_generator::clip_scores(generator.logits(&hidden, masks), bags.crops))
        };
        (0..self.config.first_passes).map(pass).collect()
    }

    fn classifier_passes(&self, bags: &BagSet, bag: &Bag, rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
        let (classifier, rate) = (self.classifier.valid(), self.config.classifier_dropout);
        let hidden = classifier.hidden(self.inputs.remembering(bags, bag, &self.plain));
        let pass = |_: usize| {
            let masks = classifier.draw_masks(rate, bag.clips * bags.crops, rng, &self.plain);
            doubles(cu_classifier::clip_scores(classifier.logits(&hidden, masks), bags.crops))
        };
        (0..self.config.later_passes).map(pass).collect()
    }

    fn classifier_step(&mut self, step: u64, bags: &BagSet, labels: &PseudoLabels) -> Losses {
        let chosen = self.chosen_clips(step, bags, labels);
        let rows = chosen.len() * bags.crops;
        let CuConfig { seed, classifier_dropout, .. } = self.config;
        let mut rng = stream(seed, Purpose::Dropout, step);
        let masks = self.classifier.draw_masks(classifier_dropout, rows, &mut rng, &self.autodiff);
        let logits = self.classifier.forward_train(self.inputs.chosen(bags, &chosen, &self.autodiff), masks);
        let loss = soft_cross_entropy(logits, self.targets(bags, labels, &chosen)).mean();
        let grads = GradientsParams::from_grads(loss.backward(), &self.classifier);
        let grad_norm = global_norm(&self.classifier, &grads);
        self.classifier = self.adam.step(self.classifier.clone(), grads);
        let total = loss.into_scalar::<f32>();
        Losses { total, parts: parts(0.0, 0.0, 0.0, total), grad_norm }
    }

    /// Clips to learn from as bag and clip, as many of abnormal as of normal videos as long as there are enough.
    fn chosen_clips(&self, step: u64, bags: &BagSet, labels: &PseudoLabels) -> Vec<(usize, usize)> {
        let mut rng = stream(self.config.seed, Purpose::Sampling, step);
        let mut draw = |label: Label| {
            let clips = labels.reliable(bags, label);
            let count = self.config.clips.min(clips.len());
            let drawn = index::sample(&mut rng, clips.len(), count);
            drawn.into_iter().map(|at| clips[at]).collect::<Vec<_>>()
        };
        [draw(Label::Normal), draw(Label::Abnormal)].concat()
    }

    /// `[chosen * crops]`.
    fn targets(&self, bags: &BagSet, labels: &PseudoLabels, chosen: &[(usize, usize)]) -> Tensor<1> {
        let label = |(index, clip): &(usize, usize)| labels.label(bags.bags[*index].first_row + clip);
        let values: Vec<f32> =
            chosen.iter().flat_map(|at| std::iter::repeat_n(label(at), bags.crops)).collect();
        let count = values.len();
        Tensor::from_data(TensorData::new(values, [count]), &self.autodiff)
    }
}

/// The same names in every phase; what a phase does not have is 0.
fn parts(rank: f32, diversity: f32, norm: f32, classifier: f32) -> Vec<(&'static str, f32)> {
    vec![("rank", rank), ("diversity", diversity), ("norm", norm), ("cross_entropy", classifier)]
}

fn adadelta(config: &CuConfig) -> AdadeltaConfig {
    AdadeltaConfig { learning_rate: config.generator_learning_rate.into(), ..AdadeltaConfig::default() }
}

fn adam(config: &CuConfig) -> AdamConfig {
    AdamConfig {
        learning_rate: config.classifier_learning_rate,
        weight_decay: config.weight_decay,
        ..AdamConfig::default()
    }
}

fn segment_table(bags: &BagSet, segments: usize, inputs: &Inputs, device: &Device) -> Tensor<2> {
    let width = bags.dim * bags.crops;
    let means: Vec<_> =
        bags.bags.iter().map(|bag| segment_means(bags.clips_of(bag), width, segments)).collect();
    inputs.table(means.concat(), bags.dim, device)
}

fn indices(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    Tensor::from_data(TensorData::new(values, [rows.len()]), device)
}

fn doubles(scores: Tensor<1>) -> Vec<f64> {
    scores.into_data().iter::<f64>().collect()
}
