//! Frames of one camera or video in, features of its clips out.

use std::sync::Arc;

use vad_core::{ClipSpan, ClipWindow, ModelSpec, Preprocessor, RgbFrame};

use crate::encoder::clip_shape;
use crate::{Encoder, InferError};

/// State of one stream: resize buffer, clip window and the clip tensor. The encoder is shared.
pub struct FeatureStream {
    encoder: Arc<Encoder>,
    preprocessor: Preprocessor,
    window: ClipWindow,
    resized: Vec<u8>,
    clip: Vec<f32>,
}

impl FeatureStream {
    /// A stream at its beginning.
    ///
    /// # Errors
    /// An invalid spec, and an encoder that was loaded for another clip shape.
    pub fn new(encoder: Arc<Encoder>, spec: &ModelSpec) -> Result<Self, InferError> {
        spec.validate()?;
        let stream = clip_shape(spec);
        if encoder.clip_shape() != stream {
            let (encoder, stream) = (encoder.clip_shape().to_vec(), stream.to_vec());
            return Err(InferError::EncoderMismatch { encoder, stream });
        }
        let frame_len = spec.preprocess.resized_len();
        Ok(Self {
            preprocessor: Preprocessor::new(spec.preprocess.clone())?,
            window: ClipWindow::new(spec.clip, frame_len)?,
            resized: vec![0; frame_len],
            clip: vec![0.0; encoder.clip_len()],
            encoder,
        })
    }

    /// Takes the next frame; returns a feature `[D]` when it completes a clip.
    ///
    /// # Errors
    /// A frame that cannot be resized and a failed run. The window keeps its frames, so the next
    /// push goes on with the stream.
    pub fn push(&mut self, frame: RgbFrame<'_>) -> Result<Option<(ClipSpan, Vec<f32>)>, InferError> {
        self.preprocessor.resize_into(frame, &mut self.resized)?;
        let span = self.window.push(&self.resized);
        span.map(|span| self.encode(span)).transpose()
    }

    /// Ends the stream: the clip of the frames not covered yet, its tail repeating the last frame.
    ///
    /// # Errors
    /// A failed run.
    pub fn finish(&mut self) -> Result<Option<(ClipSpan, Vec<f32>)>, InferError> {
        let span = self.window.finish();
        span.map(|span| self.encode(span)).transpose()
    }

    /// Forgets all frames; the next one is frame 0 again.
    pub fn reset(&mut self) {
        self.window.reset();
    }

    fn encode(&mut self, span: ClipSpan) -> Result<(ClipSpan, Vec<f32>), InferError> {
        self.preprocessor.normalise_into(self.window.frames(), &mut self.clip)?;
        Ok((span, self.encoder.encode(&self.clip)?))
    }
}
