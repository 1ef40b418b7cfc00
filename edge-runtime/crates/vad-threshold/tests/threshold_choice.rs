//! The raise threshold from normal footage.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::track;
use proptest::prelude::*;
use vad_core::{ScoreSpec, Smoothing};
use vad_threshold::{CalibrateError, ScoreTrack, choose_threshold};

fn spec() -> ScoreSpec {
    ScoreSpec { cool_down_ms: 0, update_interval_ms: 0, ..ScoreSpec::default() }
}

fn alarms(tracks: &[ScoreTrack], spec: &ScoreSpec) -> usize {
    tracks.iter().map(|track| track.replay(spec).unwrap().alarms.len()).sum()
}

/// Ten minutes with three peaks.
fn ten_minutes() -> ScoreTrack {
    let mut scores = vec![0.1_f32; 600];
    (scores[100], scores[300], scores[500]) = (0.8, 0.6, 0.7);
    track("normal", &scores)
}

#[test]
fn short_footage_allows_no_alarm_and_says_what_it_cannot_show() {
    let choice = choose_threshold(&[ten_minutes()], &spec(), 1.0).unwrap();
    assert_eq!(choice.false_alarms, 0);
    assert!(
        (choice.raise_threshold - 0.9).abs() < 1e-6,
        "half-way from the peak to 1: {}",
        choice.raise_threshold
    );
    assert!((choice.clear_threshold - 0.72).abs() < 1e-6, "the proportion stays: {}", choice.clear_threshold);
    // Three per ten minutes is what cannot be ruled out: 431 per day.
    assert!((choice.upper95_per_camera_day - 431.4).abs() < 0.5, "{}", choice.upper95_per_camera_day);
    assert!(!choice.is_shown());
    assert!((choice.camera_days_needed() - 2.9957).abs() < 1e-3);
    let text = choice.explain();
    assert!(text.contains("10.0 min") && text.contains("431") && text.contains("3.0 days"), "{text}");
}

#[test]
fn a_looser_goal_lowers_the_threshold() {
    // 144 ten-minute pieces a day: two alarms in one piece are 288 a day.
    let choice = choose_threshold(&[ten_minutes()], &spec(), 288.0).unwrap();
    assert_eq!(choice.false_alarms, 2);
    assert!((choice.raise_threshold - 0.65).abs() < 1e-6, "{}", choice.raise_threshold);
    assert!(alarms(&[ten_minutes()], &choice.apply_to(&spec())) == 2);
}

#[test]
fn enough_footage_shows_the_goal() {
    let day = track("day", &[0.2; 86_400]);
    let days = [day.clone(), day.clone(), day.clone(), day];
    let choice = choose_threshold(&days, &spec(), 1.0).unwrap();
    assert!(choice.is_shown(), "{}", choice.explain());
    assert!(choice.explain().contains("is shown"));
}

#[test]
fn what_cannot_be_chosen_is_an_error() {
    assert_eq!(choose_threshold(&[], &spec(), 1.0), Err(CalibrateError::NoFootage));
    assert_eq!(choose_threshold(&[track("empty", &[])], &spec(), 1.0), Err(CalibrateError::NoFootage));
    assert!(matches!(choose_threshold(&[ten_minutes()], &spec(), f64::NAN), Err(CalibrateError::Goal(_))));
    assert!(matches!(choose_threshold(&[ten_minutes()], &spec(), -1.0), Err(CalibrateError::Goal(_))));
    let loud = track("loud", &[0.1, 1.0, 0.1]);
    let error = choose_threshold(&[loud], &spec(), 1.0).unwrap_err();
    assert!(matches!(error, CalibrateError::Unreachable { alarms: 1, allowed: 0, .. }), "{error}");
    let broken = ScoreSpec { clear_threshold: 0.9, ..spec() };
    assert!(matches!(choose_threshold(&[ten_minutes()], &broken, 1.0), Err(CalibrateError::Spec(_))));
}

#[test]
fn missing_scores_are_left_out() {
    let mut scores = vec![0.1_f32; 60];
    scores[30] = f32::NAN;
    scores[40] = 0.5;
    let choice = choose_threshold(&[track("gap", &scores)], &spec(), 0.0).unwrap();
    assert!((choice.raise_threshold - 0.75).abs() < 1e-6);
}

proptest! {
    #[test]
    fn the_choice_keeps_the_goal_as_does_every_higher_candidate(
        scores in proptest::collection::vec(0.0_f32..0.99, 20..200),
        goal_alarms in 0_u32..6,
        clips in 1_u16..5,
        min_duration_ms in 0_u32..4_000,
    ) {
        let normal = [track("a", &scores)];
        let spec = ScoreSpec { smoothing: Smoothing::Mean { clips }, min_duration_ms, ..spec() };
        let goal = f64::from(goal_alarms) * 86_400.0 / scores.len() as f64 + 1e-6;
        let choice = choose_threshold(&normal, &spec, goal).unwrap();
        let chosen = choice.apply_to(&spec);
        prop_assert_eq!(alarms(&normal, &chosen) as u64, choice.false_alarms);
        prop_assert!(choice.false_alarms <= u64::from(goal_alarms));
        prop_assert!(choice.clear_threshold <= choice.raise_threshold);
        // Half-way between neighbouring scores: elsewhere the clear threshold, which keeps its proportion, may pass
        // another score and part one alarm into two.
        let mut scores: Vec<f32> = normal[0].replay(&spec).unwrap().steps.iter().map(|step| step.smoothed).collect();
        scores.sort_by(f32::total_cmp);
        for pair in scores.windows(2) {
            let raise_threshold = pair[0] + (pair[1] - pair[0]) / 2.0;
            if raise_threshold > choice.raise_threshold && raise_threshold > pair[0] {
                let higher = ScoreSpec { raise_threshold, clear_threshold: 0.8 * raise_threshold, ..spec.clone() };
                prop_assert!(alarms(&normal, &higher) <= goal_alarms as usize);
            }
        }
    }
}

#[test]
fn a_long_recording_of_many_different_scores_uses_what_is_allowed() {
    // Two days of a score a second, each another one; now and then it is a little higher for a moment.
    let seconds = 172_800_u32;
    let score = |at: u32| {
        let noise = f32::from((at.wrapping_mul(2_654_435_761) >> 16) as u16) / 65_536.0 * 0.3;
        if at.is_multiple_of(17_280) {
            0.6 + noise / 10.0 + at as f32 * 1e-7
        } else {
            0.1 + noise + at as f32 * 1e-8
        }
    };
    let days = [track("two days", &(0..seconds).map(score).collect::<Vec<_>>())];
    let spec = ScoreSpec { smoothing: Smoothing::None, ..spec() };
    let choice = choose_threshold(&days, &spec, 2.0).unwrap();
    assert_eq!(choice.false_alarms, 4, "two a day, of ten peaks: {choice:?}");
    assert_eq!(alarms(&days, &choice.apply_to(&spec)), 4);
    let none = choose_threshold(&days, &spec, 0.0).unwrap();
    assert!(none.raise_threshold > choice.raise_threshold && none.false_alarms == 0);
}
