//! Frames of one camera in, raw clip scores out.

use std::sync::Arc;

use vad_core::{ClipSpan, ModelSpec, RgbFrame};

use crate::{Attention, AttentionMap, Encoder, FeatureStream, Head, HeadStream, InferError};

/// The raw score of one clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipScore {
    /// Frames that were scored.
    pub span: ClipSpan,
    /// Output of the head, before calibration and smoothing; 0 to 1 for a sigmoid head.
    pub raw: f32,
}

/// A [`FeatureStream`] with a [`HeadStream`] behind it. Encoder and head are shared between cameras.
pub struct Scorer {
    features: FeatureStream,
    head: HeadStream,
}

impl Scorer {
    /// A scorer at the beginning of its stream.
    ///
    /// # Errors
    /// As [`FeatureStream::new`], and a head that reads another feature length.
    pub fn new(encoder: Arc<Encoder>, head: Arc<Head>, spec: &ModelSpec) -> Result<Self, InferError> {
        if encoder.feature_dim() != head.feature_dim() {
            let (encoder, head) = (encoder.feature_dim(), head.feature_dim());
            return Err(InferError::HeadMismatch { encoder, head });
        }
        Ok(Self { features: FeatureStream::new(encoder, spec)?, head: head.stream() })
    }

    /// The same at the beginning of its stream, and able to tell where the encoder looked.
    ///
    /// # Errors
    /// As [`FeatureStream::with_attention`].
    pub fn with_attention(self, attention: Arc<Attention>) -> Result<Self, InferError> {
        Ok(Self { features: self.features.with_attention(attention)?, head: self.head })
    }

    /// As [`FeatureStream::attention`], of the clip that the latest push or finish scored.
    ///
    /// # Errors
    /// As there.
    pub fn attention(&self) -> Result<Option<AttentionMap>, InferError> {
        self.features.attention()
    }

    /// Takes the next frame; returns a score when it completes a clip.
    ///
    /// # Errors
    /// As [`FeatureStream::push`].
    pub fn push(&mut self, frame: RgbFrame<'_>) -> Result<Option<ClipScore>, InferError> {
        let clip = self.features.push(frame)?;
        self.score(clip)
    }

    /// Ends the stream; scores the frames not covered yet.
    ///
    /// # Errors
    /// As [`FeatureStream::finish`].
    pub fn finish(&mut self) -> Result<Option<ClipScore>, InferError> {
        let clip = self.features.finish()?;
        self.score(clip)
    }

    /// As [`FeatureStream::frames`].
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.features.frames()
    }

    /// Forgets all frames; the next one is frame 0 again.
    pub fn reset(&mut self) {
        self.features.reset();
        self.head.reset();
    }

    fn score(&mut self, clip: Option<(ClipSpan, Vec<f32>)>) -> Result<Option<ClipScore>, InferError> {
        let Some((span, feature)) = clip else { return Ok(None) };
        // Also after an end or a failed run, when the features begin anew by themselves.
        if span.index == 0 {
            self.head.reset();
        }
        Ok(Some(ClipScore { span, raw: self.head.push(&feature)? }))
    }
}
