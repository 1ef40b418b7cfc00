//! Thresholds that change while a stream runs.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use proptest::prelude::*;
use vad_core::{EdgeKind, MediaTimeMs, ScoreSample, ScoreSpec, ScoreTracker};

const CLIP_MS: u64 = 1_600;

fn tracker() -> ScoreTracker {
    ScoreTracker::new(ScoreSpec { cool_down_ms: 0, ..ScoreSpec::default() }).unwrap()
}

fn sample(clip: u64, raw: f32) -> ScoreSample {
    ScoreSample { start: MediaTimeMs(clip * CLIP_MS), end: MediaTimeMs((clip + 1) * CLIP_MS), raw }
}

#[test]
fn an_event_goes_on_under_a_higher_threshold_and_ends_below_the_clear_threshold() {
    let mut tracker = tracker();
    assert_eq!(tracker.push(sample(0, 0.6)).edge.unwrap().kind, EdgeKind::Raised);
    tracker.set_thresholds(0.9, 0.55).unwrap();
    assert!(tracker.is_active());
    assert_eq!(tracker.push(sample(1, 0.6)).edge, None);
    let cleared = tracker.push(sample(2, 0.5)).edge.unwrap();
    assert_eq!((cleared.kind, cleared.event), (EdgeKind::Cleared, 1));
    assert_eq!(tracker.push(sample(3, 0.8)).edge, None, "the new threshold counts");
}

#[test]
fn thresholds_out_of_range_change_nothing() {
    let mut tracker = tracker();
    let before = tracker.spec().clone();
    for (raise, clear) in [(1.1, 0.5), (0.5, 0.6), (f32::NAN, 0.1), (0.5, -0.1)] {
        assert!(tracker.set_thresholds(raise, clear).is_err(), "{raise} {clear}");
    }
    assert_eq!(*tracker.spec(), before);
}

proptest! {
    /// However thresholds change, events begin and end in turn, each under its own number.
    #[test]
    fn no_event_is_lost_or_made(
        steps in prop::collection::vec((0.0_f32..1.0, prop::option::of((0.0_f32..=1.0, 0.0_f32..=1.0))), 1..60),
    ) {
        let mut tracker = tracker();
        let mut active = None;
        let mut events = 0;
        let mut edges = Vec::new();
        for (clip, (raw, thresholds)) in (0..).zip(steps) {
            if let Some((a, b)) = thresholds {
                let was_active = tracker.is_active();
                tracker.set_thresholds(a.max(b), a.min(b)).unwrap();
                prop_assert_eq!(tracker.is_active(), was_active);
            }
            edges.extend(tracker.push(sample(clip, raw)).edge);
        }
        edges.extend(tracker.finish());
        for edge in edges {
            match edge.kind {
                EdgeKind::Raised => {
                    prop_assert_eq!(active, None);
                    events += 1;
                    active = Some(edge.event);
                    prop_assert_eq!(edge.event, events);
                }
                EdgeKind::Updated => prop_assert_eq!(active, Some(edge.event)),
                EdgeKind::Cleared => prop_assert_eq!(active.take(), Some(edge.event)),
            }
        }
        prop_assert_eq!(active, None);
    }

    #[test]
    fn the_same_thresholds_again_change_nothing(scores in prop::collection::vec(0.0_f32..1.0, 1..60), at in 0_usize..60) {
        let (mut plain, mut touched) = (tracker(), tracker());
        for (clip, raw) in (0_u64..).zip(scores) {
            if clip == at as u64 {
                touched.set_thresholds(0.5, 0.4).unwrap();
            }
            prop_assert_eq!(plain.push(sample(clip, raw)), touched.push(sample(clip, raw)));
        }
    }
}
