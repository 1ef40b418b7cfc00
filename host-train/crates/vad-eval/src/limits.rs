//! What limits a frame AUC: finding the videos in which something happens, or the frames within them.
//!
//! Each figure replaces one half of a detector's answer and keeps the other. Of all pairs of an abnormal and a normal frame, those
//! with the normal frame in a normal video judge the first half, the others the second.

use serde::{Deserialize, Serialize};

use crate::evaluation::Evaluation;
use crate::metrics::{FrameMetrics, roc_auc};

/// Frame ROC AUC with a part of the answer replaced; `None` where undefined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The video labels are known, and nothing else: every frame of an abnormal video has one score, every frame of a normal
    /// video a lower one.
    pub labels_alone: Option<f64>,
    /// The video labels are known, and within abnormal videos the detector's scores decide.
    pub labels_known: Option<f64>,
    /// Every frame has the highest score of its video.
    pub not_localised: Option<f64>,
}

impl Limits {
    /// Over the videos with known frame labels.
    pub fn of(evaluation: &Evaluation) -> Self {
        let within = &evaluation.frame_abnormal_videos;
        Self {
            labels_alone: with_labels(&evaluation.frame, within, Some(0.5)),
            labels_known: with_labels(&evaluation.frame, within, within.roc_auc),
            not_localised: not_localised(evaluation),
        }
    }
}

/// Every pair across videos is in order; `within` of those inside abnormal videos are.
fn with_labels(all: &FrameMetrics, abnormal_videos: &FrameMetrics, within: Option<f64>) -> Option<f64> {
    let inside = abnormal_videos.normal_frames();
    let across = all.normal_frames().checked_sub(inside)?;
    if all.abnormal_frames == 0 || across + inside == 0 {
        return None;
    }
    let within = if inside == 0 { 0.0 } else { within? };
    Some((across as f64 + inside as f64 * within) / (across + inside) as f64)
}

fn not_localised(evaluation: &Evaluation) -> Option<f64> {
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for video in &evaluation.videos {
        let (Some(own), Some(highest)) = (video.frame_labels(), video.raw.iter().copied().reduce(f32::max))
        else {
            continue;
        };
        scores.extend(std::iter::repeat_n(highest, own.len()));
        labels.extend(own);
    }
    roc_auc(&scores, &labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{VideoScores, VideoTruth};
    use proptest::prelude::*;
    use vad_core::{ClipSpan, FrameIndex, ModelSpec};

    /// A clip of one frame: its score, and whether it is abnormal.
    type Clip = (f32, bool);

    fn evaluate(videos: &[Vec<Clip>]) -> Evaluation {
        let scores: Vec<VideoScores> = videos
            .iter()
            .enumerate()
            .map(|(index, clips)| {
                let at = |position: usize| FrameIndex(position as u64);
                let ranges: Vec<_> = (0_u64..)
                    .zip(clips)
                    .filter(|(_, (_, abnormal))| *abnormal)
                    .map(|(frame, _)| frame..=frame)
                    .collect();
                VideoScores {
                    video: index.to_string(),
                    frames: clips.len() as u64,
                    frame_rate_hz: 25.0,
                    spans: (0..clips.len())
                        .map(|clip| ClipSpan { index: clip as u64, first_frame: at(clip), frames: 1 })
                        .collect(),
                    raw: clips.iter().map(|(score, _)| *score).collect(),
                    truth: if ranges.is_empty() {
                        VideoTruth::Normal
                    } else {
                        VideoTruth::Abnormal(Some(ranges))
                    },
                    class: None,
                }
            })
            .collect();
        Evaluation::run(&scores, &ModelSpec::i3d_mist("test").score).unwrap()
    }

    #[test]
    fn each_half_of_the_answer_is_judged_alone() {
        // The abnormal video scores below the normal one, but is localised without an error.
        let localised = evaluate(&[vec![(0.1, false), (0.2, true)], vec![(0.5, false), (0.6, false)]]);
        let limits = Limits::of(&localised);
        assert_eq!(limits.labels_known, Some(1.0));
        assert_eq!(limits.not_localised, Some(0.5 / 3.0));
        assert_eq!(limits.labels_alone, Some(2.5 / 3.0));
        // Without frames to compare nothing is defined.
        assert_eq!(Limits::of(&evaluate(&[vec![(0.1, false)]])), Limits::default());
    }

    proptest! {
        #[test]
        fn known_labels_are_the_areas_of_scores_that_hold_them(
            videos in prop::collection::vec(prop::collection::vec((0_u8..8, any::<bool>()), 1..6), 1..6),
        ) {
            let videos: Vec<Vec<Clip>> =
                videos.iter().map(|clips| clips.iter().map(|(score, abnormal)| (f32::from(*score), *abnormal)).collect()).collect();
            let limits = Limits::of(&evaluate(&videos));
            let area = |score: &dyn Fn(&[Clip], f32) -> f32| {
                let frames = videos.iter().flat_map(|clips| clips.iter().map(|(own, abnormal)| (score(clips, *own), *abnormal)));
                let (scores, labels): (Vec<f32>, Vec<bool>) = frames.unzip();
                roc_auc(&scores, &labels)
            };
            let label = |clips: &[Clip]| if clips.iter().any(|(_, abnormal)| *abnormal) { 100.0 } else { 0.0 };
            let expected = [
                area(&|clips, _| label(clips)),
                area(&|clips, own| if label(clips) > 0.0 { 100.0 + own } else { 0.0 }),
            ];
            for (found, expected) in [limits.labels_alone, limits.labels_known].into_iter().zip(expected) {
                prop_assert_eq!(found.is_some(), expected.is_some());
                prop_assert!((found.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-12);
            }
        }
    }
}
