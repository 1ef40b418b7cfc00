//! Frames of one camera or video in, features of its clips out.

use std::sync::Arc;

use vad_core::{ClipSpan, ModelSpec, Preprocessor, RgbFrame};

use self::clips::Clips;
use self::frames::Frames;
use crate::encoder::clip_shape;
use crate::{Attention, AttentionMap, Encoder, InferError};

mod clips;
mod frames;

/// State of one stream. The encoder is shared.
///
/// An encoder of whole clips is run on each clip anew; one that streams is run on each frame once, and
/// a clip's feature is the mean of its frames'. The missing frames of a tail repeat the last picture in
/// the one case and its feature in the other.
pub struct FeatureStream {
    preprocessor: Preprocessor,
    resized: Vec<u8>,
    path: Path,
}

enum Path {
    Clips(Clips),
    Frames(Box<Frames>),
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
        let path = match encoder.stream()? {
            None => Path::Clips(Clips::new(encoder, spec)?),
            Some(state) => Path::Frames(Box::new(Frames::new(state, spec)?)),
        };
        Ok(Self {
            preprocessor: Preprocessor::new(spec.preprocess.clone())?,
            resized: vec![0; spec.preprocess.resized_len()],
            path,
        })
    }

    /// The same at its beginning, and able to tell where the encoder looked: it keeps the maps of a clip's frames that the
    /// attention reads.
    ///
    /// # Errors
    /// An encoder that has no such map to hand out, and clips of another length.
    pub fn with_attention(self, attention: Arc<Attention>) -> Result<Self, InferError> {
        let path = match self.path {
            Path::Clips(_) => return Err(attention.unfit("the encoder takes whole clips")),
            Path::Frames(frames) => Path::Frames(Box::new(frames.with_attention(attention)?)),
        };
        Ok(Self { path, ..self })
    }

    /// Where the encoder looked in the clip that the latest push or finish gave, computed now. Nothing where it gave none, and
    /// without an attention.
    ///
    /// # Errors
    /// A failed run; the stream goes on.
    pub fn attention(&self) -> Result<Option<AttentionMap>, InferError> {
        match &self.path {
            Path::Clips(_) => Ok(None),
            Path::Frames(frames) => frames.attention(),
        }
    }

    /// Takes the next frame; returns a feature `[D]` when it completes a clip.
    ///
    /// # Errors
    /// A frame that cannot be resized and a failed run. The stream goes on with the next push: with all
    /// frames it had, or, where the encoder streams and its run failed, without those before.
    pub fn push(&mut self, frame: RgbFrame<'_>) -> Result<Option<(ClipSpan, Vec<f32>)>, InferError> {
        self.preprocessor.resize_into(frame, &mut self.resized)?;
        match &mut self.path {
            Path::Clips(clips) => clips.push(&self.resized, &self.preprocessor),
            Path::Frames(frames) => frames.push(&self.resized, &self.preprocessor),
        }
    }

    /// Ends the stream: the clip of the frames not covered yet.
    ///
    /// # Errors
    /// A failed run; the stream is at a new beginning all the same.
    pub fn finish(&mut self) -> Result<Option<(ClipSpan, Vec<f32>)>, InferError> {
        match &mut self.path {
            Path::Clips(clips) => clips.finish(&self.preprocessor),
            Path::Frames(frames) => frames.finish(&self.preprocessor),
        }
    }

    /// Frames of the stream so far. After a failed push it tells what became of the frame: not counted where it was refused, 0
    /// where the stream begins anew.
    #[must_use]
    pub fn frames(&self) -> u64 {
        match &self.path {
            Path::Clips(clips) => clips.frames(),
            Path::Frames(frames) => frames.frames(),
        }
    }

    /// Forgets all frames; the next one is frame 0 again.
    pub fn reset(&mut self) {
        match &mut self.path {
            Path::Clips(clips) => clips.reset(),
            Path::Frames(frames) => frames.reset(),
        }
    }
}
