//! Two-pass fixed-point resize with tables for one input size.

use alloc::{vec, vec::Vec};

use super::axis::{Axis, WEIGHT_BITS};
use super::{Fit, PreprocessSpec};
use crate::frame::RgbFrame;

/// Fraction bits of a blended row: 8.8 fixed point in 16 bits.
const ROW_BITS: u32 = 8;
const ROW_SHIFT: u32 = WEIGHT_BITS - ROW_BITS;
const OUT_SHIFT: u32 = WEIGHT_BITS + ROW_BITS;

/// Window of the input that reaches the output, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Crop {
    x_px: u32,
    y_px: u32,
    width_px: u32,
    height_px: u32,
}

/// Resizes frames of one size; holds the weights and two row buffers.
#[derive(Debug, Clone)]
pub(super) struct Resizer {
    in_size_px: (u32, u32),
    crop: Crop,
    columns: Axis,
    rows: Axis,
    sums: Vec<u32>,
    row: Vec<u16>,
}

impl Resizer {
    pub fn new(spec: &PreprocessSpec, in_size_px: (u32, u32)) -> Self {
        let crop = crop(spec, in_size_px);
        let row_len = crop.width_px as usize * 3;
        Self {
            in_size_px,
            crop,
            columns: Axis::new(crop.width_px, spec.width_px),
            rows: Axis::new(crop.height_px, spec.height_px),
            sums: vec![0; row_len],
            row: vec![0; row_len],
        }
    }

    pub fn accepts(&self, frame: &RgbFrame<'_>) -> bool {
        self.in_size_px == (frame.width_px(), frame.height_px())
    }

    /// `frame` has the size this was built for, `out` is `[H, W, 3]`.
    pub fn run(&mut self, frame: &RgbFrame<'_>, out: &mut [u8]) {
        let runs = self.rows.first.iter().zip(self.rows.weights.chunks_exact(self.rows.taps));
        let out_rows = out.chunks_exact_mut(self.columns.first.len() * 3);
        for ((&first, weights), out_row) in runs.zip(out_rows) {
            self.sums.fill(1 << (ROW_SHIFT - 1));
            for (k, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0) {
                add_row(row_of(frame, &self.crop, first + k), weight, &mut self.sums);
            }
            for (value, &sum) in self.row.iter_mut().zip(&self.sums) {
                *value = (sum >> ROW_SHIFT) as u16;
            }
            blend_columns(&self.columns, &self.row, out_row);
        }
    }
}

/// The largest centred window of the output's aspect ratio, or everything.
fn crop(spec: &PreprocessSpec, (width_px, height_px): (u32, u32)) -> Crop {
    let whole = Crop { x_px: 0, y_px: 0, width_px, height_px };
    let (out_w, out_h) = (u64::from(spec.width_px), u64::from(spec.height_px));
    let (in_w, in_h) = (u64::from(width_px), u64::from(height_px));
    match spec.fit {
        Fit::Squeeze => whole,
        Fit::CoverCentreCrop if in_w * out_h > in_h * out_w => {
            let width = side(in_h * out_w, out_h, width_px);
            Crop { x_px: (width_px - width) / 2, width_px: width, ..whole }
        }
        Fit::CoverCentreCrop => {
            let height = side(in_w * out_h, out_w, height_px);
            Crop { y_px: (height_px - height) / 2, height_px: height, ..whole }
        }
    }
}

/// Rounded quotient, at least 1 and at most `limit_px`.
fn side(numerator: u64, denominator: u64, limit_px: u32) -> u32 {
    let rounded = (2 * numerator + denominator) / (2 * denominator);
    rounded.clamp(1, u64::from(limit_px)) as u32
}

fn row_of<'a>(frame: &RgbFrame<'a>, crop: &Crop, y: usize) -> &'a [u8] {
    let pitch = frame.width_px() as usize * 3;
    let begin = (crop.y_px as usize + y) * pitch + crop.x_px as usize * 3;
    &frame.data()[begin..begin + crop.width_px as usize * 3]
}

/// Adds a weighted row; the sums of all taps of an output row are below 2^23.
///
/// Additions are `wrapping` here and below because an overflow check, which could never strike,
/// would keep the loops from being vectorised.
fn add_row(pixels: &[u8], weight: u16, sums: &mut [u32]) {
    for (sum, &pixel) in sums.iter_mut().zip(pixels) {
        *sum = sum.wrapping_add(u32::from(pixel) * u32::from(weight));
    }
}

/// Weighted sums along one row; sums are below 2^32.
fn blend_columns(axis: &Axis, row: &[u16], out: &mut [u8]) {
    match axis.taps {
        1 => blend_columns_of::<1>(axis, row, out),
        2 => blend_columns_of::<2>(axis, row, out),
        3 => blend_columns_of::<3>(axis, row, out),
        4 => blend_columns_of::<4>(axis, row, out),
        _ => blend_columns_any(axis, row, out),
    }
}

fn blend_columns_of<const TAPS: usize>(axis: &Axis, row: &[u16], out: &mut [u8]) {
    let (runs, _) = axis.weights.as_chunks::<TAPS>();
    for ((pixel, &first), weights) in out.chunks_exact_mut(3).zip(&axis.first).zip(runs) {
        blend_pixel(&row[first * 3..(first + TAPS) * 3], weights, pixel);
    }
}

fn blend_columns_any(axis: &Axis, row: &[u16], out: &mut [u8]) {
    let runs = axis.weights.chunks_exact(axis.taps);
    for ((pixel, &first), weights) in out.chunks_exact_mut(3).zip(&axis.first).zip(runs) {
        blend_pixel(&row[first * 3..(first + axis.taps) * 3], weights, pixel);
    }
}

#[inline(always)]
fn blend_pixel(values: &[u16], weights: &[u16], pixel: &mut [u8]) {
    let mut sums = [1_u32 << (OUT_SHIFT - 1); 3];
    for (rgb, &weight) in values.chunks_exact(3).zip(weights) {
        for (sum, &value) in sums.iter_mut().zip(rgb) {
            *sum = sum.wrapping_add(u32::from(value) * u32::from(weight));
        }
    }
    for (byte, sum) in pixel.iter_mut().zip(sums) {
        *byte = (sum >> OUT_SHIFT) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(width_px: u16, height_px: u16, fit: Fit) -> PreprocessSpec {
        PreprocessSpec { width_px, height_px, fit, ..PreprocessSpec::i3d() }
    }

    #[test]
    fn cover_keeps_the_centre_of_the_longer_side() {
        let square = spec(224, 224, Fit::CoverCentreCrop);
        let wide = Crop { x_px: 60, y_px: 0, width_px: 240, height_px: 240 };
        assert_eq!(crop(&square, (360, 240)), wide);
        let tall = Crop { x_px: 0, y_px: 60, width_px: 240, height_px: 240 };
        assert_eq!(crop(&square, (240, 360)), tall);
    }

    #[test]
    fn cover_never_leaves_the_picture() {
        let extreme = spec(2048, 1, Fit::CoverCentreCrop);
        let crop = crop(&extreme, (1, 16_384));
        assert_eq!((crop.width_px, crop.height_px), (1, 1));
    }

    #[test]
    fn squeeze_takes_everything() {
        let crop = crop(&spec(224, 224, Fit::Squeeze), (360, 240));
        assert_eq!(crop, Crop { x_px: 0, y_px: 0, width_px: 360, height_px: 240 });
    }
}
