//! What an encoder wants its pictures to look like.

use serde::{Deserialize, Serialize};

use crate::spec::{SpecError, check_finite, check_range};

/// Longest side of an encoder's input, in pixels.
pub const MAX_MODEL_SIDE_PX: u16 = 2_048;

/// How a picture of one aspect ratio becomes one of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// The whole picture, its aspect ratio ignored: nothing at the border is lost.
    Squeeze,
    /// The largest centred window of the model's aspect ratio: shapes keep their proportions,
    /// two borders are cut.
    CoverCentreCrop,
}

/// Order of the colour planes in a normalised clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red (networks that came from Caffe, such as C3D).
    Bgr,
}

/// Preprocessing of one encoder. It travels in the bundle and keys the feature cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreprocessSpec {
    /// Width of the encoder's input in pixels, 1 to [`MAX_MODEL_SIDE_PX`].
    pub width_px: u16,
    /// Height of the encoder's input in pixels, 1 to [`MAX_MODEL_SIDE_PX`].
    pub height_px: u16,
    /// What happens to the aspect ratio.
    pub fit: Fit,
    /// Order of the output planes, and of `mean` and `std`.
    pub channel_order: ChannelOrder,
    /// Subtracted from a pixel value of 0 to 255, per output plane; finite.
    pub mean: [f32; 3],
    /// Divides the difference, per output plane; finite and greater than 0.
    pub std: [f32; 3],
}

impl PreprocessSpec {
    /// Input of the Kinetics I3D networks: 224x224, whole picture, RGB scaled to -1 to 1.
    #[must_use]
    pub fn i3d() -> Self {
        Self {
            width_px: 224,
            height_px: 224,
            fit: Fit::Squeeze,
            channel_order: ChannelOrder::Rgb,
            mean: [127.5; 3],
            std: [127.5; 3],
        }
    }

    /// Bytes of one resized frame, `height_px * width_px * 3`.
    #[must_use]
    pub fn resized_len(&self) -> usize {
        self.plane_len() * 3
    }

    /// Pixels of one plane, `height_px * width_px`.
    #[must_use]
    pub fn plane_len(&self) -> usize {
        usize::from(self.width_px) * usize::from(self.height_px)
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field that is out of its range, by its full name.
    pub fn validate(&self) -> Result<(), SpecError> {
        let side_px = 1.0..=f64::from(MAX_MODEL_SIDE_PX);
        check_range("preprocess.width_px", self.width_px.into(), side_px.clone())?;
        check_range("preprocess.height_px", self.height_px.into(), side_px)?;
        for mean in self.mean {
            check_finite("preprocess.mean", mean)?;
        }
        for std in self.std {
            check_finite("preprocess.std", std)?;
            // A smaller divisor could turn a pixel difference into infinity.
            check_range("preprocess.std", std.into(), 1e-6..=f64::from(f32::MAX))?;
        }
        Ok(())
    }
}
