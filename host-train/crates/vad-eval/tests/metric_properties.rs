//! Properties of the frame metrics.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::collection::vec;
use proptest::prelude::*;
use vad_eval::{FrameMetrics, average_precision, far, pr_auc_trapezoid, roc_auc, score_gap};

/// Scores on a coarse grid, so that ties are common, with labels.
fn frames(most: usize) -> impl Strategy<Value = Vec<(f64, bool)>> {
    vec(((0_u8..20).prop_map(|step| f64::from(step) / 16.0 - 0.25), any::<bool>()), 0..most)
}

fn split(frames: &[(f64, bool)]) -> (Vec<f64>, Vec<bool>) {
    frames.iter().copied().unzip()
}

/// Share of (abnormal, normal) pairs in the right order, ties counting half: the definition, in O(n^2).
fn pairwise_auc(frames: &[(f64, bool)]) -> Option<f64> {
    let (mut won, mut pairs) = (0.0, 0_u32);
    for &(abnormal, _) in frames.iter().filter(|f| f.1) {
        for &(normal, _) in frames.iter().filter(|f| !f.1) {
            pairs += 1;
            won += if abnormal > normal {
                1.0
            } else if abnormal == normal {
                0.5
            } else {
                0.0
            };
        }
    }
    (pairs > 0).then(|| won / f64::from(pairs))
}

/// Precision and recall at one threshold, counted anew: O(n) each, O(n^2) in all.
fn precision_recall(frames: &[(f64, bool)], threshold: f64) -> (f64, f64) {
    let taken = frames.iter().filter(|f| f.0 >= threshold).count() as f64;
    let found = frames.iter().filter(|f| f.0 >= threshold && f.1).count() as f64;
    (found / taken, found / frames.iter().filter(|f| f.1).count() as f64)
}

fn counted_areas(frames: &[(f64, bool)]) -> Option<(f64, f64)> {
    frames.iter().any(|f| f.1).then(|| {
        let mut thresholds: Vec<f64> = frames.iter().map(|f| f.0).collect();
        thresholds.sort_by(|a, b| b.total_cmp(a));
        thresholds.dedup();
        let (mut trapezoid, mut steps, mut before) = (0.0, 0.0, (1.0, 0.0));
        for threshold in thresholds {
            let now = precision_recall(frames, threshold);
            trapezoid += (now.1 - before.1) * (now.0 + before.0) / 2.0;
            steps += (now.1 - before.1) * now.0;
            before = now;
        }
        (trapezoid, steps)
    })
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-12,
        (a, b) => a.is_none() && b.is_none(),
    }
}

proptest! {
    #[test]
    fn figures_equal_their_definitions(frames in frames(60)) {
        let (scores, labels) = split(&frames);
        prop_assert!(close(roc_auc(&scores, &labels), pairwise_auc(&frames)));
        let areas = counted_areas(&frames);
        prop_assert!(close(pr_auc_trapezoid(&scores, &labels), areas.map(|a| a.0)));
        prop_assert!(close(average_precision(&scores, &labels), areas.map(|a| a.1)));
    }

    #[test]
    fn strictly_rising_maps_change_no_rank_metric(frames in frames(200)) {
        let (scores, labels) = split(&frames);
        for map in [|s: f64| s.exp(), |s: f64| 3.0 * s - 7.0, |s: f64| s * s * s] {
            let mapped: Vec<f64> = scores.iter().map(|&s| map(s)).collect();
            prop_assert_eq!(roc_auc(&scores, &labels), roc_auc(&mapped, &labels));
            prop_assert_eq!(pr_auc_trapezoid(&scores, &labels), pr_auc_trapezoid(&mapped, &labels));
            prop_assert_eq!(average_precision(&scores, &labels), average_precision(&mapped, &labels));
        }
    }

    #[test]
    fn swapping_classes_or_turning_scores_complements_the_auc(frames in frames(200)) {
        let (scores, labels) = split(&frames);
        let swapped: Vec<bool> = labels.iter().map(|&label| !label).collect();
        let turned: Vec<f64> = scores.iter().map(|&score| -score).collect();
        let complement = roc_auc(&scores, &labels).map(|auc| 1.0 - auc);
        prop_assert!(close(roc_auc(&scores, &swapped), complement));
        prop_assert!(close(roc_auc(&turned, &labels), complement));
        prop_assert!(close(roc_auc(&turned, &swapped), roc_auc(&scores, &labels)));
    }

    #[test]
    fn the_order_of_frames_does_not_matter(
        (frames, shuffled) in frames(200).prop_flat_map(|f| (Just(f.clone()), Just(f).prop_shuffle())),
    ) {
        let (scores, labels) = split(&frames);
        let (scores_b, labels_b) = split(&shuffled);
        let a = FrameMetrics::compute(&scores, &labels).unwrap();
        let b = FrameMetrics::compute(&scores_b, &labels_b).unwrap();
        prop_assert_eq!((a.roc_auc, a.pr_auc_trapezoid, a.average_precision, a.far_05),
            (b.roc_auc, b.pr_auc_trapezoid, b.average_precision, b.far_05));
        prop_assert!(close(a.score_gap, b.score_gap) && close(a.rmse, b.rmse));
    }

    #[test]
    fn figures_stay_in_their_ranges(frames in frames(200)) {
        let (scores, labels) = split(&frames);
        let metrics = FrameMetrics::compute(&scores, &labels).unwrap();
        for share in [metrics.roc_auc, metrics.pr_auc_trapezoid, metrics.average_precision, metrics.far_05] {
            prop_assert!(share.is_none_or(|share| (0.0..=1.0 + 1e-12).contains(&share)));
        }
        prop_assert_eq!(metrics.roc_auc.is_some(), metrics.abnormal_frames > 0 && metrics.normal_frames() > 0);
        prop_assert_eq!(metrics.average_precision.is_some(), metrics.abnormal_frames > 0);
        prop_assert_eq!(metrics.far_05.is_some(), metrics.normal_frames() > 0);
        prop_assert_eq!(metrics.rmse.is_some(), metrics.frames > 0);
    }
}

#[test]
fn what_is_undefined_is_none() {
    let scores = [0.2_f32, 0.9];
    assert_eq!(roc_auc(&scores, &[false, false]), None);
    assert_eq!(average_precision(&scores, &[false, false]), None);
    assert_eq!(roc_auc(&scores, &[true, true]), None);
    assert_eq!(far(&scores, &[true, true], 0.5), None);
    assert_eq!(score_gap(&scores, &[true, true]), None);
    assert_eq!(roc_auc(&[f32::NAN, 0.1], &[true, false]), None);
    assert_eq!(roc_auc(&scores, &[true]), None);
    assert_eq!(FrameMetrics::compute::<f32>(&[], &[]).unwrap(), FrameMetrics::default());
}

#[test]
fn incomparable_input_is_refused_with_its_place() {
    let length = FrameMetrics::compute(&[0.1_f32], &[]).unwrap_err();
    assert!(length.to_string().contains("1 scores but 0 labels"), "{length}");
    let nan = FrameMetrics::compute(&[0.1_f32, f32::INFINITY], &[true, false]).unwrap_err();
    assert!(nan.to_string().contains("frame 1"), "{nan}");
}

#[test]
fn the_threshold_of_the_false_alarm_rate_is_strict() {
    assert_eq!(far(&[0.5_f32, 0.500_001, 0.4, 0.9], &[false, false, false, true], 0.5), Some(1.0 / 3.0));
}
