//! Score tracks for the tests of this folder.

use vad_core::{MediaTimeMs, ScoreSample};
use vad_threshold::ScoreTrack;

/// A track of one score per second.
pub fn track(video: &str, scores: &[f32]) -> ScoreTrack {
    let sample = |(second, &raw): (usize, &f32)| {
        let start = second as u64 * 1_000;
        ScoreSample { start: MediaTimeMs(start), end: MediaTimeMs(start + 1_000), raw }
    };
    ScoreTrack {
        video: video.to_owned(),
        duration_ms: scores.len() as u64 * 1_000,
        samples: scores.iter().enumerate().map(sample).collect(),
    }
}
