//! Where the places of a map lie in the picture that the network was given.
//!
//! A place looks at a window of the picture; it is drawn where the middle of that window is. That is not an even spread over the
//! picture: layers that pad more at the end than at the start, as TensorFlow's do, move every place towards the end.

use serde::{Deserialize, Serialize};

/// Places along one side of a picture, at equal distances.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Middle of the first place, in pixels from the picture's edge; the middle of the first pixel is at 0.5.
    pub first_px: f64,
    /// Distance of neighbouring places, in pixels.
    pub step_px: f64,
}

/// Places of a map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// From top to bottom.
    pub rows: Line,
    /// From left to right.
    pub columns: Line,
}

impl Line {
    /// The pixels themselves.
    pub const PIXELS: Self = Self { first_px: 0.5, step_px: 1.0 };

    /// The place at a distance of `px` pixels from the edge, between two places where it falls so.
    #[must_use]
    pub fn place_at(self, px: f64) -> f64 {
        (px - self.first_px) / self.step_px
    }

    /// The distance of the middle of a place from the edge, in pixels.
    #[must_use]
    pub fn middle_px(self, place: usize) -> f64 {
        self.first_px + place as f64 * self.step_px
    }
}
