//! A video of any length as a fixed number of segments, each the mean of its clips.
//!
//! Several systems train on 32 such segments; none tests on them. A video shorter than that repeats clips.

use std::ops::Range;

/// Segments of a video in the published trainers.
pub const PUBLISHED_SEGMENTS: usize = 32;

/// Where segments begin: segment i covers clips `table[i]..table[i + 1]`, or clip `table[i]` alone where that
/// range is empty. `segments + 1` numbers, the last one `clips`.
pub fn boundaries(clips: usize, segments: usize) -> Vec<usize> {
    let step = clips as f64 / segments.max(1) as f64;
    // The same multiplication and floor as numpy's linspace(..., dtype=int), which sets the last number by itself.
    let inner = (0..segments).map(|index| (index as f64 * step).floor() as usize);
    inner.chain([clips]).collect()
}

/// The mean of each segment's clips.
///
/// # Shapes
/// `values` is `[clips, width]`, the result `[segments, width]`; it is empty for a video without clips. Crops
/// are part of the width: `[clips, crops, dim]` with `width = crops * dim` gives `[segments, crops, dim]`.
pub fn segment_means(values: &[f32], width: usize, segments: usize) -> Vec<f32> {
    let clips = values.len().checked_div(width).unwrap_or(0);
    if clips == 0 {
        return Vec::new();
    }
    let table = boundaries(clips, segments);
    let mean = |pair: &[usize]| mean_row(values, width, pair[0]..pair[1].max(pair[0] + 1));
    table.windows(2).map(mean).collect::<Vec<_>>().concat()
}

/// The mean of some rows of a table `[rows, width]`, summed in `f64`.
pub(crate) fn mean_row(values: &[f32], width: usize, rows: Range<usize>) -> Vec<f32> {
    let count = rows.len().max(1) as f64;
    let mut sums = vec![0.0_f64; width];
    for row in values[rows.start * width..rows.end * width].chunks_exact(width.max(1)) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    sums.into_iter().map(|sum| (sum / count) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_videos_repeat_clips_and_long_ones_are_averaged() {
        assert_eq!(segment_means(&[1.0, 2.0], 2, 3), [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
        assert_eq!(segment_means(&[1.0, 3.0, 5.0, 9.0], 1, 2), [2.0, 7.0]);
        assert!(segment_means(&[], 2, 3).is_empty());
    }

    #[test]
    fn crops_keep_apart() {
        // Two clips of two crops, one segment.
        assert_eq!(segment_means(&[0.0, 10.0, 2.0, 30.0], 2, 1), [1.0, 20.0]);
    }

    #[test]
    fn boundaries_are_those_of_whole_numbered_linspace() {
        assert_eq!(boundaries(10, 4), [0, 2, 5, 7, 10]);
        assert_eq!(boundaries(32, 32), (0..=32).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn every_segment_has_a_clip(clips in 1_usize..3000, segments in 1_usize..70) {
            let table = boundaries(clips, segments);
            prop_assert_eq!(table.len(), segments + 1);
            prop_assert_eq!(table[segments], clips);
            prop_assert!(table[..segments].iter().all(|start| *start < clips));
            prop_assert!(table.windows(2).all(|pair| pair[0] <= pair[1]));
        }
    }
}
