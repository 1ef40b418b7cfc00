//! What each clip of a training video should score: the pseudo labels of stage II.

use std::fmt::Write as _;
use std::path::Path;

use vad_core::ClipSpec;
use vad_data::{Features, Label, VideoEntry};

use super::error::TuneError;
use crate::atomic_file;
use crate::pseudo_label::{paper_abnormal, smooth_replicated, stretch};
use crate::recipe::settings::Mode;

/// The clips that pseudo labels are for: 16 frames, side by side.
pub const CLIP: ClipSpec = ClipSpec { frames: 16, stride: 16 };

/// A training video with its pseudo labels.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledVideo {
    /// The video.
    pub entry: VideoEntry,
    /// Its frames.
    pub frames: u64,
    /// One label per clip of [`CLIP`], within 0..=1.
    pub labels: Vec<f32>,
}

impl LabelledVideo {
    /// Labels a video from the scores that stage I gives its clips: 0 throughout where the video is normal, else smoothed
    /// over `smoothing` clips and stretched to 0..=1 (eq 2 and 3, or twice smoothed as released).
    ///
    /// # Errors
    /// When the features are of other clips than [`CLIP`].
    pub fn new(
        entry: &VideoEntry,
        features: &Features,
        scores: &[f32],
        mode: Mode,
        smoothing: usize,
    ) -> Result<Self, TuneError> {
        check_clips(features)?;
        let labels = pseudo_labels(entry.label, scores, mode, smoothing);
        Ok(Self { entry: entry.clone(), frames: features.frames, labels })
    }

    /// Labels every clip as its whole video, as fine-tuning without pseudo labels does.
    ///
    /// # Errors
    /// When the features are of other clips than [`CLIP`].
    pub fn by_video(entry: &VideoEntry, features: &Features) -> Result<Self, TuneError> {
        check_clips(features)?;
        let label = if entry.label == Label::Abnormal { 1.0 } else { 0.0 };
        let labels = vec![label; features.spans.len()];
        Ok(Self { entry: entry.clone(), frames: features.frames, labels })
    }

    /// The label of 16 frames from frame `begin` on: that of the clip there, or the mean of the two that they overlap, by the
    /// number of frames.
    pub fn label_from(&self, begin: u64) -> f32 {
        let stride = u64::from(CLIP.stride);
        let (first, share) = (begin / stride, (begin % stride) as f32 / f32::from(CLIP.stride));
        let label = |clip: u64| {
            let last = self.labels.len().saturating_sub(1);
            self.labels.get((clip as usize).min(last)).copied().unwrap_or(0.0)
        };
        label(first) * (1.0 - share) + label(first + 1) * share
    }
}

fn check_clips(features: &Features) -> Result<(), TuneError> {
    if features.spans.iter().copied().eq(CLIP.spans(features.frames)) {
        return Ok(());
    }
    let stride = features.spans.get(1).map_or(0, |span| span.first_frame.0 as u16);
    let frames = features.spans.first().map_or(0, |span| span.frames);
    Err(TuneError::Clips { frames, stride })
}

fn pseudo_labels(label: Label, scores: &[f32], mode: Mode, smoothing: usize) -> Vec<f32> {
    if label == Label::Normal {
        return vec![0.0; scores.len()];
    }
    let scores: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
    let labels = match mode {
        Mode::Paper => paper_abnormal(&scores, smoothing / 2),
        Mode::Released => stretch(&smooth_replicated(&smooth_replicated(&scores, smoothing), smoothing)),
    };
    labels.into_iter().map(|label| label as f32).collect()
}

/// Writes the labels for people to look at, as `video,first_frame,label`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_csv(path: &Path, videos: &[LabelledVideo]) -> Result<(), TuneError> {
    let mut text = String::from("video,first_frame,label\n");
    for video in videos {
        for (clip, label) in video.labels.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{},{},{label:.4}", video.entry.id, clip * usize::from(CLIP.stride));
        }
    }
    Ok(atomic_file::write(path, text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(frames: u64) -> Features {
        let spans: Vec<_> = CLIP.spans(frames).collect();
        Features { dim: 1, crops: 1, values: vec![0.0; spans.len()], spans, frames, frame_rate_hz: 10.0 }
    }

    fn labelled(label: Label, scores: &[f32], mode: Mode) -> LabelledVideo {
        let entry = VideoEntry::new("v", "v.mp4", label);
        LabelledVideo::new(&entry, &features(scores.len() as u64 * 16), scores, mode, 3).unwrap()
    }

    #[test]
    fn normal_videos_are_normal_throughout_and_abnormal_ones_reach_from_0_to_1() {
        let scores = [0.2, 0.3, 0.9, 0.8, 0.3, 0.2];
        for mode in [Mode::Paper, Mode::Released] {
            assert_eq!(labelled(Label::Normal, &scores, mode).labels, [0.0; 6]);
            let labels = labelled(Label::Abnormal, &scores, mode).labels;
            assert!(labels.contains(&0.0) && labels.contains(&1.0), "{labels:?}");
        }
    }

    #[test]
    fn without_pseudo_labels_a_clip_has_the_label_of_its_video() {
        for (label, want) in [(Label::Normal, 0.0), (Label::Abnormal, 1.0)] {
            let entry = VideoEntry::new("v", "v.mp4", label);
            let video = LabelledVideo::by_video(&entry, &features(40)).unwrap();
            assert_eq!((video.frames, video.labels), (40, vec![want; CLIP.spans(40).count()]));
        }
    }

    #[test]
    fn a_window_between_two_clips_has_the_mean_of_their_labels_by_overlap() {
        let mut video = labelled(Label::Abnormal, &[0.0, 0.5, 1.0], Mode::Released);
        video.labels = vec![0.0, 1.0, 0.5];
        let at = |begin| video.label_from(begin);
        assert_eq!([at(0), at(4), at(16), at(24), at(32), at(40)], [0.0, 0.25, 1.0, 0.75, 0.5, 0.5]);
    }

    #[test]
    fn other_clips_are_refused() {
        let mut other = features(64);
        other.spans = ClipSpec { frames: 16, stride: 8 }.spans(64).collect();
        let entry = VideoEntry::new("v", "v.mp4", Label::Normal);
        let error = LabelledVideo::new(&entry, &other, &[0.0; 7], Mode::Released, 5).unwrap_err();
        assert!(error.to_string().contains("every 8"), "{error}");
    }
}
