//! MIST's encoder E_SGA: I3D or C3D with the self-guided head, trained as one network from pixels and pseudo labels.
//!
//! 30,993,827 parameters with I3D and 34,743,875 with C3D; beside these published encoders there is a small one, the first
//! layers of I3D with a narrower attention, 3,196,163 parameters. Parameters carry the names of published files:
//! `backbone.*`, `Conv_Atten.*`, `Regressor.1.*`.
//!
//! I3D-lite, which boards run, has the same head and a plain classifier ([`super::SgaHead`]). It is a stream, so a clip comes
//! with the frames before it on which its features depend; they leave no map of their own.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use vad_core::lite::STEM_PX;
use vad_core::{AttentionSpec, LiteSize};

use super::attention::{Form as AttentionForm, Steps};
use super::maps::{Maps, ShapeError};
use super::{Scored, SgaHead};
use crate::backbone::c3d::C3d;
use crate::backbone::grid::{Grid, Line, Strided};
use crate::backbone::i3d::I3d;
use crate::backbone::i3d_lite::{I3dLite, I3dLiteMaps, TAPPED_STAGE};
use crate::backbone::padding::Padding;
use crate::backbone::short_i3d::ShortI3d;
use crate::backbone::source::{Names, Source};
use crate::backbone::unit::{Build, Form, Learning};
use crate::dropout::Mask;
use crate::tensors::{Arrays, TensorsError};

/// What stands before the backbone's names in published files.
pub(crate) const BACKBONE: &str = "backbone.";

/// Frames of a clip of the published encoders: for other lengths the attention would not collapse to one map.
pub const FRAMES: usize = 16;

/// Frames of a clip of the small encoder, whose attention sits a halving of time earlier.
pub const SHORT_FRAMES: usize = 8;

/// Channels within the attention of the small encoder and of I3D-lite; that of the published ones is as wide as its input.
const NARROW_ATTENTION_WIDTH: usize = 64;

/// Frames of I3D-lite that make one of the four time steps that the attention expects of a clip.
const LITE_FRAMES_PER_STEP: usize = 4;

/// Colours of a pixel.
const COLOURS: usize = 3;

/// I3D's last map has one place for so many pixels.
const I3D_STRIDE_PX: usize = 32;

/// The last map of C3D and of the small encoder has one place for so many pixels; C3D's poolings drop what is left over, the
/// attention does not.
const C3D_STRIDE_PX: usize = 16;

/// The networks beneath the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first layers of I3D, on every second frame; values in -1..=1.
    ShortI3d,
    /// Clips of 224 x 224 pixels as published, values in -1..=1.
    I3d,
    /// Clips of 112 x 112 pixels as published, see [`crate::backbone::c3d`].
    C3d,
    /// I3D-lite, on clips and the frames before them; values in -1..=1.
    Lite(LiteSize),
}

/// A network whose maps feed the head.
#[allow(clippy::large_enum_variant, reason = "there is one, and burn's modules cannot be boxed")]
#[derive(Module, Debug)]
pub enum Backbone {
    /// Blocks 4 and 5 are `mixed_3c` and `mixed_4b`.
    ShortI3d(ShortI3d),
    /// Blocks 4 and 5 are `mixed_4f` and `mixed_5c`.
    I3d(I3d),
    /// Blocks 4 and 5 are `conv4b` and `conv5b`.
    C3d(C3d),
    /// Block 4 is the map of stage 3, the mean of every four frames; block 5 the last map of every frame.
    Lite(I3dLite),
}

/// Which parameters learn. Stored statistics of normalisations never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trained {
    /// Attention and classifier; the backbone stays as it was loaded.
    Head,
    /// The backbone's convolutions too, not the scale and shift of its normalisations.
    AllButNorms,
    /// Everything.
    All,
}

/// Where maps lie in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grids {
    /// Of the attention A.
    pub attention: Grid,
    /// Of block 4.
    pub block_4: Grid,
    /// Of block 5.
    pub block_5: Grid,
}

/// What the attention of an I3D-lite made of one clip.
#[derive(Clone, Debug)]
pub struct TappedAttention {
    /// The map of stage 3 that it reads, frame by frame, `[1, C, 16, h, w]`.
    pub tapped: Tensor<5>,
    /// Its own map, `[1, 1, 1, rows, columns]`.
    pub map: Tensor<5>,
}

/// The encoder.
#[derive(Module, Debug)]
pub struct SgaEncoder {
    backbone: Backbone,
    head: SgaHead,
}

impl Kind {
    /// Frames that the network is given of a clip of 16, and before it.
    pub fn frames(self) -> usize {
        match self {
            Self::ShortI3d => SHORT_FRAMES,
            Self::I3d | Self::C3d => FRAMES,
            Self::Lite(_) => self.frames_before() + FRAMES,
        }
    }

    /// Frames before the clip that it is given too: those on which the features of a stream depend.
    pub fn frames_before(self) -> usize {
        match self {
            Self::ShortI3d | Self::I3d | Self::C3d => 0,
            Self::Lite(size) => size.plan().memory_frames(),
        }
    }
}

impl Backbone {
    /// An I3D to be trained, from weights under either naming.
    ///
    /// # Errors
    /// When an array is missing or of the wrong shape.
    pub fn i3d(source: Source<'_>, padding: Padding, device: &Device) -> Result<Self, TensorsError> {
        Ok(Self::I3d(I3d::load(Build { source, padding, form: Form::Trainable, device })?))
    }

    /// The first layers of I3D to be trained, from weights of a whole I3D under either naming.
    ///
    /// # Errors
    /// When an array is missing or of the wrong shape.
    pub fn short_i3d(source: Source<'_>, padding: Padding, device: &Device) -> Result<Self, TensorsError> {
        Ok(Self::ShortI3d(ShortI3d::load(Build { source, padding, form: Form::Trainable, device })?))
    }

    /// A C3D to be trained.
    ///
    /// # Errors
    /// When an array is missing or of the wrong shape; `origin` says where the arrays came from.
    pub fn c3d(arrays: &Arrays, origin: &str, device: &Device) -> Result<Self, TensorsError> {
        Ok(Self::C3d(C3d::from_arrays(arrays, origin, "", device)?))
    }

    /// An I3D-lite to be trained.
    ///
    /// # Errors
    /// When an array is missing or of the wrong shape; `origin` says where the arrays came from.
    pub fn lite(
        size: LiteSize,
        arrays: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        Ok(Self::Lite(I3dLite::from_arrays(size, arrays, origin, "", device)?))
    }

    fn kind(&self) -> Kind {
        match self {
            Self::ShortI3d(_) => Kind::ShortI3d,
            Self::I3d(_) => Kind::I3d,
            Self::C3d(_) => Kind::C3d,
            Self::Lite(network) => Kind::Lite(network.size()),
        }
    }

    /// Channels of its maps: block 4, block 5.
    pub fn widths(&self) -> [usize; 2] {
        match self {
            Self::ShortI3d(network) => network.widths(),
            Self::I3d(network) => network.widths(),
            Self::C3d(network) => network.widths(),
            Self::Lite(network) => network.widths(),
        }
    }

    fn attention(&self, k: usize) -> AttentionForm {
        let [block_4, _] = self.widths();
        let width = match self {
            Self::ShortI3d(_) | Self::Lite(_) => NARROW_ATTENTION_WIDTH.min(block_4),
            Self::I3d(_) | Self::C3d(_) => block_4,
        };
        AttentionForm { width, k, steps: Steps::Two }
    }

    /// The maps that the head takes.
    ///
    /// # Shapes
    /// `[N, 3, T, H, W]`, T as [`Kind::frames`] says; H and W at least 32 for I3D, multiples of 4 for I3D-lite, else of 16.
    ///
    /// # Errors
    /// When clips have another shape.
    pub fn maps(&self, clips: Tensor<5>) -> Result<Maps, ShapeError> {
        self.check(clips.dims())?;
        Ok(match self {
            Self::ShortI3d(network) => {
                let maps = network.forward(clips);
                Maps { block_4: maps.mixed_3c, block_5: maps.mixed_4b }
            }
            Self::I3d(network) => {
                let maps = network.forward(clips);
                Maps { block_4: maps.mixed_4f, block_5: maps.mixed_5c }
            }
            Self::C3d(network) => {
                let maps = network.forward(clips);
                Maps { block_4: maps.conv4b, block_5: maps.conv5b }
            }
            Self::Lite(network) => {
                let maps = self.of_clip(network.taps(clips));
                Maps { block_4: steps(maps.stage_3), block_5: maps.last }
            }
        })
    }

    /// Both maps without the frames before the clip.
    fn of_clip(&self, maps: I3dLiteMaps) -> I3dLiteMaps {
        let before = self.kind().frames_before();
        let clip = |map: Tensor<5>| map.narrow(2, before, FRAMES);
        I3dLiteMaps { stage_3: clip(maps.stage_3), last: clip(maps.last) }
    }

    /// The last map from the one before it.
    ///
    /// # Errors
    /// For I3D-lite, of whose block 4 only means over frames are left.
    pub(crate) fn block_5(&self, block_4: Tensor<5>) -> Result<Tensor<5>, ShapeError> {
        match self {
            Self::ShortI3d(network) => Ok(network.mixed_4b(block_4)),
            Self::I3d(network) => Ok(network.mixed_5c(block_4)),
            Self::C3d(network) => Ok(network.conv5b(block_4)),
            Self::Lite(_) => {
                let (what, must) = ("frames in a time step of block 4", "1".to_owned());
                Err(ShapeError { what, got: LITE_FRAMES_PER_STEP, must })
            }
        }
    }

    /// Where the places of blocks 4 and 5 lie along a side of so many pixels.
    fn lines(&self, side_px: usize) -> [Line; 2] {
        match self {
            Self::ShortI3d(network) => network.lines(side_px),
            Self::I3d(network) => network.lines(side_px),
            Self::C3d(network) => network.lines(),
            Self::Lite(network) => network.lines(side_px),
        }
    }

    fn check(&self, [clips, colours, frames, height, width]: [usize; 5]) -> Result<(), ShapeError> {
        ShapeError::unless(clips > 0, "clips", clips, "at least one")?;
        ShapeError::unless(colours == COLOURS, "colours of a pixel", colours, COLOURS)?;
        let own = self.kind().frames();
        ShapeError::unless(frames == own, "frames of a clip", frames, own)?;
        for (what, size) in [("height of a clip", height), ("width of a clip", width)] {
            match self {
                Self::I3d(_) => ShapeError::unless(size >= I3D_STRIDE_PX, what, size, "at least 32 pixels")?,
                Self::ShortI3d(_) | Self::C3d(_) => {
                    let fits = size > 0 && size.is_multiple_of(C3D_STRIDE_PX);
                    ShapeError::unless(fits, what, size, "a multiple of 16 pixels")?;
                }
                Self::Lite(_) => {
                    let fits = size > 0 && size.is_multiple_of(STEM_PX.into());
                    ShapeError::unless(fits, what, size, "a multiple of 4 pixels")?;
                }
            }
        }
        Ok(())
    }

    fn learning(self, learning: Learning) -> Self {
        match self {
            Self::ShortI3d(network) => Self::ShortI3d(network.learning(learning)),
            Self::I3d(network) => Self::I3d(network.learning(learning)),
            Self::C3d(network) => Self::C3d(network.set_require_grad(learning.weights)),
            Self::Lite(network) => Self::Lite(network.set_require_grad(learning.weights)),
        }
    }

    fn store(&self, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        match self {
            Self::ShortI3d(network) => network.store(BACKBONE, Names::Mist, grads, arrays),
            Self::I3d(network) => network.store(BACKBONE, Names::Mist, grads, arrays),
            Self::C3d(network) => network.store(BACKBONE, grads, arrays),
            Self::Lite(network) => network.store(BACKBONE, grads, arrays),
        }
    }
}

/// Means of the frames of each time step of I3D-lite, `[N, C, T, h, w]` to `[N, C, T/4, h, w]`.
fn steps(frames: Tensor<5>) -> Tensor<5> {
    let [n, c, t, h, w] = frames.dims();
    let steps = t / LITE_FRAMES_PER_STEP;
    let means = frames.reshape([n * c, steps, LITE_FRAMES_PER_STEP, h * w]).mean_dim(2);
    means.reshape([n, c, steps, h, w])
}

impl SgaEncoder {
    /// A backbone with a fresh head, drawn from `seed`: the start of fine-tuning. I3D-lite gets a plain classifier too.
    pub fn with_fresh_head(backbone: Backbone, k: usize, seed: u64, device: &Device) -> Self {
        let head = SgaHead::init(backbone.widths(), backbone.attention(k), seed, device);
        let head = match backbone {
            Backbone::Lite(_) => head.with_plain_classifier(seed, device),
            Backbone::ShortI3d(_) | Backbone::I3d(_) | Backbone::C3d(_) => head,
        };
        Self { backbone, head }
    }

    /// A backbone with a fresh classifier and no attention, for the paper's ablation; both begin as those of
    /// [`SgaEncoder::with_fresh_head`].
    pub fn without_attention(backbone: Backbone, seed: u64, device: &Device) -> Self {
        let [_, block_5] = backbone.widths();
        Self { backbone, head: SgaHead::without_attention(block_5, seed, device) }
    }

    /// Loads what [`SgaEncoder::to_arrays`] gives, or a published file. Counters of batches, which PyTorch stores, are
    /// ignored. `padding` matters to I3D alone; the published encoders have [`Padding::Mist`].
    ///
    /// # Errors
    /// When an array is missing or the shapes do not chain; `origin` says where the arrays came from.
    pub fn from_arrays(
        kind: Kind,
        arrays: &Arrays,
        origin: &str,
        padding: Padding,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        let source = Source { arrays, origin, prefix: BACKBONE, names: Names::Mist };
        let backbone = match kind {
            Kind::ShortI3d => Backbone::short_i3d(source, padding, device)?,
            Kind::I3d => Backbone::i3d(source, padding, device)?,
            Kind::C3d => Backbone::C3d(C3d::from_arrays(arrays, origin, BACKBONE, device)?),
            Kind::Lite(size) => Backbone::Lite(I3dLite::from_arrays(size, arrays, origin, BACKBONE, device)?),
        };
        Ok(Self { backbone, head: SgaHead::from_arrays(arrays, origin, device)? })
    }

    /// The parameters and statistics under their published names.
    pub fn to_arrays(&self) -> Arrays {
        let mut arrays = self.head.to_arrays();
        self.backbone.store(None, &mut arrays);
        arrays
    }

    /// The gradients under the names of their parameters (zero where there is none).
    pub fn gradients(&self, grads: &GradientsParams) -> Arrays {
        let mut arrays = self.head.gradients(grads);
        self.backbone.store(Some(grads), &mut arrays);
        arrays
    }

    /// The same with other parameters learning. Those that do not learn get no gradient, so that an optimiser passes them by,
    /// weight decay included; a backbone that does not learn records nothing for the way back.
    pub fn training(self, trained: Trained) -> Self {
        let learning = Learning { weights: trained != Trained::Head, norms: trained == Trained::All };
        Self { backbone: self.backbone.learning(learning), head: self.head }
    }

    /// The network beneath the head.
    pub(crate) fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    /// Attention and classifiers.
    pub(crate) fn head(&self) -> &SgaHead {
        &self.head
    }

    /// Whether there is an attention.
    pub fn attends(&self) -> bool {
        self.head.attends()
    }

    /// Whether there is a plain classifier.
    pub fn has_plain_classifier(&self) -> bool {
        self.head.has_plain_classifier()
    }

    /// Where the places of the attention and of blocks 4 and 5 lie in pictures of so many pixels.
    pub fn grids(&self, height_px: usize, width_px: usize) -> Grids {
        let [rows, columns] = [height_px, width_px].map(|side| {
            let [block_4, block_5] = self.backbone.lines(side);
            [Strided::ATTENTION.line(block_4, 1), block_4, block_5]
        });
        let grid = |map: usize| Grid { rows: rows[map], columns: columns[map] };
        Grids { attention: grid(0), block_4: grid(1), block_5: grid(2) }
    }

    /// What boards have to know of the attention in pictures of so many pixels; nothing where there is none, and of encoders
    /// that boards do not run.
    pub fn board_attention(&self, height_px: u16, width_px: u16) -> Option<AttentionSpec> {
        let Backbone::Lite(network) = &self.backbone else { return None };
        let plan = network.size().plan();
        // The first layer has a place for every begun pair; at most those of the stem.
        let places = |side_px| plan.places(TAPPED_STAGE, side_px).div_ceil(2) as u16;
        self.attends().then(|| AttentionSpec {
            stage: TAPPED_STAGE as u8,
            rows: places(height_px),
            columns: places(width_px),
            grid: self.grids(height_px.into(), width_px.into()).attention,
        })
    }

    /// What the attention of an I3D-lite makes of one clip and the frames before it; nothing of other encoders.
    ///
    /// # Shapes
    /// As [`Backbone::maps`].
    ///
    /// # Errors
    /// When the clip has another shape, and without attention.
    pub fn tapped_attention(&self, clip: Tensor<5>) -> Result<Option<TappedAttention>, ShapeError> {
        let Backbone::Lite(network) = &self.backbone else { return Ok(None) };
        self.backbone.check(clip.dims())?;
        let I3dLiteMaps { stage_3: tapped, last } = self.backbone.of_clip(network.taps(clip));
        let maps = Maps { block_4: steps(tapped.clone()), block_5: last };
        let map = self.head.forward(maps)?.attention.map;
        Ok(Some(TappedAttention { tapped, map }))
    }

    /// Draws the mask of one pass over so many clips; 0.8 is dropped as published.
    pub fn draw_mask(&self, rate: f64, clips: usize, rng: &mut ChaCha8Rng, device: &Device) -> Option<Mask> {
        self.head.draw_mask(rate, clips, rng, device)
    }

    /// Scores clips without dropout.
    ///
    /// # Shapes
    /// As [`Backbone::maps`].
    ///
    /// # Errors
    /// When clips have another shape.
    pub fn forward(&self, clips: Tensor<5>) -> Result<Scored, ShapeError> {
        self.forward_train(clips, None)
    }

    /// Scores clips with dropout where there is a mask, `[N, C5]`.
    ///
    /// # Shapes
    /// As [`Backbone::maps`].
    ///
    /// # Errors
    /// When clips have another shape.
    pub fn forward_train(&self, clips: Tensor<5>, mask: Option<Mask>) -> Result<Scored, ShapeError> {
        self.head.score(self.backbone.maps(clips)?, mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::narrow;
    use crate::loss::weighted_bce::{ClassWeights, guided_loss};
    use crate::model::cu_classifier::clip_scores;
    use crate::optim::adam::{Adam, AdamConfig};
    use crate::tensors::Array;

    fn i3d(device: &Device) -> SgaEncoder {
        let arrays = narrow::i3d(Names::Kinetics);
        let source = Source { arrays: &arrays, origin: "test", prefix: "", names: Names::Kinetics };
        let backbone = Backbone::i3d(source, Padding::Mist, device).unwrap();
        SgaEncoder::with_fresh_head(backbone, 2, 1, device)
    }

    fn short(device: &Device) -> SgaEncoder {
        let arrays = narrow::i3d(Names::Kinetics);
        let source = Source { arrays: &arrays, origin: "test", prefix: "", names: Names::Kinetics };
        let backbone = Backbone::short_i3d(source, Padding::Same, device).unwrap();
        SgaEncoder::with_fresh_head(backbone, 2, 1, device)
    }

    const LITE: LiteSize = LiteSize::Small;

    fn lite(device: &Device) -> SgaEncoder {
        let arrays = I3dLite::init(LITE, 1, device).calibrate(narrow::values([1, 3, 4, 32, 48])).to_arrays();
        SgaEncoder::with_fresh_head(Backbone::lite(LITE, &arrays, "test", device).unwrap(), 2, 1, device)
    }

    fn c3d(device: &Device) -> SgaEncoder {
        let backbone = Backbone::c3d(&narrow::c3d(), "test", device).unwrap();
        SgaEncoder::with_fresh_head(backbone, 2, 1, device)
    }

    fn gradients(encoder: &SgaEncoder, clips: &Tensor<5>, device: &Device) -> GradientsParams {
        let scored = encoder.forward(Tensor::from_inner(clips.clone())).unwrap();
        let targets: Tensor<1> = Tensor::from_floats([1.0, 0.2], device);
        let guided = scored.guided_scores().unwrap();
        let loss = guided_loss(scored.scores(), guided, targets, ClassWeights::UCF_CRIME).total;
        let total = scored.plain_scores().map_or(loss.clone(), |plain| loss + plain.sum());
        GradientsParams::from_grads(total.backward(), encoder)
    }

    fn clips() -> Tensor<5> {
        narrow::values([2, 3, FRAMES, 32, 48])
    }

    #[test]
    fn an_encoder_survives_a_round_trip_with_its_scores() {
        let device = Device::flex();
        for (encoder, kind) in [
            (short(&device), Kind::ShortI3d),
            (i3d(&device), Kind::I3d),
            (c3d(&device), Kind::C3d),
            (lite(&device), Kind::Lite(LITE)),
        ] {
            let arrays = encoder.to_arrays();
            let padding = if kind == Kind::ShortI3d { Padding::Same } else { Padding::Mist };
            let again = SgaEncoder::from_arrays(kind, &arrays, "test", padding, &device).unwrap();
            assert_eq!(again.to_arrays(), arrays);
            let clips = narrow::values([2, 3, kind.frames(), 32, 48]);
            let scores = |encoder: &SgaEncoder| {
                let scored = encoder.forward(clips.clone()).unwrap();
                [scored.scores(), scored.judged()].map(|scores| Array::from_tensor(scores).values)
            };
            assert_eq!(scores(&again), scores(&encoder));
        }
    }

    #[test]
    fn what_does_not_learn_has_no_gradient_and_does_not_decay() {
        let device = Device::flex().autodiff();
        for trained in [Trained::Head, Trained::AllButNorms, Trained::All] {
            let learns = |name: &str| match trained {
                Trained::Head => !name.starts_with(BACKBONE),
                Trained::AllButNorms => !name.contains(".batch3d."),
                Trained::All => true,
            };
            let encoder = i3d(&device).training(trained);
            let grads = gradients(&encoder, &clips(), &device);
            let before = encoder.to_arrays();
            let parameters = encoder.gradients(&grads);
            // With this much decay every weight moves that an optimiser does not pass by.
            let mut adam = Adam::new(AdamConfig { weight_decay: 0.5, ..AdamConfig::default() });
            let after = adam.step(encoder, grads).to_arrays();
            for (name, array) in &before {
                let should = parameters.contains_key(name) && learns(name);
                assert_eq!(after[name] != *array, should, "{trained:?} {name}");
            }
        }
    }

    #[test]
    fn every_layer_of_i3d_lite_learns_from_a_clip_and_none_when_it_is_frozen() {
        let device = Device::flex().autodiff();
        let clips = narrow::values([2, 3, Kind::Lite(LITE).frames(), 32, 48]);
        for (trained, learns) in [(Trained::AllButNorms, true), (Trained::Head, false)] {
            let encoder = lite(&device).training(trained);
            let grads = encoder.gradients(&gradients(&encoder, &clips, &device));
            for (name, array) in grads {
                let moves = array.values.iter().any(|value| *value != 0.0);
                assert_eq!(moves, learns || !name.starts_with(BACKBONE), "{trained:?} {name}");
            }
        }
    }

    #[test]
    fn the_plain_classifier_sees_what_a_stream_gives_at_the_end_of_a_clip() {
        let device = Device::flex();
        let encoder = lite(&device);
        let Backbone::Lite(network) = encoder.backbone() else { panic!("another network") };
        let clips = narrow::values([1, 3, 2 * FRAMES, 32, 48]);
        // All of the second clip's frames, and as many before them as they depend on.
        let first = FRAMES - Kind::Lite(LITE).frames_before();
        let seen = clips.clone().narrow(2, first, Kind::Lite(LITE).frames());
        let scored = encoder.forward(seen).unwrap();
        let feature = network.forward(clips).narrow(1, FRAMES, FRAMES).mean_dim(1).squeeze_dim::<2>(1);
        let map: Tensor<5> = feature.reshape([1, network.widths()[1], 1, 1, 1]);
        let want = clip_scores(encoder.head().judge(map), 1).into_scalar::<f32>();
        let got = scored.judged().into_scalar::<f32>();
        assert!((got - want).abs() < 1e-6, "{got} {want}");
        // H_c has other weights and sees the attended map.
        assert_ne!(got, scored.scores().into_scalar::<f32>());
        assert_eq!(scored.attention.unwrap().map.dims(), [1, 1, 1, 1, 2]);
    }

    #[test]
    fn a_frozen_part_learns_again_when_told_so() {
        let device = Device::flex().autodiff();
        let encoder = c3d(&device).training(Trained::Head);
        let backbone_moves = |encoder: &SgaEncoder| {
            let grads = encoder.gradients(&gradients(encoder, &clips(), &device));
            grads["backbone.conv1a.weight"].values.iter().any(|value| *value != 0.0)
        };
        assert!(!backbone_moves(&encoder));
        assert!(backbone_moves(&encoder.training(Trained::All)));
    }

    #[test]
    fn clips_of_another_shape_are_refused() {
        let device = Device::flex();
        let refused = |encoder: &SgaEncoder, shape| encoder.forward(narrow::values(shape)).unwrap_err().what;
        let (i3d, c3d) = (i3d(&device), c3d(&device));
        assert_eq!(refused(&i3d, [1, 3, 8, 32, 32]), "frames of a clip");
        assert_eq!(refused(&i3d, [1, 3, 16, 32, 31]), "width of a clip");
        assert_eq!(refused(&c3d, [1, 3, 16, 40, 32]), "height of a clip");
        assert_eq!(refused(&c3d, [1, 1, 16, 32, 32]), "colours of a pixel");
        assert_eq!(refused(&short(&device), [1, 3, 16, 32, 32]), "frames of a clip");
        assert_eq!(refused(&lite(&device), [1, 3, 16, 32, 32]), "frames of a clip");
    }
}
