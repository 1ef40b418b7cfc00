//! Borrowed pixels: the one picture format between capture or decode and preprocessing.

use thiserror::Error;

/// Longest side of a picture that is accepted, in pixels. It bounds the resize tables.
pub const MAX_FRAME_SIDE_PX: u32 = 16_384;

/// What is wrong with a frame or a buffer that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Width or height is zero, or over [`MAX_FRAME_SIDE_PX`].
    #[error("frame is {width_px}x{height_px} px; each side must be 1 to {MAX_FRAME_SIDE_PX} px")]
    Size {
        /// Width given, in pixels.
        width_px: u32,
        /// Height given, in pixels.
        height_px: u32,
    },
    /// The pixel data do not have `width * height * 3` bytes.
    #[error("frame of {width_px}x{height_px} px needs {expected} bytes of packed RGB, but has {actual}")]
    DataLength {
        /// Width given, in pixels.
        width_px: u32,
        /// Height given, in pixels.
        height_px: u32,
        /// Bytes that the size asks for.
        expected: u64,
        /// Bytes given.
        actual: u64,
    },
    /// A buffer between two steps has the wrong number of elements.
    #[error("{buffer} needs {expected} elements, but has {actual}")]
    BufferLength {
        /// Which buffer, in words.
        buffer: &'static str,
        /// Elements that the spec asks for.
        expected: usize,
        /// Elements given.
        actual: usize,
    },
}

/// A picture of packed 8-bit RGB, row-major from the top left, borrowed.
///
/// # Shapes
///
/// `data` is `[height, width, 3]`, without padding between rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RgbFrame<'a> {
    width_px: u32,
    height_px: u32,
    data: &'a [u8],
}

impl<'a> RgbFrame<'a> {
    /// Wraps pixel data after checking its length.
    ///
    /// # Errors
    ///
    /// [`FrameError::Size`] for a side of zero or over [`MAX_FRAME_SIDE_PX`],
    /// [`FrameError::DataLength`] when `data.len() != width_px * height_px * 3`.
    pub fn new(width_px: u32, height_px: u32, data: &'a [u8]) -> Result<Self, FrameError> {
        let side_px = 1..=MAX_FRAME_SIDE_PX;
        if !side_px.contains(&width_px) || !side_px.contains(&height_px) {
            return Err(FrameError::Size { width_px, height_px });
        }
        let expected = u64::from(width_px) * u64::from(height_px) * 3;
        let actual = data.len() as u64;
        if actual != expected {
            return Err(FrameError::DataLength { width_px, height_px, expected, actual });
        }
        Ok(Self { width_px, height_px, data })
    }

    /// Width in pixels, 1 to [`MAX_FRAME_SIDE_PX`].
    #[must_use]
    pub fn width_px(&self) -> u32 {
        self.width_px
    }

    /// Height in pixels, 1 to [`MAX_FRAME_SIDE_PX`].
    #[must_use]
    pub fn height_px(&self) -> u32 {
        self.height_px
    }

    /// The pixels, `[height, width, 3]`.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        self.data
    }
}

pub(crate) fn check_len(buffer: &'static str, actual: usize, expected: usize) -> Result<(), FrameError> {
    if actual == expected { Ok(()) } else { Err(FrameError::BufferLength { buffer, expected, actual }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};

    #[test]
    fn length_must_match_exactly() {
        let data = vec![0; 24];
        assert!(RgbFrame::new(4, 2, &data).is_ok());
        let error = RgbFrame::new(4, 2, &data[1..]).unwrap_err();
        assert_eq!(error.to_string(), "frame of 4x2 px needs 24 bytes of packed RGB, but has 23");
    }

    #[test]
    fn zero_and_huge_sides_are_refused() {
        for (width_px, height_px) in [(0, 1), (1, 0), (MAX_FRAME_SIDE_PX + 1, 1), (u32::MAX, u32::MAX)] {
            assert_eq!(
                RgbFrame::new(width_px, height_px, &[]),
                Err(FrameError::Size { width_px, height_px })
            );
        }
    }
}
