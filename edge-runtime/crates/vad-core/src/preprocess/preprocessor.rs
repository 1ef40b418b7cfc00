//! The preprocessor: resize and normalise with tables that are built once.

use alloc::boxed::Box;

use super::resize::Resizer;
use super::{ChannelOrder, PreprocessSpec};
use crate::frame::{FrameError, RgbFrame, check_len};
use crate::spec::SpecError;

/// Applies a [`PreprocessSpec`]. Resize tables are kept for the last frame size seen, so frames of
/// one size cost no allocation after the first.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    spec: PreprocessSpec,
    /// Values of every pixel value, per output plane.
    tables: Box<[[f32; 256]; 3]>,
    resizer: Option<Resizer>,
}

impl Preprocessor {
    /// Builds the normalisation tables.
    ///
    /// # Errors
    ///
    /// Those of [`PreprocessSpec::validate`].
    pub fn new(spec: PreprocessSpec) -> Result<Self, SpecError> {
        spec.validate()?;
        let mut tables = Box::new([[0.0; 256]; 3]);
        for ((table, mean), std) in tables.iter_mut().zip(spec.mean).zip(spec.std) {
            for (pixel, value) in table.iter_mut().enumerate() {
                *value = (pixel as f32 - mean) / std;
            }
        }
        Ok(Self { spec, tables, resizer: None })
    }

    /// The spec in force.
    #[must_use]
    pub fn spec(&self) -> &PreprocessSpec {
        &self.spec
    }

    /// Fits and resizes one picture.
    ///
    /// # Shapes
    ///
    /// `out` is `[H, W, 3]` in RGB, [`PreprocessSpec::resized_len`] bytes, whatever the spec's
    /// channel order.
    ///
    /// # Errors
    ///
    /// [`FrameError::BufferLength`] when `out` has another length.
    pub fn resize_into(&mut self, frame: RgbFrame<'_>, out: &mut [u8]) -> Result<(), FrameError> {
        check_len("resized frame", out.len(), self.spec.resized_len())?;
        let resizer = match self.resizer.take() {
            Some(resizer) if resizer.accepts(&frame) => resizer,
            _ => Resizer::new(&self.spec, (frame.width_px(), frame.height_px())),
        };
        self.resizer.insert(resizer).run(&frame, out);
        Ok(())
    }

    /// Normalises the resized frames of one clip.
    ///
    /// # Shapes
    ///
    /// Each of the `T` frames is `[H, W, 3]` as [`Self::resize_into`] wrote it; `out` is
    /// `[3, T, H, W]`, row-major: the body of a `[1, 3, T, H, W]` tensor.
    ///
    /// # Errors
    ///
    /// [`FrameError::BufferLength`] when a frame or `out` has another length; `out` may then be
    /// partly written.
    pub fn normalise_into<'f>(
        &self,
        frames: impl ExactSizeIterator<Item = &'f [u8]>,
        out: &mut [f32],
    ) -> Result<(), FrameError> {
        let plane_len = self.spec.plane_len();
        let clip_len = frames.len() * plane_len;
        check_len("normalised clip", out.len(), clip_len * 3)?;
        let (first, rest) = out.split_at_mut(clip_len);
        let (second, third) = rest.split_at_mut(clip_len);
        let planes = first
            .chunks_exact_mut(plane_len)
            .zip(second.chunks_exact_mut(plane_len))
            .zip(third.chunks_exact_mut(plane_len));
        for (frame, ((a, b), c)) in frames.zip(planes) {
            check_len("resized frame", frame.len(), self.spec.resized_len())?;
            self.normalise_frame(frame, [a, b, c]);
        }
        Ok(())
    }

    fn normalise_frame(&self, frame: &[u8], [a, b, c]: [&mut [f32]; 3]) {
        let [table_a, table_b, table_c] = &*self.tables;
        let (pixels, _) = frame.as_chunks::<3>();
        for (((pixel, a), b), c) in pixels.iter().zip(a).zip(b).zip(c) {
            let [x, y, z] = match self.spec.channel_order {
                ChannelOrder::Rgb => *pixel,
                ChannelOrder::Bgr => [pixel[2], pixel[1], pixel[0]],
            };
            *a = table_a[usize::from(x)];
            *b = table_b[usize::from(y)];
            *c = table_c[usize::from(z)];
        }
    }
}
