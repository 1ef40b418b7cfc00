//! The score semantics by example, one rule at a time.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use vad_core::{
    AlarmEdge, Calibration, EdgeKind, MediaTimeMs, ScoreSample, ScoreSpec, ScoreTracker, Smoothing,
};

/// Clips of one second, without gap or overlap.
fn edges_of(spec: &ScoreSpec, raw_scores: &[f32]) -> Vec<AlarmEdge> {
    let mut tracker = ScoreTracker::new(spec.clone()).unwrap();
    let sample = |(second, raw): (u64, &f32)| ScoreSample {
        start: MediaTimeMs(second * 1000),
        end: MediaTimeMs((second + 1) * 1000),
        raw: *raw,
    };
    let edges = (0..).zip(raw_scores).map(sample).filter_map(|s| tracker.push(s).edge);
    edges.collect()
}

fn brief(edges: &[AlarmEdge]) -> Vec<(EdgeKind, u64, u64)> {
    edges.iter().map(|edge| (edge.kind, edge.onset.0, edge.at.0)).collect()
}

fn plain() -> ScoreSpec {
    ScoreSpec { cool_down_ms: 0, update_interval_ms: 0, ..ScoreSpec::default() }
}

use EdgeKind::{Cleared, Raised, Updated};

#[test]
fn an_event_begins_with_its_clip_and_is_known_at_its_end() {
    let edges = edges_of(&plain(), &[0.1, 0.6, 0.9, 0.3]);
    assert_eq!(brief(&edges), [(Raised, 1000, 2000), (Cleared, 1000, 4000)]);
    assert_eq!((edges[0].score, edges[0].peak), (0.6, 0.6));
    assert_eq!((edges[1].score, edges[1].peak), (0.3, 0.9));
}

#[test]
fn a_score_on_a_threshold_counts_as_above_it() {
    let edges = edges_of(&plain(), &[0.5, 0.4, 0.4, 0.399]);
    assert_eq!(brief(&edges), [(Raised, 0, 1000), (Cleared, 0, 4000)]);
}

#[test]
fn between_the_thresholds_the_state_stays() {
    assert_eq!(edges_of(&plain(), &[0.45, 0.49, 0.45]), []);
    assert_eq!(edges_of(&plain(), &[0.6, 0.45, 0.49, 0.45]).len(), 1);
}

#[test]
fn a_short_peak_does_not_outlast_the_minimum_duration() {
    let spec = ScoreSpec { min_duration_ms: 3000, ..plain() };
    assert_eq!(edges_of(&spec, &[0.9, 0.9, 0.45, 0.9, 0.9, 0.1]), []);
    let edges = edges_of(&spec, &[0.1, 0.9, 0.6, 0.6, 0.1]);
    assert_eq!(brief(&edges), [(Raised, 1000, 4000), (Cleared, 1000, 5000)]);
    assert_eq!((edges[0].score, edges[0].peak), (0.6, 0.9));
}

#[test]
fn what_outlasts_the_cool_down_is_raised_after_it() {
    let spec = ScoreSpec { cool_down_ms: 3000, ..plain() };
    let edges = edges_of(&spec, &[0.9, 0.1, 0.9, 0.1, 0.9, 0.9]);
    // Cleared at 2000: a peak within the cool-down is dropped, one that reaches 5000 is not.
    assert_eq!(brief(&edges), [(Raised, 0, 1000), (Cleared, 0, 2000), (Raised, 4000, 5000)]);
    let edges = edges_of(&spec, &[0.9, 0.1, 0.9, 0.9, 0.9]);
    assert_eq!(brief(&edges)[2], (Raised, 2000, 5000));
}

#[test]
fn updates_keep_their_distance() {
    let spec = ScoreSpec { update_interval_ms: 2000, ..plain() };
    let edges = edges_of(&spec, &[0.9, 0.8, 0.7, 0.95, 0.6, 0.1]);
    let expected = [(Raised, 0, 1000), (Updated, 0, 3000), (Updated, 0, 5000), (Cleared, 0, 6000)];
    assert_eq!(brief(&edges), expected);
    assert_eq!((edges[2].score, edges[2].peak), (0.6, 0.95));
}

#[test]
fn overlapping_clips_do_not_make_overlapping_events() {
    let mut tracker = ScoreTracker::new(plain()).unwrap();
    let mut push = |end: u64, raw| {
        let start = MediaTimeMs(end.saturating_sub(1600));
        tracker.push(ScoreSample { start, end: MediaTimeMs(end), raw }).edge
    };
    push(1600, 0.9);
    let cleared = push(2000, 0.1).unwrap();
    let raised = push(2400, 0.9).unwrap();
    assert_eq!((cleared.at, raised.onset), (MediaTimeMs(2000), MediaTimeMs(2000)));
}

#[test]
fn finish_clears_what_is_active_and_numbers_go_on() {
    let mut tracker = ScoreTracker::new(plain()).unwrap();
    let high = ScoreSample { start: MediaTimeMs(0), end: MediaTimeMs(1000), raw: 0.9 };
    assert_eq!(tracker.push(high).edge.unwrap().event, 1);
    assert!(tracker.is_active());
    let cleared = tracker.finish().unwrap();
    assert_eq!((cleared.kind, cleared.event, cleared.at), (Cleared, 1, MediaTimeMs(1000)));
    assert_eq!(tracker.finish(), None);
    assert_eq!(tracker.push(high).edge.unwrap().event, 2);
}

#[test]
fn smoothing_delays_and_holds() {
    let mean = ScoreSpec { smoothing: Smoothing::Mean { clips: 3 }, ..plain() };
    // Means: 0.1, 0.5, 0.633.., 0.633.., 0.333..
    let edges = edges_of(&mean, &[0.1, 0.9, 0.9, 0.1, 0.0]);
    assert_eq!(brief(&edges), [(Raised, 1000, 2000), (Cleared, 1000, 5000)]);
    let slow = ScoreSpec { smoothing: Smoothing::Exponential { alpha: 0.5 }, ..plain() };
    // 0, 0.45, 0.675, 0.3375
    assert_eq!(brief(&edges_of(&slow, &[0.0, 0.9, 0.9, 0.0])), [(Raised, 2000, 3000), (Cleared, 2000, 4000)]);
}

#[test]
fn thresholds_apply_to_calibrated_scores() {
    let platt = Calibration::Logistic { slope: 1.0, intercept: -3.0 };
    let spec = ScoreSpec { calibration: platt, ..plain() };
    // sigmoid(logit(0.9) - 3) = 0.31, sigmoid(logit(0.99) - 3) = 0.83
    assert_eq!(edges_of(&spec, &[0.9, 0.9]), []);
    assert_eq!(edges_of(&spec, &[0.99]).len(), 1);
}

#[test]
fn a_model_that_only_gives_nan_never_alarms_and_then_recovers() {
    let scores = [f32::NAN, f32::INFINITY, f32::NAN, 0.9];
    for smoothing in [Smoothing::None, Smoothing::Exponential { alpha: 0.3 }, Smoothing::Mean { clips: 4 }] {
        let edges = edges_of(&ScoreSpec { smoothing, ..plain() }, &scores);
        assert_eq!(brief(&edges), [(Raised, 3000, 4000)]);
    }
}

#[test]
fn extreme_times_do_not_panic() {
    let mut tracker = ScoreTracker::new(ScoreSpec::default()).unwrap();
    for (start, end) in [(u64::MAX, 0), (0, u64::MAX), (u64::MAX, u64::MAX), (5, 3)] {
        for raw in [1.0, 0.0] {
            tracker.push(ScoreSample { start: MediaTimeMs(start), end: MediaTimeMs(end), raw });
        }
    }
}
