//! Which clips stand for a video in training: those with the largest feature magnitudes (RTFM, eq 2).
//!
//! The choice carries no gradient, so it is made on the host, where equal magnitudes fall to the earlier clip
//! whatever the device. One set of clips serves all crops.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::dropout::Mask;

/// The chosen clips of each video, strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    videos: Vec<Vec<usize>>,
    k: usize,
}

impl Selection {
    /// The `k` clips (all, if there are fewer) of largest magnitude. Dropped magnitudes count as zero, kept
    /// ones are scaled, which leaves their order alone.
    ///
    /// # Shapes
    /// `magnitudes` and `mask` are `[videos, clips]`.
    pub fn strongest(magnitudes: Tensor<2>, mask: Option<Mask>, k: usize) -> Self {
        let clips = magnitudes.dims()[1].max(1);
        let masked = match mask {
            Some(mask) => magnitudes.inner() * mask.into_tensor().inner(),
            None => magnitudes.inner(),
        };
        let values: Vec<f32> = masked.into_data().iter::<f32>().collect();
        let k = k.clamp(1, clips);
        Self { videos: values.chunks_exact(clips).map(|video| largest(video, k)).collect(), k }
    }

    /// The chosen clips of each video.
    pub fn videos(&self) -> &[Vec<usize>] {
        &self.videos
    }

    /// The scores of the chosen clips.
    ///
    /// # Shapes
    /// `[videos, clips]` to `[videos, k]`.
    pub fn scores(&self, scores: Tensor<2>) -> Tensor<2> {
        let shape = [self.videos.len(), self.k];
        let chosen: Vec<i64> = self.videos.iter().flatten().map(|clip| *clip as i64).collect();
        let device = scores.device();
        scores.gather(1, Tensor::from_data(TensorData::new(chosen, shape), &device))
    }

    /// The features of the chosen clips.
    ///
    /// # Shapes
    /// `[videos, crops, clips, D]` to `[crops, videos, k, D]`: crops first, as published.
    pub fn features(&self, features: Tensor<4>) -> Tensor<4> {
        let [videos, crops, clips, dim] = features.dims();
        let rows = self.rows(crops, clips, &features.device());
        let table: Tensor<2> = features.reshape([videos * crops * clips, dim]);
        table.select(0, rows).reshape([crops, videos, self.k, dim])
    }

    fn rows(&self, crops: usize, clips: usize, device: &Device) -> Tensor<1, Int> {
        let mut rows = Vec::with_capacity(crops * self.videos.len() * self.k);
        for crop in 0..crops {
            for (video, chosen) in self.videos.iter().enumerate() {
                let first = (video * crops + crop) * clips;
                rows.extend(chosen.iter().map(|clip| (first + clip) as i64));
            }
        }
        let count = rows.len();
        Tensor::from_data(TensorData::new(rows, [count]), device)
    }
}

fn largest(values: &[f32], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Stable: equal values stay in the order of time.
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order.truncate(k);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(values: &[f32], shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    }

    #[test]
    fn ties_go_to_the_earlier_clip_and_short_videos_give_all() {
        let magnitudes = table(&[1.0, 3.0, 3.0, 2.0, 2.0, 2.0], [2, 3]);
        let chosen = Selection::strongest(magnitudes.clone(), None, 2);
        assert_eq!(chosen.videos(), [vec![1, 2], vec![0, 1]]);
        assert_eq!(Selection::strongest(magnitudes, None, 9).videos()[0], [1, 2, 0]);
    }

    #[test]
    fn dropped_clips_are_chosen_last() {
        let mask = Mask::from_factors(table(&[2.0, 0.0, 2.0], [1, 3]));
        let chosen = Selection::strongest(table(&[1.0, 9.0, 3.0], [1, 3]), Some(mask), 2);
        assert_eq!(chosen.videos(), [vec![2, 0]]);
    }

    #[test]
    fn one_choice_serves_all_crops() {
        // Two videos, two crops, three clips, width 1: values count up.
        let values: Vec<f32> = (0..12).map(|value| value as f32).collect();
        let features = Tensor::<1>::from_data(TensorData::new(values, [12]), &Device::flex());
        let chosen = Selection::strongest(table(&[0.0, 1.0, 0.0, 1.0, 0.0, 0.0], [2, 3]), None, 1);
        let rows = chosen.features(features.reshape([2, 2, 3, 1]));
        assert_eq!(rows.dims(), [2, 2, 1, 1]);
        assert_eq!(rows.into_data().iter::<f32>().collect::<Vec<_>>(), [1.0, 6.0, 4.0, 9.0]);
    }
}
