//! What turns clips, or the frames of a stream, into features; the networks themselves live elsewhere.

use vad_core::ClipSpan;

/// Why an encoder could not encode a clip.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(pub String);

impl EncodeError {
    /// From whatever can be shown.
    pub fn new(reason: impl std::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// A clip encoder. Called from several threads at once; the same clip must always give the same feature.
pub trait ClipEncoder: Sync {
    /// Length of a feature.
    fn feature_dim(&self) -> usize;

    /// Fingerprint of weights and graph: two encoders of one hash give the same features.
    fn hash(&self) -> [u8; 32];

    /// The feature of one clip.
    ///
    /// # Shapes
    /// `clip` is `[3, T, H, W]` row-major, normalised by [`vad_core::Preprocessor::normalise_into`]; the result has
    /// [`Self::feature_dim`] finite values.
    ///
    /// # Errors
    /// The encoder's own reason. The video then counts as failed.
    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError>;

    /// The features of several clips in one call, which a graphics card needs to be busy. What is in a batch beside a clip
    /// may change the last bits of its feature, no more.
    ///
    /// # Shapes
    /// `clips` is `[count, 3, T, H, W]`; the result is `[count, D]`. `count` is at least 1.
    ///
    /// # Errors
    /// As [`Self::encode`].
    fn encode_batch(&self, clips: &[f32], count: usize) -> Result<Vec<f32>, EncodeError> {
        let features = clips.chunks_exact((clips.len() / count.max(1)).max(1)).map(|clip| self.encode(clip));
        Ok(features.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// As [`Self::encode_batch`], for one of the workers of an extraction, counted from 0. An encoder that has copies on
    /// several devices lets each worker keep to one of them.
    ///
    /// # Errors
    /// As [`Self::encode`].
    fn encode_for(&self, worker: usize, clips: &[f32], count: usize) -> Result<Vec<f32>, EncodeError> {
        let _ = worker;
        self.encode_batch(clips, count)
    }

    /// A stream at its beginning, of an encoder that looks at each frame once and remembers the ones before; nothing of one
    /// that takes each clip by itself. Where there is one, no clip is encoded in any other way.
    ///
    /// # Errors
    /// The encoder's own reason.
    fn stream(&self) -> Result<Option<Box<dyn FrameStream>>, EncodeError> {
        Ok(None)
    }
}

/// What an encoder remembers of one view of one video.
pub trait FrameStream: Send {
    /// Takes the next frame; the feature of the clip that it completes, if it does.
    ///
    /// # Shapes
    /// `picture` is `[H, W, 3]`, resized and not normalised; the feature has [`ClipEncoder::feature_dim`] values.
    ///
    /// # Errors
    /// The encoder's own reason. The video then counts as failed.
    fn push(&mut self, picture: &[u8]) -> Result<Option<(ClipSpan, Vec<f32>)>, EncodeError>;

    /// Ends the video: the clip of the frames that no clip covered, if there are some.
    ///
    /// # Errors
    /// As [`Self::push`].
    fn finish(&mut self) -> Result<Option<(ClipSpan, Vec<f32>)>, EncodeError>;
}
