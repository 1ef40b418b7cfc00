//! Snippet-level pseudo labels from a model's scores (ARMS, fig 4a): the highest quarter of an abnormal video is abnormal, the
//! lowest is normal, and what lies between is not learnt from.

use serde::{Deserialize, Serialize};
use vad_data::Label;

/// How a quarter is counted; the text can be read both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuarterRule {
    /// A fourth of the snippets, rounded down; of equal scores the earlier snippets come first in either quarter. Fewer
    /// than four snippets get no label.
    #[default]
    Count,
    /// All scores from the 75th percentile upwards and from the 25th downwards, both interpolated linearly.
    Percentile,
}

impl QuarterRule {
    /// The labels of an abnormal video; `None` is not learnt from. A snippet that equal scores put into both quarters is
    /// abnormal.
    pub fn labels(self, scores: &[f64]) -> Vec<Option<Label>> {
        match self {
            Self::Count => by_count(scores),
            Self::Percentile => by_percentile(scores),
        }
    }
}

fn by_count(scores: &[f64]) -> Vec<Option<Label>> {
    let quarter = scores.len() / 4;
    let mut rising: Vec<usize> = (0..scores.len()).collect();
    let mut falling = rising.clone();
    // Stable: equal scores stay in the order of time.
    rising.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    falling.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let mut labels = vec![None; scores.len()];
    for (order, label) in [(rising, Label::Normal), (falling, Label::Abnormal)] {
        order.into_iter().take(quarter).for_each(|snippet| labels[snippet] = Some(label));
    }
    labels
}

fn by_percentile(scores: &[f64]) -> Vec<Option<Label>> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (quantile(&sorted, 0.25), quantile(&sorted, 0.75));
    let label = |score: &f64| {
        if *score >= high {
            Some(Label::Abnormal)
        } else if *score <= low {
            Some(Label::Normal)
        } else {
            None
        }
    };
    scores.iter().map(label).collect()
}

/// As numpy computes it, so that a quantile that falls on a score equals it.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = share * last as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    if part < 0.5 { low + (high - low) * part } else { high - (high - low) * (1.0 - part) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ABNORMAL: Option<Label> = Some(Label::Abnormal);
    const NORMAL: Option<Label> = Some(Label::Normal);

    #[test]
    fn quarters_round_down_and_equal_scores_go_to_the_earlier_snippet() {
        let labels = QuarterRule::Count.labels(&[0.5, 0.9, 0.9, 0.1, 0.1]);
        assert_eq!(labels, [None, ABNORMAL, None, NORMAL, None]);
        for few in 0..4 {
            assert_eq!(QuarterRule::Count.labels(&vec![0.5; few]), vec![None; few]);
        }
    }

    #[test]
    fn where_the_quarters_meet_snippets_are_abnormal() {
        assert_eq!(QuarterRule::Count.labels(&[0.5; 8])[..3], [ABNORMAL, ABNORMAL, None]);
        assert_eq!(QuarterRule::Percentile.labels(&[0.5; 3]), [ABNORMAL; 3]);
        assert!(QuarterRule::Percentile.labels(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_abnormal_scores_above_what_is_normal(scores in proptest::collection::vec(0.0_f64..=1.0, 0..60)) {
            for rule in [QuarterRule::Count, QuarterRule::Percentile] {
                let labels = rule.labels(&scores);
                prop_assert_eq!(labels.len(), scores.len());
                let of = |wanted: Option<Label>| {
                    let with = scores.iter().zip(&labels).filter(move |(_, label)| **label == wanted);
                    with.map(|(score, _)| *score).collect::<Vec<_>>()
                };
                let lowest = of(ABNORMAL).into_iter().fold(f64::INFINITY, f64::min);
                let highest = of(NORMAL).into_iter().fold(f64::NEG_INFINITY, f64::max);
                prop_assert!(lowest >= highest);
            }
        }
    }
}
