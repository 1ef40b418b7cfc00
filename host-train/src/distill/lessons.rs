//! What the student learns from: windows of footage, and what the teacher saw in their clips.

use std::ops::Range;

use rand::seq::SliceRandom;
use sha2::{Digest, Sha256};
use vad_core::ClipSpec;
use vad_data::Features;

use super::error::DistillError;
use super::film::Reel;
use crate::rng::{Purpose, stream};

/// Frames of a clip, and from one clip to the next.
pub const CLIP: ClipSpec = ClipSpec { frames: 16, stride: 16 };

/// A video: its frames and the teacher's features of its whole clips.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// Its id.
    pub id: String,
    /// Its frames.
    pub reel: Reel,
    /// `[clips, D]`, without a tail that is no whole clip.
    features: Vec<f32>,
    dim: usize,
}

/// Some clips of a video, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// Which video.
    pub lesson: usize,
    /// Its first clip.
    pub clip: usize,
}

/// The footage with the scale of the teacher's features.
#[derive(Clone, Debug)]
pub struct Footage {
    lessons: Vec<Lesson>,
    /// Clips of a window.
    clips: usize,
    /// Of each of the teacher's values: its mean, and what to divide by.
    scale: Vec<(f32, f32)>,
}

impl Lesson {
    /// A video with the teacher's features, one crop, clips of [`CLIP`].
    ///
    /// # Errors
    /// When the features are of another number of frames.
    pub fn new(id: &str, reel: Reel, features: &Features) -> Result<Self, DistillError> {
        if reel.frames() != features.frames {
            let (frames, expected) = (reel.frames(), features.frames);
            return Err(DistillError::OtherFrames { id: id.to_owned(), frames, expected });
        }
        let whole = (features.frames / u64::from(CLIP.frames)) as usize * features.dim;
        let values = features.values.get(..whole).unwrap_or(&features.values).to_vec();
        Ok(Self { id: id.to_owned(), reel, features: values, dim: features.dim })
    }

    fn clips(&self) -> usize {
        self.features.len() / self.dim.max(1)
    }

    fn of(&self, clips: Range<usize>) -> &[f32] {
        &self.features[clips.start * self.dim..clips.end * self.dim]
    }
}

impl Footage {
    /// Footage to learn from in windows of so many clips.
    ///
    /// # Errors
    /// When no video is as long as a window.
    pub fn new(lessons: Vec<Lesson>, clips: usize) -> Result<Self, DistillError> {
        let footage = Self { scale: scale(&lessons), lessons, clips };
        if footage.windows(0).is_empty() {
            return Err(DistillError::NoWindow { clips });
        }
        Ok(footage)
    }

    /// Other footage in the scale of this one, to measure on.
    pub fn beside(&self, lessons: Vec<Lesson>) -> Self {
        Self { lessons, ..self.clone() }
    }

    /// The videos.
    pub fn lessons(&self) -> &[Lesson] {
        &self.lessons
    }

    /// Length of the teacher's features.
    pub fn dim(&self) -> usize {
        self.scale.len()
    }

    /// Windows that lie side by side, the first of each video at clip `begin`.
    pub fn windows(&self, begin: usize) -> Vec<Window> {
        let of = |(lesson, video): (usize, &Lesson)| {
            let last = (video.clips() + 1).saturating_sub(self.clips);
            (begin..last).step_by(self.clips).map(move |clip| Window { lesson, clip })
        };
        self.lessons.iter().enumerate().flat_map(of).collect()
    }

    /// Windows of a pass that every pass has, so that passes have as many steps as each other.
    pub fn windows_per_pass(&self) -> usize {
        (0..self.clips).map(|begin| self.windows(begin).len()).filter(|&count| count > 0).min().unwrap_or(0)
    }

    /// The windows of a pass in their order: they begin at another clip in each pass, so that every clip begins a stream
    /// now and goes on with one then.
    pub fn pass(&self, seed: u64, pass: u64) -> Vec<Window> {
        let begins: Vec<usize> = (0..self.clips).filter(|&begin| !self.windows(begin).is_empty()).collect();
        let begin = begins[(pass % begins.len().max(1) as u64) as usize];
        let mut windows = self.windows(begin);
        windows.shuffle(&mut stream(seed, Purpose::Footage, pass));
        windows.truncate(self.windows_per_pass());
        windows
    }

    /// Pixels of a window, `[clips * 16, H, W, 3]`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn frames(&self, window: Window) -> Result<Vec<u8>, DistillError> {
        let frames = usize::from(CLIP.frames);
        let first = (window.clip * frames) as u64;
        self.lessons[window.lesson].reel.read(first, self.clips * frames)
    }

    /// The teacher's features of a window's clips, `[clips, D]`, each value with mean 0 and deviation 1 over the footage.
    pub fn targets(&self, window: Window) -> Vec<f32> {
        let values = self.lessons[window.lesson].of(window.clip..window.clip + self.clips);
        values.iter().zip(self.scale.iter().cycle()).map(|(value, (mean, by))| (value - mean) / by).collect()
    }

    /// What a checkpoint belongs to.
    pub fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"watchpost distillation 1\0");
        for lesson in &self.lessons {
            hash.update((lesson.id.len() as u64).to_le_bytes());
            hash.update(&lesson.id);
            hash.update(lesson.reel.frames().to_le_bytes());
            lesson.features.iter().for_each(|value| hash.update(value.to_le_bytes()));
        }
        hash.finalize().into()
    }
}

/// A value that hardly changes over the footage is not blown up.
const LEAST_DEVIATION: f64 = 1e-3;

fn scale(lessons: &[Lesson]) -> Vec<(f32, f32)> {
    let dim = lessons.first().map_or(0, |lesson| lesson.dim);
    let (mut sums, mut squares, mut count) = (vec![0.0_f64; dim], vec![0.0_f64; dim], 0_usize);
    for clip in lessons.iter().flat_map(|lesson| lesson.features.chunks_exact(dim.max(1))) {
        count += 1;
        for ((sum, square), value) in sums.iter_mut().zip(&mut squares).zip(clip) {
            *sum += f64::from(*value);
            *square += f64::from(*value).powi(2);
        }
    }
    let count = count.max(1) as f64;
    let of = |(sum, square): (f64, f64)| {
        let mean = sum / count;
        let deviation = (square / count - mean * mean).max(0.0).sqrt();
        (mean as f32, deviation.max(LEAST_DEVIATION) as f32)
    };
    sums.into_iter().zip(squares).map(of).collect()
}
