//! A graph that runs on a stream, a few frames at a time, with the state of one camera.

use std::fmt;
use std::sync::Arc;

use tract_onnx::prelude::*;
use vad_core::ClipSpec;

use crate::InferError;
use crate::plan::Contract;
use crate::prepare::{self, guarded};

/// Frames that a streaming encoder takes at a time, 1 to [`Pulse::MOST`].
///
/// More frames at a time cost less per frame. The features are the same, and clips end with a pulse, so no score is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse(usize);

impl Pulse {
    /// One frame at a time.
    pub const ONE: Self = Self(1);
    /// Most frames at a time.
    pub const MOST: usize = 4;

    /// A pulse for clips of `clip`; nothing where it is out of range or does not divide them and their stride.
    #[must_use]
    pub fn new(frames: usize, clip: ClipSpec) -> Option<Self> {
        let divides = |clip: u16| usize::from(clip).is_multiple_of(frames);
        ((1..=Self::MOST).contains(&frames) && divides(clip.frames) && divides(clip.stride))
            .then_some(Self(frames))
    }

    /// Number of frames.
    #[must_use]
    pub fn frames(self) -> usize {
        self.0
    }
}

/// A graph ready to run on streams. Each has its own [`PulseState`]; the weights are shared.
#[derive(Debug)]
pub(crate) struct PulsePlan {
    contract: Contract,
    pulse: Pulse,
    runnable: Arc<TypedRunnableModel>,
}

impl PulsePlan {
    /// Loads `bytes`, a graph from `clip` (`[1, 3, T, H, W]`) to `[1, feature_dim, T]`.
    pub(crate) fn load(
        bytes: &[u8],
        name: &str,
        clip: [usize; 5],
        feature_dim: usize,
        pulse: Pulse,
    ) -> Result<Self, InferError> {
        let whole = Contract::new(name, &clip, &[1, feature_dim, clip[2]]);
        let runnable = prepare::pulsed(bytes, &whole, pulse)?;
        let [_, colours, _, height, width] = clip;
        let frames = pulse.frames();
        let contract = Contract::new(name, &[1, colours, frames, height, width], &[1, feature_dim, frames]);
        Ok(Self { contract, pulse, runnable })
    }

    pub(crate) fn name(&self) -> &str {
        &self.contract.name
    }

    pub(crate) fn pulse(&self) -> Pulse {
        self.pulse
    }

    /// The state of a stream at its beginning.
    pub(crate) fn spawn(self: &Arc<Self>) -> Result<PulseState, InferError> {
        let failed = |reason| InferError::Run { graph: self.contract.name.clone(), reason };
        let beginning = guarded(|| self.runnable.spawn()).map_err(failed)?;
        Ok(PulseState { plan: self.clone(), state: beginning.clone(), beginning })
    }
}

/// What a graph remembers of one stream.
pub(crate) struct PulseState {
    plan: Arc<PulsePlan>,
    state: TypedSimpleState,
    /// Has no buffers yet.
    beginning: TypedSimpleState,
}

impl fmt::Debug for PulseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PulseState").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl PulseState {
    /// Takes the next frames, `[3, pulse, H, W]`; gives their features, `[D, pulse]`.
    ///
    /// A run that fails leaves the stream at a new beginning, since it may have taken half a step.
    pub(crate) fn run(&mut self, frames: &[f32]) -> Result<Vec<f32>, InferError> {
        let (contract, state) = (&self.plan.contract, &mut self.state);
        let features = contract.run(frames, |inputs| state.run(inputs));
        if features.is_err() {
            self.reset();
        }
        features
    }

    /// Forgets the stream.
    pub(crate) fn reset(&mut self) {
        self.state = self.beginning.clone();
    }
}
