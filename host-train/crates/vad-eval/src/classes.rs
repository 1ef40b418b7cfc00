//! Results by kind of anomaly.
//!
//! A class of anomalies can be judged in two ways, which papers mix up. *Against normal footage*: the class's videos with
//! all normal ones, which asks whether such an anomaly stands out at all. *Within*: the class's videos alone, which asks
//! whether the score points at the right part of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alarms::{AlarmMetrics, VideoAlarms};
use crate::evaluation::{VideoResult, VideoTruth};
use crate::metrics::{FrameMetrics, MetricsError};

/// The figures of one class of anomalies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassResult {
    /// Name of the class.
    pub class: String,
    /// Abnormal videos of the class; those whose ranges are unknown count for alarms only.
    pub videos: u64,
    /// Frames of these videos and of all normal ones.
    pub against_normal: FrameMetrics,
    /// Frames of these videos alone.
    pub within: FrameMetrics,
    /// Alarms on these videos.
    pub alarm: AlarmMetrics,
}

/// The class that a video's name begins with, as in `Abuse028_x264` or `events/fall-03`: its letters up to the first
/// character that is none. `None` where the name does not begin with a letter.
pub fn class_from_name(video: &str) -> Option<&str> {
    let name = video.rsplit('/').next().unwrap_or(video);
    let end = name.find(|c: char| !c.is_alphabetic()).unwrap_or(name.len());
    name.get(..end).filter(|class| !class.is_empty())
}

/// Results of every class that occurs, in the order of their names; normal videos have none.
pub(crate) fn by_class(videos: &[VideoResult]) -> Result<Vec<ClassResult>, MetricsError> {
    let mut classes: BTreeMap<&str, Vec<&VideoResult>> = BTreeMap::new();
    for video in videos.iter().filter(|video| video.truth != VideoTruth::Normal) {
        if let Some(class) = &video.class {
            classes.entry(class).or_default().push(video);
        }
    }
    let normal: Vec<&VideoResult> = videos.iter().filter(|video| video.truth == VideoTruth::Normal).collect();
    classes.into_iter().map(|(class, own)| one_class(class, &own, &normal)).collect()
}

fn one_class(
    class: &str,
    own: &[&VideoResult],
    normal: &[&VideoResult],
) -> Result<ClassResult, MetricsError> {
    let alarms: Vec<VideoAlarms> = own.iter().map(|video| video.to_alarms()).collect();
    Ok(ClassResult {
        class: class.to_owned(),
        videos: own.len() as u64,
        against_normal: frames_of(own.iter().chain(normal).copied())?,
        within: frames_of(own.iter().copied())?,
        alarm: AlarmMetrics::compute(&alarms),
    })
}

/// Figures over the frames of some videos, together; those whose ranges are unknown are left out.
pub(crate) fn frames_of<'a>(
    videos: impl Iterator<Item = &'a VideoResult>,
) -> Result<FrameMetrics, MetricsError> {
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for video in videos {
        if let Some(known) = video.frame_labels() {
            scores.extend_from_slice(&video.raw);
            labels.extend(known);
        }
    }
    FrameMetrics::compute(&scores, &labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_letters_that_a_name_begins_with() {
        assert_eq!(class_from_name("Abuse028_x264"), Some("Abuse"));
        assert_eq!(class_from_name("test/RoadAccidents004"), Some("RoadAccidents"));
        assert_eq!(class_from_name("fall-03"), Some("fall"));
        assert_eq!(class_from_name("Räuber"), Some("Räuber"));
        assert_eq!(class_from_name("01_0015"), None);
    }
}
