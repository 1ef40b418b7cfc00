//! What an iteration of ARMS learns from besides video-level labels, and how it is saved: found once, by the model of the
//! iteration before.

use vad_data::Label;

use crate::abnormal_ratio::{AbnormalRatio, RatioSchedule};
use crate::bag::{Bag, BagSet};
use crate::quarter_label::QuarterRule;
use crate::tensors::{Array, Arrays, TensorsError, require_shape};

/// Names of the arrays of a snapshot.
const RATIOS: &str = "ratios";
const LABELS: &str = "labels";

/// By bag: the least share of abnormal snippets, of which only that of abnormal videos counts, and the pseudo labels of the
/// segments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Guide {
    ratios: Vec<AbnormalRatio>,
    labels: Vec<Vec<Option<Label>>>,
    segments: usize,
}

impl Guide {
    /// Of the first iteration, in which no model has labelled anything yet.
    pub(crate) fn first(bags: &BagSet, segments: usize, schedule: &RatioSchedule) -> Self {
        let videos = bags.bags.len();
        Self {
            ratios: vec![as_saved(schedule.small); videos],
            labels: vec![vec![None; segments]; videos],
            segments,
        }
    }

    /// Of a later iteration, counted from 0. `score` gives the scores of the segments of the bag in this position.
    pub(crate) fn next(
        &self,
        bags: &BagSet,
        iteration: u64,
        schedule: &RatioSchedule,
        quarters: QuarterRule,
        score: impl Fn(usize) -> Vec<f64>,
    ) -> Self {
        let one = |(index, bag): (usize, &Bag)| match bag.label {
            Label::Normal => (self.ratios[index], vec![Some(Label::Normal); self.segments]),
            Label::Abnormal => {
                let scores = score(index);
                let ratio = schedule.ratio(iteration, self.ratios[index], &scores);
                (as_saved(ratio), quarters.labels(&scores))
            }
        };
        let (ratios, labels) = bags.bags.iter().enumerate().map(one).unzip();
        Self { ratios, labels, segments: self.segments }
    }

    /// The least shares of some bags.
    pub(crate) fn ratios(&self, bags: &[usize]) -> Vec<AbnormalRatio> {
        bags.iter().map(|bag| self.ratios[*bag]).collect()
    }

    /// The pseudo labels of some bags.
    pub(crate) fn labels(&self, bags: &[usize]) -> Vec<Vec<Option<Label>>> {
        bags.iter().map(|bag| self.labels[*bag].clone()).collect()
    }

    pub(crate) fn to_arrays(&self) -> Arrays {
        let ratios: Vec<f32> = self.ratios.iter().map(|ratio| ratio.get() as f32).collect();
        let labels: Vec<f32> = self.labels.iter().flatten().map(|label| to_number(*label)).collect();
        let videos = ratios.len();
        Arrays::from([
            (RATIOS.to_owned(), Array { shape: vec![videos], values: ratios }),
            (LABELS.to_owned(), Array { shape: vec![videos, self.segments], values: labels }),
        ])
    }

    /// Takes back the arrays of a guide to the same videos as this one.
    pub(crate) fn restored(&self, arrays: &Arrays, origin: &str) -> Result<Self, TensorsError> {
        let videos = self.ratios.len();
        let ratios = require_shape(arrays, origin, RATIOS, &[videos])?;
        let labels = require_shape(arrays, origin, LABELS, &[videos, self.segments])?;
        let labels = labels.values.chunks_exact(self.segments.max(1));
        Ok(Self {
            ratios: ratios.values.iter().map(|ratio| from_saved(*ratio)).collect(),
            labels: labels.map(|video| video.iter().map(|number| from_number(*number)).collect()).collect(),
            segments: self.segments,
        })
    }
}

/// What a snapshot cannot keep must not be used before one is taken either.
fn as_saved(ratio: AbnormalRatio) -> AbnormalRatio {
    from_saved(ratio.get() as f32)
}

/// No ratio was saved from outside the range.
fn from_saved(ratio: f32) -> AbnormalRatio {
    AbnormalRatio::new(f64::from(ratio)).unwrap_or(AbnormalRatio::ZERO)
}

fn to_number(label: Option<Label>) -> f32 {
    match label {
        Some(Label::Abnormal) => 1.0,
        Some(Label::Normal) => 0.0,
        None => -1.0,
    }
}

fn from_number(number: f32) -> Option<Label> {
    match number {
        1.0 => Some(Label::Abnormal),
        0.0 => Some(Label::Normal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abnormal_ratio::{Phases, Threshold};

    const SEGMENTS: usize = 5;

    fn bags() -> BagSet {
        let mut bags = BagSet::default();
        bags.push("normal", Label::Normal, 1, &[0.0; 2]).unwrap();
        bags.push("abnormal", Label::Abnormal, 1, &[0.0; 3]).unwrap();
        bags
    }

    fn schedule() -> RatioSchedule {
        let ratio = |value| AbnormalRatio::new(value).unwrap();
        RatioSchedule {
            small: ratio(0.1),
            large: ratio(0.4),
            threshold: Threshold::Fixed,
            phases: Phases::All,
        }
    }

    fn scores(index: usize) -> Vec<f64> {
        assert_eq!(index, 1, "normal videos need no scores");
        vec![0.9, 0.5, 0.3, 0.1, 0.2]
    }

    #[test]
    fn nothing_is_labelled_first_and_ratios_follow_the_iterations() {
        let (bags, schedule) = (bags(), schedule());
        let first = Guide::first(&bags, SEGMENTS, &schedule);
        assert_eq!(first.ratios(&[1])[0].get(), f64::from(0.1_f32));
        assert!(first.labels(&[0, 1]).iter().flatten().all(Option::is_none));
        let second = first.next(&bags, 1, &schedule, QuarterRule::Count, scores);
        assert_eq!(second.ratios(&[1])[0].get(), f64::from(0.4_f32));
        assert_eq!(second.labels(&[0]), [[Some(Label::Normal); SEGMENTS]]);
        let (up, down) = (Some(Label::Abnormal), Some(Label::Normal));
        assert_eq!(second.labels(&[1]), [[up, None, None, down, None]]);
        let third = second.next(&bags, 2, &schedule, QuarterRule::Count, scores);
        assert_eq!(third.ratios(&[1])[0].get(), f64::from(0.4_f32));
        let fourth = third.next(&bags, 3, &schedule, QuarterRule::Count, |_| vec![0.1; SEGMENTS]);
        assert_eq!(fourth.ratios(&[1])[0].get(), 0.0);
    }

    #[test]
    fn what_is_saved_comes_back_and_other_videos_are_refused() {
        let (bags, schedule) = (bags(), schedule());
        let first = Guide::first(&bags, SEGMENTS, &schedule);
        let second = first.next(&bags, 2, &schedule, QuarterRule::Count, scores);
        assert_eq!(first.restored(&second.to_arrays(), "test").unwrap(), second);
        let other = Guide::first(&BagSet::default(), SEGMENTS, &schedule);
        let error = other.restored(&second.to_arrays(), "old run").unwrap_err().to_string();
        assert!(error.contains("old run") && error.contains("ratios"), "{error}");
    }
}
