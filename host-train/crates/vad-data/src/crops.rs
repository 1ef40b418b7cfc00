//! How many views of a picture are encoded, and where they lie.
//!
//! # Terms
//!
//! - *picture*: a frame after it was resized, `[H', W', 3]` bytes.
//! - *view*: the part of a picture that the encoder sees, `[h, w, 3]` bytes, as large as its input; a crop.
//!
//! # Equations
//!
//! One view is the whole picture, resized to `w x h` as [`PreprocessSpec::fit`] says. For five and ten, frames of `W x H`
//! are resized with their aspect ratio kept, so that they just cover an enlarged input:
//!
//! ```text
//! scale = 8/7 * max(w / W, h / H)      the side that decides is exactly round(8/7 * its input side): 256 px for 224
//! ```
//!
//! That is what the extractors behind the published ten-crop features do. The five views are the corners (top left, top
//! right, bottom left, bottom right) and the centre; ten are these and then their mirror images in the same order. With a
//! square input, pictures of which one side is more than 1.75 times the other have parts that no view shows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vad_core::{Fit, MAX_MODEL_SIDE_PX, PreprocessSpec};

/// How much larger than the encoder's input a picture is from which several views are cut, as a fraction: 256 to 224.
const ENLARGEMENT: (u64, u64) = (8, 7);

/// Bytes of an RGB pixel.
const PIXEL: usize = 3;

/// How many views of each clip are encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "usize", into = "usize")]
pub enum CropPlan {
    /// The whole picture.
    #[default]
    One,
    /// Four corners and the centre.
    Five,
    /// Four corners, the centre, and their mirror images.
    Ten,
}

/// Not a number of crops that there is a plan for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` crops cannot be made; use 1, 5 or 10")]
pub struct CropPlanError(String);

/// The pictures of one video and the views cut from them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Views {
    /// How frames are resized; its size is that of the pictures.
    pub picture: PreprocessSpec,
    /// The views, in the order of the features.
    pub list: Vec<View>,
}

/// Where one view lies in its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    picture_width_px: usize,
    x_px: usize,
    y_px: usize,
    width_px: usize,
    height_px: usize,
    mirrored: bool,
}

impl CropPlan {
    /// Every plan, from the fewest views to the most.
    pub const ALL: [Self; 3] = [Self::One, Self::Five, Self::Ten];

    /// Number of views.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Five => 5,
            Self::Ten => 10,
        }
    }

    /// The plan in words, for the facts that features are kept under.
    pub(crate) fn describe(self) -> Option<String> {
        let (numerator, denominator) = ENLARGEMENT;
        // Features of one crop are older than crops, and keep their names.
        (self != Self::One).then(|| format!("{self} of pictures enlarged by {numerator}/{denominator}"))
    }

    /// Pictures and views for frames of `frame_px` (width, height) and an encoder whose input is `input`. `None` when the
    /// pictures would be longer than [`MAX_MODEL_SIDE_PX`].
    pub(crate) fn views(self, input: &PreprocessSpec, frame_px: (u32, u32)) -> Option<Views> {
        let (width_px, height_px) = (input.width_px, input.height_px);
        if self == Self::One {
            return Some(Views { picture: input.clone(), list: vec![View::whole(width_px, height_px)] });
        }
        let (picture_width_px, picture_height_px) = picture_px((width_px, height_px), frame_px)?;
        let (right, bottom) = (picture_width_px - width_px, picture_height_px - height_px);
        let corners = [(0, 0), (right, 0), (0, bottom), (right, bottom), (right / 2, bottom / 2)];
        let view = |mirrored| {
            corners.map(|(x_px, y_px)| View {
                picture_width_px: picture_width_px.into(),
                x_px: x_px.into(),
                y_px: y_px.into(),
                width_px: width_px.into(),
                height_px: height_px.into(),
                mirrored,
            })
        };
        let mut list = view(false).to_vec();
        if self == Self::Ten {
            list.extend(view(true));
        }
        let picture = PreprocessSpec {
            width_px: picture_width_px,
            height_px: picture_height_px,
            fit: Fit::Squeeze,
            ..input.clone()
        };
        Some(Views { picture, list })
    }
}

/// Size of the pictures, at least that of the input.
fn picture_px((width_px, height_px): (u16, u16), (frame_w, frame_h): (u32, u32)) -> Option<(u16, u16)> {
    let (numerator, denominator) = ENLARGEMENT;
    let enlarged = |side_px: u16| rounded(u64::from(side_px) * numerator, denominator);
    let (width, height) = (enlarged(width_px), enlarged(height_px));
    let (frame_w, frame_h) = (u64::from(frame_w), u64::from(frame_h));
    let (width, height) = if frame_w * height >= frame_h * width {
        (rounded(frame_w * height, frame_h), height)
    } else {
        (width, rounded(frame_h * width, frame_w))
    };
    let side = |px: u64| u16::try_from(px).ok().filter(|px| *px <= MAX_MODEL_SIDE_PX);
    Some((side(width)?, side(height)?))
}

/// The quotient, rounded half up.
fn rounded(numerator: u64, denominator: u64) -> u64 {
    (2 * numerator + denominator) / (2 * denominator).max(1)
}

impl View {
    fn whole(width_px: u16, height_px: u16) -> Self {
        let (width_px, height_px) = (width_px.into(), height_px.into());
        Self { picture_width_px: width_px, x_px: 0, y_px: 0, width_px, height_px, mirrored: false }
    }

    /// Copies the view out of a picture.
    ///
    /// # Shapes
    /// `picture` is `[H', W', 3]`, `out` is `[h, w, 3]`.
    pub fn cut_into(&self, picture: &[u8], out: &mut [u8]) {
        let columns = self.x_px * PIXEL..(self.x_px + self.width_px) * PIXEL;
        let rows = picture.chunks_exact(self.picture_width_px * PIXEL).skip(self.y_px).take(self.height_px);
        for (row, out_row) in rows.zip(out.chunks_exact_mut(self.width_px * PIXEL)) {
            let part = &row[columns.clone()];
            if self.mirrored {
                let pixels = part.chunks_exact(PIXEL).rev();
                out_row.chunks_exact_mut(PIXEL).zip(pixels).for_each(|(to, from)| to.copy_from_slice(from));
            } else {
                out_row.copy_from_slice(part);
            }
        }
    }
}

impl fmt::Display for CropPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count())
    }
}

impl FromStr for CropPlan {
    type Err = CropPlanError;

    fn from_str(text: &str) -> Result<Self, CropPlanError> {
        let plan = Self::ALL.into_iter().find(|plan| plan.to_string() == text);
        plan.ok_or_else(|| CropPlanError(text.to_owned()))
    }
}

impl TryFrom<usize> for CropPlan {
    type Error = CropPlanError;

    fn try_from(count: usize) -> Result<Self, CropPlanError> {
        count.to_string().parse()
    }
}

impl From<CropPlan> for usize {
    fn from(plan: CropPlan) -> Self {
        plan.count()
    }
}

#[cfg(test)]
mod tests;
