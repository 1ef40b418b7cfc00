//! Pictures as files.

use std::io::{self, Write};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage};

/// Of JPEG, 1 to 100: no artefacts to see beside the camera's own.
const JPEG_QUALITY: u8 = 85;

/// Writes a picture as PNG.
///
/// # Errors
/// Those of `to`.
pub fn write_png(to: &mut dyn Write, picture: &RgbImage) -> io::Result<()> {
    let (width, height) = picture.dimensions();
    PngEncoder::new_with_quality(to, CompressionType::Best, FilterType::Adaptive)
        .write_image(picture.as_raw(), width, height, ExtendedColorType::Rgb8)
        .map_err(io::Error::other)
}

/// Writes a picture as JPEG, a tenth of the bytes.
///
/// # Errors
/// Those of `to`, and a picture of more than 65535 pixels on a side.
pub fn write_jpeg(to: &mut dyn Write, picture: &RgbImage) -> io::Result<()> {
    JpegEncoder::new_with_quality(to, JPEG_QUALITY).encode_image(picture).map_err(io::Error::other)
}

/// The same picture with no side longer than `max_side_px`; one that is small enough is as it was.
#[must_use]
pub fn shrunk(picture: &RgbImage, max_side_px: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longest = width.max(height).max(1);
    if longest <= max_side_px {
        return picture.clone();
    }
    let to = |side: u32| {
        let side = u64::from(side) * u64::from(max_side_px) / u64::from(longest);
        u32::try_from(side).unwrap_or(max_side_px).max(1)
    };
    image::imageops::thumbnail(picture, to(width), to(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shrinks_to_its_longest_side_and_never_grows() {
        let size = |width, height| shrunk(&RgbImage::new(width, height), 960).dimensions();
        assert_eq!(size(1920, 1080), (960, 540));
        assert_eq!(size(1080, 1920), (540, 960));
        assert_eq!(size(640, 480), (640, 480));
        assert_eq!(size(4000, 1), (960, 1));
    }
}
