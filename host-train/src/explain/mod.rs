//! Where in the picture a fine-tuned encoder looks: its attention, and Grad-CAM of its classifier, laid over the frame.
//!
//! The attention A (MIST, eq 8) is part of the network: what block 4 makes it strengthen in block 5. Grad-CAM (Selvaraju et
//! al., ICCV 2017) asks afterwards which places of a map raised the logit of "abnormal". Neither was taught with places: both come
//! from labels of whole videos.

mod grad_cam;
pub mod sheet;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use heat_map::HeatMap;
use image::RgbImage;
use vad_data::VideoEntry;
use vad_video::FrameBuf;

use crate::backbone::grid::Grid;
use crate::finetune::clips::{self, ClipInput};
use crate::finetune::error::TuneError;
use crate::model::sga::encoder::{Grids, SgaEncoder};
use crate::tensors::Array;

pub use grad_cam::Layer;

/// Explains the clips of one encoder.
#[derive(Debug)]
pub struct Explainer {
    /// With autodiff, its parameters fixed.
    encoder: SgaEncoder,
    input: ClipInput,
    layer: Layer,
    grids: Grids,
    device: Device,
}

/// What one clip was scored by.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Score of the clip, within 0..=1.
    pub score: f32,
    /// The attention, within 0..=1.
    pub attention: HeatMap,
    /// Grad-CAM, nowhere negative.
    pub cam: HeatMap,
}

impl Explainer {
    /// Takes an encoder whose weights live on `device`, which has autodiff.
    pub fn new(encoder: SgaEncoder, input: ClipInput, layer: Layer, device: Device) -> Self {
        let [height, width] = [input.preprocess.height_px, input.preprocess.width_px].map(usize::from);
        let grids = encoder.grids(height, width);
        Self { encoder: encoder.no_grad(), input, layer, grids, device }
    }

    /// What the encoder is given.
    pub fn input(&self) -> &ClipInput {
        &self.input
    }

    /// The pixels of the clip that begins at frame `begin` of a video of `frames` frames, as [`Explainer::explain`] takes
    /// them.
    ///
    /// # Errors
    /// When the video cannot be read, or is shorter than it was.
    pub fn clip(&self, entry: &VideoEntry, frames: u64, begin: u64) -> Result<Vec<u8>, TuneError> {
        self.input.clip_at(entry, frames, begin)
    }

    /// Explains one clip, `[frames, height, width, 3]`.
    ///
    /// # Errors
    /// When the clip does not fit the encoder.
    pub fn explain(&self, clip: &[u8]) -> Result<Explanation, TuneError> {
        let maps = self.encoder.backbone().maps(self.input.tensor(&[clip], &self.device)?)?;
        let guided = self.encoder.head().forward(maps.clone())?;
        let cam = grad_cam::of(&self.encoder, &maps, &guided, self.layer)?;
        let cam_grid = match self.layer {
            Layer::Block4 => self.grids.block_4,
            Layer::Block5 => self.grids.block_5,
        };
        let attention: Tensor<5> = guided.attention.map.clone();
        Ok(Explanation {
            score: guided.judged().into_scalar::<f32>(),
            attention: heat_map(plane(attention), self.grids.attention),
            cam: heat_map(cam, cam_grid),
        })
    }
}

/// Frames of a video as they are, by number.
///
/// # Errors
/// When the video cannot be read, or is too short.
pub fn frames_at(entry: &VideoEntry, wanted: &[u64]) -> Result<BTreeMap<u64, RgbImage>, TuneError> {
    let mut frames = BTreeMap::new();
    let mut source = clips::open(entry)?;
    let mut buf = FrameBuf::new();
    for frame in 0..=wanted.iter().copied().max().unwrap_or(0) {
        if !source.next_frame(&mut buf).map_err(|source| clips::unreadable(entry, source))? {
            return Err(gone(entry, frame));
        }
        if wanted.contains(&frame) {
            let picture = RgbImage::from_raw(buf.width_px(), buf.height_px(), buf.data().to_vec());
            frames.extend(picture.map(|picture| (frame, picture)));
        }
    }
    Ok(frames)
}

fn gone(entry: &VideoEntry, frame: u64) -> TuneError {
    TuneError::Gone { id: entry.id.clone(), path: entry.path.clone(), frame }
}

/// A map `[h, w]` with where its places lie in the encoder's picture.
fn heat_map(map: Tensor<2>, grid: Grid) -> HeatMap {
    let [_, columns] = map.dims();
    HeatMap::new(columns, Array::from_tensor(map).values, grid)
}

/// The only plane of a map `[1, 1, 1, h, w]`.
fn plane(map: Tensor<5>) -> Tensor<2> {
    let [.., rows, columns] = map.dims();
    map.reshape([rows, columns])
}
