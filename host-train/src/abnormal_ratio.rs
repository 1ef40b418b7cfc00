//! The least share of abnormal snippets that an abnormal video shall have (lambda of ARMS), and how it changes over the
//! iterations of a training (algorithm 1 and eq 6).

use serde::{Deserialize, Serialize};

/// A share of a video's snippets, within 0..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AbnormalRatio(f64);

impl AbnormalRatio {
    /// Asks for nothing.
    pub const ZERO: Self = Self(0.0);

    /// `None` outside 0..=1.
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// Eq 6: the share of scores that reach the threshold (mu); 0 when there are none.
    pub fn reaching(threshold: f64, scores: &[f64]) -> Self {
        let reached = scores.iter().filter(|score| **score >= threshold).count();
        Self(reached as f64 / scores.len().max(1) as f64)
    }

    /// The share.
    pub fn get(self) -> f64 {
        self.0
    }

    /// `1 / lambda` (alpha of eq 4). A video in which no score reached the threshold has the ratio 0, for which eq 4 is not
    /// defined; nothing is asked of it then.
    pub fn weight(self) -> f64 {
        if self.0 > 0.0 { 1.0 / self.0 } else { 0.0 }
    }
}

/// What the iterations of a training are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The first iteration, with a small ratio: easy anomalies, for pseudo labels.
    Bootstrapping,
    /// The second, with a large ratio: hard anomalies too.
    HardMining,
    /// All later ones: each video has the ratio that the model before found in it.
    Adaptive,
}

/// Which phases a training of several iterations goes through; all but the first are ablations of the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phases {
    /// Bootstrapping, hard anomaly mining, then adaptive.
    #[default]
    All,
    /// Bootstrapping only: the small ratio in every iteration.
    Bootstrapping,
    /// Bootstrapping, then adaptive.
    WithoutHardMining,
    /// Bootstrapping, then hard anomaly mining.
    WithoutAdaptive,
}

impl Phases {
    /// The phase of an iteration, counted from 0.
    pub fn of(self, iteration: u64) -> Phase {
        match (self, iteration) {
            (Self::Bootstrapping, _) | (_, 0) => Phase::Bootstrapping,
            (Self::All, 1) | (Self::WithoutAdaptive, _) => Phase::HardMining,
            (Self::All | Self::WithoutHardMining, _) => Phase::Adaptive,
        }
    }
}

/// Which score counts as abnormal in eq 6 (mu); the text can be read both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Threshold {
    /// The large ratio, always.
    #[default]
    Fixed,
    /// The ratio that the video had in the iteration before.
    Recursive,
}

/// The ratios of all iterations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioSchedule {
    /// In bootstrapping.
    pub small: AbnormalRatio,
    /// In hard anomaly mining.
    pub large: AbnormalRatio,
    /// How adaptive ones are found.
    pub threshold: Threshold,
    /// When these are.
    pub phases: Phases,
}

impl RatioSchedule {
    /// The ratio of a video in an iteration, counted from 0, given its ratio in the one before and the scores of that
    /// one's model.
    pub fn ratio(&self, iteration: u64, before: AbnormalRatio, scores: &[f64]) -> AbnormalRatio {
        match (self.phases.of(iteration), self.threshold) {
            (Phase::Bootstrapping, _) => self.small,
            (Phase::HardMining, _) => self.large,
            (Phase::Adaptive, Threshold::Fixed) => AbnormalRatio::reaching(self.large.get(), scores),
            (Phase::Adaptive, Threshold::Recursive) => AbnormalRatio::reaching(before.get(), scores),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_threshold_itself_counts_and_no_scores_give_zero() {
        assert_eq!(AbnormalRatio::reaching(0.5, &[0.5, 0.25, 1.0, 0.0]).get(), 0.5);
        assert_eq!(AbnormalRatio::reaching(0.5, &[]).get(), 0.0);
        assert_eq!(AbnormalRatio::reaching(0.5, &[0.25]).weight(), 0.0);
    }

    #[test]
    fn shares_outside_the_unit_range_are_refused() {
        for share in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
            assert_eq!(AbnormalRatio::new(share), None);
        }
        assert_eq!(AbnormalRatio::new(0.25).map(AbnormalRatio::weight), Some(4.0));
    }

    #[test]
    fn a_phase_that_is_left_out_gives_its_iterations_to_a_neighbour() {
        use Phase::{Adaptive, Bootstrapping, HardMining};
        let of = |phases: Phases| [0, 1, 2, 5].map(|iteration| phases.of(iteration));
        assert_eq!(of(Phases::All), [Bootstrapping, HardMining, Adaptive, Adaptive]);
        assert_eq!(of(Phases::Bootstrapping), [Bootstrapping; 4]);
        assert_eq!(of(Phases::WithoutHardMining), [Bootstrapping, Adaptive, Adaptive, Adaptive]);
        assert_eq!(of(Phases::WithoutAdaptive), [Bootstrapping, HardMining, HardMining, HardMining]);
    }

    proptest! {
        #[test]
        fn a_ratio_is_a_share_and_falls_with_the_threshold(
            scores in proptest::collection::vec(0.0_f64..=1.0, 0..40), low in 0.0_f64..=1.0, step in 0.0_f64..=1.0,
        ) {
            let (at, above) = (AbnormalRatio::reaching(low, &scores), AbnormalRatio::reaching(low + step, &scores));
            prop_assert!(AbnormalRatio::new(at.get()).is_some());
            prop_assert!(above.get() <= at.get());
            prop_assert!(at.weight().is_finite());
        }
    }
}
