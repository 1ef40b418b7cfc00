//! A stream for an encoder that looks at each frame once: its state, frames that wait for a pulse, and
//! the features of the last frames, with the maps that an attention reads beside them.

use std::sync::Arc;

use vad_core::{ClipSpan, ClipWindow, ModelSpec, Preprocessor};

use crate::attention::Glance;
use crate::encoder::{columns, mean};
use crate::pulse::{Pulse, PulseState};
use crate::{Attention, AttentionMap, InferError};

pub(super) struct Frames {
    state: PulseState,
    pulse: Pulse,
    feature_dim: usize,
    /// Resized frames that wait for the pulse to be full.
    waiting: Vec<u8>,
    frame_len: usize,
    /// `[3, pulse, H, W]`.
    input: Vec<f32>,
    window: ClipWindow<f32>,
    glance: Option<Glance>,
}

impl Frames {
    pub(super) fn new(state: PulseState, spec: &ModelSpec) -> Result<Self, InferError> {
        let frames = state.pulse().frames();
        let Some(pulse) = Pulse::new(frames, spec.clip) else {
            return Err(InferError::Pulse { pulse: frames, clip: spec.clip });
        };
        let (frame_len, feature_dim) = (spec.preprocess.resized_len(), spec.encoder.feature_dim as usize);
        Ok(Self {
            state,
            pulse,
            feature_dim,
            waiting: Vec::with_capacity(frame_len * pulse.frames()),
            frame_len,
            input: vec![0.0; frame_len * pulse.frames()],
            window: ClipWindow::new(spec.clip, feature_dim)?,
            glance: None,
        })
    }

    pub(super) fn with_attention(self, attention: Arc<Attention>) -> Result<Self, InferError> {
        let state = self.state.tapped(attention.tap()).map_err(|reason| attention.unfit(reason))?;
        let glance = Glance::new(attention, self.window.spec())?;
        let mut stream = Self { state, glance: Some(glance), ..self };
        stream.reset();
        Ok(stream)
    }

    pub(super) fn attention(&self) -> Result<Option<AttentionMap>, InferError> {
        self.glance.as_ref().map_or(Ok(None), Glance::attention)
    }

    pub(super) fn push(
        &mut self,
        resized: &[u8],
        preprocessor: &Preprocessor,
    ) -> Result<Option<(ClipSpan, Vec<f32>)>, InferError> {
        self.glance.iter_mut().for_each(Glance::turn_away);
        self.waiting.extend_from_slice(resized);
        if self.waiting.len() < self.input.len() {
            return Ok(None);
        }
        let encoded = self.encode(self.pulse.frames(), preprocessor);
        if encoded.is_err() {
            // The encoder begins anew, and so do the clips.
            self.window.reset();
            self.glance.iter_mut().for_each(Glance::reset);
        }
        Ok(encoded?.map(|span| (span, mean(self.window.frames()))))
    }

    pub(super) fn finish(
        &mut self,
        preprocessor: &Preprocessor,
    ) -> Result<Option<(ClipSpan, Vec<f32>)>, InferError> {
        let left = self.waiting.len() / self.frame_len;
        if let Some(last) = left.checked_sub(1) {
            let last = last * self.frame_len..left * self.frame_len;
            for _ in left..self.pulse.frames() {
                self.waiting.extend_from_within(last.clone());
            }
            // The pulse divides the clips, so these frames end none.
            if let Err(error) = self.encode(left, preprocessor) {
                self.reset();
                return Err(error);
            }
        }
        // The ends of both windows are new beginnings, but the tail can still be explained.
        self.glance.iter_mut().for_each(Glance::finish);
        let tail = self.window.finish().map(|span| (span, mean(self.window.frames())));
        self.waiting.clear();
        self.state.reset();
        Ok(tail)
    }

    pub(super) fn frames(&self) -> u64 {
        let waiting = self.waiting.len() / self.frame_len;
        self.window.frames_pushed() + waiting as u64
    }

    pub(super) fn reset(&mut self) {
        self.waiting.clear();
        self.window.reset();
        self.glance.iter_mut().for_each(Glance::reset);
        self.state.reset();
    }

    /// Encodes the waiting frames, of which `counted` are frames of the stream; the clip that they end.
    fn encode(
        &mut self,
        counted: usize,
        preprocessor: &Preprocessor,
    ) -> Result<Option<ClipSpan>, InferError> {
        let normalised =
            preprocessor.normalise_into(self.waiting.chunks_exact(self.frame_len), &mut self.input);
        self.waiting.clear();
        normalised?;
        let features = self.state.run(&self.input)?;
        let frames: Vec<f32> = columns(&features, self.pulse.frames()).collect();
        let mut ended = None;
        for frame in frames.chunks_exact(self.feature_dim).take(counted) {
            ended = self.window.push(frame);
        }
        if let Some(glance) = &mut self.glance {
            glance.take(self.state.tap(), counted);
        }
        Ok(ended)
    }
}
