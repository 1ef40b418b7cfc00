//! Clip-level pseudo labels from a generator's scores (MIST, eq 2 and 3).
//!
//! The released code smooths with a box of 5 clips, edges replicated, *twice*, and stretches abnormal videos to
//! 0..=1. The paper's eq 2 sums over `i-k..=i+k`, drops what lies outside and divides by `2k`.

/// Width of the released smoothing, in clips.
pub const RELEASED_WIDTH: usize = 5;

/// A range of scores below this is a constant sequence up to rounding: far below the resolution of `f32` scores.
const CONSTANT_RANGE: f64 = 1e-9;

/// Box smoothing of odd `width` with replicated edges: the mean of the `width` clips around each clip.
pub fn smooth_replicated(scores: &[f64], width: usize) -> Vec<f64> {
    let Some(last) = scores.len().checked_sub(1) else {
        return Vec::new();
    };
    let half = width / 2;
    let around = |centre: usize| {
        let sum: f64 =
            (0..width).map(|offset| scores[(centre + offset).saturating_sub(half).min(last)]).sum();
        sum / width as f64
    };
    (0..scores.len()).map(around).collect()
}

/// Eq 2 to the letter: `sum of scores[i-k..=i+k] / (2k)`, places outside the video dropped. `k` is at least 1.
pub fn smooth_paper(scores: &[f64], k: usize) -> Vec<f64> {
    let k = k.max(1);
    let around = |centre: usize| {
        let end = (centre + k + 1).min(scores.len());
        scores[centre.saturating_sub(k)..end].iter().sum::<f64>() / (2 * k) as f64
    };
    (0..scores.len()).map(around).collect()
}

/// Eq 3: stretches scores to 0..=1 by their minimum and maximum.
///
/// One clip, or a sequence that is constant up to rounding, says nothing about *where* the anomaly is; it
/// is returned as it is instead of dividing by zero.
pub fn stretch(scores: &[f64]) -> Vec<f64> {
    let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let range = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low;
    if scores.len() < 2 || range <= CONSTANT_RANGE {
        return scores.to_vec();
    }
    scores.iter().map(|score| (score - low) / range).collect()
}

/// The released labels of a normal video: smoothed twice.
pub fn released_normal(scores: &[f64]) -> Vec<f64> {
    smooth_replicated(&smooth_replicated(scores, RELEASED_WIDTH), RELEASED_WIDTH)
}

/// The released labels of an abnormal video: smoothed twice, then stretched to 0..=1.
pub fn released_abnormal(scores: &[f64]) -> Vec<f64> {
    stretch(&released_normal(scores))
}

/// The paper's labels of an abnormal video: eq 2, then eq 3. Normal videos are labelled 0 throughout.
pub fn paper_abnormal(scores: &[f64], k: usize) -> Vec<f64> {
    stretch(&smooth_paper(scores, k))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_constant_sequence_stays_finite() {
        for length in [1, 2, 5, 100] {
            let labels = released_abnormal(&vec![0.1; length]);
            assert!(labels.iter().all(|label| (label - 0.1).abs() < 1e-12), "{labels:?}");
            assert!(paper_abnormal(&vec![0.0; length], 5).iter().all(|label| *label == 0.0));
        }
        assert!(released_abnormal(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn labels_stay_within_the_unit_range(scores in proptest::collection::vec(0.0_f64..=1.0, 0..60)) {
            for labels in [released_abnormal(&scores), released_normal(&scores)] {
                prop_assert_eq!(labels.len(), scores.len());
                prop_assert!(labels.iter().all(|label| (-1e-12..=1.0 + 1e-12).contains(label)));
            }
        }
    }
}
