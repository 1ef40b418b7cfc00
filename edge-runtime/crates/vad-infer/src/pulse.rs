//! A graph that runs on a stream, a few frames at a time, with the state of one camera.

use std::fmt;
use std::sync::Arc;

use tract_onnx::prelude::*;
use vad_core::ClipSpec;

use crate::lite::{Fault, LiteNet, LiteState};
use crate::plan::Contract;
use crate::prepare::{self, Arithmetic, guarded};
use crate::tap::Tap;
use crate::{InferError, Kernels, Tuning, model_file};

/// Frames that a streaming encoder takes at a time, 1 to [`Pulse::MOST`].
///
/// More frames at a time cost less per frame. The features are the same, and clips end with a pulse, so no score is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse(usize);

impl Default for Pulse {
    fn default() -> Self {
        Self::ONE
    }
}

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

    /// All that suit clips of `clip`, the shortest first.
    #[must_use]
    pub fn all(clip: ClipSpec) -> Vec<Self> {
        (1..=Self::MOST).filter_map(|frames| Self::new(frames, clip)).collect()
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
    tuning: Tuning,
    runner: Runner,
    has_f16_weights: bool,
}

/// What computes it.
#[derive(Debug)]
enum Runner {
    /// Our kernels, for the graph of an I3D-lite.
    Lite(Arc<LiteNet>),
    /// tract, for any other that streams.
    Graph(Arc<TypedRunnableModel>, Arithmetic),
}

impl PulsePlan {
    /// Loads `bytes`, a graph from `clip` (`[1, 3, T, H, W]`) to `[1, feature_dim, T]`.
    pub(crate) fn load(
        bytes: &[u8],
        name: &str,
        clip: [usize; 5],
        feature_dim: usize,
        tuning: Tuning,
    ) -> Result<Self, InferError> {
        let Tuning { kernels, pulse, lazy_im2col } = tuning;
        let whole = Contract::new(name, &clip, &[1, feature_dim, clip[2]]);
        let model = prepare::checked(bytes, &whole)?;
        let isa = kernels.isa();
        if isa.is_none() && !kernels.are_of_tract() {
            return Err(InferError::Kernels { graph: name.to_owned(), kernels });
        }
        let has_f16_weights = model_file::has_f16_weights(&model);
        let arithmetic = kernels.on_tract().unwrap_or(Arithmetic::F32);
        if arithmetic == Arithmetic::F16 && !has_f16_weights {
            return Err(InferError::F16 { graph: name.to_owned(), kernels });
        }
        let fault = |Fault { node, reason }| InferError::Int8 { graph: name.to_owned(), node, reason };
        let net = isa.map(|isa| LiteNet::read(isa, &model, clip)).transpose().map_err(fault)?.flatten();
        let ours = isa.zip(net.filter(|net| net.feature_dim() == feature_dim));
        let (runner, kernels) = match ours {
            Some((isa, net)) => (Runner::Lite(Arc::new(net)), isa.kernels()),
            None => {
                let graph = prepare::pulsed(&model, &whole, pulse, lazy_im2col, arithmetic)?;
                let kernels = if arithmetic == Arithmetic::F16 { Kernels::TractF16 } else { Kernels::Tract };
                (Runner::Graph(graph, arithmetic), kernels)
            }
        };
        let [_, colours, _, height, width] = clip;
        let frames = pulse.frames();
        let contract = Contract::new(name, &[1, colours, frames, height, width], &[1, feature_dim, frames]);
        let tuning = Tuning { kernels, pulse, lazy_im2col: lazy_im2col.in_force() };
        Ok(Self { contract, tuning, runner, has_f16_weights })
    }

    /// Kernels that may be faster on this processor and that what was tested of the graph holds for: f16 was tested where
    /// weights are in it.
    pub(crate) fn kernels(&self) -> Vec<Kernels> {
        let suits = |kernels: &Kernels| match kernels.on_tract() {
            Some(Arithmetic::F16) => self.has_f16_weights,
            Some(Arithmetic::F32) => true,
            None => matches!(self.runner, Runner::Lite(_)),
        };
        Kernels::available().into_iter().filter(suits).collect()
    }

    pub(crate) fn name(&self) -> &str {
        &self.contract.name
    }

    /// What it runs on indeed.
    pub(crate) fn tuning(&self) -> Tuning {
        self.tuning
    }

    /// The network, whose streams can hand out a map beside their features; why they cannot.
    pub(crate) fn tapped(&self, tap: Tap) -> Result<&Arc<LiteNet>, String> {
        let name = &self.contract.name;
        match &self.runner {
            Runner::Lite(net) if net.has(tap) => Ok(net),
            Runner::Lite(_) => Err(format!("{name} has no such map")),
            Runner::Graph(..) => Err(format!("{name} runs on tract, which gives features alone")),
        }
    }

    /// The state of a stream at its beginning.
    pub(crate) fn spawn(self: &Arc<Self>) -> Result<PulseState, InferError> {
        let failed = |reason| InferError::Run { graph: self.contract.name.clone(), reason };
        let state = match &self.runner {
            Runner::Lite(net) => State::Lite(Box::new(net.beginning(self.tuning.pulse.0, None))),
            Runner::Graph(runnable, arithmetic) => {
                let beginning = guarded(|| runnable.spawn()).map_err(failed)?;
                let arithmetic = *arithmetic;
                State::Graph(Box::new(GraphState { now: beginning.clone(), beginning, arithmetic }))
            }
        };
        Ok(PulseState { plan: self.clone(), state })
    }
}

/// What an encoder remembers of one stream, for callers that have normalised pictures.
pub struct PulseState {
    plan: Arc<PulsePlan>,
    state: State,
}

enum State {
    Lite(Box<LiteState>),
    Graph(Box<GraphState>),
}

struct GraphState {
    now: TypedSimpleState,
    /// Has no buffers yet.
    beginning: TypedSimpleState,
    arithmetic: Arithmetic,
}

impl fmt::Debug for PulseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PulseState").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl PulseState {
    /// Frames that it takes at a time.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.plan.tuning.pulse
    }

    /// The same at a new beginning, with the map at `tap` at hand; why it cannot be.
    pub(crate) fn tapped(self, tap: Tap) -> Result<Self, String> {
        let beginning = self.plan.tapped(tap)?.beginning(self.plan.tuning.pulse.0, Some(tap));
        Ok(Self { plan: self.plan, state: State::Lite(Box::new(beginning)) })
    }

    /// The tapped map of the latest frames, frame by frame, `[places, C]` with its channels filled up to whole vectors; empty
    /// without a tap.
    pub(crate) fn tap(&self) -> &[f32] {
        match &self.state {
            State::Lite(state) => state.tap(),
            State::Graph(_) => &[],
        }
    }

    /// Takes the next frames, `[3, pulse, H, W]`; gives their features, `[D, pulse]`.
    ///
    /// # Errors
    /// As [`crate::Encoder::encode`]. A run that fails leaves the stream at a new beginning, since it may have taken half
    /// a step.
    pub fn run(&mut self, frames: &[f32]) -> Result<Vec<f32>, InferError> {
        let contract = &self.plan.contract;
        let features = match &mut self.state {
            State::Lite(state) => contract.run(frames, |frames| Ok(state.run(frames))),
            State::Graph(state) => {
                contract.run_graph(frames, state.arithmetic, |inputs| state.now.run(inputs))
            }
        };
        if features.is_err() {
            self.reset();
        }
        features
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        match &mut self.state {
            State::Lite(state) => state.forget(),
            State::Graph(state) => state.now = state.beginning.clone(),
        }
    }
}
