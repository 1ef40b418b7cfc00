//! What a head remembers of one stream of features.

use std::sync::Arc;

use vad_core::HeadContext;

use super::Head;
use crate::InferError;
use crate::plan::check_finite;

/// The state of one camera or video: the features that its head still looks at. The head is shared.
#[derive(Debug, Clone)]
pub struct HeadStream {
    head: Arc<Head>,
    /// The latest features, oldest first: of a window all of it, of a memory up to as many as it holds.
    recent: Vec<f32>,
}

impl HeadStream {
    pub(super) fn new(head: Arc<Head>) -> Self {
        Self { head, recent: Vec::new() }
    }

    /// Takes the feature of the next clip and scores that clip.
    ///
    /// # Errors
    /// A feature of another length or with values that are not finite, which the stream does not take in, and a score
    /// that is not finite.
    pub fn push(&mut self, feature: &[f32]) -> Result<f32, InferError> {
        self.check(feature)?;
        match self.head.context() {
            HeadContext::Clip => self.head.score(feature),
            HeadContext::Memory { clips } => {
                let score = self.head.score(&self.beside_memory(feature));
                self.remember(feature, clips.into());
                score
            }
            HeadContext::Window { clips } => {
                while self.recent.len() < feature.len() * usize::from(clips) {
                    self.recent.extend_from_slice(feature);
                }
                self.remember(feature, clips.into());
                self.head.score(&self.recent)
            }
        }
    }

    /// Forgets all features; the next one is the first of a stream again.
    pub fn reset(&mut self) {
        self.recent.clear();
    }

    /// The head that it shares.
    #[must_use]
    pub fn head(&self) -> &Arc<Head> {
        &self.head
    }

    fn check(&self, feature: &[f32]) -> Result<(), InferError> {
        let (expected, found) = (self.head.feature_dim(), feature.len());
        if found != expected {
            return Err(InferError::InputLength { graph: self.head.name().to_owned(), expected, found });
        }
        check_finite(self.head.name(), "input", feature)
    }

    /// Adds the newest feature and lets go of the oldest beyond `clips`.
    fn remember(&mut self, feature: &[f32], clips: usize) {
        let kept = feature.len() * clips.saturating_sub(1);
        self.recent.drain(..self.recent.len().saturating_sub(kept));
        self.recent.extend_from_slice(feature);
    }

    /// The feature and the mean of those before it, summed in `f64` as the trainer does.
    fn beside_memory(&self, feature: &[f32]) -> Vec<f32> {
        let past = if self.recent.is_empty() { feature } else { &self.recent };
        let mut sums = vec![0.0_f64; feature.len()];
        for row in past.chunks_exact(feature.len()) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let count = (past.len() / feature.len()) as f64;
        let mean = sums.into_iter().map(|sum| (sum / count) as f32);
        feature.iter().copied().chain(mean).collect()
    }
}
