//! Camera formats to packed RGB8. Sizes come from a device and are checked before anything is allocated.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Longest side of a picture, pixels.
pub const MAX_SIDE_PX: u32 = 8_192;

/// How a device writes its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One JPEG per picture, with or without Huffman tables.
    Jpeg,
    /// `Y0 U Y1 V` for two pixels.
    Yuyv {
        /// From one line to the next.
        bytes_per_line: usize,
    },
    /// One byte of luma for a pixel.
    Grey {
        /// From one line to the next.
        bytes_per_line: usize,
    },
    /// All luma, then `U V` for every two pixels of every second line.
    Nv12 {
        /// From one line to the next.
        bytes_per_line: usize,
    },
    /// All luma, then all U and all V for every two pixels of every second line; nothing between lines.
    I420,
}

/// An owned picture, packed RGB8, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Width, pixels.
    pub width_px: u32,
    /// Height, pixels.
    pub height_px: u32,
    /// Row by row from the top left, three bytes for a pixel.
    pub data: Vec<u8>,
}

/// Converts one payload; `size_px` is what the device promised.
///
/// # Errors
/// What is wrong with the payload, in words.
pub fn decode(payload: &[u8], layout: Layout, size_px: (u32, u32)) -> Result<Picture, String> {
    let (width, height) = size_px;
    if width == 0 || height == 0 || width > MAX_SIDE_PX || height > MAX_SIDE_PX {
        return Err(format!("{width}x{height} is no usable picture size"));
    }
    match layout {
        Layout::Jpeg => jpeg(payload),
        Layout::Yuyv { bytes_per_line } => {
            let width_bytes = (width as usize).div_ceil(2) * 4;
            lines(payload, size_px, bytes_per_line, width_bytes, yuyv_line)
        }
        Layout::Grey { bytes_per_line } => lines(payload, size_px, bytes_per_line, width as usize, grey_line),
        Layout::Nv12 { bytes_per_line } => nv12(payload, size_px, bytes_per_line),
        Layout::I420 => i420(payload, size_px),
    }
}

fn jpeg(payload: &[u8]) -> Result<Picture, String> {
    let side = MAX_SIDE_PX as usize;
    let options = DecoderOptions::default()
        .set_max_width(side)
        .set_max_height(side)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(payload), options);
    let data = decoder.decode().map_err(|e| format!("damaged JPEG: {e:?}"))?;
    let (width, height) = decoder.dimensions().ok_or("a JPEG without a size")?;
    if data.len() != width * height * 3 {
        return Err("a JPEG with another number of pixels than it says".to_owned());
    }
    let side = |px: usize| u32::try_from(px).map_err(|e| e.to_string());
    Ok(Picture { width_px: side(width)?, height_px: side(height)?, data })
}

/// Converts line by line; a short payload is an error and no guess.
fn lines(
    payload: &[u8],
    (width_px, height_px): (u32, u32),
    bytes_per_line: usize,
    width_bytes: usize,
    convert: impl Fn(&[u8], &mut [u8]),
) -> Result<Picture, String> {
    let pitch = bytes_per_line.max(width_bytes);
    let needed = pitch * (height_px as usize - 1) + width_bytes;
    check_length(payload, needed)?;
    let row_len = width_px as usize * 3;
    let mut data = vec![0; row_len * height_px as usize];
    for (line, rgb) in payload.chunks(pitch).zip(data.chunks_exact_mut(row_len)) {
        convert(&line[..width_bytes], rgb);
    }
    Ok(Picture { width_px, height_px, data })
}

fn check_length(payload: &[u8], needed: usize) -> Result<(), String> {
    if payload.len() < needed {
        return Err(format!("a picture of {} bytes where {needed} are needed", payload.len()));
    }
    Ok(())
}

/// Two planes of one pitch; the second has half the lines, rounded up.
fn nv12(payload: &[u8], (width_px, height_px): (u32, u32), bytes_per_line: usize) -> Result<Picture, String> {
    let (width, height) = (width_px as usize, height_px as usize);
    let width_bytes = width.next_multiple_of(2);
    let pitch = bytes_per_line.max(width_bytes);
    let needed = pitch * height + pitch * (height.div_ceil(2) - 1) + width_bytes;
    check_length(payload, needed)?;
    let (luma, chroma) = payload.split_at(pitch * height);
    let row_len = width * 3;
    let mut data = vec![0; row_len * height];
    for (row, rgb) in data.chunks_exact_mut(row_len).enumerate() {
        let (luma, chroma) = (&luma[row * pitch..], &chroma[row / 2 * pitch..]);
        let pixels = rgb.chunks_exact_mut(3).zip(luma).enumerate();
        for (column, (pixel, &luma)) in pixels {
            let at = column & !1;
            pixel.copy_from_slice(&bt601(luma, chroma[at], chroma[at + 1]));
        }
    }
    Ok(Picture { width_px, height_px, data })
}

/// Three planes, the colours with half the width and height, rounded up.
fn i420(payload: &[u8], (width_px, height_px): (u32, u32)) -> Result<Picture, String> {
    let (width, height) = (width_px as usize, height_px as usize);
    let pitch = width.div_ceil(2);
    let plane = pitch * height.div_ceil(2);
    check_length(payload, width * height + 2 * plane)?;
    let (luma, colours) = payload.split_at(width * height);
    let (u, v) = colours.split_at(plane);
    let mut data = vec![0; width * height * 3];
    let rows = data.chunks_exact_mut(width * 3).zip(luma.chunks_exact(width)).enumerate();
    for (row, (rgb, luma)) in rows {
        let (u, v) = (&u[row / 2 * pitch..], &v[row / 2 * pitch..]);
        for (column, (pixel, &luma)) in rgb.chunks_exact_mut(3).zip(luma).enumerate() {
            pixel.copy_from_slice(&bt601(luma, u[column / 2], v[column / 2]));
        }
    }
    Ok(Picture { width_px, height_px, data })
}

fn grey_line(line: &[u8], rgb: &mut [u8]) {
    for (pixel, &luma) in rgb.chunks_exact_mut(3).zip(line) {
        pixel.fill(luma);
    }
}

fn yuyv_line(line: &[u8], rgb: &mut [u8]) {
    for (pair, group) in rgb.chunks_mut(6).zip(line.chunks_exact(4)) {
        for (pixel, &luma) in pair.chunks_exact_mut(3).zip([&group[0], &group[2]]) {
            pixel.copy_from_slice(&bt601(luma, group[1], group[3]));
        }
    }
}

/// ITU-R BT.601, limited range, 8 fractional bits, rounded: R = 1.164 (Y - 16) + 1.596 (V - 128) and so on.
fn bt601(luma: u8, u: u8, v: u8) -> [u8; 3] {
    let y = 298 * (i32::from(luma) - 16);
    let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
    // In 0..=255 after the clamp.
    let clamp = |value: i32| ((value + 128) >> 8).clamp(0, 255) as u8;
    [clamp(y + 409 * v), clamp(y - 100 * u - 208 * v), clamp(y + 516 * u)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn black_white_and_the_primaries_come_out_right() {
        assert_eq!(bt601(16, 128, 128), [0, 0, 0]);
        assert_eq!(bt601(235, 128, 128), [255, 255, 255]);
        assert_eq!(bt601(81, 90, 240), [255, 0, 0]);
        assert_eq!(bt601(145, 54, 34), [0, 255, 1]);
        assert_eq!(bt601(41, 240, 110), [0, 0, 255]);
    }

    #[test]
    fn odd_widths_and_padded_lines_are_read() {
        let line = [16, 128, 235, 128, 16, 128, 99, 128, 7, 7];
        let payload = [line, line].concat();
        let picture = decode(&payload, Layout::Yuyv { bytes_per_line: 10 }, (3, 2)).unwrap();
        assert_eq!(picture.data, [[0, 0, 0, 255, 255, 255, 0, 0, 0]; 2].concat());
        let grey = decode(&[1, 2, 0, 3, 4], Layout::Grey { bytes_per_line: 3 }, (2, 2)).unwrap();
        assert_eq!(grey.data, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    }

    #[test]
    fn two_planes_give_the_pixels_of_one() {
        // 3 x 3 pixels, lines of 5 bytes: white and black over a red left half.
        let luma = [235, 16, 235, 0, 0, 16, 235, 16, 0, 0, 81, 81, 16, 0, 0];
        let chroma = [128, 128, 128, 128, 0, 90, 240, 128, 128];
        let payload = [&luma[..], &chroma].concat();
        let picture = decode(&payload, Layout::Nv12 { bytes_per_line: 5 }, (3, 3)).unwrap();
        let (white, black, red) = ([255; 3], [0; 3], [255, 0, 0]);
        assert_eq!(picture.data, [white, black, white, black, white, black, red, red, black].concat());
    }

    #[test]
    fn three_planes_give_the_pixels_of_one() {
        // As above: white and black over a red left half.
        let luma = [235, 16, 235, 16, 235, 16, 81, 81, 16];
        let payload = [&luma[..], &[128, 128, 90, 128], &[128, 128, 240, 128]].concat();
        let picture = decode(&payload, Layout::I420, (3, 3)).unwrap();
        let (white, black, red) = ([255; 3], [0; 3], [255, 0, 0]);
        assert_eq!(picture.data, [white, black, white, black, white, black, red, red, black].concat());
    }

    #[test]
    fn short_pictures_are_refused() {
        assert!(decode(&[0; 16], Layout::I420, (3, 3)).is_err());
        assert!(decode(&[0; 17], Layout::I420, (3, 3)).is_ok());
        assert!(decode(&[0; 5], Layout::Nv12 { bytes_per_line: 2 }, (2, 2)).is_err());
        assert!(decode(&[0; 6], Layout::Nv12 { bytes_per_line: 2 }, (2, 2)).is_ok());
        assert!(decode(&[0; 7], Layout::Yuyv { bytes_per_line: 4 }, (2, 2)).is_err());
        assert!(decode(&[], Layout::Grey { bytes_per_line: 0 }, (1, 1)).is_err());
        assert!(decode(&[0; 64], Layout::Grey { bytes_per_line: 0 }, (100_000, 1)).is_err());
    }

    proptest! {
        #[test]
        fn no_payload_panics(bytes in prop::collection::vec(any::<u8>(), 0..512), width in 0_u32..40, height in 0_u32..40, pitch in 0_usize..200) {
            let jpeg = [&[0xFF, 0xD8, 0xFF][..], &bytes].concat();
            let _ = decode(&jpeg, Layout::Jpeg, (1, 1));
            let _ = decode(&bytes, Layout::Yuyv { bytes_per_line: pitch }, (width, height));
            let _ = decode(&bytes, Layout::Grey { bytes_per_line: pitch }, (width, height));
            let _ = decode(&bytes, Layout::Nv12 { bytes_per_line: pitch }, (width, height));
            let _ = decode(&bytes, Layout::I420, (width, height));
        }
    }
}
