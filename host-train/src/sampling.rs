//! Sparse continuous sampling (MIST, section 3.2): L sub-bags of T consecutive clips, spread over a video.
//!
//! Starts are `linspace(0, N - T, L + 1)` in whole numbers with the last one dropped, shifted at random. Paper and
//! released code agree; the released code's two ways to draw the shift are both here.

use rand::Rng;
use serde::{Deserialize, Serialize};

/// How sub-bags are shifted from their regular places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shift {
    /// One random shift for all sub-bags of a video.
    #[default]
    Uniform,
    /// A random shift for each sub-bag.
    Random,
}

/// How many sub-bags of how many clips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubBags {
    /// Sub-bags of a video (L), at least 1.
    pub segments: usize,
    /// Consecutive clips of a sub-bag (T), at least 1.
    pub clips_per_segment: usize,
}

impl SubBags {
    /// Clips drawn from a video, repetitions included.
    pub fn len(self) -> usize {
        self.segments * self.clips_per_segment
    }

    /// Whether no clip is drawn, which only degenerate settings give.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// First clips of the sub-bags of a video of `clips` clips, before any shift.
    ///
    /// A video shorter than a sub-bag gives zeros.
    pub fn base_starts(self, clips: usize) -> Vec<usize> {
        let room = clips.saturating_sub(self.clips_per_segment) as f64;
        let step = room / self.segments.max(1) as f64;
        // The same multiplication and floor as numpy's linspace(..., dtype=int).
        (0..self.segments).map(|index| (index as f64 * step).floor() as usize).collect()
    }

    /// Exclusive upper bound of the shared shift ([`Shift::Uniform`]); 0 and 1 both mean no shift.
    pub fn uniform_bound(self, clips: usize) -> usize {
        clips.saturating_sub(self.clips_per_segment) / (self.segments + 1)
    }

    /// Exclusive upper bound of each shift with [`Shift::Random`]; 0 and 1 both mean no shift.
    pub fn random_bound(self, clips: usize) -> usize {
        match self.base_starts(clips).as_slice() {
            [first, second, ..] => second - first,
            _ => self.uniform_bound(clips),
        }
    }

    /// Draws the shift of every sub-bag of a video of `clips` clips.
    pub fn draw_shifts(self, clips: usize, shift: Shift, rng: &mut impl Rng) -> Vec<usize> {
        let below = |bound: usize, rng: &mut dyn rand::RngCore| {
            if bound > 1 { rng.random_range(0..bound) } else { 0 }
        };
        match shift {
            Shift::Uniform => vec![below(self.uniform_bound(clips), rng); self.segments],
            Shift::Random => (0..self.segments).map(|_| below(self.random_bound(clips), rng)).collect(),
        }
    }

    /// The chosen clips for given shifts, sub-bag after sub-bag (`L * T` numbers, each below `clips`).
    ///
    /// A video shorter than a sub-bag repeats its last clip; one without clips gives nothing.
    pub fn indices(self, clips: usize, shifts: &[usize]) -> Vec<usize> {
        let Some(last) = clips.checked_sub(1) else {
            return Vec::new();
        };
        let starts = self.base_starts(clips);
        starts
            .iter()
            .zip(shifts)
            .flat_map(|(start, shift)| {
                (0..self.clips_per_segment).map(move |clip| (start + shift + clip).min(last))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_index_exists_whatever_the_length(
            clips in 1_usize..400, segments in 1_usize..40, per_segment in 1_usize..12, seed: u64, random: bool,
        ) {
            let bags = SubBags { segments, clips_per_segment: per_segment };
            let shift = if random { Shift::Random } else { Shift::Uniform };
            let shifts = bags.draw_shifts(clips, shift, &mut stream(seed, Purpose::Sampling, 0));
            let indices = bags.indices(clips, &shifts);
            prop_assert_eq!(indices.len(), bags.len());
            prop_assert!(indices.iter().all(|index| *index < clips));
            // Long enough videos never need the clamp: sub-bags are consecutive.
            if clips >= per_segment {
                for bag in indices.chunks(per_segment) {
                    prop_assert!(bag.windows(2).all(|pair| pair[1] == pair[0] + 1));
                }
            }
        }
    }

    #[test]
    fn a_video_shorter_than_a_sub_bag_repeats_its_last_clip() {
        let bags = SubBags { segments: 2, clips_per_segment: 4 };
        assert_eq!(bags.indices(2, &[0, 0]), [0, 1, 1, 1, 0, 1, 1, 1]);
        assert_eq!(bags.indices(1, &[0, 0]), [0; 8]);
        assert!(bags.indices(0, &[0, 0]).is_empty());
    }
}
