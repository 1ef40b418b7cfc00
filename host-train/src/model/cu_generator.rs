//! The pseudo-label generator of CU (CVPR 2023, section 3.1): several small perceptrons that look for different parts of an
//! anomaly.
//!
//! Each head is `D - 512 - ReLU - dropout - 128 - dropout - 1`, without ReLU after the 128, and gives a raw logit. The
//! sigmoid comes after the mean over heads (eq 4): one inside the heads would confine labels to 0.5..0.73. Its training code
//! was never released; parameters are named `HEAD.fc1`, `.fc2`, `.fc3`, heads counted from 0. 2,229,762 of them at D = 2048
//! and K = 2.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::dense;
use crate::dropout::Mask;
use crate::rng::{Purpose, stream};
use crate::tensors::{Arrays, TensorsError};

/// Heads in the paper (K).
pub const PUBLISHED_HEADS: usize = 2;

/// Widths of the two hidden layers in the paper.
pub const PUBLISHED_HIDDEN: [usize; 2] = [512, 128];

/// Gives each clip one logit per head.
#[derive(Module, Debug)]
pub struct CuGenerator {
    heads: Vec<Head>,
}

#[derive(Module, Debug)]
struct Head {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

/// Outputs of every head's first layer after its ReLU, `[clips, 512]` each: what all dropout passes over the same clips
/// have in common.
#[derive(Clone, Debug)]
pub struct Hidden(Vec<Tensor<2>>);

/// Dropout masks of one pass, for the two hidden layers of each head. Heads beyond them drop nothing.
#[derive(Debug, Default)]
pub struct GeneratorMasks(Vec<[Option<Mask>; 2]>);

impl GeneratorMasks {
    /// Masks chosen beforehand, head after head.
    pub fn new(masks: Vec<[Option<Mask>; 2]>) -> Self {
        Self(masks)
    }
}

impl CuGenerator {
    /// Fresh weights and biases, uniform within `1 / sqrt(fan_in)` (PyTorch's default; the paper names none).
    pub fn init(feature_dim: usize, heads: usize, hidden: [usize; 2], seed: u64, device: &Device) -> Self {
        let [first, second] = hidden;
        let head = |index: usize| {
            let layer = |layer: usize, inputs: usize, outputs: usize| {
                let mut rng = stream(seed, Purpose::Weights, (3 * index + layer) as u64);
                dense::init(inputs, outputs, &mut rng, device)
            };
            Head { fc1: layer(0, feature_dim, first), fc2: layer(1, first, second), fc3: layer(2, second, 1) }
        };
        Self { heads: (0..heads).map(head).collect() }
    }

    /// Loads `HEAD.fc{1,2,3}.{weight,bias}`; weights are `[outputs, inputs]`. Widths and the number of heads follow the
    /// arrays.
    ///
    /// # Errors
    /// When an array is missing or the shapes do not chain; `origin` says where the arrays came from.
    pub fn from_arrays(arrays: &Arrays, origin: &str, device: &Device) -> Result<Self, TensorsError> {
        let held = |index: usize| arrays.keys().any(|name| name.starts_with(&format!("{index}.")));
        let heads = (0..).take_while(|index| held(*index)).count().max(1);
        let heads = (0..heads).map(|index| Head::from_arrays(arrays, origin, index, device));
        Ok(Self { heads: heads.collect::<Result<_, _>>()? })
    }

    /// The parameters by name; weights are `[outputs, inputs]`.
    pub fn to_arrays(&self) -> Arrays {
        let mut arrays = Arrays::new();
        for (index, head) in self.heads.iter().enumerate() {
            let [first, second, third] = layer_names(index);
            let layers = [&head.fc1, &head.fc2, &head.fc3];
            arrays.extend(dense::store_chain([&first, &second, &third], layers));
        }
        arrays
    }

    /// Names of the layers that take features.
    pub fn first_layers(&self) -> Vec<String> {
        (0..self.heads.len()).map(|index| format!("{index}.fc1")).collect()
    }

    /// Width of the features that it scores.
    pub fn feature_dim(&self) -> usize {
        self.heads.first().map_or(0, |head| head.fc1.weight.dims()[0])
    }

    /// Width of the features and of each head's two hidden layers.
    pub fn widths(&self) -> [usize; 3] {
        let [first, second] = self.heads.first().map_or([0; 2], |head| head.fc2.weight.dims());
        [self.feature_dim(), first, second]
    }

    /// Draws the masks of one pass over `rows` clips.
    pub fn draw_masks(
        &self,
        rate: f64,
        rows: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> GeneratorMasks {
        let mut draw = |layer: &Linear| Mask::draw(rate, rows, layer.weight.dims()[1], rng, device);
        GeneratorMasks(self.heads.iter().map(|head| [draw(&head.fc1), draw(&head.fc2)]).collect())
    }

    /// The part of a pass that dropout does not touch.
    ///
    /// # Shapes
    /// `features` is `[clips, D]`.
    pub fn hidden(&self, features: Tensor<2>) -> Hidden {
        Hidden(self.heads.iter().map(|head| relu(head.fc1.forward(features.clone()))).collect())
    }

    /// The rest of a pass, with dropout.
    ///
    /// # Shapes
    /// The masks are `[clips, 512]` and `[clips, 128]`; the result is `[K, clips]`.
    pub fn logits(&self, hidden: &Hidden, masks: GeneratorMasks) -> Tensor<2> {
        let mut masks = masks.0.into_iter();
        let heads = self.heads.iter().zip(&hidden.0);
        let logits = heads.map(|(head, hidden)| {
            let [first, second] = masks.next().unwrap_or_default();
            let narrow = head.fc2.forward(dense::drop_units(hidden.clone(), first));
            head.fc3.forward(dense::drop_units(narrow, second)).squeeze_dim(1)
        });
        Tensor::stack(logits.collect::<Vec<Tensor<1>>>(), 0)
    }

    /// Logits without dropout.
    ///
    /// # Shapes
    /// `[clips, D]` to `[K, clips]`.
    pub fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        self.logits(&self.hidden(features), GeneratorMasks::default())
    }

    /// Logits with dropout.
    ///
    /// # Shapes
    /// As [`CuGenerator::forward`]; masks as for [`CuGenerator::logits`].
    pub fn forward_train(&self, features: Tensor<2>, masks: GeneratorMasks) -> Tensor<2> {
        self.logits(&self.hidden(features), masks)
    }
}

impl Head {
    fn from_arrays(
        arrays: &Arrays,
        origin: &str,
        index: usize,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        let [first, second, third] = layer_names(index);
        let [fc1, fc2, fc3] = dense::load_chain(arrays, origin, [&first, &second, &third], 1, device)?;
        Ok(Self { fc1, fc2, fc3 })
    }
}

/// Names of a head's layers.
fn layer_names(head: usize) -> [String; 3] {
    [1, 2, 3].map(|layer| format!("{head}.fc{layer}"))
}

/// Scores of clips (eq 4, and eq 8 for a pass with dropout): the sigmoid of the mean over heads and crops.
///
/// # Shapes
/// `[K, clips * crops]` to `[clips]`, each within 0..=1.
pub fn clip_scores(logits: Tensor<2>, crops: usize) -> Tensor<1> {
    let [_, rows] = logits.dims();
    let crops = crops.max(1);
    let by_clip: Tensor<2> = logits.mean_dim(0).reshape([rows / crops, crops]);
    sigmoid(by_clip.mean_dim(1).squeeze_dim(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Features of I3D-ResNet50.
    const FEATURE_DIM: usize = 2048;

    #[test]
    fn two_heads_have_the_parameters_of_the_paper() {
        let model = CuGenerator::init(FEATURE_DIM, PUBLISHED_HEADS, PUBLISHED_HIDDEN, 1, &Device::flex());
        assert_eq!(model.num_params(), 2_229_762);
    }

    #[test]
    fn heads_start_apart_and_survive_a_round_trip() {
        let device = Device::flex();
        let arrays = CuGenerator::init(6, 3, [5, 4], 1, &device).to_arrays();
        assert_ne!(arrays["0.fc1.weight"], arrays["1.fc1.weight"]);
        assert_eq!(CuGenerator::from_arrays(&arrays, "test", &device).unwrap().to_arrays(), arrays);
        let error = CuGenerator::from_arrays(&Arrays::new(), "empty", &device).unwrap_err();
        assert!(error.to_string().contains("0.fc1"), "{error}");
    }
}
