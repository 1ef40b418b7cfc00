//! What the student learns from: windows of footage, and what the teacher saw in each place of their clips.

use std::ops::Range;

use burn::tensor::Tensor;
use rand::seq::SliceRandom;
use vad_core::ClipSpec;
use vad_data::FeatureRows;

use super::error::DistillError;
use super::film::Reel;
use super::survey::{Scale, Survey};
use crate::rng::{Purpose, stream};

/// Frames of a clip, and from one clip to the next.
pub const CLIP: ClipSpec = ClipSpec { frames: 16, stride: 16 };

/// Maps of every frame, `[N, T, places, D]`, to the means over each clip of [`CLIP`], `[N * T / 16, places, D]`. T is a multiple of
/// 16.
pub(crate) fn clip_means(maps: Tensor<4>) -> Tensor<3> {
    let [n, t, places, d] = maps.dims();
    let length = usize::from(CLIP.frames);
    maps.reshape([n * (t / length), length, places, d]).mean_dim(1).squeeze_dim(1)
}

/// A video: its frames and the teacher's features of its clips, both on disk.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// Its id.
    pub id: String,
    /// Its frames.
    pub reel: Reel,
    teacher: FeatureRows,
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
    /// Places of which the teacher saw each.
    places: usize,
    scale: Scale,
    /// Of frames and features.
    sha256: [u8; 32],
}

impl Lesson {
    /// A video with the teacher's features, one crop, clips of [`CLIP`].
    ///
    /// # Errors
    /// When the features are of another number of frames.
    pub fn new(id: &str, reel: Reel, teacher: FeatureRows) -> Result<Self, DistillError> {
        if reel.frames() != teacher.frames() {
            let (frames, expected) = (reel.frames(), teacher.frames());
            return Err(DistillError::OtherFrames { id: id.to_owned(), frames, expected });
        }
        Ok(Self { id: id.to_owned(), reel, teacher })
    }

    /// Whole clips; a tail that is none is left out.
    pub fn clips(&self) -> usize {
        (self.teacher.frames() / u64::from(CLIP.frames)) as usize
    }

    /// The teacher's values per clip.
    pub fn row_len(&self) -> usize {
        self.teacher.row_len()
    }

    /// What the teacher saw in some clips, `[clips, channels, places]`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn teacher(&self, clips: Range<usize>) -> Result<Vec<f32>, DistillError> {
        Ok(self.teacher.read(clips)?)
    }
}

impl Footage {
    /// Footage to learn from in windows of so many clips, of which the teacher saw a number of places.
    ///
    /// # Errors
    /// When no video is as long as a window, or features cannot be read or are not of that many places.
    pub fn new(lessons: Vec<Lesson>, clips: usize, places: usize) -> Result<Self, DistillError> {
        let mut survey = Survey::new(places);
        lessons.iter().try_for_each(|lesson| survey.add(lesson))?;
        let (scale, sha256) = survey.end();
        let footage = Self { lessons, clips, places, scale, sha256 };
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

    /// Places of a clip.
    pub fn places(&self) -> usize {
        self.places
    }

    /// Channels of the teacher.
    pub fn channels(&self) -> usize {
        self.scale.channels()
    }

    /// The mean squared difference between targets of clips that follow each other.
    pub fn change(&self) -> f32 {
        self.scale.change
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

    /// The teacher's features of a window's clips, `[clips, channels, places]`, each channel with mean 0 in each place and
    /// deviation 1 over the footage.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn targets(&self, window: Window) -> Result<Vec<f32>, DistillError> {
        let mut values = self.lessons[window.lesson].teacher(window.clip..window.clip + self.clips)?;
        self.scale.apply(&mut values);
        Ok(values)
    }

    /// What a checkpoint belongs to.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }
}
