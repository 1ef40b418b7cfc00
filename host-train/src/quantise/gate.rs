//! What held-back videos say of a network in other numbers, beside the same in f32.

use std::fmt;

use serde::Serialize;
use vad_eval::{Evaluation, VideoResult};

/// Largest loss of frame ROC AUC, 0.5 points.
pub const MOST_AUC_LOST: f64 = 0.005;

/// What is put beside f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// 16-bit floats.
    F16,
    /// 8-bit integers, in some layers at least.
    Int8,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F16 => "f16",
            Self::Int8 => "int8",
        })
    }
}

/// What a variant changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The variant.
    pub variant: Variant,
    /// ROC AUC in f32 and of the variant: over frames, or over videos where no frame is labelled; nothing where the videos are all
    /// normal or all abnormal.
    pub areas: Option<(f64, f64)>,
    /// Events that f32 found and the variant lost, in words.
    pub lost: Vec<String>,
    /// Events found in f32, abnormal videos with an alarm where no event is labelled.
    pub found: u64,
    /// False alarms in f32 and of the variant.
    pub false_alarms: (u64, u64),
}

impl Change {
    /// From `whole`, in f32, to `other`, a variant of it, on the same videos.
    pub fn between(whole: &Evaluation, variant: Variant, other: &Evaluation) -> Self {
        let both = |of: fn(&Evaluation) -> Option<f64>| of(whole).zip(of(other));
        let videos = || whole.videos.iter().zip(&other.videos);
        let alarm = &whole.alarm;
        Self {
            variant,
            areas: both(|of| of.frame.roc_auc).or_else(|| both(|of| of.video_roc_auc)),
            lost: videos().flat_map(|(whole, other)| lost(whole, other)).collect(),
            found: alarm.events_found + alarm.unknown_videos_alarmed,
            false_alarms: (alarm.false_alarms, other.alarm.false_alarms),
        }
    }

    /// Frame ROC AUC lost, at most 1; negative where the variant is better.
    pub fn auc_lost(&self) -> f64 {
        self.areas.map_or(0.0, |(whole, other)| whole - other)
    }

    /// Why it must not be shipped; nothing where it may be.
    pub fn refusal(&self) -> Option<String> {
        if !self.lost.is_empty() {
            return Some(format!("it loses {}", self.lost.join(", ")));
        }
        let lost = self.auc_lost();
        (lost > MOST_AUC_LOST).then(|| {
            format!(
                "it loses {:.2} points of ROC AUC, at most {:.1} are allowed",
                100.0 * lost,
                100.0 * MOST_AUC_LOST
            )
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.areas {
            Some((whole, other)) => {
                write!(f, "ROC AUC {whole:.4} in f32, {other:.4} in {}", self.variant)?;
            }
            None => f.write_str("ROC AUC undefined")?,
        }
        let (whole, other) = self.false_alarms;
        write!(
            f,
            "; events found {}, of them lost {}; false alarms {whole} and {other}",
            self.found,
            self.lost.len()
        )
    }
}

/// Events of a video that f32 found and the variant did not, or its alarm where it has no labelled events.
fn lost(whole: &VideoResult, other: &VideoResult) -> Vec<String> {
    if whole.figures.unknown_videos > 0 {
        let gone = !whole.alarms.is_empty() && other.alarms.is_empty();
        return gone.then(|| format!("the alarm on {}", whole.video)).into_iter().collect();
    }
    let both = whole.figures.events.iter().zip(&other.figures.events);
    let seconds = |ms: u64| ms as f64 / 1000.0;
    both.filter(|(whole, other)| whole.found && !other.found)
        .map(|(whole, _)| {
            let range = whole.range;
            format!(
                "the event from {:.1} s to {:.1} s in {}",
                seconds(range.start_ms),
                seconds(range.end_ms),
                whole.video
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vad_core::{ClipSpan, FrameIndex, ScoreSpec};
    use vad_eval::{VideoScores, VideoTruth};

    const CLIP: u64 = 16;

    fn video(name: &str, truth: VideoTruth, raw: &[f32]) -> VideoScores {
        let spans = (0..raw.len() as u64)
            .map(|index| ClipSpan { index, first_frame: FrameIndex(index * CLIP), frames: CLIP as u16 })
            .collect();
        VideoScores {
            video: name.to_owned(),
            frames: raw.len() as u64 * CLIP,
            frame_rate_hz: 16.0,
            spans,
            raw: raw.to_vec(),
            truth,
            class: None,
        }
    }

    fn evaluation(of_event: f32, truth: VideoTruth) -> Evaluation {
        let mut raw = vec![0.1; 12];
        raw[4..8].fill(of_event);
        let videos = [video("street", truth, &raw), video("yard", VideoTruth::Normal, &[0.2; 12])];
        Evaluation::run(&videos, &ScoreSpec::default()).unwrap()
    }

    fn ranges() -> VideoTruth {
        let last = CLIP * 8 - 1;
        VideoTruth::Abnormal(Some(vec![CLIP * 4..=last]))
    }

    #[test]
    fn a_lost_event_is_refused_by_name() {
        let (loud, faint) = (evaluation(0.99, ranges()), evaluation(0.3, ranges()));
        let change = Change::between(&loud, Variant::Int8, &faint);
        assert_eq!((change.found, change.lost.len()), (1, 1), "{change}");
        let refusal = change.refusal().unwrap();
        assert!(refusal.contains("the event from 4.0 s to 8.0 s in street"), "{refusal}");
        assert_eq!(Change::between(&faint, Variant::Int8, &loud).refusal(), None, "an event won is no loss");
    }

    #[test]
    fn a_lost_alarm_counts_where_no_event_is_labelled() {
        let of = |score| evaluation(score, VideoTruth::Abnormal(None));
        let refusal = Change::between(&of(0.99), Variant::F16, &of(0.3)).refusal().unwrap();
        assert!(refusal.contains("the alarm on street"), "{refusal}");
    }

    #[test]
    fn a_lower_area_is_refused_beyond_half_a_point() {
        let whole = evaluation(0.99, ranges());
        let mut less = whole.clone();
        less.frame.roc_auc = whole.frame.roc_auc.map(|auc| auc - 0.004);
        assert_eq!(Change::between(&whole, Variant::F16, &less).refusal(), None);
        less.frame.roc_auc = whole.frame.roc_auc.map(|auc| auc - 0.006);
        let refusal = Change::between(&whole, Variant::F16, &less).refusal().unwrap();
        assert!(refusal.contains("0.60 points"), "{refusal}");
    }

    #[test]
    fn a_change_names_its_variant() {
        let whole = evaluation(0.99, ranges());
        for (variant, name) in [(Variant::F16, "in f16;"), (Variant::Int8, "in int8;")] {
            let change = Change::between(&whole, variant, &whole);
            assert!(change.to_string().contains(name), "{change}");
        }
    }
}
