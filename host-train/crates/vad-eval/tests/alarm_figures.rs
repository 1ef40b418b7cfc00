//! Alarm-level figures on hand-made videos.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use vad_eval::{AlarmMetrics, AlarmSpan, TimeRangeMs, Truth, VideoAlarms};

const DAY_MS: u64 = 86_400_000;

fn span(onset_ms: u64, raised_at_ms: u64, cleared_at_ms: u64) -> AlarmSpan {
    AlarmSpan { onset_ms, raised_at_ms, cleared_at_ms, peak: 0.9 }
}

fn range(start_ms: u64, end_ms: u64) -> TimeRangeMs {
    TimeRangeMs { start_ms, end_ms }
}

fn video(truth: Truth, duration_ms: u64, alarms: &[AlarmSpan]) -> VideoAlarms {
    VideoAlarms { video: "v".to_owned(), duration_ms, truth, alarms: alarms.to_vec() }
}

#[test]
fn events_delays_and_false_alarms_are_counted() {
    let truth = Truth::Ranges(vec![range(10_000, 20_000), range(40_000, 50_000), range(70_000, 80_000)]);
    let alarms = [span(9_000, 11_500, 15_000), span(25_000, 26_000, 30_000), span(45_000, 46_000, 47_000)];
    let metrics = AlarmMetrics::compute(&[video(truth, 100_000, &alarms)]);
    assert_eq!((metrics.events_total, metrics.events_found), (3, 2));
    assert_eq!((metrics.true_alarms, metrics.false_alarms), (2, 1));
    let delays: Vec<Option<f64>> = metrics.events.iter().map(|event| event.delay_s).collect();
    assert_eq!(delays, [Some(1.5), Some(6.0), None]);
    assert_eq!(metrics.mean_delay_s, Some(3.75));
    assert!((metrics.normal_camera_days - 70_000.0 / DAY_MS as f64).abs() < 1e-12);
}

#[test]
fn a_standing_alarm_finds_the_event_without_a_delay() {
    let truth = || Truth::Ranges(vec![range(10_000, 20_000)]);
    let standing = span(2_000, 3_000, 60_000);
    let metrics = AlarmMetrics::compute(&[video(truth(), 60_000, &[standing])]);
    assert_eq!((metrics.events_found, metrics.events_already_standing, metrics.mean_delay_s), (1, 1, None));

    let again = [span(2_000, 3_000, 12_000), span(14_000, 15_000, 16_000)];
    let metrics = AlarmMetrics::compute(&[video(truth(), 60_000, &again)]);
    assert_eq!((metrics.events_already_standing, metrics.mean_delay_s), (0, Some(5.0)));
}

#[test]
fn an_alarm_beside_the_event_does_not_touch_it() {
    let truth = Truth::Ranges(vec![range(10_000, 20_000)]);
    let alarms = [span(5_000, 6_000, 10_000), span(20_000, 21_000, 22_000)];
    let metrics = AlarmMetrics::compute(&[video(truth, 60_000, &alarms)]);
    assert_eq!((metrics.events_found, metrics.false_alarms), (0, 2));
}

#[test]
fn rates_need_normal_time_and_carry_their_bound() {
    let normal = AlarmMetrics::compute(&[video(Truth::Normal, DAY_MS / 2, &[span(0, 1, 2), span(5, 6, 7)])]);
    assert_eq!(normal.false_alarms_per_camera_day, Some(4.0));
    let quiet = AlarmMetrics::compute(&[video(Truth::Normal, DAY_MS, &[])]);
    assert_eq!(quiet.false_alarms_per_camera_day, Some(0.0));
    // The rule of three: -ln 0.05.
    let bound = quiet.false_alarms_per_camera_day_upper95.unwrap();
    assert!((bound - 2.9957).abs() < 1e-3, "{bound}");
    let all_abnormal = AlarmMetrics::compute(&[video(Truth::Ranges(vec![range(0, 5_000)]), 5_000, &[])]);
    assert_eq!(all_abnormal.false_alarms_per_camera_day, None);
    assert_eq!(AlarmMetrics::compute(&[]).false_alarms_per_camera_day, None);
}

#[test]
fn without_ranges_only_the_video_counts() {
    let alarms = [span(1_000, 2_000, 3_000), span(7_000, 8_000, 9_000)];
    let metrics =
        AlarmMetrics::compute(&[video(Truth::Unknown, 60_000, &alarms), video(Truth::Unknown, 60_000, &[])]);
    assert_eq!((metrics.unknown_videos, metrics.unknown_videos_alarmed), (2, 1));
    assert_eq!((metrics.events_total, metrics.false_alarms, metrics.true_alarms), (0, 0, 0));
    assert_eq!((metrics.false_alarms_per_camera_day, metrics.mean_delay_s), (None, None));
    assert!(
        metrics.summary().contains("an alarm on 1 of 2 abnormal videos without ranges"),
        "{}",
        metrics.summary()
    );
}

proptest! {
    #[test]
    fn every_alarm_is_true_or_false_and_normal_time_fits(
        ranges in proptest::collection::vec((0_u64..1_000, 1_u64..300), 0..6),
        alarms in proptest::collection::vec((0_u64..1_000, 0_u64..50, 0_u64..300), 0..8),
        duration_ms in 1_u64..1_500,
    ) {
        let ranges = ranges.iter().map(|&(start, length)| range(start, start + length)).collect();
        let alarms: Vec<AlarmSpan> = alarms.iter().map(|&(on, lag, len)| span(on, on + lag, on + lag + len)).collect();
        let metrics = AlarmMetrics::compute(&[video(Truth::Ranges(ranges), duration_ms, &alarms)]);
        prop_assert_eq!(metrics.true_alarms + metrics.false_alarms, alarms.len() as u64);
        prop_assert!(metrics.events_found <= metrics.events_total);
        prop_assert!(metrics.normal_camera_days >= 0.0);
        prop_assert!(metrics.normal_camera_days <= duration_ms as f64 / DAY_MS as f64);
        prop_assert!(metrics.events.iter().all(|event| event.delay_s.is_none_or(|delay| delay >= 0.0)));
    }
}
