//! What a clip is seen together with: the mean of the few clips before it (CU, section 3.3).

use crate::segments::mean_row;

/// The mean of the up to `window` previous clips; the first clip of a video remembers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Clips looked back over (w), at least 1.
    pub window: usize,
}

impl Memory {
    /// Sets each chosen clip beside its memory, crop by crop.
    ///
    /// # Shapes
    /// `video` is `[clips, crops, dim]` and every one of `chosen` names a clip of it; the result is
    /// `[chosen, crops, 2 * dim]`.
    pub fn extend(
        self,
        video: &[f32],
        crops: usize,
        dim: usize,
        chosen: impl IntoIterator<Item = usize>,
    ) -> Vec<f32> {
        let mut rows = Vec::new();
        for clip in chosen {
            self.push(video, crops, dim, clip, &mut rows);
        }
        rows
    }

    /// Appends one clip beside its memory, `[crops, 2 * dim]`, to `rows`.
    pub fn push(self, video: &[f32], crops: usize, dim: usize, clip: usize, rows: &mut Vec<f32>) {
        let width = crops * dim;
        let own = &video[clip * width..(clip + 1) * width];
        let past = mean_row(video, width, self.past(clip));
        for (own, past) in own.chunks_exact(dim.max(1)).zip(past.chunks_exact(dim.max(1))) {
            rows.extend_from_slice(own);
            rows.extend_from_slice(past);
        }
    }

    fn past(self, clip: usize) -> std::ops::Range<usize> {
        if clip == 0 { 0..1 } else { clip.saturating_sub(self.window.max(1))..clip }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_clip_remembers_itself_and_later_ones_their_past() {
        let memory = Memory { window: 2 };
        assert_eq!(
            memory.extend(&[1.0, 2.0, 4.0, 8.0], 1, 1, 0..4),
            [1.0, 1.0, 2.0, 1.0, 4.0, 1.5, 8.0, 3.0]
        );
    }

    #[test]
    fn crops_keep_to_themselves() {
        let memory = Memory { window: 5 };
        assert_eq!(memory.extend(&[1.0, 10.0, 2.0, 20.0], 2, 1, [1]), [2.0, 1.0, 20.0, 10.0]);
    }
}
