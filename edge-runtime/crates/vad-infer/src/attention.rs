//! Where in a scored clip the encoder looked.

use std::sync::Arc;

use vad_core::{ClipSpec, ClipWindow, ModelSpec};

use crate::lite::padded;
use crate::plan::Plan;
use crate::tap::Tap;
use crate::{Encoder, InferError, LazyIm2col};

/// A prepared attention: from a map within the encoder to how much each place of the picture weighed. It explains scores
/// and has no part in them. `Send + Sync`, as [`Encoder`]; it runs only when it is asked.
#[derive(Debug)]
pub struct Attention {
    plan: Plan,
    tap: Tap,
    /// Frames of a clip.
    frames: usize,
    /// Rows and columns of its own map.
    size: [usize; 2],
}

/// Where the encoder looked in one clip.
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionMap {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Row by row from the upper left, each 0 to 1.
    pub values: Vec<f32>,
}

impl Attention {
    /// Loads an ONNX attention and checks it against `spec` and the encoder whose map it reads.
    ///
    /// # Shapes
    /// Input `[1, C, T, h, w]`, the map behind the stage that the spec names; output `[1, 1, 1, rows, columns]`.
    ///
    /// # Errors
    /// As [`Encoder::from_onnx`]; an encoder that cannot hand out that map, since it takes whole clips, has other layers or
    /// runs on tract.
    pub fn from_onnx(
        bytes: &[u8],
        name: &str,
        spec: &ModelSpec,
        encoder: &Encoder,
    ) -> Result<Self, InferError> {
        spec.validate()?;
        let unfit = |reason: String| InferError::Tap { graph: name.to_owned(), reason };
        let (Some(tap), Some(attention)) = (Tap::of(spec), &spec.attention) else {
            return Err(unfit("the model spec describes none".to_owned()));
        };
        encoder.check_tap(tap).map_err(unfit)?;
        let frames = usize::from(spec.clip.frames);
        let size = [attention.rows, attention.columns].map(usize::from);
        let input = [1, tap.channels, frames, tap.size[0], tap.size[1]];
        let plan = Plan::load(bytes, name, &input, &[1, 1, 1, size[0], size[1]], LazyIm2col::default())?;
        Ok(Self { plan, tap, frames, size })
    }

    /// Looks at one clip.
    ///
    /// # Shapes
    /// `tapped` is `[C, T, h, w]`, row-major.
    ///
    /// # Errors
    /// A map of another length, values that are not finite on either side, and any below 0 or above 1.
    pub fn of_map(&self, tapped: &[f32]) -> Result<AttentionMap, InferError> {
        let [rows, columns] = self.size;
        let values = self.plan.run(tapped)?;
        if let Some(value) = values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            let reason = format!("it gives {value}, where only 0 to 1 can be");
            return Err(InferError::Run { graph: self.name().to_owned(), reason });
        }
        Ok(AttentionMap { rows, columns, values })
    }

    /// Name given when it was loaded.
    pub fn name(&self) -> &str {
        self.plan.name()
    }

    /// The map that it reads.
    pub(crate) fn tap(&self) -> Tap {
        self.tap
    }

    /// The refusal of an encoder or a stream.
    pub(crate) fn unfit(&self, reason: impl Into<String>) -> InferError {
        InferError::Tap { graph: self.name().to_owned(), reason: reason.into() }
    }
}

/// What of one stream the attention can look at: the maps of the last frames. The attention is shared.
#[derive(Debug)]
pub(crate) struct Glance {
    attention: Arc<Attention>,
    window: ClipWindow<f32>,
    /// Whether the latest push ended a clip, which the window then shows.
    is_clip: bool,
}

impl Glance {
    /// For clips of `clip`.
    pub(crate) fn new(attention: Arc<Attention>, clip: ClipSpec) -> Result<Self, InferError> {
        if attention.frames != usize::from(clip.frames) {
            let (own, stream) = (attention.frames, clip.frames);
            return Err(
                attention.unfit(format!("it looks at clips of {own} frames, the stream makes {stream}"))
            );
        }
        let window = ClipWindow::new(clip, attention.tap.frame_len())?;
        Ok(Self { attention, window, is_clip: false })
    }

    /// Takes the maps of some frames, of which the first `counted` are of the stream.
    pub(crate) fn take(&mut self, maps: &[f32], counted: usize) {
        for map in maps.chunks_exact(self.attention.tap.frame_len()).take(counted) {
            self.is_clip = self.window.push(map).is_some();
        }
    }

    /// A new push begins: the clip before it is no longer the latest.
    pub(crate) fn turn_away(&mut self) {
        self.is_clip = false;
    }

    /// Ends the stream, whose tail can still be looked at.
    pub(crate) fn finish(&mut self) {
        self.is_clip = self.window.finish().is_some();
    }

    /// Forgets the stream.
    pub(crate) fn reset(&mut self) {
        self.window.reset();
        self.is_clip = false;
    }

    /// The map of the latest clip.
    pub(crate) fn attention(&self) -> Result<Option<AttentionMap>, InferError> {
        if !self.is_clip {
            return Ok(None);
        }
        let tap = self.attention.tap;
        let mut clip = Vec::with_capacity(tap.channels * self.attention.frames * tap.places());
        for channel in 0..tap.channels {
            for frame in self.window.frames() {
                clip.extend(frame.iter().skip(channel).step_by(padded(tap.channels)));
            }
        }
        self.attention.of_map(&clip).map(Some)
    }
}
