//! The frames of several videos, sorted by score once, so that every choice of videos can be judged in one walk.

use thiserror::Error;

use crate::metrics::{Areas, Walk};
use crate::ranking::ordered_key;

/// Why frames of videos cannot be ranked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RankError {
    /// Scores and labels of a video differ in number.
    #[error("video {video}: {scores} scores but {labels} labels: align them first")]
    Length {
        /// Position of the video, from 0.
        video: usize,
        /// Number of scores.
        scores: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A score is NaN or infinite.
    #[error("video {video}: the score of frame {frame} is not finite")]
    NotFinite {
        /// Position of the video, from 0.
        video: usize,
        /// The frame, from 0.
        frame: usize,
    },
    /// More than 2^32 videos, or frames in one.
    #[error("more than 2^32 videos, or frames in one video")]
    TooMany,
}

/// Frame scores and labels of several videos in order of score.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedVideos {
    /// Highest score first.
    runs: Vec<Run>,
    /// Frames by video.
    frames: Vec<Frames>,
}

/// Frames of one video that share a score. A clip is one or two of them, so there are far fewer than frames.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    key: u64,
    video: u32,
    frames: Frames,
    is_last_of_its_score: bool,
}

/// Numbers of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frames {
    abnormal: u32,
    normal: u32,
}

impl RankedVideos {
    /// Takes the frame scores and frame labels of each video.
    ///
    /// # Errors
    /// [`RankError`] names the video.
    pub fn new<'a>(videos: impl IntoIterator<Item = (&'a [f32], &'a [bool])>) -> Result<Self, RankError> {
        let mut ranked = Self { runs: Vec::new(), frames: Vec::new() };
        for (scores, labels) in videos {
            ranked.push(scores, labels)?;
        }
        ranked.runs.sort_unstable_by(|a, b| b.key.cmp(&a.key).then(a.video.cmp(&b.video)));
        ranked.runs.dedup_by(|later, kept| {
            let same = (later.key, later.video) == (kept.key, kept.video);
            if same {
                kept.frames.add(later.frames);
            }
            same
        });
        for at in 1..ranked.runs.len() {
            ranked.runs[at - 1].is_last_of_its_score = ranked.runs[at - 1].key != ranked.runs[at].key;
        }
        Ok(ranked)
    }

    fn push(&mut self, scores: &[f32], labels: &[bool]) -> Result<(), RankError> {
        let video = self.frames.len();
        if scores.len() != labels.len() {
            return Err(RankError::Length { video, scores: scores.len(), labels: labels.len() });
        }
        let (Ok(number), Ok(_)) = (u32::try_from(video), u32::try_from(scores.len())) else {
            return Err(RankError::TooMany);
        };
        if let Some(frame) = scores.iter().position(|score| !score.is_finite()) {
            return Err(RankError::NotFinite { video, frame });
        }
        let mut all = Frames::default();
        let mut first = 0;
        for same in scores.chunk_by(|a, b| a == b) {
            let part = &labels[first..first + same.len()];
            first += same.len();
            let abnormal = part.iter().filter(|&&label| label).count() as u32;
            let frames = Frames { abnormal, normal: part.len() as u32 - abnormal };
            all.add(frames);
            // Checked above: finite scores have a key.
            let key = same.first().and_then(|score| ordered_key(f64::from(*score))).unwrap_or_default();
            self.runs.push(Run { key, video: number, frames, is_last_of_its_score: true });
        }
        self.frames.push(all);
        Ok(())
    }

    /// Number of videos.
    pub fn videos(&self) -> usize {
        self.frames.len()
    }

    /// Frames by video: what runs over the same videos have in common.
    pub(crate) fn frames(&self) -> &[Frames] {
        &self.frames
    }

    /// The areas when each video counts as often as `weights` says; videos beyond the weights do not count. With 1
    /// everywhere they are those of [`crate::FrameMetrics`], to the last bit.
    pub fn areas(&self, weights: &[u32]) -> Areas {
        let mut times = vec![0; self.frames.len()];
        times.iter_mut().zip(weights).for_each(|(times, weight)| *times = u64::from(*weight));
        let (mut abnormal, mut normal) = (0, 0);
        for (frames, times) in self.frames.iter().zip(&times) {
            abnormal += times * u64::from(frames.abnormal);
            normal += times * u64::from(frames.normal);
        }
        let mut walk = Walk::new(abnormal, normal);
        let (mut abnormal, mut normal) = (0, 0);
        for run in &self.runs {
            let times = times[run.video as usize];
            abnormal += times * u64::from(run.frames.abnormal);
            normal += times * u64::from(run.frames.normal);
            if run.is_last_of_its_score {
                walk.add(abnormal, normal);
                (abnormal, normal) = (0, 0);
            }
        }
        walk.areas()
    }
}

impl Frames {
    fn add(&mut self, more: Self) {
        self.abnormal += more.abnormal;
        self.normal += more.normal;
    }
}
