//! The footage that grids are chosen on: windows of normal videos.

use burn::tensor::{Device, Tensor, TensorData};
use vad_core::{PreprocessSpec, Preprocessor};

use crate::distill::error::DistillError;
use crate::distill::film::Reel;

/// Windows, and so the most videos that are looked at.
pub const WINDOWS: usize = 8;

/// Frames of each: the memory of the network, and as many again.
pub const FRAMES: usize = 32;

/// Colours of a pixel.
const COLOURS: usize = 3;

/// The places of at most [`WINDOWS`] of `count` videos, as even as can be.
pub fn chosen(count: usize) -> impl Iterator<Item = usize> {
    let chosen = count.min(WINDOWS);
    (0..chosen).map(move |number| number * count / chosen)
}

/// The videos that have [`FRAMES`] frames.
pub fn long_enough(reels: impl IntoIterator<Item = Reel>) -> Vec<Reel> {
    reels.into_iter().filter(|reel| reel.frames() >= FRAMES as u64).collect()
}

/// Windows by turns from each video, spread evenly over it, `[WINDOWS, 3, FRAMES, H, W]`; nothing where there is no video.
/// `preprocess` is that of the frames.
///
/// # Errors
/// When frames cannot be read.
pub fn windows(
    reels: &[Reel],
    preprocess: &PreprocessSpec,
    device: &Device,
) -> Result<Option<Tensor<5>>, DistillError> {
    let preprocessor = Preprocessor::new(preprocess.clone())?;
    let picture_len = preprocess.resized_len();
    let mut values = vec![0.0; WINDOWS * FRAMES * picture_len];
    let turns = WINDOWS.div_ceil(reels.len().max(1)) as u64;
    for (number, values) in values.chunks_exact_mut(FRAMES * picture_len).enumerate() {
        let Some(reel) = reels.get(number % reels.len().max(1)) else { return Ok(None) };
        let turn = (number / reels.len()) as u64;
        let room = reel.frames().saturating_sub(FRAMES as u64);
        let pixels = reel.read(room * (2 * turn + 1) / (2 * turns), FRAMES)?;
        preprocessor
            .normalise_into(pixels.chunks_exact(picture_len), values)
            .map_err(|source| DistillError::Frame { id: "a window of frames".to_owned(), source })?;
    }
    let [height, width] = [preprocess.height_px, preprocess.width_px].map(usize::from);
    let data = TensorData::new(values, [WINDOWS, COLOURS, FRAMES, height, width]);
    Ok(Some(Tensor::from_data(data, device)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn videos_are_chosen_evenly() {
        assert_eq!(chosen(3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(chosen(16).collect::<Vec<_>>(), [0, 2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(chosen(0).count(), 0);
    }

    #[test]
    fn no_video_gives_no_window() {
        let preprocess = vad_core::LiteSize::Small.plan().preprocess();
        assert!(windows(&[], &preprocess, &Device::flex()).unwrap().is_none());
    }
}
