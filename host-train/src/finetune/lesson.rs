//! What the clips that go through the network at once teach it: losses and gradients.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use super::clips::{Clip, ClipInput};
use super::error::TuneError;
use crate::dropout::Mask;
use crate::loss::weighted_bce::{ClassWeights, guided_loss, unguided_loss, weighted_bce};
use crate::model::sga::encoder::SgaEncoder;

/// Clips of one batch that go through the network at once.
#[derive(Debug)]
pub struct Group {
    /// At least one.
    pub clips: Vec<Clip>,
    /// Which share of the batch's clips they are.
    pub share: f32,
    /// Their dropout, on the device that they go to.
    pub mask: Option<Mask>,
}

/// The losses, each a group's mean times its share, or a sum of those.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// Of the classifier.
    pub classifier: f32,
    /// Of the guided map.
    pub guided: f32,
    /// Of the plain classifier; 0 where there is none.
    pub plain: f32,
}

/// What one group teaches.
#[derive(Debug)]
pub struct Lesson {
    /// The losses.
    pub sums: Sums,
    /// Their gradients, times the share.
    pub grads: GradientsParams,
}

/// Gives lessons; the same on every device.
#[derive(Clone, Debug)]
pub struct Teacher {
    /// What an encoder is given of a clip.
    pub input: ClipInput,
    /// Weights of both classes in the losses.
    pub weights: ClassWeights,
    /// Whether the guided map has a loss of its own.
    pub guides: bool,
}

impl Sums {
    /// Adds those of another group.
    pub fn add(&mut self, other: Self) {
        self.classifier += other.classifier;
        self.guided += other.guided;
        self.plain += other.plain;
    }
}

impl Teacher {
    /// Forward and backward. The encoder and the mask are on `device`, which has autodiff, and so are the gradients.
    ///
    /// # Errors
    /// When the clips do not fit the encoder.
    pub fn lesson(&self, encoder: &SgaEncoder, group: Group, device: &Device) -> Result<Lesson, TuneError> {
        let Group { clips, share, mask } = group;
        let pixels: Vec<&[u8]> = clips.iter().map(|clip| clip.pixels.as_slice()).collect();
        let labels: Vec<f32> = clips.iter().map(|clip| clip.label).collect();
        let labels: Tensor<1> = Tensor::from_data(TensorData::new(labels, [clips.len()]), device);
        let scored = encoder.forward_train(self.input.tensor(&pixels, device)?, mask)?;
        let plain = scored.plain_scores().map(|plain| weighted_bce(plain, labels.clone(), self.weights));
        let loss = match scored.guided_scores().filter(|_| self.guides) {
            Some(guided) => guided_loss(scored.scores(), guided, labels, self.weights),
            None => unguided_loss(scored.scores(), labels, self.weights),
        };
        let sums = Sums {
            classifier: share * loss.classifier.into_scalar::<f32>(),
            guided: share * loss.guided.into_scalar::<f32>(),
            plain: share * plain.clone().map_or(0.0, Tensor::into_scalar::<f32>),
        };
        let total = plain.map_or(loss.total.clone(), |plain| loss.total + plain);
        let backward = (total * share).backward();
        Ok(Lesson { sums, grads: GradientsParams::from_grads(backward, encoder) })
    }
}
