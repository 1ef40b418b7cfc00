//! Alarm-level figures: what an operator would have seen.
//!
//! An alarm *covers* the time from its onset (begin of the first clip at or above the raise threshold) to its clearing.
//!
//! - An event (a true range) is *found* when an alarm covers a part of it.
//! - An alarm is *false* when it covers no part of any true range of its video.
//! - The *delay* of a found event is the time from its onset to the first alarm raised at or after it, among those that
//!   cover a part of it. An event met only by an alarm that was already standing has no delay: nobody was told anew.
//! - A rate of false alarms counts the time outside all true ranges, in *camera-days* (one camera for 24 hours).
//!
//! Videos known to hold something abnormal, but not when, can say neither "found" nor "false": for them only the number
//! of videos with an alarm is given.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use vad_threshold::{AlarmSpan, poisson};

const MS_PER_DAY: f64 = 86_400_000.0;

/// A span of media time: `start_ms..end_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimeRangeMs {
    /// First ms inside.
    pub start_ms: u64,
    /// First ms after it.
    pub end_ms: u64,
}

impl TimeRangeMs {
    /// Whether an alarm covers a part of it.
    pub fn is_met_by(self, alarm: &AlarmSpan) -> bool {
        let end_ms = alarm.cleared_at_ms.max(alarm.onset_ms.saturating_add(1));
        alarm.onset_ms < self.end_ms && self.start_ms < end_ms
    }
}

/// What is known about a video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truth {
    /// Nothing abnormal in it.
    Normal,
    /// Abnormal in exactly these ranges; each is one event.
    Ranges(Vec<TimeRangeMs>),
    /// Something abnormal in it, but nobody noted when.
    Unknown,
}

/// One video's truth and alarms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoAlarms {
    /// Name of the video.
    pub video: String,
    /// Its length, in ms.
    pub duration_ms: u64,
    /// What is known about it.
    pub truth: Truth,
    /// The alarms raised on it, in order.
    pub alarms: Vec<AlarmSpan>,
}

impl VideoAlarms {
    /// Whether an alarm of this video is right; `None` when the ranges are unknown.
    pub fn is_true(&self, alarm: &AlarmSpan) -> Option<bool> {
        match &self.truth {
            Truth::Normal => Some(false),
            Truth::Ranges(ranges) => Some(ranges.iter().any(|range| range.is_met_by(alarm))),
            Truth::Unknown => None,
        }
    }

    /// Time known to be normal, in ms; `None` when the ranges are unknown.
    fn normal_ms(&self) -> Option<u64> {
        match &self.truth {
            Truth::Normal => Some(self.duration_ms),
            Truth::Ranges(ranges) => Some(self.duration_ms - covered_ms(ranges, self.duration_ms)),
            Truth::Unknown => None,
        }
    }
}

/// One event and how it was met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventOutcome {
    /// Name of the video.
    pub video: String,
    /// The true range.
    pub range: TimeRangeMs,
    /// Whether an alarm covers a part of it.
    pub found: bool,
    /// From its onset to the first alarm raised at or after it, in s.
    pub delay_s: Option<f64>,
}

/// The alarm-level figures of a set of videos.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlarmMetrics {
    /// Events with a known range.
    pub events_total: u64,
    /// Events of which an alarm covers a part.
    pub events_found: u64,
    /// Found events met only by an alarm that was raised before them.
    pub events_already_standing: u64,
    /// Alarms that cover no part of any true range, where ranges are known.
    pub false_alarms: u64,
    /// Alarms that cover a part of a true range.
    pub true_alarms: u64,
    /// Time known to be normal, in camera-days.
    pub normal_camera_days: f64,
    /// `false_alarms / normal_camera_days`; `None` without normal time.
    pub false_alarms_per_camera_day: Option<f64>,
    /// Upper end of its one-sided 95 % confidence interval: what this much footage can rule out.
    pub false_alarms_per_camera_day_upper95: Option<f64>,
    /// Mean delay of the events that have one, in s.
    pub mean_delay_s: Option<f64>,
    /// Videos with something abnormal at an unknown time.
    pub unknown_videos: u64,
    /// Those on which at least one alarm was raised.
    pub unknown_videos_alarmed: u64,
    /// Every event, in order.
    pub events: Vec<EventOutcome>,
}

impl AlarmMetrics {
    /// Judges the alarms of all videos.
    pub fn compute(videos: &[VideoAlarms]) -> Self {
        let mut metrics = Self::default();
        let mut normal_ms = 0_u64;
        for video in videos {
            normal_ms += video.normal_ms().unwrap_or(0);
            metrics.count_alarms(video);
            if let Truth::Ranges(ranges) = &video.truth {
                metrics.events.extend(ranges.iter().map(|&range| outcome(video, range)));
            }
        }
        metrics.finish(normal_ms);
        metrics
    }

    fn count_alarms(&mut self, video: &VideoAlarms) {
        for alarm in &video.alarms {
            match video.is_true(alarm) {
                Some(true) => self.true_alarms += 1,
                Some(false) => self.false_alarms += 1,
                None => {}
            }
        }
        if video.truth == Truth::Unknown {
            self.unknown_videos += 1;
            self.unknown_videos_alarmed += u64::from(!video.alarms.is_empty());
        }
    }

    fn finish(&mut self, normal_ms: u64) {
        self.events_total = self.events.len() as u64;
        self.events_found = self.events.iter().filter(|event| event.found).count() as u64;
        let delays: Vec<f64> = self.events.iter().filter_map(|event| event.delay_s).collect();
        self.events_already_standing = self.events_found - delays.len() as u64;
        self.mean_delay_s = (!delays.is_empty()).then(|| delays.iter().sum::<f64>() / delays.len() as f64);
        let days = normal_ms as f64 / MS_PER_DAY;
        self.normal_camera_days = days;
        if normal_ms > 0 {
            self.false_alarms_per_camera_day = Some(self.false_alarms as f64 / days);
            self.false_alarms_per_camera_day_upper95 = Some(poisson::upper95(self.false_alarms) / days);
        }
    }

    /// The figures in one sentence, for a terminal.
    pub fn summary(&self) -> String {
        let mut text = format!("{} of {} events found", self.events_found, self.events_total);
        if let Some(delay_s) = self.mean_delay_s {
            let _ = write!(text, ", mean delay {delay_s:.1} s");
        }
        let _ = write!(
            text,
            ", {} false alarms in {:.4} normal camera-days",
            self.false_alarms, self.normal_camera_days
        );
        if self.unknown_videos > 0 {
            let (alarmed, videos) = (self.unknown_videos_alarmed, self.unknown_videos);
            let _ = write!(text, "; an alarm on {alarmed} of {videos} abnormal videos without ranges");
        }
        text
    }
}

fn outcome(video: &VideoAlarms, range: TimeRangeMs) -> EventOutcome {
    let covering = || video.alarms.iter().filter(|alarm| range.is_met_by(alarm));
    let delay_ms = covering().filter_map(|alarm| alarm.raised_at_ms.checked_sub(range.start_ms)).min();
    EventOutcome {
        video: video.video.clone(),
        range,
        found: covering().next().is_some(),
        delay_s: delay_ms.map(|ms| ms as f64 / 1_000.0),
    }
}

/// Length of the union of `ranges` within `0..duration_ms`.
fn covered_ms(ranges: &[TimeRangeMs], duration_ms: u64) -> u64 {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let (mut covered, mut reached) = (0, 0);
    for range in sorted {
        let (start, end) = (range.start_ms.max(reached), range.end_ms.min(duration_ms));
        if start < end {
            covered += end - start;
            reached = end;
        }
    }
    covered
}
