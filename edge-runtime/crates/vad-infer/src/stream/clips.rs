//! A stream for an encoder of whole clips: the last frames, and the clip's tensor.

use std::sync::Arc;

use vad_core::{ClipSpan, ClipWindow, ModelSpec, Preprocessor};

use crate::{Encoder, InferError};

pub(super) struct Clips {
    encoder: Arc<Encoder>,
    window: ClipWindow,
    clip: Vec<f32>,
}

impl Clips {
    pub(super) fn new(encoder: Arc<Encoder>, spec: &ModelSpec) -> Result<Self, InferError> {
        let window = ClipWindow::new(spec.clip, spec.preprocess.resized_len())?;
        Ok(Self { window, clip: vec![0.0; encoder.clip_len()], encoder })
    }

    pub(super) fn push(
        &mut self,
        resized: &[u8],
        preprocessor: &Preprocessor,
    ) -> Result<Option<(ClipSpan, Vec<f32>)>, InferError> {
        let span = self.window.push(resized);
        span.map(|span| self.encode(span, preprocessor)).transpose()
    }

    pub(super) fn finish(
        &mut self,
        preprocessor: &Preprocessor,
    ) -> Result<Option<(ClipSpan, Vec<f32>)>, InferError> {
        let span = self.window.finish();
        span.map(|span| self.encode(span, preprocessor)).transpose()
    }

    pub(super) fn frames(&self) -> u64 {
        self.window.frames_pushed()
    }

    pub(super) fn reset(&mut self) {
        self.window.reset();
    }

    fn encode(
        &mut self,
        span: ClipSpan,
        preprocessor: &Preprocessor,
    ) -> Result<(ClipSpan, Vec<f32>), InferError> {
        preprocessor.normalise_into(self.window.frames(), &mut self.clip)?;
        Ok((span, self.encoder.encode(&self.clip)?))
    }
}
