//! Pictures as PNG.

use std::io::{self, Write};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage};

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
