//! The pseudo labels of all training clips between two phases of CU, and how they are saved.

use vad_data::Label;

use crate::bag::{Bag, BagSet};
use crate::tensors::{Array, Arrays, TensorsError, require, require_shape};
use crate::uncertainty::Estimate;

/// What the classifier learns from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PseudoLabels {
    /// By clip.
    labels: Vec<f32>,
    /// By clip: whether it is learnt from.
    reliable: Vec<bool>,
}

impl PseudoLabels {
    /// Clips of abnormal videos are labelled by `estimate`, which gets the bag and its position, and the `share` of lowest
    /// variance in each video is kept. Clips of normal videos are all kept and labelled 0.
    pub(crate) fn mine(bags: &BagSet, share: f64, mut estimate: impl FnMut(usize, &Bag) -> Estimate) -> Self {
        let mut mined = Self { labels: vec![0.0; bags.rows()], reliable: vec![true; bags.rows()] };
        for (index, bag) in bags.bags.iter().enumerate() {
            if bag.label == Label::Abnormal {
                mined.relabel(bag, &estimate(index, bag), share);
            }
        }
        mined
    }

    fn relabel(&mut self, bag: &Bag, estimate: &Estimate, share: f64) {
        for (clip, mean) in estimate.mean.iter().enumerate() {
            self.labels[bag.first_row + clip] = *mean as f32;
            self.reliable[bag.first_row + clip] = false;
        }
        for clip in estimate.reliable(share) {
            self.reliable[bag.first_row + clip] = true;
        }
    }

    /// The label of the clip in this row.
    pub(crate) fn label(&self, row: usize) -> f32 {
        self.labels[row]
    }

    /// The clips learnt from in videos of this kind, as bag and clip.
    pub(crate) fn reliable(&self, bags: &BagSet, label: Label) -> Vec<(usize, usize)> {
        let clips = |index: usize| (0..bags.bags[index].clips).map(move |clip| (index, clip));
        let kept = |(index, clip): &(usize, usize)| self.reliable[bags.bags[*index].first_row + clip];
        bags.with_label(label).into_iter().flat_map(clips).filter(kept).collect()
    }

    pub(crate) fn to_arrays(&self) -> Arrays {
        let array = |values: Vec<f32>| Array { shape: vec![values.len()], values };
        let reliable = self.reliable.iter().map(|kept| f32::from(u8::from(*kept))).collect();
        Arrays::from([
            ("mean".to_owned(), array(self.labels.clone())),
            ("reliable".to_owned(), array(reliable)),
        ])
    }

    /// `None` when there are no arrays: none were made yet.
    pub(crate) fn from_arrays(arrays: &Arrays, origin: &str) -> Result<Option<Self>, TensorsError> {
        if arrays.is_empty() {
            return Ok(None);
        }
        let labels = require(arrays, origin, "mean")?.values.clone();
        let reliable = require_shape(arrays, origin, "reliable", &[labels.len()])?;
        Ok(Some(Self { labels, reliable: reliable.values.iter().map(|kept| *kept > 0.0).collect() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certain_clips_of_abnormal_videos_and_all_of_normal_ones_are_kept() {
        let mut bags = BagSet::default();
        bags.push("normal", Label::Normal, 1, &[0.0; 2]).unwrap();
        bags.push("abnormal", Label::Abnormal, 1, &[0.0; 3]).unwrap();
        let estimate = Estimate { mean: vec![0.25, 0.5, 0.75], variance: vec![0.1, 0.0, 0.2] };
        let mined = PseudoLabels::mine(&bags, 0.7, |index, _| {
            assert_eq!(index, 1);
            estimate.clone()
        });
        assert_eq!(mined.reliable(&bags, Label::Normal), [(0, 0), (0, 1)]);
        assert_eq!(mined.reliable(&bags, Label::Abnormal), [(1, 0), (1, 1)]);
        assert_eq!([0, 1, 2, 3, 4].map(|row| mined.label(row)), [0.0, 0.0, 0.25, 0.5, 0.75]);
        assert_eq!(PseudoLabels::from_arrays(&mined.to_arrays(), "test").unwrap(), Some(mined));
        assert_eq!(PseudoLabels::from_arrays(&Arrays::new(), "test").unwrap(), None);
    }
}
