//! What CU trains, in evaluation mode: its generator until there is a classifier.

use burn::tensor::{Device, Tensor, TensorData};
use vad_core::head::MAX_CONTEXT_CLIPS;
use vad_core::{HeadContext, HeadKind, HeadSpec};

use crate::bag::{Bag, BagSet};
use crate::memory::Memory;
use crate::model::cu_classifier::{self, CuClassifier};
use crate::model::cu_generator::{self, CuGenerator};
use crate::recipe::cu_config::CuConfig;
use crate::recipe::scaling::Scaling;
use crate::recipe::system::Detector;
use crate::tensors::{Arrays, TensorsError};

/// How features become rows of the networks' inputs.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    pub(crate) scaling: Scaling,
    pub(crate) memory: Memory,
}

/// Either network.
#[derive(Debug)]
pub(crate) enum Network {
    Generator(CuGenerator),
    Classifier(Box<CuClassifier>),
}

/// Scores clips one by one, or beside the memory of the clips before them.
#[derive(Debug)]
pub struct CuDetector {
    pub(crate) inputs: Inputs,
    pub(crate) network: Network,
    pub(crate) device: Device,
}

impl Inputs {
    /// A video's clips for the generator, `[clips * crops, D]`.
    pub(crate) fn clips(&self, bags: &BagSet, bag: &Bag, device: &Device) -> Tensor<2> {
        self.table(bags.clips_of(bag).to_vec(), bags.dim, device)
    }

    /// A video's clips for the classifier, `[clips * crops, 2D]`.
    pub(crate) fn remembering(&self, bags: &BagSet, bag: &Bag, device: &Device) -> Tensor<2> {
        let values = self.memory.extend(bags.clips_of(bag), bags.crops, bags.dim, 0..bag.clips);
        self.table(values, 2 * bags.dim, device)
    }

    /// Clips chosen from many videos, as bag and clip, for the classifier: `[chosen * crops, 2D]`.
    pub(crate) fn chosen(&self, bags: &BagSet, chosen: &[(usize, usize)], device: &Device) -> Tensor<2> {
        let mut rows = Vec::with_capacity(chosen.len() * bags.crops * 2 * bags.dim);
        for (index, clip) in chosen {
            self.memory.push(bags.clips_of(&bags.bags[*index]), bags.crops, bags.dim, *clip, &mut rows);
        }
        self.table(rows, 2 * bags.dim, device)
    }

    /// Rows of `width`, which is one feature or several side by side.
    pub(crate) fn table(&self, values: Vec<f32>, width: usize, device: &Device) -> Tensor<2> {
        let rows = values.len().checked_div(width).unwrap_or(0);
        Tensor::from_data(TensorData::new(self.scaling.apply(values), [rows, width]), device)
    }
}

impl CuDetector {
    /// A network for raw features. Which one it is shows in the names of its arrays.
    ///
    /// # Errors
    /// When an array is missing or does not fit; `origin` says where the arrays came from.
    pub(crate) fn load(
        config: &CuConfig,
        weights: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        let is_classifier = weights.contains_key(&format!("{}.weight", cu_classifier::LAYERS[0]));
        let network = if is_classifier {
            Network::Classifier(Box::new(CuClassifier::from_arrays(weights, origin, device)?))
        } else {
            Network::Generator(CuGenerator::from_arrays(weights, origin, device)?)
        };
        let inputs = Inputs { scaling: Scaling::NONE, memory: Memory { window: config.window } };
        Ok(Self { inputs, network, device: device.clone() })
    }

    fn score_bag(&self, bags: &BagSet, bag: &Bag) -> Vec<f32> {
        let scores = match &self.network {
            Network::Generator(generator) => {
                let features = self.inputs.clips(bags, bag, &self.device);
                cu_generator::clip_scores(generator.forward(features), bags.crops)
            }
            Network::Classifier(classifier) => {
                let features = self.inputs.remembering(bags, bag, &self.device);
                cu_classifier::clip_scores(classifier.forward(features), bags.crops)
            }
        };
        scores.into_data().iter::<f32>().collect()
    }
}

impl Detector for CuDetector {
    fn feature_dim(&self) -> usize {
        match &self.network {
            Network::Generator(generator) => generator.feature_dim(),
            Network::Classifier(classifier) => classifier.feature_dim(),
        }
    }

    fn head(&self) -> HeadSpec {
        let dims = |[dim, first, second]: [usize; 3]| [dim, first, second, 1].map(|w| w as u32).to_vec();
        match &self.network {
            Network::Generator(generator) => {
                HeadSpec::per_clip(HeadKind::CuGenerator, dims(generator.widths()))
            }
            Network::Classifier(classifier) => match u16::try_from(self.inputs.memory.window) {
                Ok(clips) if clips <= MAX_CONTEXT_CLIPS => HeadSpec {
                    kind: HeadKind::CuClassifier,
                    dims: dims(classifier.widths()),
                    context: HeadContext::Memory { clips },
                },
                _ => HeadSpec::on_host(classifier.feature_dim() as u32),
            },
        }
    }

    fn score(&self, bags: &BagSet) -> Vec<Vec<f32>> {
        bags.bags.iter().map(|bag| self.score_bag(bags, bag)).collect()
    }
}
