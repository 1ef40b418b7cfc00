//! Pseudo labels and their uncertainty from repeated scoring with dropout (CU, eq 8 to 10), and which to trust.

/// Rounding of `share * clips` in binary must not lose a clip that the decimal share grants.
const SHARE_SLACK: f64 = 1e-9;

/// What repeated scoring says of a video's clips.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Mean score of each clip: its pseudo label (eq 9).
    pub mean: Vec<f64>,
    /// Population variance of each clip's scores: its uncertainty (eq 10).
    pub variance: Vec<f64>,
}

impl Estimate {
    /// From passes over one video, each with a score for every clip. No pass gives no clips.
    pub fn from_passes(passes: &[Vec<f64>]) -> Self {
        let clips = passes.first().map_or(0, Vec::len);
        let (mean, variance) = (0..clips).map(|clip| moments(passes, clip)).unzip();
        Self { mean, variance }
    }

    /// The clips from the most to the least certain; equal variances keep their order in time.
    pub fn rank(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.variance.len()).collect();
        order.sort_by(|a, b| self.variance[*a].total_cmp(&self.variance[*b]));
        order
    }

    /// The `share` of clips with the lowest variance, in order of time.
    pub fn reliable(&self, share: f64) -> Vec<usize> {
        let mut kept = self.rank();
        kept.truncate(kept_clips(kept.len(), share));
        kept.sort_unstable();
        kept
    }
}

/// Clips kept of a video of `clips` clips: `share * clips` rounded down, but at least one.
pub fn kept_clips(clips: usize, share: f64) -> usize {
    let whole = (share * clips as f64 + SHARE_SLACK).floor() as usize;
    whole.max(1).min(clips)
}

/// Mean and population variance. Taking the first score off beforehand makes equal scores give exactly zero.
fn moments(passes: &[Vec<f64>], clip: usize) -> (f64, f64) {
    let scores = || passes.iter().filter_map(|pass| pass.get(clip).copied());
    let count = scores().count().max(1) as f64;
    let first = scores().next().unwrap_or(0.0);
    let mean = first + scores().map(|score| score - first).sum::<f64>() / count;
    let variance = scores().map(|score| (score - mean).powi(2)).sum::<f64>() / count;
    (mean, variance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_scores_have_no_variance_and_ties_keep_their_order() {
        let estimate = Estimate::from_passes(&vec![vec![0.1, 0.7, 0.1]; 49]);
        assert_eq!(estimate.variance, [0.0; 3]);
        assert_eq!(estimate.mean, [0.1, 0.7, 0.1]);
        assert_eq!(estimate.rank(), [0, 1, 2]);
    }

    #[test]
    fn at_least_one_clip_is_kept_where_there_is_one() {
        assert_eq!([0, 1, 2, 3, 10].map(|clips| kept_clips(clips, 0.3)), [0, 1, 1, 1, 3]);
        assert_eq!(kept_clips(100, 0.29), 29);
        assert_eq!(kept_clips(7, 1.0), 7);
        assert!(Estimate::from_passes(&[]).reliable(0.5).is_empty());
    }

    proptest! {
        #[test]
        fn kept_clips_are_never_less_certain_than_dropped_ones(
            passes in proptest::collection::vec(proptest::collection::vec(0.0_f64..=1.0, 9), 1..8),
            share in 0.01_f64..=1.0,
        ) {
            let estimate = Estimate::from_passes(&passes);
            let kept = estimate.reliable(share);
            prop_assert_eq!(kept.len(), kept_clips(9, share));
            let worst = kept.iter().map(|clip| estimate.variance[*clip]).fold(0.0, f64::max);
            let dropped = (0..9).filter(|clip| !kept.contains(clip));
            prop_assert!(dropped.into_iter().all(|clip| estimate.variance[clip] >= worst));
        }
    }
}
