//! The footage that grids are chosen on, and that layers learn on: windows of videos.

use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use vad_core::{PreprocessSpec, Preprocessor};

use crate::distill::error::DistillError;
use crate::distill::film::Reel;
use crate::rng::{Purpose, stream};

/// Windows to choose grids on, and so the most videos that are looked at for it.
pub const WINDOWS: usize = 8;

/// Windows of a step of learning.
const WINDOWS_PER_STEP: usize = 4;

/// Frames of each: the memory of the network, and as many again.
pub const FRAMES: usize = 32;

/// Colours of a pixel.
const COLOURS: usize = 3;

/// The places of at most `most` of `count` videos, as even as can be.
pub fn chosen(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let chosen = count.min(most);
    (0..chosen).map(move |number| number * count / chosen)
}

/// Videos to look at, each of [`FRAMES`] frames at least. Windows are as [`I3dLite::forward`] takes them.
///
/// [`I3dLite::forward`]: crate::backbone::i3d_lite::I3dLite::forward
pub struct Films {
    reels: Vec<Reel>,
    preprocess: PreprocessSpec,
}

impl Films {
    /// Those of the videos that are long enough; nothing where none is. `preprocess` is that of the frames.
    pub fn of(reels: impl IntoIterator<Item = Reel>, preprocess: &PreprocessSpec) -> Option<Self> {
        let reels: Vec<Reel> = reels.into_iter().filter(|reel| reel.frames() >= FRAMES as u64).collect();
        (!reels.is_empty()).then(|| Self { reels, preprocess: preprocess.clone() })
    }

    /// Number of videos.
    pub fn videos(&self) -> usize {
        self.reels.len()
    }

    /// Windows by turns from each video, spread evenly over it, `[WINDOWS, 3, FRAMES, H, W]`.
    ///
    /// # Errors
    /// When frames cannot be read.
    pub fn spread(&self, device: &Device) -> Result<Tensor<5>, DistillError> {
        let turns = WINDOWS.div_ceil(self.reels.len()) as u64;
        let windows = (0..WINDOWS).map(|number| {
            let (video, turn) = (number % self.reels.len(), (number / self.reels.len()) as u64);
            let room = self.reels[video].frames() - FRAMES as u64;
            self.window(video, room * (2 * turn + 1) / (2 * turns), device)
        });
        Ok(Tensor::cat(windows.collect::<Result<_, _>>()?, 0))
    }

    /// From anywhere: each frame that a window can begin with is as likely as any other.
    fn draw(&self, rng: &mut impl Rng, device: &Device) -> Result<Tensor<5>, DistillError> {
        let begins = |reel: &Reel| reel.frames() - FRAMES as u64 + 1;
        let mut begin = rng.random_range(0..self.reels.iter().map(begins).sum());
        let mut video = 0;
        while begin >= begins(&self.reels[video]) {
            begin -= begins(&self.reels[video]);
            video += 1;
        }
        self.window(video, begin, device)
    }

    /// The windows that layers learn on in a step.
    ///
    /// # Errors
    /// When frames cannot be read.
    pub fn of_step(&self, seed: u64, step: u32, device: &Device) -> Result<Vec<Tensor<5>>, DistillError> {
        let mut rng = stream(seed, Purpose::Rounding, step.into());
        (0..WINDOWS_PER_STEP).map(|_| self.draw(&mut rng, device)).collect()
    }

    fn window(&self, video: usize, first: u64, device: &Device) -> Result<Tensor<5>, DistillError> {
        let preprocessor = Preprocessor::new(self.preprocess.clone())?;
        let picture_len = self.preprocess.resized_len();
        let mut values = vec![0.0; FRAMES * picture_len];
        let pixels = self.reels[video].read(first, FRAMES)?;
        preprocessor
            .normalise_into(pixels.chunks_exact(picture_len), &mut values)
            .map_err(|source| DistillError::Frame { id: "a window of frames".to_owned(), source })?;
        let [height, width] = [self.preprocess.height_px, self.preprocess.width_px].map(usize::from);
        let data = TensorData::new(values, [1, COLOURS, FRAMES, height, width]);
        Ok(Tensor::from_data(data, device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Path;
    use vad_core::LiteSize;

    fn reel(folder: &Path, name: &str, frames: u8) -> Reel {
        let preprocess = LiteSize::Small.plan().preprocess();
        let pixels: Vec<u8> = (0..frames).flat_map(|frame| vec![frame; preprocess.resized_len()]).collect();
        let path = folder.join(name);
        std::fs::write(&path, pixels).unwrap();
        Reel::open(path, &preprocess).unwrap()
    }

    /// The frame that a window begins with.
    fn first_of(window: &Tensor<5>) -> u8 {
        let value = window.clone().slice([0..1, 0..1, 0..1, 0..1, 0..1]).into_scalar::<f32>();
        // Bytes lie in -1..=1.
        ((value + 1.0) * 127.5).round() as u8
    }

    #[test]
    fn videos_are_chosen_evenly() {
        assert_eq!(chosen(3, 8).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(chosen(16, 8).collect::<Vec<_>>(), [0, 2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(chosen(0, 8).count(), 0);
    }

    #[test]
    fn videos_that_are_too_short_give_no_window() {
        let folder = tempfile::tempdir().unwrap();
        let preprocess = LiteSize::Small.plan().preprocess();
        let short = reel(folder.path(), "short", FRAMES as u8 - 1);
        assert!(Films::of([short], &preprocess).is_none());
        assert!(Films::of([], &preprocess).is_none());
    }

    #[test]
    fn drawn_windows_begin_wherever_one_fits() {
        let folder = tempfile::tempdir().unwrap();
        let preprocess = LiteSize::Small.plan().preprocess();
        // One place to begin in the first video, three in the second.
        let videos = [reel(folder.path(), "a", FRAMES as u8), reel(folder.path(), "b", FRAMES as u8 + 2)];
        let films = Films::of(videos, &preprocess).unwrap();
        let mut rng = stream(1, Purpose::Rounding, 0);
        let mut seen = BTreeMap::new();
        for _ in 0..40 {
            let window = films.draw(&mut rng, &Device::flex()).unwrap();
            *seen.entry(first_of(&window)).or_insert(0) += 1;
        }
        // Both videos begin with frame 0.
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [0, 1, 2], "{seen:?}");
        assert!(seen[&0] > seen[&1] && seen[&0] > seen[&2], "{seen:?}");
        assert_eq!(films.spread(&Device::flex()).unwrap().dims()[..3], [WINDOWS, COLOURS, FRAMES]);
    }
}
