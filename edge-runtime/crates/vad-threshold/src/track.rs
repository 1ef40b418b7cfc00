//! A stream's scores over time, and the alarms a board would raise on them.

use serde::{Deserialize, Serialize};
use vad_core::{ClipSpan, EdgeKind, ScoreSample, ScoreSpec, ScoreStep, ScoreTracker, SpecError};

/// The raw clip scores of one video, with the media times at which they stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreTrack {
    /// Name of the video.
    pub video: String,
    /// Length of the video, in ms.
    pub duration_ms: u64,
    /// One sample per clip, in order.
    pub samples: Vec<ScoreSample>,
}

/// One alarm as the board would report it; times are media times in ms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmSpan {
    /// Begin of the first clip at or above the raise threshold.
    pub onset_ms: u64,
    /// When the alarm went out.
    pub raised_at_ms: u64,
    /// When the event was over, or the video.
    pub cleared_at_ms: u64,
    /// Greatest smoothed score, 0 to 1.
    pub peak: f32,
}

/// What the score tracker made of a track.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// One step per sample.
    pub steps: Vec<ScoreStep>,
    /// The alarms, in order.
    pub alarms: Vec<AlarmSpan>,
}

impl ScoreTrack {
    /// Places clip scores in time. Of `spans` and `raw`, the shorter counts.
    ///
    /// # Units
    /// `frame_rate_hz` in frames per second; `frames` is the video's length.
    pub fn from_clips(
        video: impl Into<String>,
        spans: &[ClipSpan],
        raw: &[f32],
        frames: u64,
        frame_rate_hz: f64,
    ) -> Self {
        let sample = |(span, &raw): (&ClipSpan, &f32)| {
            let (start, end) = span.media_span(frame_rate_hz);
            ScoreSample { start, end, raw }
        };
        Self {
            video: video.into(),
            duration_ms: vad_core::FrameIndex(frames).media_time(frame_rate_hz).0,
            samples: spans.iter().zip(raw).map(sample).collect(),
        }
    }

    /// Runs the board's score tracker over the whole track. An alarm that stands at the end is cleared there.
    ///
    /// # Errors
    /// The first field of `spec` that is out of its range.
    pub fn replay(&self, spec: &ScoreSpec) -> Result<Replay, SpecError> {
        let mut tracker = ScoreTracker::new(spec.clone())?;
        let mut replay = Replay { steps: Vec::with_capacity(self.samples.len()), alarms: Vec::new() };
        for &sample in &self.samples {
            let step = tracker.push(sample);
            if let Some(edge) = step.edge {
                note_edge(&mut replay.alarms, edge);
            }
            replay.steps.push(step);
        }
        if let Some(edge) = tracker.finish() {
            note_edge(&mut replay.alarms, edge);
        }
        Ok(replay)
    }
}

fn note_edge(alarms: &mut Vec<AlarmSpan>, edge: vad_core::AlarmEdge) {
    if edge.kind == EdgeKind::Raised {
        alarms.push(AlarmSpan {
            onset_ms: edge.onset.0,
            raised_at_ms: edge.at.0,
            cleared_at_ms: edge.at.0,
            peak: edge.peak,
        });
    } else if let Some(alarm) = alarms.last_mut() {
        alarm.cleared_at_ms = edge.at.0;
        alarm.peak = edge.peak;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vad_core::ClipSpec;

    #[test]
    fn alarms_span_onset_to_clearing() {
        let spans: Vec<ClipSpan> = ClipSpec { frames: 10, stride: 10 }.spans(60).collect();
        let track = ScoreTrack::from_clips("a", &spans, &[0.1, 0.9, 0.8, 0.2, 0.1, 0.7], 60, 10.0);
        assert_eq!(track.duration_ms, 6_000);
        let spec = ScoreSpec { cool_down_ms: 0, update_interval_ms: 0, ..ScoreSpec::default() };
        let replay = track.replay(&spec).unwrap();
        assert_eq!(replay.steps.len(), 6);
        assert_eq!(
            replay.alarms,
            [
                AlarmSpan { onset_ms: 1_000, raised_at_ms: 2_000, cleared_at_ms: 4_000, peak: 0.9 },
                AlarmSpan { onset_ms: 5_000, raised_at_ms: 6_000, cleared_at_ms: 6_000, peak: 0.7 },
            ]
        );
    }
}
