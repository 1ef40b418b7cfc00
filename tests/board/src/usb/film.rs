//! What the camera shows: a pattern that moves, in the format that the board was promised.

use anyhow::Result;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use crate::vivid::{HEIGHT_PX, WIDTH_PX};

/// Pictures per second.
pub const RATE_HZ: u32 = 10;
/// Pictures until it begins again.
const PICTURES: u32 = 16;
/// U and V of grey. A camera that loses its colours has switched to its night, which is another story.
const NO_COLOUR: u8 = 128;
/// Of JPEG, 1 to 100.
const JPEG_QUALITY: u8 = 85;

/// The only format that a camera offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `Y0 U Y1 V` for two pixels.
    Yuyv,
    /// All luma, then `U V` for every two pixels of every second line.
    Nv12,
    /// Luma alone.
    Grey,
    /// A JPEG for each picture.
    Mjpeg,
    /// `U Y0 V Y1` for two pixels, which the board does not read.
    Uyvy,
}

impl Format {
    /// Bits of a pixel; of compressed pictures at most.
    pub(super) fn bits_per_pixel(self) -> u8 {
        match self {
            Self::Yuyv | Self::Uyvy | Self::Mjpeg => 16,
            Self::Nv12 => 12,
            Self::Grey => 8,
        }
    }

    /// Bytes of a picture, at most.
    pub(super) fn picture_bytes(self) -> u32 {
        WIDTH_PX * HEIGHT_PX * u32::from(self.bits_per_pixel()) / 8
    }

    /// All pictures there are.
    ///
    /// # Errors
    /// When one cannot be encoded.
    pub(super) fn film(self) -> Result<Vec<Vec<u8>>> {
        (0..PICTURES).map(|number| self.picture(number)).collect()
    }

    fn picture(self, number: u32) -> Result<Vec<u8>> {
        let luma = luma(number);
        let pairs = luma.chunks_exact(2);
        Ok(match self {
            Self::Yuyv => pairs.flat_map(|pair| [pair[0], NO_COLOUR, pair[1], NO_COLOUR]).collect(),
            Self::Uyvy => pairs.flat_map(|pair| [NO_COLOUR, pair[0], NO_COLOUR, pair[1]]).collect(),
            Self::Nv12 => {
                let colours = vec![NO_COLOUR; luma.len() / 2];
                [luma, colours].concat()
            }
            Self::Grey => luma,
            Self::Mjpeg => {
                let pixels: Vec<u8> = luma.iter().flat_map(|&luma| [luma; 3]).collect();
                let mut bytes = Vec::new();
                JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode(
                    &pixels,
                    WIDTH_PX,
                    HEIGHT_PX,
                    ExtendedColorType::Rgb8,
                )?;
                bytes
            }
        })
    }
}

/// Stripes that go 14 values on with each picture, and begin again after [`PICTURES`] of them.
fn luma(number: u32) -> Vec<u8> {
    let at = |x: u32, y: u32| 16 + u8::try_from((x + 2 * y + 14 * number) % 224).unwrap_or(0);
    (0..HEIGHT_PX).flat_map(|y| (0..WIDTH_PX).map(move |x| at(x, y))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_the_promised_size_and_move() {
        for format in [Format::Yuyv, Format::Nv12, Format::Grey, Format::Mjpeg, Format::Uyvy] {
            let film = format.film().unwrap();
            assert!(film.windows(2).all(|pair| pair[0] != pair[1]), "{format:?}");
            let is_right = |picture: &Vec<u8>| match format {
                Format::Mjpeg => picture.len() < format.picture_bytes() as usize,
                _ => picture.len() == format.picture_bytes() as usize,
            };
            assert!(film.iter().all(is_right), "{format:?}");
        }
    }
}
