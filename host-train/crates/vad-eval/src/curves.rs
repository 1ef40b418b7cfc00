//! ROC and precision-recall curves for plotting.

use serde::{Deserialize, Serialize};

use crate::ranking::{Ranking, Score};

/// A point of a curve, reached when every frame at or above `threshold` is called abnormal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// False-positive rate (ROC) or recall (PR), 0 to 1.
    pub x: f64,
    /// Recall (ROC) or precision (PR), 0 to 1.
    pub y: f64,
    /// The score; `None` at the start, where nothing is called abnormal.
    pub threshold: Option<f64>,
}

/// The ROC curve from (0, 0) to (1, 1), thinned to about `max_points`. `None` where [`crate::roc_auc`] is undefined.
pub fn roc_curve<S: Score>(scores: &[S], labels: &[bool], max_points: usize) -> Option<Vec<CurvePoint>> {
    let ranking = Ranking::new(scores, labels)?;
    let (abnormal, normal) = (ranking.abnormal(), ranking.normal());
    if abnormal == 0 || normal == 0 {
        return None;
    }
    let (mut tp, mut fp) = (0_u64, 0_u64);
    let points = ranking.groups().map(|group| {
        tp += group.abnormal;
        fp += group.normal;
        CurvePoint {
            x: fp as f64 / normal as f64,
            y: tp as f64 / abnormal as f64,
            threshold: Some(group.score),
        }
    });
    Some(thin(CurvePoint { x: 0.0, y: 0.0, threshold: None }, points, max_points))
}

/// The precision-recall curve from recall 0 to recall 1, thinned to about `max_points`. `None` without an abnormal frame,
/// or when the input cannot be ranked.
pub fn pr_curve<S: Score>(scores: &[S], labels: &[bool], max_points: usize) -> Option<Vec<CurvePoint>> {
    let ranking = Ranking::new(scores, labels)?;
    let abnormal = ranking.abnormal();
    if abnormal == 0 {
        return None;
    }
    let (mut tp, mut taken) = (0_u64, 0_u64);
    let points = ranking.groups().map(|group| {
        tp += group.abnormal;
        taken += group.abnormal + group.normal;
        CurvePoint {
            x: tp as f64 / abnormal as f64,
            y: tp as f64 / taken as f64,
            threshold: Some(group.score),
        }
    });
    Some(thin(CurvePoint { x: 0.0, y: 1.0, threshold: None }, points, max_points))
}

/// Keeps the first and the last point and, between them, those at least `2 / max_points` from the last one kept
/// (in |dx| + |dy|): a plot cannot show more.
fn thin(start: CurvePoint, points: impl Iterator<Item = CurvePoint>, max_points: usize) -> Vec<CurvePoint> {
    let least = 2.0 / max_points.max(2) as f64;
    let mut kept = vec![start];
    let (mut last_kept, mut skipped) = (start, None);
    for point in points {
        if (point.x - last_kept.x).abs() + (point.y - last_kept.y).abs() >= least {
            // The point before a jump is kept too, so that corners stay corners.
            kept.extend(skipped.take());
            kept.push(point);
            last_kept = point;
        } else {
            skipped = Some(point);
        }
    }
    kept.extend(skipped);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(points: &[CurvePoint]) -> f64 {
        points.windows(2).map(|w| (w[1].x - w[0].x) * (w[0].y + w[1].y) / 2.0).sum()
    }

    fn noisy(frames: usize) -> (Vec<f32>, Vec<bool>) {
        let labels: Vec<bool> = (0..frames).map(|i| i % 10 == 3).collect();
        let hash = |i: usize| (i.wrapping_mul(2_654_435_761) % 1_000_003) as f32 / 1_000_003.0;
        let scores = labels.iter().enumerate().map(|(i, &l)| hash(i) * if l { 1.0 } else { 0.7 }).collect();
        (scores, labels)
    }

    #[test]
    fn thinned_curves_are_short_and_keep_their_area() {
        let (scores, labels) = noisy(50_000);
        let roc = roc_curve(&scores, &labels, 400).unwrap();
        assert!(roc.len() < 850, "{}", roc.len());
        assert!((area(&roc) - crate::roc_auc(&scores, &labels).unwrap()).abs() < 2e-3);
        let pr = pr_curve(&scores, &labels, 400).unwrap();
        assert!(pr.len() < 2_000, "{}", pr.len());
        assert!((area(&pr) - crate::pr_auc_trapezoid(&scores, &labels).unwrap()).abs() < 5e-3);
    }

    #[test]
    fn unthinned_curves_have_exactly_the_area() {
        let (scores, labels) = noisy(300);
        let roc = roc_curve(&scores, &labels, 1_000_000).unwrap();
        assert!((area(&roc) - crate::roc_auc(&scores, &labels).unwrap()).abs() < 1e-12);
        assert_eq!((roc[0].x, roc[0].y), (0.0, 0.0));
        assert_eq!(roc.last().map(|p| (p.x, p.y)), Some((1.0, 1.0)));
    }

    #[test]
    fn one_class_has_no_curve() {
        assert_eq!(roc_curve(&[0.1_f32, 0.2], &[false, false], 10), None);
        assert_eq!(pr_curve(&[0.1_f32, 0.2], &[false, false], 10), None);
    }
}
