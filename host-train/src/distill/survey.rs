//! One look at all of the teacher's features before learning: their scale, and their fingerprint.

use sha2::{Digest, Sha256};

use super::error::DistillError;
use super::lessons::Lesson;

/// A channel that changes less than this share of the usual deviation is not blown up further.
const LEAST_DEVIATION: f64 = 0.2;

/// Clips that are read at a time.
const CLIPS: usize = 64;

/// What was seen so far.
pub struct Survey {
    places: usize,
    /// Of each channel: the sum of its values, and of their squares.
    sums: Vec<(f64, f64)>,
    /// Values of a channel.
    count: usize,
    hash: Sha256,
}

impl Survey {
    /// Nothing seen; features are `[channels, places]` per clip.
    pub fn new(places: usize) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"watchpost distillation 2\0");
        Self { places, sums: Vec::new(), count: 0, hash }
    }

    /// Sees a video.
    ///
    /// # Errors
    /// When its features cannot be read, or have other axes than those before.
    pub fn add(&mut self, lesson: &Lesson) -> Result<(), DistillError> {
        self.hash.update((lesson.id.len() as u64).to_le_bytes());
        self.hash.update(&lesson.id);
        self.hash.update(lesson.reel.frames().to_le_bytes());
        let (channels, rest) = (lesson.row_len() / self.places, lesson.row_len() % self.places);
        if self.sums.is_empty() {
            self.sums = vec![(0.0, 0.0); channels];
        }
        if rest != 0 || channels != self.sums.len() {
            let (id, found) = (lesson.id.clone(), lesson.row_len());
            return Err(DistillError::OtherTeacher { id, found, expected: self.sums.len() * self.places });
        }
        for first in (0..lesson.clips()).step_by(CLIPS) {
            let values = lesson.teacher(first..lesson.clips().min(first + CLIPS))?;
            for clip in values.chunks_exact(lesson.row_len().max(1)) {
                self.count += self.places;
                for ((sum, squares), channel) in self.sums.iter_mut().zip(clip.chunks_exact(self.places)) {
                    for &value in channel {
                        *sum += f64::from(value);
                        *squares += f64::from(value).powi(2);
                        self.hash.update(value.to_le_bytes());
                    }
                }
            }
        }
        Ok(())
    }

    /// Of each channel its mean and what to divide by, and the fingerprint.
    pub fn end(self) -> (Vec<(f32, f32)>, [u8; 32]) {
        let count = self.count.max(1) as f64;
        let spread = |(sum, squares): &(f64, f64)| {
            let mean = sum / count;
            (mean, (squares / count - mean * mean).max(0.0).sqrt())
        };
        let spreads: Vec<(f64, f64)> = self.sums.iter().map(spread).collect();
        let mut deviations: Vec<f64> = spreads.iter().map(|(_, deviation)| *deviation).collect();
        deviations.sort_by(f64::total_cmp);
        let usual = deviations.get(deviations.len() / 2).copied().unwrap_or(0.0);
        let least = (LEAST_DEVIATION * usual).max(f64::from(f32::MIN_POSITIVE));
        let scale = spreads.iter().map(|(mean, deviation)| (*mean as f32, deviation.max(least) as f32));
        (scale.collect(), self.hash.finalize().into())
    }
}
