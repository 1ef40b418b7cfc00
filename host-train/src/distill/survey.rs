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
    /// Of each channel in each place: the sum of its values, and of their squares.
    sums: Vec<(f64, f64)>,
    clips: usize,
    /// Of each channel: the sum of squared differences between clips that follow each other.
    changes: Vec<f64>,
    /// Such pairs of clips.
    pairs: usize,
    hash: Sha256,
}

impl Survey {
    /// Nothing seen; features are `[channels, places]` per clip.
    pub fn new(places: usize) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"watchpost distillation 3\0");
        Self { places, sums: Vec::new(), clips: 0, changes: Vec::new(), pairs: 0, hash }
    }

    /// Sees a video.
    ///
    /// # Errors
    /// When its features cannot be read, or have other axes than those before.
    pub fn add(&mut self, lesson: &Lesson) -> Result<(), DistillError> {
        self.hash.update((lesson.id.len() as u64).to_le_bytes());
        self.hash.update(&lesson.id);
        self.hash.update(lesson.reel.frames().to_le_bytes());
        let found = lesson.row_len();
        if self.sums.is_empty() {
            self.sums = vec![(0.0, 0.0); found];
            self.changes = vec![0.0; found / self.places];
        }
        if !found.is_multiple_of(self.places) || found != self.sums.len() {
            let (id, expected) = (lesson.id.clone(), self.sums.len());
            return Err(DistillError::OtherTeacher { id, found, expected });
        }
        let mut before: Vec<f32> = Vec::new();
        for first in (0..lesson.clips()).step_by(CLIPS) {
            let values = lesson.teacher(first..lesson.clips().min(first + CLIPS))?;
            for clip in values.chunks_exact(lesson.row_len().max(1)) {
                self.clips += 1;
                for ((sum, squares), &value) in self.sums.iter_mut().zip(clip) {
                    *sum += f64::from(value);
                    *squares += f64::from(value).powi(2);
                    self.hash.update(value.to_le_bytes());
                }
                self.pairs += usize::from(!before.is_empty());
                let places = before.chunks_exact(self.places).zip(clip.chunks_exact(self.places));
                for (change, (before, now)) in self.changes.iter_mut().zip(places) {
                    let squares = before.iter().zip(now).map(|(before, now)| f64::from(now - before).powi(2));
                    *change += squares.sum::<f64>();
                }
                before = clip.to_vec();
            }
        }
        Ok(())
    }

    /// The scale and the fingerprint.
    pub fn end(self) -> (Scale, [u8; 32]) {
        let clips = self.clips.max(1) as f64;
        let means: Vec<f64> = self.sums.iter().map(|(sum, _)| sum / clips).collect();
        let variances =
            self.sums.iter().zip(&means).map(|((_, squares), mean)| (squares / clips - mean * mean).max(0.0));
        let variances: Vec<f64> = variances.collect();
        let of_channel = |places: &[f64]| (places.iter().sum::<f64>() / places.len() as f64).sqrt();
        let deviations: Vec<f64> = variances.chunks_exact(self.places).map(of_channel).collect();
        let mut sorted = deviations.clone();
        sorted.sort_by(f64::total_cmp);
        let usual = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        let least = (LEAST_DEVIATION * usual).max(f64::from(f32::MIN_POSITIVE));
        let deviations: Vec<f64> = deviations.into_iter().map(|deviation| deviation.max(least)).collect();
        let changes =
            self.changes.iter().zip(&deviations).map(|(change, deviation)| change / deviation.powi(2));
        let compared = (self.pairs * self.sums.len()).max(1) as f64;
        let scale = Scale {
            places: self.places,
            still: means.iter().map(|&mean| mean as f32).collect(),
            change: (changes.sum::<f64>() / compared).max(f64::from(f32::MIN_POSITIVE)) as f32,
            deviations: deviations.iter().map(|&deviation| deviation as f32).collect(),
        };
        (scale, self.hash.finalize().into())
    }
}

/// What the teacher always sees in a place, and how far each channel moves from it.
#[derive(Clone, Debug)]
pub struct Scale {
    places: usize,
    /// Means over the footage, `[channels, places]`.
    still: Vec<f32>,
    /// Of each channel, around these means.
    deviations: Vec<f32>,
    /// The mean squared difference between clips that follow each other, in this scale.
    pub change: f32,
}

impl Scale {
    /// Channels of the teacher.
    pub fn channels(&self) -> usize {
        self.deviations.len()
    }

    /// Takes from features, `[clips, channels, places]`, what is always there, and gives each channel deviation 1.
    pub fn apply(&self, features: &mut [f32]) {
        let rows = features.chunks_exact_mut(self.places);
        let rows = rows.zip(self.still.chunks_exact(self.places).cycle()).zip(self.deviations.iter().cycle());
        for ((values, still), by) in rows {
            values.iter_mut().zip(still).for_each(|(value, still)| *value = (*value - still) / by);
        }
    }
}
