//! An owned frame, reused from one read to the next.

use vad_core::RgbFrame;

/// One owned frame of packed RGB8 pixels, row-major. Keep one and pass it to every read: it allocates only when the
/// size changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameBuf {
    width_px: u32,
    height_px: u32,
    // Always width_px * height_px * 3 bytes.
    data: Vec<u8>,
}

impl FrameBuf {
    /// A single black pixel, until the first frame is read into it.
    #[must_use]
    pub fn new() -> Self {
        Self { width_px: 1, height_px: 1, data: vec![0; 3] }
    }

    /// Width in pixels.
    #[must_use]
    pub fn width_px(&self) -> u32 {
        self.width_px
    }

    /// Height in pixels.
    #[must_use]
    pub fn height_px(&self) -> u32 {
        self.height_px
    }

    /// The pixels, `[height, width, 3]`.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The frame, borrowed.
    #[must_use]
    pub fn as_frame(&self) -> RgbFrame<'_> {
        match RgbFrame::new(self.width_px, self.height_px, &self.data) {
            Ok(frame) => frame,
            Err(_) => unreachable!("the buffer always holds width * height * 3 bytes of at least one pixel"),
        }
    }

    /// Takes on a new size, already checked against [`crate::MAX_SIDE_PX`], and hands out the pixels to fill.
    pub(crate) fn reset(&mut self, width_px: u32, height_px: u32) -> &mut [u8] {
        self.width_px = width_px;
        self.height_px = height_px;
        self.data.resize(width_px as usize * height_px as usize * 3, 0);
        &mut self.data
    }
}

impl Default for FrameBuf {
    fn default() -> Self {
        Self::new()
    }
}
