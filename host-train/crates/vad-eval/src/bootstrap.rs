//! How far a figure could have come out otherwise with other test videos: the bootstrap over whole videos.
//!
//! Frames of one video resemble each other, so videos are drawn again, with replacement, and never single frames (the cluster
//! bootstrap). Two runs are compared on the same draws: what makes a draw of videos easy or hard falls out of the difference.
//! Of several runs that differ in their seed the mean is taken on every draw.
//!
//! # What it does not say
//!
//! An interval speaks of other test videos from the same source, not of other seeds (the spread over seeds does) and not of
//! other cameras. With fewer than about 20 videos it is too narrow.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::metrics::Areas;
use crate::ranked_videos::{Frames, RankedVideos};

/// Ends of a 95 % interval.
const LOW: f64 = 0.025;
const HIGH: f64 = 0.975;

/// Videos below which percentile intervals are too narrow to be taken at their word.
const FEW_VIDEOS: usize = 20;

/// How often test videos are drawn again, and from which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resampling {
    /// Number of draws.
    pub resamples: u32,
    /// Decides every draw.
    pub seed: u64,
}

/// Why runs cannot be judged on the same draws.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BootstrapError {
    /// No run to judge.
    #[error("no run to judge")]
    NoRuns,
    /// They were tested on other videos.
    #[error("the runs were tested on different videos: evaluate all of them on the same split")]
    OtherVideos,
}

/// A figure and its 95 % percentile interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure on the test videos as they are.
    pub estimate: f64,
    /// 2.5 % of draws lie below.
    pub low: f64,
    /// 2.5 % of draws lie above.
    pub high: f64,
    /// Draws on which the figure is defined.
    pub resamples: u32,
}

/// Intervals of the three areas; `None` where a figure is undefined, or was on every draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AreaIntervals {
    /// Of the area under the ROC curve.
    pub roc_auc: Option<Interval>,
    /// Of the trapezoidal area under the precision-recall curve.
    pub pr_auc_trapezoid: Option<Interval>,
    /// Of the step-wise average precision.
    pub average_precision: Option<Interval>,
}

/// The areas of one system, of one or several seeds, on all draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Resampled {
    frames: Vec<Frames>,
    resampling: Resampling,
    estimate: Areas,
    draws: Vec<Areas>,
}

impl Default for Resampling {
    fn default() -> Self {
        Self { resamples: 1000, seed: 1 }
    }
}

impl Resampling {
    /// Judges runs of one system on every draw; of several the mean over runs.
    ///
    /// # Errors
    /// [`BootstrapError`], without runs or when they hold different videos.
    pub fn judge(self, runs: &[RankedVideos]) -> Result<Resampled, BootstrapError> {
        let first = runs.first().ok_or(BootstrapError::NoRuns)?;
        if !runs.iter().all(|run| run.frames() == first.frames()) {
            return Err(BootstrapError::OtherVideos);
        }
        let mean = |weights: &[u32]| Areas::mean(runs.iter().map(|run| run.areas(weights)));
        let draws = (0..self.resamples).map(|draw| mean(&self.weights(draw, first.videos()))).collect();
        let estimate = mean(&vec![1; first.videos()]);
        Ok(Resampled { frames: first.frames().to_vec(), resampling: self, estimate, draws })
    }

    /// What a reader of intervals over so few videos must know; nothing when there are enough.
    pub fn caution(videos: usize) -> Option<String> {
        (videos < FEW_VIDEOS).then(|| {
            format!("there are only {videos} test videos, and 95 % intervals over fewer than {FEW_VIDEOS} are too narrow")
        })
    }

    /// How often each of `videos` videos occurs in a draw; the sum is `videos`.
    pub fn weights(self, draw: u32, videos: usize) -> Vec<u32> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(draw.into());
        let mut weights = vec![0; videos];
        for _ in 0..videos {
            // The upper half of the product is uniform below `videos`, but for a share of 2^-64 of them.
            let chosen = (u128::from(rng.next_u64()) * videos as u128) >> 64;
            weights[chosen as usize] += 1;
        }
        weights
    }
}

impl Resampled {
    /// The figures with their intervals.
    pub fn intervals(&self) -> AreaIntervals {
        AreaIntervals::of(&self.estimate, &self.draws)
    }

    /// How much higher the figures are than those of `other`, draw by draw.
    ///
    /// # Errors
    /// When the two were judged on different videos or draws.
    pub fn minus(&self, other: &Self) -> Result<AreaIntervals, BootstrapError> {
        if (&self.frames, self.resampling) != (&other.frames, other.resampling) {
            return Err(BootstrapError::OtherVideos);
        }
        let draws: Vec<Areas> = self.draws.iter().zip(&other.draws).map(|(a, b)| a.minus(b)).collect();
        Ok(AreaIntervals::of(&self.estimate.minus(&other.estimate), &draws))
    }
}

impl Areas {
    fn each(&self) -> [Option<f64>; 3] {
        [self.roc_auc, self.pr_auc_trapezoid, self.average_precision]
    }

    fn from_each([roc_auc, pr_auc_trapezoid, average_precision]: [Option<f64>; 3]) -> Self {
        Self { roc_auc, pr_auc_trapezoid, average_precision }
    }

    fn minus(&self, other: &Self) -> Self {
        let (own, other) = (self.each(), other.each());
        Self::from_each([0, 1, 2].map(|area| Some(own[area]? - other[area]?)))
    }

    /// Undefined where one of them is.
    fn mean(several: impl Iterator<Item = Self>) -> Self {
        let (mut sums, mut count) = ([Some(0.0); 3], 0.0);
        for areas in several {
            let values = areas.each();
            sums = [0, 1, 2].map(|area| Some(sums[area]? + values[area]?));
            count += 1.0;
        }
        Self::from_each(sums.map(|sum| Some(sum? / count)))
    }
}

impl AreaIntervals {
    fn of(estimate: &Areas, draws: &[Areas]) -> Self {
        let interval = |area: usize| {
            let values = draws.iter().filter_map(|draw| draw.each()[area]).collect();
            Interval::of(estimate.each()[area]?, values)
        };
        Self { roc_auc: interval(0), pr_auc_trapezoid: interval(1), average_precision: interval(2) }
    }
}

impl Interval {
    fn of(estimate: f64, mut draws: Vec<f64>) -> Option<Self> {
        draws.sort_unstable_by(f64::total_cmp);
        Some(Self {
            estimate,
            low: quantile(&draws, LOW)?,
            high: quantile(&draws, HIGH)?,
            resamples: draws.len() as u32,
        })
    }

    /// Whether 0 lies outside: for a difference, whether it is more than these test videos can explain.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// Between the two nearest of `sorted`, linearly. `None` of nothing.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let (low, high) = (*sorted.get(below)?, *sorted.get(above)?);
    Some(low + (high - low) * (place - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_nearest_values() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.25), Some(1.5));
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), Some(4.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn draws_hold_as_many_videos_as_there_are_and_every_video_equally_often() {
        let resampling = Resampling { resamples: 4000, seed: 3 };
        let mut times = [0_u32; 10];
        for draw in 0..resampling.resamples {
            let weights = resampling.weights(draw, times.len());
            assert_eq!(weights.iter().sum::<u32>(), 10);
            times.iter_mut().zip(weights).for_each(|(times, weight)| *times += weight);
        }
        // Five standard deviations of 40,000 draws with a share of a tenth.
        assert!(times.iter().all(|&times| (times as f64 - 4000.0).abs() < 300.0), "{times:?}");
        assert_eq!(resampling.weights(7, 5), resampling.weights(7, 5));
        assert_ne!(resampling.weights(7, 50), resampling.weights(8, 50));
    }
}
