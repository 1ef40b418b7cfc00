//! The encoder graph: clips or frames to features.

use std::sync::Arc;

use vad_core::{ClipSpec, ModelSpec};

use crate::plan::Plan;
use crate::pulse::{Pulse, PulsePlan, PulseState};
use crate::tap::Tap;
use crate::{InferError, Kernels, LazyIm2col, Tuning};

/// A prepared encoder. `Send + Sync`: runs on several threads share the weights.
#[derive(Debug)]
pub struct Encoder {
    graph: Graph,
    clip: [usize; 5],
    feature_dim: usize,
}

/// How it looks at a stream.
#[derive(Debug)]
enum Graph {
    /// Each clip anew.
    Clips(Plan, LazyIm2col),
    /// Each frame once.
    Frames(Arc<PulsePlan>),
}

impl Encoder {
    /// Loads an ONNX encoder and checks it against `spec`. One that streams takes a frame at a time.
    ///
    /// `name` stands in errors, usually the file's name.
    ///
    /// # Shapes
    /// Input `[1, 3, T, H, W]`; output `[1, D]`, or `[1, D, T]` for I3D-lite. `T`, `H`, `W` and `D`
    /// are those of the spec.
    ///
    /// # Errors
    /// Truncated or padded files, unsupported operators, weights that are not finite, external
    /// data, other shapes, an I3D-lite that looks ahead; see [`InferError`].
    pub fn from_onnx(bytes: &[u8], name: &str, spec: &ModelSpec) -> Result<Self, InferError> {
        Self::with_pulse(bytes, name, spec, Pulse::ONE)
    }

    /// As [`Self::from_onnx`], with another number of frames at a time for an encoder that streams.
    ///
    /// # Errors
    /// As [`Self::from_onnx`].
    pub fn with_pulse(bytes: &[u8], name: &str, spec: &ModelSpec, pulse: Pulse) -> Result<Self, InferError> {
        Self::tuned(bytes, name, spec, Tuning { pulse, ..Tuning::default() })
    }

    /// As [`Self::from_onnx`], run as `tuning` says.
    ///
    /// # Errors
    /// As [`Self::from_onnx`]; kernels that this processor does not have.
    pub fn tuned(bytes: &[u8], name: &str, spec: &ModelSpec, tuning: Tuning) -> Result<Self, InferError> {
        spec.validate()?;
        let feature_dim = spec.encoder.feature_dim as usize;
        let clip = clip_shape(spec);
        let graph = match spec.encoder.kind.lite() {
            None => {
                let plan = Plan::load(bytes, name, &clip, &[1, feature_dim], tuning.lazy_im2col)?;
                Graph::Clips(plan, tuning.lazy_im2col.in_force())
            }
            Some(_) => {
                let plan = PulsePlan::load(bytes, name, clip, feature_dim, tuning)?;
                Graph::Frames(Arc::new(plan))
            }
        };
        Ok(Self { graph, clip, feature_dim })
    }

    /// Computes the feature of one normalised clip on the calling thread, as if a stream consisted of
    /// that clip alone.
    ///
    /// # Shapes
    /// `clip` is `[1, 3, T, H, W]` row-major, as [`vad_core::Preprocessor::normalise_into`] writes
    /// it; the result is `[D]`.
    ///
    /// # Errors
    /// A clip of another length, and values that are not finite on either side.
    pub fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, InferError> {
        match &self.graph {
            Graph::Clips(plan, _) => plan.run(clip),
            Graph::Frames(plan) => self.encode_frames(plan, clip),
        }
    }

    fn encode_frames(&self, plan: &Arc<PulsePlan>, clip: &[f32]) -> Result<Vec<f32>, InferError> {
        let (expected, found) = (self.clip_len(), clip.len());
        if found != expected {
            return Err(InferError::InputLength { graph: plan.name().to_owned(), expected, found });
        }
        let [_, colours, frames, height, width] = self.clip;
        let (plane, pulse) = (height * width, plan.tuning().pulse.frames());
        let mut state = plan.spawn()?;
        let mut features = Vec::with_capacity(self.feature_dim * frames);
        for first in (0..frames).step_by(pulse) {
            let planes = (0..colours).map(|colour| (colour * frames + first) * plane);
            let input: Vec<f32> =
                planes.flat_map(|begin| clip[begin..begin + pulse * plane].iter().copied()).collect();
            features.extend(columns(&state.run(&input)?, pulse));
        }
        Ok(mean(features.chunks_exact(self.feature_dim)))
    }

    /// The state of a stream at its beginning, where the encoder streams.
    ///
    /// # Errors
    /// A runtime that cannot make one.
    pub fn stream(&self) -> Result<Option<PulseState>, InferError> {
        match &self.graph {
            Graph::Clips(..) => Ok(None),
            Graph::Frames(plan) => Ok(Some(plan.spawn()?)),
        }
    }

    /// What it runs on indeed: never [`Kernels::Best`], and tract where the graph is not one of ours.
    pub fn tuning(&self) -> Tuning {
        match &self.graph {
            Graph::Clips(_, lazy_im2col) => {
                Tuning { kernels: Kernels::Tract, pulse: Pulse::ONE, lazy_im2col: *lazy_im2col }
            }
            Graph::Frames(plan) => plan.tuning(),
        }
    }

    /// All that may take another time, for clips of `clip`: on tract with its settings, on our kernels with other kernels too.
    pub fn alternatives(&self, clip: ClipSpec) -> Vec<Tuning> {
        let now = self.tuning();
        let (pulses, kernels) = match &self.graph {
            Graph::Clips(..) => (vec![Pulse::ONE], vec![Kernels::Tract]),
            Graph::Frames(plan) => (Pulse::all(clip), plan.kernels()),
        };
        let lazy_im2col =
            if now.kernels.are_of_tract() { LazyIm2col::CANDIDATES.to_vec() } else { vec![now.lazy_im2col] };
        let of_pulse = |pulse: Pulse| kernels.iter().map(move |&kernels| Tuning { kernels, pulse, ..now });
        let with_lazy =
            |tuning: Tuning| lazy_im2col.iter().map(move |&lazy_im2col| Tuning { lazy_im2col, ..tuning });
        pulses.into_iter().flat_map(of_pulse).flat_map(with_lazy).collect()
    }

    /// Whether its streams can hand out a map beside their features; why not.
    pub(crate) fn check_tap(&self, tap: Tap) -> Result<(), String> {
        match &self.graph {
            Graph::Clips(..) => Err("the encoder takes whole clips".to_owned()),
            Graph::Frames(plan) => plan.tapped(tap).map(drop),
        }
    }

    /// Length `D` of a feature.
    pub fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    /// Values in one clip, `3 * T * H * W`.
    pub fn clip_len(&self) -> usize {
        self.clip.iter().product()
    }

    /// Input shape `[1, 3, T, H, W]`.
    pub fn clip_shape(&self) -> &[usize] {
        &self.clip
    }

    /// Name given when it was loaded.
    pub fn name(&self) -> &str {
        match &self.graph {
            Graph::Clips(plan, _) => plan.name(),
            Graph::Frames(plan) => plan.name(),
        }
    }
}

/// Shape of the clips that `spec` describes.
pub(crate) fn clip_shape(spec: &ModelSpec) -> [usize; 5] {
    let (height, width) = (spec.preprocess.height_px, spec.preprocess.width_px);
    [1, 3, spec.clip.frames.into(), height.into(), width.into()]
}

/// Features of `[D, frames]`, frame by frame.
pub(crate) fn columns(features: &[f32], frames: usize) -> impl Iterator<Item = f32> + '_ {
    (0..frames).flat_map(move |frame| features.iter().skip(frame).step_by(frames).copied())
}

/// The mean of the features of a clip's frames, summed from the oldest on.
pub(crate) fn mean<'a>(frames: impl ExactSizeIterator<Item = &'a [f32]>) -> Vec<f32> {
    let count = frames.len() as f32;
    let mut sums: Vec<f32> = Vec::new();
    for frame in frames {
        if sums.is_empty() {
            sums = frame.to_vec();
        } else {
            sums.iter_mut().zip(frame).for_each(|(sum, value)| *sum += value);
        }
    }
    sums.iter_mut().for_each(|sum| *sum /= count);
    sums
}
