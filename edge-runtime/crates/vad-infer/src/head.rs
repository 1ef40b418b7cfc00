//! The head graph: features to one score.

use std::sync::Arc;

use vad_core::{HeadContext, HeadKind, ModelSpec, SpecError};

use crate::plan::Plan;
use crate::{InferError, LazyIm2col};

mod stream;

pub use stream::HeadStream;

/// A prepared head. `Send + Sync`, as [`crate::Encoder`]; each camera has its own [`HeadStream`].
#[derive(Debug)]
pub struct Head {
    plan: Plan,
    context: HeadContext,
    feature_dim: usize,
}

impl Head {
    /// Loads an ONNX head and checks it against `spec`.
    ///
    /// # Shapes
    /// The input is what the spec's [context](vad_core::head) says: `[1, D]`, `[1, 2 D]` or `[1, clips, D]`; the output is
    /// `[1, 1]`.
    ///
    /// # Errors
    /// As [`crate::Encoder::from_onnx`], and a head that only the host runs.
    pub fn from_onnx(bytes: &[u8], name: &str, spec: &ModelSpec) -> Result<Self, InferError> {
        spec.validate()?;
        if spec.head.kind == HeadKind::Temporal {
            let (field, value) = ("head.kind", "temporal".to_owned());
            return Err(SpecError::Name { field, value, allowed: "a kind that boards run" }.into());
        }
        let (context, feature_dim) = (spec.head.context, spec.encoder.feature_dim as usize);
        let load = |input: &[usize]| Plan::load(bytes, name, input, &[1, 1], LazyIm2col::default());
        let plan = match context {
            HeadContext::Clip => load(&[1, feature_dim]),
            HeadContext::Memory { .. } => load(&[1, 2 * feature_dim]),
            HeadContext::Window { clips } => load(&[1, clips.into(), feature_dim]),
        };
        Ok(Self { plan: plan?, context, feature_dim })
    }

    /// Scores one input of the graph: 0 (normal) to 1 (abnormal) for a sigmoid head.
    ///
    /// # Shapes
    /// `input` is row-major, of the shape that the context says; a single feature where the head looks at clips alone.
    ///
    /// # Errors
    /// An input of another length, and values that are not finite on either side.
    pub fn score(&self, input: &[f32]) -> Result<f32, InferError> {
        let output = self.plan.run(input)?;
        output.first().copied().ok_or_else(|| InferError::Run {
            graph: self.plan.name().to_owned(),
            reason: "the output is empty".to_owned(),
        })
    }

    /// The state of a stream at its beginning.
    #[must_use]
    pub fn stream(self: &Arc<Self>) -> HeadStream {
        HeadStream::new(Arc::clone(self))
    }

    /// Length `D` of the features it reads.
    pub fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    /// What of a stream it looks at.
    pub fn context(&self) -> HeadContext {
        self.context
    }

    /// Name given when it was loaded.
    pub fn name(&self) -> &str {
        self.plan.name()
    }
}
