//! Videos as sequences of clips, crop by crop, for networks that look along time.

use burn::tensor::{Device, Tensor, TensorData};
use vad_data::Label;

use crate::bag::{Bag, BagSet};
use crate::batch::videos;
use crate::rng::Purpose;
use crate::segments::segment_means;

/// Clips, crops counted apart, that go through a network at once when scoring; bounds memory on long videos.
const CLIPS_AT_ONCE: usize = 4096;

/// The training videos, averaged into segments and kept off the device: a step needs a few of them.
#[derive(Debug)]
pub(crate) struct Segments {
    /// `[crops, segments, dim]` of each video.
    videos: Vec<Vec<f32>>,
    normal: Vec<usize>,
    abnormal: Vec<usize>,
    crops: usize,
    segments: usize,
    dim: usize,
}

impl Segments {
    pub(crate) fn of(bags: &BagSet, segments: usize) -> Self {
        let BagSet { crops, dim, .. } = *bags;
        let one = |bag: &Bag| {
            let means = segment_means(bags.clips_of(bag), crops * dim, segments);
            crops_first(&means, crops, dim)
        };
        Self {
            videos: bags.bags.iter().map(one).collect(),
            normal: bags.with_label(Label::Normal),
            abnormal: bags.with_label(Label::Abnormal),
            crops,
            segments,
            dim,
        }
    }

    /// The same videos with every one's values, rows of one feature, rewritten.
    pub(crate) fn map(self, rewrite: impl Fn(Vec<f32>) -> Vec<f32>) -> Self {
        Self { videos: self.videos.into_iter().map(rewrite).collect(), ..self }
    }

    /// Positions of the videos that a step looks at: `pairs` normal ones, then as many abnormal ones.
    pub(crate) fn batch(&self, seed: u64, pairs: usize, step: u64) -> Vec<usize> {
        let mut batch = videos(&self.normal, Purpose::NormalOrder, seed, pairs, step);
        batch.extend(videos(&self.abnormal, Purpose::AbnormalOrder, seed, pairs, step));
        batch
    }

    /// `[videos, crops, segments, dim]`.
    pub(crate) fn tensor(&self, videos: &[usize], device: &Device) -> Tensor<4> {
        let shape = [videos.len(), self.crops, self.segments, self.dim];
        let mut values = Vec::with_capacity(shape.iter().product());
        for video in videos {
            values.extend_from_slice(&self.videos[*video]);
        }
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// Mean score over crops of every clip of a video, all clips together. `score` takes `[1, crops, clips, dim]`, some crops at a
/// time, and gives their mean, `[1, clips]`.
pub(crate) fn score_video(
    bags: &BagSet,
    bag: &Bag,
    device: &Device,
    score: impl Fn(Tensor<4>) -> Tensor<2>,
) -> Vec<f32> {
    let (crops, dim) = (bags.crops, bags.dim);
    let turned = crops_first(bags.clips_of(bag), crops, dim);
    let at_once = (CLIPS_AT_ONCE / bag.clips.max(1)).clamp(1, crops);
    let mut sums = vec![0.0_f64; bag.clips];
    for part in turned.chunks((at_once * bag.clips * dim).max(1)) {
        let count = part.len() / (bag.clips * dim).max(1);
        let data = TensorData::new(part.to_vec(), [1, count, bag.clips, dim]);
        let scores = score(Tensor::from_data(data, device));
        for (sum, score) in sums.iter_mut().zip(scores.into_data().iter::<f32>()) {
            *sum += f64::from(score) * count as f64;
        }
    }
    sums.into_iter().map(|sum| (sum / crops as f64) as f32).collect()
}

/// `[clips, crops, dim]` as `[crops, clips, dim]`.
fn crops_first(values: &[f32], crops: usize, dim: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(values.len());
    for crop in 0..crops {
        for clip in values.chunks_exact((crops * dim).max(1)) {
            turned.extend_from_slice(&clip[crop * dim..(crop + 1) * dim]);
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clips of two crops of one feature.
    fn bags() -> BagSet {
        let mut bags = BagSet::with_crops(2);
        bags.push("first", Label::Normal, 1, &[9.0; 4]).unwrap();
        bags.push("video", Label::Normal, 1, &[0.25, 0.5, 0.75, 1.0]).unwrap();
        bags
    }

    #[test]
    fn crops_become_sequences_of_their_own() {
        let table = Segments::of(&bags(), 2).tensor(&[1, 0], &Device::flex());
        assert_eq!(table.dims(), [2, 2, 2, 1]);
        let values: Vec<f32> = table.into_data().iter::<f32>().collect();
        assert_eq!(values, [0.25, 0.75, 0.5, 1.0, 9.0, 9.0, 9.0, 9.0]);
    }

    #[test]
    fn scores_are_means_over_crops_in_the_order_of_clips() {
        let bags = bags();
        let mean = |features: Tensor<4>| -> Tensor<2> {
            let clips: Tensor<3> = features.mean_dim(1).squeeze_dim(1);
            clips.squeeze_dim(2)
        };
        assert_eq!(score_video(&bags, &bags.bags[1], &Device::flex(), mean), [0.375, 0.875]);
    }
}
