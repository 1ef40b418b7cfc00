//! The head of MIST's encoder E_SGA (CVPR 2021, section 3.3): attention on the last map, and two classifiers.
//!
//! Attention A comes from block 4 ([`attention`]) and strengthens block 5: `M_A = M_5 (1 + A)` (eq 5). The mean of `M_A` over time
//! and space goes through dropout and one linear layer, the classifier H_c; its softmax scores the clip. The guided classifier
//! H_g sits within the attention and only teaches. Class 0 is normal, class 1 abnormal. Parameters carry the published
//! names: `Conv_Atten.*` and `Regressor.1`. For the paper's ablation a head can be without attention, and so without H_g.
//!
//! An encoder that runs on boards has a third classifier, the plain one: it sees the mean of block 5 itself, which is the
//! feature that a board has. The attention needs a whole clip; it then shapes the encoder while it learns, and no more.
//!
//! [`encoder`] joins a backbone and this head.

pub mod attention;
pub mod encoder;
pub mod maps;

use burn::module::Module;
use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::cu_classifier::clip_scores;
use super::dense;
use crate::backbone::pooling::global_average;
use crate::dropout::Mask;
use crate::rng::{Purpose, stream};
use crate::tensors::{Arrays, TensorsError};
use attention::{Attention, Form, SelfGuidedAttention};
use maps::{Maps, ShapeError};

/// What stands before the attention's names in published files.
const ATTENTION: &str = "Conv_Atten.";

/// The classifier H_c in published files; number 0 is its dropout.
pub(crate) const CLASSIFIER: &str = "Regressor.1";

/// The plain classifier; no published file has one.
const PLAIN_CLASSIFIER: &str = "Plain_Regressor.1";

/// Normal and abnormal.
const CLASSES: usize = 2;

/// After the attention's own layers.
const CLASSIFIER_LAYER: u64 = (1 << 33) + 4;

/// After H_c.
const PLAIN_LAYER: u64 = CLASSIFIER_LAYER + 1;

/// Attention and both classifiers, or the classifier H_c alone.
#[derive(Module, Debug)]
pub struct SgaHead {
    attention: Option<SelfGuidedAttention>,
    classifier: Linear,
    plain: Option<Linear>,
}

/// What a head makes of a batch of clips, with attention or without.
#[derive(Clone, Debug)]
pub struct Scored {
    /// Logits of the classifier H_c, `[N, 2]`: normal, abnormal.
    pub logits: Tensor<2>,
    /// `M_A` (eq 5), `[N, C5, T5, h, w]`; without attention block 5 itself.
    pub attended: Tensor<5>,
    /// What the attention saw and made of it, where there is one.
    pub attention: Option<Attention>,
    /// Logits of the plain classifier, `[N, 2]`, where there is one.
    pub plain_logits: Option<Tensor<2>>,
}

/// What a head with attention makes of a batch of clips.
#[derive(Clone, Debug)]
pub struct Guided {
    /// Logits of the classifier H_c, `[N, 2]`: normal, abnormal.
    pub logits: Tensor<2>,
    /// What the attention saw and made of it; its map can be shown.
    pub attention: Attention,
    /// `M_A` (eq 5), `[N, C5, T5, h, w]`.
    pub attended: Tensor<5>,
    /// Logits of the plain classifier, `[N, 2]`, where there is one.
    pub plain_logits: Option<Tensor<2>>,
}

impl SgaHead {
    /// Fresh weights as PyTorch draws them, for maps of these channels (block 4, block 5).
    pub fn init(widths: [usize; 2], form: Form, seed: u64, device: &Device) -> Self {
        let [block_4, block_5] = widths;
        let mut rng = stream(seed, Purpose::Weights, CLASSIFIER_LAYER);
        Self {
            attention: Some(SelfGuidedAttention::init(block_4, form, seed, device)),
            classifier: dense::init(block_5, CLASSES, &mut rng, device),
            plain: None,
        }
    }

    /// The same with a plain classifier beside H_c, of fresh weights.
    pub fn with_plain_classifier(self, seed: u64, device: &Device) -> Self {
        let [_, block_5] = self.widths();
        let mut rng = stream(seed, Purpose::Weights, PLAIN_LAYER);
        Self { plain: Some(dense::init(block_5, CLASSES, &mut rng, device)), ..self }
    }

    /// The classifier of [`SgaHead::init`] with the same fresh weights and no attention: it sees the plain mean of block 5.
    pub fn without_attention(block_5: usize, seed: u64, device: &Device) -> Self {
        let mut rng = stream(seed, Purpose::Weights, CLASSIFIER_LAYER);
        Self { attention: None, classifier: dense::init(block_5, CLASSES, &mut rng, device), plain: None }
    }

    /// Loads `Conv_Atten.*` and `Regressor.1.*`. Widths, K and the time steps follow the arrays; where no name begins with
    /// `Conv_Atten.` there is no attention, and where there is no `Plain_Regressor.1.weight` no plain classifier.
    ///
    /// # Errors
    /// When an array is missing or the shapes do not chain; `origin` says where the arrays came from.
    pub fn from_arrays(arrays: &Arrays, origin: &str, device: &Device) -> Result<Self, TensorsError> {
        let inputs = dense::stored_inputs(arrays, origin, CLASSIFIER)?;
        let attends = arrays.keys().any(|name| name.starts_with(ATTENTION));
        let load = || SelfGuidedAttention::from_arrays(arrays, origin, ATTENTION, device);
        let linear = |name: &str| dense::load(arrays, origin, name, [inputs, CLASSES], device);
        Ok(Self {
            attention: attends.then(load).transpose()?,
            classifier: linear(CLASSIFIER)?,
            plain: has_plain(arrays).then(|| linear(PLAIN_CLASSIFIER)).transpose()?,
        })
    }

    /// The parameters under their published names.
    pub fn to_arrays(&self) -> Arrays {
        let mut arrays = Arrays::new();
        self.store_attention(None, &mut arrays);
        self.each_classifier(|name, linear| dense::store(linear, name, &mut arrays));
        arrays
    }

    /// The gradients under the names of their parameters (zero where there is none).
    pub fn gradients(&self, grads: &GradientsParams) -> Arrays {
        let mut arrays = Arrays::new();
        self.store_attention(Some(grads), &mut arrays);
        self.each_classifier(|name, linear| {
            dense::store(&dense::gradients(linear, grads), name, &mut arrays)
        });
        arrays
    }

    fn each_classifier(&self, mut take: impl FnMut(&str, &Linear)) {
        take(CLASSIFIER, &self.classifier);
        self.plain.iter().for_each(|plain| take(PLAIN_CLASSIFIER, plain));
    }

    fn store_attention(&self, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        if let Some(attention) = &self.attention {
            attention.store(ATTENTION, grads, arrays);
        }
    }

    /// Whether there is an attention.
    pub fn attends(&self) -> bool {
        self.attention.is_some()
    }

    /// Whether there is a plain classifier.
    pub fn has_plain_classifier(&self) -> bool {
        self.plain.is_some()
    }

    /// Channels of the maps that it takes: block 4 (0 without attention, which alone looks at it), block 5.
    pub fn widths(&self) -> [usize; 2] {
        let block_4 = self.attention.as_ref().map_or(0, SelfGuidedAttention::inputs);
        [block_4, self.classifier.weight.dims()[0]]
    }

    /// Draws the mask of one pass over so many clips; 0.8 is dropped as published.
    pub fn draw_mask(&self, rate: f64, clips: usize, rng: &mut ChaCha8Rng, device: &Device) -> Option<Mask> {
        Mask::draw(rate, clips, self.widths()[1], rng, device)
    }

    /// Scores clips without dropout, and shows the attention.
    ///
    /// # Errors
    /// When the maps do not fit the head or each other, or the head has no attention.
    pub fn forward(&self, maps: Maps) -> Result<Guided, ShapeError> {
        self.forward_train(maps, None)
    }

    /// As [`SgaHead::forward`], with dropout where there is a mask, `[N, C5]`.
    ///
    /// # Errors
    /// As there.
    pub fn forward_train(&self, maps: Maps, mask: Option<Mask>) -> Result<Guided, ShapeError> {
        let Scored { logits, attended, attention, plain_logits } = self.score(maps, mask)?;
        let missing = || ShapeError { what: "attentions of the head", got: 0, must: "1".to_owned() };
        Ok(Guided { logits, attention: attention.ok_or_else(missing)?, attended, plain_logits })
    }

    /// Scores clips, with attention or without; with dropout where there is a mask, `[N, C5]`.
    ///
    /// # Errors
    /// When the maps do not fit the head or each other.
    pub fn score(&self, maps: Maps, mask: Option<Mask>) -> Result<Scored, ShapeError> {
        let [given, own] = [maps.block_5.dims()[1], self.widths()[1]];
        ShapeError::unless(given == own, "channels of block 5", given, own)?;
        let attention = self.attention.as_ref().map(|attention| attention.forward(&maps)).transpose()?;
        let plain_logits =
            self.plain.as_ref().map(|plain| classify(plain, maps.block_5.clone(), mask.clone()));
        let attended = match &attention {
            Some(attention) => maps.block_5.clone() + maps.block_5 * attention.map.clone(),
            None => maps.block_5,
        };
        let logits = classify(&self.classifier, attended.clone(), mask);
        Ok(Scored { logits, attended, attention, plain_logits })
    }

    /// The logits of the classifier that scores clips, as a function of the map that it sees ([`Guided::seen`]).
    ///
    /// # Shapes
    /// `[N, C5, T5, h, w]` to `[N, 2]`.
    pub(crate) fn judge(&self, seen: Tensor<5>) -> Tensor<2> {
        classify(self.plain.as_ref().unwrap_or(&self.classifier), seen, None)
    }
}

/// Whether the head of these arrays has a plain classifier.
fn has_plain(arrays: &Arrays) -> bool {
    arrays.contains_key(&format!("{PLAIN_CLASSIFIER}.weight"))
}

/// The name of the classifier by which the head of these arrays scores clips.
pub(crate) fn scoring_classifier(arrays: &Arrays) -> &'static str {
    if has_plain(arrays) { PLAIN_CLASSIFIER } else { CLASSIFIER }
}

/// A classifier on a map: its mean over time and space, with dropout where there is a mask, and the linear layer.
fn classify(classifier: &Linear, map: Tensor<5>, mask: Option<Mask>) -> Tensor<2> {
    classifier.forward(dense::drop_units(global_average(map), mask))
}

impl Scored {
    /// Scores by H_c: the probability of class 1.
    ///
    /// # Shapes
    /// `[N]`, each within 0..=1.
    pub fn scores(&self) -> Tensor<1> {
        clip_scores(self.logits.clone(), 1)
    }

    /// Scores by H_g, where there is an attention.
    ///
    /// # Shapes
    /// `[N]`, each within 0..=1.
    pub fn guided_scores(&self) -> Option<Tensor<1>> {
        self.attention.as_ref().map(|attention| clip_scores(attention.guided_logits.clone(), 1))
    }

    /// Scores by the plain classifier, where there is one.
    ///
    /// # Shapes
    /// `[N]`, each within 0..=1.
    pub fn plain_scores(&self) -> Option<Tensor<1>> {
        self.plain_logits.as_ref().map(|logits| clip_scores(logits.clone(), 1))
    }

    /// Scores by which clips are judged: by the plain classifier where there is one, else by H_c.
    ///
    /// # Shapes
    /// `[N]`, each within 0..=1.
    pub fn judged(&self) -> Tensor<1> {
        self.plain_scores().unwrap_or_else(|| self.scores())
    }
}

impl Guided {
    /// The map whose mean decides the score of [`Guided::judged`]; `maps` are those that it was made from.
    pub(crate) fn seen(&self, maps: &Maps) -> Tensor<5> {
        if self.plain_logits.is_some() { maps.block_5.clone() } else { self.attended.clone() }
    }

    /// Scores by H_c: the probability of class 1.
    ///
    /// # Shapes
    /// `[N]`, each within 0..=1.
    pub fn scores(&self) -> Tensor<1> {
        clip_scores(self.logits.clone(), 1)
    }

    /// Scores by H_g.
    ///
    /// # Shapes
    /// `[N]`, each within 0..=1.
    pub fn guided_scores(&self) -> Tensor<1> {
        clip_scores(self.attention.guided_logits.clone(), 1)
    }

    /// Scores by which clips are judged: by the plain classifier where there is one, else by H_c.
    ///
    /// # Shapes
    /// `[N]`, each within 0..=1.
    pub fn judged(&self) -> Tensor<1> {
        clip_scores(self.plain_logits.clone().unwrap_or_else(|| self.logits.clone()), 1)
    }
}

#[cfg(test)]
mod tests {
    use super::attention::Steps;
    use super::*;
    use crate::backbone::narrow;
    use crate::tensors::Array;

    /// A handful of `f32` operations on numbers around 1.
    const TOLERANCE: f32 = 1e-5;

    fn maps(clips: usize) -> Maps {
        Maps {
            block_4: narrow::values([clips, 6, 4, 6, 4]).abs(),
            block_5: narrow::values([clips, 5, 2, 3, 2]).abs(),
        }
    }

    fn head() -> SgaHead {
        SgaHead::init([6, 5], form(6, 3, Steps::Two), 1, &Device::flex())
    }

    fn form(width: usize, k: usize, steps: Steps) -> Form {
        Form { width, k, steps }
    }

    fn changed(head: &SgaHead, name: &str, change: impl Fn(usize) -> f32) -> SgaHead {
        let mut arrays = head.to_arrays();
        let array = arrays.get_mut(name).unwrap();
        array.values = (0..array.values.len()).map(change).collect();
        SgaHead::from_arrays(&arrays, "test", &Device::flex()).unwrap()
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        Array::from_tensor(tensor).values
    }

    #[test]
    fn attention_lies_on_block_5_and_only_strengthens_it() {
        let given = maps(2);
        let guided = head().forward(given.clone()).unwrap();
        assert_eq!(guided.attention.map.dims(), [2, 1, 1, 3, 2]);
        assert_eq!(guided.attention.detectors.dims(), [2, 6, 2, 3, 2]);
        assert_eq!([guided.logits.dims(), guided.attention.guided_logits.dims()], [[2, 2]; 2]);
        assert!(values(guided.attention.map.clone()).iter().all(|a| (0.0..=1.0).contains(a)));
        let map = values(guided.attention.map);
        for (place, (got, plain)) in values(guided.attended).iter().zip(values(given.block_5)).enumerate() {
            // Channels, time, height and width of one clip: 5, 2, 3, 2.
            let want = plain * (1.0 + map[place / 60 * 6 + place % 6]);
            assert!((got - want).abs() < TOLERANCE, "{got} {want}");
        }
    }

    #[test]
    fn without_weights_attention_is_one_half_everywhere() {
        let flat = changed(&head(), "Conv_Atten.Att_3.0.weight", |_| 0.0);
        let flat = changed(&flat, "Conv_Atten.Att_3.0.bias", |_| 0.0);
        let map = flat.forward(maps(1)).unwrap().attention.map;
        assert!(values(map).iter().all(|a| *a == 0.5));
    }

    #[test]
    fn the_first_k_detectors_speak_for_normal_and_the_last_k_for_abnormal() {
        let silent = changed(&head(), "Conv_Atten.Att_2.weight", |_| 0.0);
        let spoken =
            changed(&silent, "Conv_Atten.Att_2.bias", |detector| [1.0, 2.0, 6.0, -1.0, 0.0, 4.0][detector]);
        let guided = spoken.forward(maps(1)).unwrap();
        let logits = values(guided.attention.guided_logits.clone());
        assert!((logits[0] - 3.0).abs() < TOLERANCE && (logits[1] - 1.0).abs() < TOLERANCE, "{logits:?}");
        let score = values(guided.guided_scores())[0];
        assert!((score - 1.0 / (1.0 + 2.0_f32.exp())).abs() < TOLERANCE, "{score}");
    }

    #[test]
    fn dropout_sits_between_the_mean_and_the_classifier() {
        let head = changed(&head(), "Regressor.1.bias", |class| [0.25, -0.5][class]);
        let nothing = Mask::from_factors(Tensor::zeros([2, 5], &Device::flex()));
        let guided = head.forward_train(maps(2), Some(nothing)).unwrap();
        assert_eq!(values(guided.logits), [0.25, -0.5, 0.25, -0.5]);
        let plain = values(head.forward(maps(2)).unwrap().attention.guided_logits);
        assert_eq!(values(guided.attention.guided_logits), plain);
    }

    #[test]
    fn all_four_steps_can_be_kept() {
        let head = SgaHead::init([6, 5], form(4, 3, Steps::Four), 1, &Device::flex());
        let attention = head.forward(maps(1)).unwrap().attention;
        assert_eq!(attention.detectors.dims(), [1, 6, 4, 3, 2]);
        assert_eq!(attention.map.dims(), [1, 1, 1, 3, 2]);
    }

    #[test]
    fn without_attention_the_score_is_that_of_the_plain_mean() {
        let (whole, device, given) = (head(), Device::flex(), maps(2));
        let plain = SgaHead::without_attention(5, 1, &device);
        let scored = plain.score(given.clone(), None).unwrap();
        assert_eq!(values(scored.attended.clone()), values(given.block_5.clone()));
        assert!(
            scored.guided_scores().is_none()
                && whole.score(given.clone(), None).unwrap().guided_scores().is_some()
        );

        // The mean over time and space by hand, through the linear layer of the file.
        let arrays = plain.to_arrays();
        let (weight, bias) = (&arrays["Regressor.1.weight"].values, &arrays["Regressor.1.bias"].values);
        let map = values(given.block_5.clone());
        for (clip, score) in values(scored.scores()).into_iter().enumerate() {
            let mean = |channel: usize| {
                let first = (clip * 5 + channel) * 12;
                map[first..first + 12].iter().sum::<f32>() / 12.0
            };
            let logit =
                |class: usize| bias[class] + (0..5).map(|c| weight[class * 5 + c] * mean(c)).sum::<f32>();
            let want = 1.0 / (1.0 + (logit(0) - logit(1)).exp());
            assert!((score - want).abs() < TOLERANCE, "{score} {want}");
        }

        // Only the attention is gone: the classifier begins as that of the whole head.
        let whole = whole.to_arrays();
        assert!(arrays.keys().eq(["Regressor.1.bias", "Regressor.1.weight"]));
        assert!(arrays.iter().all(|(name, array)| whole[name] == *array));
        let again = SgaHead::from_arrays(&arrays, "test", &device).unwrap();
        assert!(!again.attends() && again.to_arrays() == arrays);
        assert_eq!(again.forward(given).unwrap_err().what, "attentions of the head");
    }

    #[test]
    fn a_head_survives_a_round_trip_and_says_what_does_not_fit() {
        let (head, device) = (head(), Device::flex());
        let arrays = head.to_arrays();
        let again = SgaHead::from_arrays(&arrays, "test", &device).unwrap();
        assert_eq!(again.to_arrays(), arrays);
        assert_eq!(again.widths(), [6, 5]);
        let mut odd = arrays.clone();
        odd.insert(
            "Conv_Atten.Att_2.weight".to_owned(),
            Array { shape: vec![5, 5, 1, 1, 1], values: vec![0.0; 25] },
        );
        let error = SgaHead::from_arrays(&odd, "test", &device).unwrap_err();
        assert!(error.to_string().contains("Conv_Atten.Att_2.weight"), "{error}");
        let long = Maps { block_4: narrow::values([1, 6, 8, 6, 4]), ..maps(1) };
        assert_eq!(head.forward(long).unwrap_err().what, "time steps left of block 4");
        let wide = Maps { block_5: narrow::values([1, 5, 2, 3, 3]), ..maps(1) };
        assert_eq!(head.forward(wide).unwrap_err().what, "width of block 5");
        let other = Maps { block_5: narrow::values([1, 4, 2, 3, 2]), ..maps(1) };
        assert_eq!(head.forward(other).unwrap_err().what, "channels of block 5");
    }

    #[test]
    fn the_published_heads_have_the_published_size() {
        // A convolution of 3x3x3, 2K detectors, their scores, one map, two classes.
        let size = |c4: usize, c5: usize| {
            (c4 * c4 * 27 + c4) + (c4 * 16 + 16) + (16 * 16 + 16) + (16 * 2 + 1) + (c5 * 2 + 2)
        };
        assert_eq!(size(832, 1024), 18_706_563);
        assert_eq!(size(512, 512), 7_087_939);
        let published = form(512, attention::PUBLISHED_K, Steps::Two);
        let head = SgaHead::init([512, 512], published, 1, &Device::flex());
        assert_eq!(head.num_params(), size(512, 512));
    }
}
