//! Did the board alarm where something happened, and only there?

use super::field::ABNORMAL_CAMERA;
use crate::cmd::eval::Assessment;
use anyhow::{Context, Result, bail, ensure};
use std::path::PathBuf;
use vad_eval::{AlarmSpan, TimeRangeMs, Truth, VideoResult};

/// One held-back video of each kind.
pub struct Pair {
    pub abnormal: Clip,
    pub normal: Clip,
}

/// A video that a camera of the demo plays.
pub struct Clip {
    pub id: String,
    pub path: PathBuf,
    /// When something happens.
    pub truth: Truth,
}

/// An alarm as the hub stored it; times are media times.
#[derive(Debug, PartialEq)]
pub struct StoredAlarm {
    pub camera: String,
    pub onset_ms: u64,
    pub raised_ms: u64,
    pub score: f64,
}

/// The first test video of each kind that the evaluation got right.
pub fn choose(assessment: &Assessment) -> Result<Pair> {
    let abnormal = first(assessment, |video| video.to_alarms().truth != Truth::Normal && is_right(video));
    let normal = first(assessment, |video| video.to_alarms().truth == Truth::Normal && is_right(video));
    Ok(Pair {
        abnormal: abnormal.context(
            "in no test video was an alarm raised while something happened and none before, so there is nothing to show; see the report",
        )?,
        normal: normal.context("the detector raised an alarm on every normal test video; see the report")?,
    })
}

fn is_right(video: &VideoResult) -> bool {
    match video.to_alarms().truth {
        Truth::Normal => video.alarms.is_empty(),
        Truth::Ranges(ranges) => {
            let inside = |alarm: &AlarmSpan| event_of(&ranges, alarm.onset_ms, alarm.raised_at_ms).is_some();
            video.alarms.iter().any(inside) && video.figures.false_alarms == 0
        }
        Truth::Unknown => !video.alarms.is_empty(),
    }
}

/// The event within which an alarm was raised. One that stands already when the event begins shows nothing of it.
fn event_of(ranges: &[TimeRangeMs], onset_ms: u64, raised_ms: u64) -> Option<&TimeRangeMs> {
    ranges.iter().find(|range| onset_ms < range.end_ms && raised_ms >= range.start_ms)
}

fn first(assessment: &Assessment, wanted: impl Fn(&VideoResult) -> bool) -> Option<Clip> {
    let video = assessment.evaluation.videos.iter().find(|video| wanted(video))?;
    let path = assessment.paths.get(&video.video)?.clone();
    Some(Clip { id: video.video.clone(), path, truth: video.to_alarms().truth })
}

/// Prints what arrived and checks it against the labels.
pub fn judge(pair: &Pair, alarms: &[StoredAlarm]) -> Result<()> {
    let (expected, unexpected): (Vec<_>, Vec<_>) =
        alarms.iter().partition(|alarm| alarm.camera == ABNORMAL_CAMERA);
    if let Some(alarm) = unexpected.first() {
        bail!("an alarm on the normal video {} at {}", pair.normal.id, seconds(alarm.raised_ms));
    }
    ensure!(!expected.is_empty(), "no alarm arrived for {}", pair.abnormal.id);
    println!();
    match &pair.abnormal.truth {
        Truth::Ranges(ranges) => {
            let hit = expected
                .iter()
                .find_map(|alarm| Some((alarm, event_of(ranges, alarm.onset_ms, alarm.raised_ms)?)));
            let Some((alarm, range)) = hit else {
                bail!("the alarms for {} lie outside its true intervals", pair.abnormal.id);
            };
            println!(
                "{}: something happens from {} to {}; the hub holds an alarm raised at {}, score {:.2}",
                pair.abnormal.id,
                seconds(range.start_ms),
                seconds(range.end_ms),
                seconds(alarm.raised_ms),
                alarm.score
            );
        }
        _ => println!(
            "{}: the hub holds {} alarm(s); its labels do not say when something happens",
            pair.abnormal.id,
            expected.len()
        ),
    }
    println!("{}: nothing happens, and no alarm was raised", pair.normal.id);
    Ok(())
}

fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_that_stood_before_the_event_does_not_show_it() {
        let ranges = [TimeRangeMs { start_ms: 6000, end_ms: 18_000 }];
        assert!(event_of(&ranges, 3200, 4800).is_none());
        assert!(event_of(&ranges, 5000, 6400).is_some());
        assert!(event_of(&ranges, 18_000, 19_000).is_none());
    }
}
