//! The streaming tracker against a batch reference that sees the whole stream at once.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod support;

use proptest::prelude::*;
use support::{reference, samples, specs};
use vad_core::{AlarmEdge, EdgeKind, MediaTimeMs, ScoreSample, ScoreSpec, ScoreStep, ScoreTracker};

fn track(spec: &ScoreSpec, samples: &[ScoreSample]) -> (Vec<ScoreStep>, Option<AlarmEdge>) {
    let mut tracker = ScoreTracker::new(spec.clone()).unwrap();
    let steps = samples.iter().map(|sample| tracker.push(*sample)).collect();
    (steps, tracker.finish())
}

/// Equality in which a missing score equals a missing score.
fn same(a: &[ScoreStep], b: &[ScoreStep]) -> bool {
    let bits = |step: &ScoreStep| (step.calibrated.to_bits(), step.smoothed.to_bits(), step.edge);
    a.iter().map(bits).eq(b.iter().map(bits))
}

fn edges(spec: &ScoreSpec, samples: &[ScoreSample]) -> Vec<AlarmEdge> {
    let (steps, last) = track(spec, samples);
    steps.into_iter().filter_map(|step| step.edge).chain(last).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn streaming_equals_batch(spec in specs(), samples in samples()) {
        let (steps, last) = track(&spec, &samples);
        let (expected, expected_last) = reference(&spec, &samples);
        prop_assert!(same(&steps, &expected), "{:#?}\nexpected\n{:#?}", steps, expected);
        prop_assert_eq!(last, expected_last);
    }

    #[test]
    fn any_chunking_gives_the_same(
        spec in specs(), samples in samples(), cuts in prop::collection::vec(0usize..80, 0..6),
    ) {
        let mut tracker = ScoreTracker::new(spec.clone()).unwrap();
        let mut steps = Vec::new();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(samples.len())).collect();
        cuts.extend([0, samples.len()]);
        cuts.sort_unstable();
        for bounds in cuts.windows(2) {
            // Each chunk goes to a snapshot; what the original does after it must not matter.
            let mut snapshot = tracker.clone();
            tracker.push(ScoreSample { start: MediaTimeMs(0), end: MediaTimeMs(1 << 40), raw: 1.0 });
            steps.extend(samples[bounds[0]..bounds[1]].iter().map(|sample| snapshot.push(*sample)));
            tracker = snapshot;
        }
        let (expected, expected_last) = track(&spec, &samples);
        prop_assert!(same(&steps, &expected));
        prop_assert_eq!(tracker.finish(), expected_last);
    }

    #[test]
    fn a_tracker_is_as_new_after_finish_and_reset(spec in specs(), before in samples(), samples in samples()) {
        let (expected, _) = track(&spec, &samples);
        let mut tracker = ScoreTracker::new(spec).unwrap();
        for finishes in [true, false] {
            let mut earlier: Vec<_> = before.iter().map(|sample| tracker.push(*sample)).collect();
            earlier.retain(|step| step.edge.is_some());
            if finishes { tracker.finish(); } else { tracker.reset(); }
            let mut steps: Vec<_> = samples.iter().map(|sample| tracker.push(*sample)).collect();
            tracker.reset();
            // Only the numbers of events go on.
            let numbers = steps.iter_mut().filter_map(|step| step.edge.as_mut()).map(|edge| &mut edge.event);
            let mut offset = None;
            for number in numbers {
                *number -= *offset.get_or_insert(*number - 1);
            }
            prop_assert!(same(&steps, &expected));
        }
    }

    #[test]
    fn outputs_are_in_range(spec in specs(), samples in samples()) {
        for (step, sample) in track(&spec, &samples).0.iter().zip(&samples) {
            prop_assert!((0.0..=1.0).contains(&step.smoothed));
            prop_assert_eq!(step.calibrated.is_nan(), !sample.raw.is_finite());
            prop_assert!(step.calibrated.is_nan() || (0.0..=1.0).contains(&step.calibrated));
        }
    }

    #[test]
    fn missing_scores_change_nothing(
        spec in specs(), samples in samples(),
        missing in prop::collection::vec((0usize..80, prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)]), 0..10),
    ) {
        let present: Vec<_> = samples.into_iter().filter(|sample| sample.raw.is_finite()).collect();
        let mut holed = present.clone();
        for (at, raw) in missing {
            let at = at.min(holed.len());
            holed.insert(at, ScoreSample { start: MediaTimeMs(7), end: MediaTimeMs(1 << 50), raw });
        }
        let (mut steps, last) = track(&spec, &holed);
        prop_assert!(steps.iter().all(|step| !step.calibrated.is_nan() || step.edge.is_none()));
        steps.retain(|step| !step.calibrated.is_nan());
        let (expected, expected_last) = track(&spec, &present);
        prop_assert!(same(&steps, &expected));
        prop_assert_eq!(last, expected_last);
    }

    #[test]
    fn edges_alternate_and_respect_the_durations(spec in specs(), samples in samples()) {
        let mut open: Option<AlarmEdge> = None;
        let mut reported_at = MediaTimeMs(0);
        let mut cleared: Option<AlarmEdge> = None;
        let mut number = 0;
        for edge in edges(&spec, &samples) {
            prop_assert!((0.0..=1.0).contains(&edge.score) && edge.score <= edge.peak && edge.peak <= 1.0);
            prop_assert!(edge.onset <= edge.at);
            match (edge.kind, open) {
                (EdgeKind::Raised, None) => {
                    number += 1;
                    prop_assert_eq!(edge.event, number);
                    prop_assert!(edge.score >= spec.raise_threshold);
                    prop_assert!(edge.at.ms_since(edge.onset) >= spec.min_duration_ms.into());
                    if let Some(before) = cleared {
                        prop_assert!(edge.at.ms_since(before.at) >= spec.cool_down_ms.into());
                        prop_assert!(edge.onset >= before.at);
                    }
                    open = Some(edge);
                    reported_at = edge.at;
                }
                (EdgeKind::Updated, Some(raised)) => {
                    prop_assert_eq!((edge.event, edge.onset), (raised.event, raised.onset));
                    prop_assert!(edge.score >= spec.clear_threshold);
                    prop_assert!(spec.update_interval_ms > 0);
                    prop_assert!(edge.at.ms_since(reported_at) >= spec.update_interval_ms.into());
                    reported_at = edge.at;
                }
                (EdgeKind::Cleared, Some(raised)) => {
                    prop_assert_eq!((edge.event, edge.onset), (raised.event, raised.onset));
                    cleared = Some(edge);
                    open = None;
                }
                (kind, open) => prop_assert!(false, "{:?} while {:?}", kind, open),
            }
        }
        prop_assert!(open.is_none(), "finish left an event open");
    }

    #[test]
    fn scores_below_the_threshold_never_raise(spec in specs(), samples in samples()) {
        let mut quiet = spec;
        quiet.raise_threshold = 1.0;
        quiet.calibration = vad_core::Calibration::Identity;
        let low: Vec<_> = samples.into_iter().map(|s| ScoreSample { raw: s.raw.min(0.999), ..s }).collect();
        prop_assert_eq!(edges(&quiet, &low), []);
    }
}
