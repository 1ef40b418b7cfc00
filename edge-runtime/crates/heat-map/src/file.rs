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
