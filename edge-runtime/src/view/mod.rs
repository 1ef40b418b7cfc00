//! What may be seen of a camera's picture: never what lies under a privacy mask, and inside zones alone where there are any.
//!
//! The detector takes a [`MaskedFrame`], which only a [`Painter`] makes: no path from a camera to the model, to an
//! explanation or to a file can forget the masks.

mod painter;
mod polygon;

use std::ops::Range;

pub use painter::{HIDDEN_LEVEL, MaskedFrame, Painter};
pub use polygon::{MAX_POINTS, MIN_POINTS, Polygon, PolygonError};

/// Bytes of a pixel of packed RGB.
const PIXEL_BYTES: usize = 3;

/// Width and height of a picture in pixels.
pub type SizePx = (u32, u32);

/// A part of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// Its name, unique among the masks or zones of a camera.
    pub name: String,
    /// Where it is.
    pub shape: Polygon,
}

/// The masks and zones of a camera.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Hidden, whatever zones say.
    pub masks: Vec<Area>,
    /// If there are any, everything outside all of them is hidden too.
    pub zones: Vec<Area>,
}

impl View {
    /// Whether nothing is hidden.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.masks.is_empty() && self.zones.is_empty()
    }

    /// Share of the pixels of a picture that are hidden, 0 to 1.
    #[must_use]
    pub fn hidden_share(&self, size_px: SizePx) -> f64 {
        let hidden: usize = self.hidden(size_px).iter().map(Range::len).sum();
        let all = size_px.0 as usize * size_px.1 as usize * PIXEL_BYTES;
        hidden as f64 / all.max(1) as f64
    }

    /// Names of the masks and zones without a pixel in a picture of this size.
    #[must_use]
    pub fn without_pixels(&self, size_px: SizePx) -> Vec<&str> {
        let areas = self.masks.iter().chain(&self.zones);
        areas.filter(|area| !area.shape.has_pixels(size_px)).map(|area| area.name.as_str()).collect()
    }

    /// The hidden bytes of a picture of packed RGB: ranges in ascending order that do not touch.
    fn hidden(&self, size_px: SizePx) -> Vec<Range<usize>> {
        let (width_px, height_px) = size_px;
        let mut hidden: Vec<Range<usize>> = Vec::new();
        let mut row_hidden = vec![false; width_px as usize];
        for row in 0..height_px {
            row_hidden.fill(!self.zones.is_empty());
            for (areas, hides) in [(&self.zones, false), (&self.masks, true)] {
                for span in areas.iter().flat_map(|area| area.shape.spans(row, size_px)) {
                    row_hidden[span].fill(hides);
                }
            }
            let row_start = row as usize * row_hidden.len();
            let mut column = 0;
            for run in row_hidden.chunk_by(|a, b| a == b) {
                let from = row_start + column;
                column += run.len();
                if run[0] {
                    append(&mut hidden, from * PIXEL_BYTES..(from + run.len()) * PIXEL_BYTES);
                }
            }
        }
        hidden
    }
}

/// Appends a range, or prolongs the last one that it touches.
fn append(ranges: &mut Vec<Range<usize>>, next: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if last.end == next.start => last.end = next.end,
        _ => ranges.push(next),
    }
}
