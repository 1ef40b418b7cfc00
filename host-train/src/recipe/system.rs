//! What a training system must offer so that the shared loop can run, stop, resume, select and export it.

use burn::tensor::Device;
use vad_core::HeadSpec;

use crate::bag::{BagSet, TrainingSet};
use crate::recipe::settings::{ConfigError, Settings};
use crate::tensors::{Arrays, TensorsError};

/// One training step in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    /// What was minimised.
    pub total: f32,
    /// Its parts before weighting, named; always the same names in the same order.
    pub parts: Vec<(&'static str, f32)>,
    /// Common norm of all gradients before clipping.
    pub grad_norm: f32,
}

/// A detector in evaluation mode.
pub trait Detector {
    /// Width of the features that it scores.
    fn feature_dim(&self) -> usize;

    /// Its description for exporter and board.
    fn head(&self) -> HeadSpec;

    /// Scores of every clip of every bag, in the order of `bags.bags`. The features are [`Detector::feature_dim`] wide.
    /// Scores lie within 0..=1, or are not numbers where features or weights are broken.
    fn score(&self, bags: &BagSet) -> Vec<Vec<f32>>;
}

/// One training system.
///
/// Systems with several phases count their steps through all of them; what happens between two phases (fresh weights,
/// new pseudo labels) happens at the start of the step that begins the later one. Every random draw is a function of
/// seed and step ([`crate::rng`]), so [`System::snapshot`] and the step number are the whole state.
pub trait System: Sized {
    /// Name on the command line, in run folders and checkpoints.
    const NAME: &'static str;

    /// Where it was published and what it learns by, in a line.
    const ABOUT: &'static str;

    /// Settings, the seed included.
    type Config: Settings;

    /// What it trains.
    type Detector: Detector + 'static;

    /// How many segments it averages each training video into, if it looks at nothing else of them.
    fn training_segments(_: &Self::Config) -> Option<usize> {
        None
    }

    /// A fresh training. `device` is a plain one; the system puts autodiff on it where it needs gradients.
    ///
    /// # Errors
    /// When a setting is outside its range or does not suit the data.
    fn new(config: &Self::Config, data: &TrainingSet, device: &Device) -> Result<Self, ConfigError>;

    /// Steps in all phases together.
    fn steps(&self) -> u64;

    /// Does the step of this number, counted from 0. `data` is what [`System::new`] was given.
    fn step(&mut self, step: u64, data: &TrainingSet) -> Losses;

    /// The detector as it stands.
    fn detector(&self) -> Self::Detector;

    /// Its weights, for raw features: what the exporter gets.
    fn weights(&self) -> Arrays;

    /// A detector from what [`System::weights`] gave.
    ///
    /// # Errors
    /// When an array is missing or does not fit; `origin` says where the arrays came from.
    fn load(
        config: &Self::Config,
        weights: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<Self::Detector, TensorsError>;

    /// Everything that changes from step to step: weights, optimiser state, pseudo labels.
    fn snapshot(&self) -> Arrays;

    /// Takes back a snapshot; after an error nothing has changed.
    ///
    /// # Errors
    /// When an array is missing or does not fit; `origin` says where the arrays came from.
    fn restore(&mut self, snapshot: &Arrays, origin: &str) -> Result<(), TensorsError>;
}
