//! From clip scores to frame scores, and the rules by which repositories make scores and labels equally long.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vad_core::ClipSpan;

/// What to do when `clips * 16` differs from the number of labelled frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alignment {
    /// Cut both to the shorter.
    Truncate,
    /// Labels are padded with "normal" or cut to the length of the scores (CU).
    PadNormal,
    /// Labels are padded with their last value or cut to the length of the scores (RTFM on ShanghaiTech).
    PadLast,
}

/// Why clip scores could not be spread over frames.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AlignError {
    /// Different numbers of clips and scores.
    #[error("{clips} clips but {scores} scores: each clip needs exactly one")]
    Length {
        /// Number of clips.
        clips: usize,
        /// Number of scores.
        scores: usize,
    },
    /// A video with frames but without clips.
    #[error("no clip covers the {frames} frames: extract its features again")]
    NoClips {
        /// Frames of the video.
        frames: u64,
    },
}

/// Each score `times` times in a row: the evaluation of all four papers, with 16.
pub fn repeat_scores<S: Copy>(clip_scores: &[S], times: usize) -> Vec<S> {
    clip_scores.iter().flat_map(|&score| std::iter::repeat_n(score, times)).collect()
}

/// Makes `scores` and `labels` equally long by `rule`. Without labels, [`Alignment::PadLast`] pads with "normal".
pub fn align<S>(scores: &mut Vec<S>, labels: &mut Vec<bool>, rule: Alignment) {
    let padding = match rule {
        Alignment::Truncate => {
            scores.truncate(labels.len());
            false
        }
        Alignment::PadNormal => false,
        Alignment::PadLast => labels.last().copied().unwrap_or(false),
    };
    labels.resize(scores.len(), padding);
}

/// Score of every frame: the mean over the clips that show it. A frame that no clip shows takes the value of the nearest
/// earlier frame, or of the first shown one.
///
/// # Shapes
/// `spans` and `clip_scores` have one entry per clip, in order; the result one per frame.
///
/// # Errors
/// [`AlignError`], when the numbers of clips and scores differ, or a video with frames has no clips.
pub fn clip_scores_to_frames(
    spans: &[ClipSpan],
    clip_scores: &[f32],
    frames: u64,
) -> Result<Vec<f32>, AlignError> {
    if spans.len() != clip_scores.len() {
        return Err(AlignError::Length { clips: spans.len(), scores: clip_scores.len() });
    }
    let mut sums = vec![(0.0_f64, 0_u32); frames as usize];
    for (span, &score) in spans.iter().zip(clip_scores) {
        let shown = span.frame_range();
        let (first, end) = (shown.start.min(frames) as usize, shown.end.min(frames) as usize);
        for (sum, clips) in &mut sums[first..end] {
            *sum += f64::from(score);
            *clips += 1;
        }
    }
    let mean = |&(sum, clips): &(f64, u32)| (clips > 0).then(|| (sum / f64::from(clips)) as f32);
    let first = sums.iter().find_map(mean);
    let mut held = match first {
        Some(score) => score,
        None if frames == 0 => return Ok(Vec::new()),
        None => return Err(AlignError::NoClips { frames }),
    };
    Ok(sums
        .iter()
        .map(|sum| {
            held = mean(sum).unwrap_or(held);
            held
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vad_core::{ClipSpec, FrameIndex};

    #[test]
    fn clips_without_overlap_equal_repetition_cut_to_the_video() {
        let spec = ClipSpec { frames: 16, stride: 16 };
        let spans: Vec<ClipSpan> = spec.spans(40).collect();
        let scores = [0.1, 0.7, 0.3];
        let frames = clip_scores_to_frames(&spans, &scores, 40).unwrap();
        assert_eq!(frames, repeat_scores(&scores, 16)[..40]);
    }

    #[test]
    fn overlapping_clips_are_averaged() {
        let spec = ClipSpec { frames: 4, stride: 2 };
        let spans: Vec<ClipSpan> = spec.spans(6).collect();
        let frames = clip_scores_to_frames(&spans, &[0.0, 1.0], 6).unwrap();
        assert_eq!(frames, [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn frames_outside_all_clips_hold_the_nearest_score() {
        let spans = [ClipSpan { index: 0, first_frame: FrameIndex(2), frames: 2 }];
        assert_eq!(clip_scores_to_frames(&spans, &[0.4], 6).unwrap(), [0.4; 6]);
        assert_eq!(clip_scores_to_frames(&spans, &[0.4], 1), Err(AlignError::NoClips { frames: 1 }));
        assert_eq!(clip_scores_to_frames(&[], &[], 0), Ok(Vec::new()));
        assert!(clip_scores_to_frames(&spans, &[], 6).is_err());
    }
}
