//! Sizes of a layer.

use std::ops::Range;

/// One axis of the kernel over the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Places of the input.
    pub input: usize,
    /// Places of the output.
    pub output: usize,
    /// Taps.
    pub kernel: usize,
    /// From one output to the next, at least 1.
    pub stride: usize,
    /// Zeros before the first place.
    pub before: usize,
}

/// A layer on some clips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Clips that know nothing of each other.
    pub clips: usize,
    /// Frames of each.
    pub frames: usize,
    /// Of height and width.
    pub axes: [Axis; 2],
    /// Channels.
    pub channels: usize,
    /// Taps over time, the oldest frame's first.
    pub taps: usize,
}

impl Axis {
    /// Outputs whose tap lies within the input.
    pub(crate) fn outputs(&self, tap: usize) -> Range<usize> {
        let first = self.before.saturating_sub(tap).div_ceil(self.stride);
        let reach = (self.input + self.before).saturating_sub(tap).div_ceil(self.stride);
        first..reach.min(self.output).max(first)
    }

    /// Where a tap of an output lies that [`Axis::outputs`] named.
    pub(crate) fn place(&self, output: usize, tap: usize) -> usize {
        output * self.stride + tap - self.before
    }
}

impl Layer {
    /// Values of a frame that comes in.
    pub fn input_len(&self) -> usize {
        self.axes.iter().map(|axis| axis.input).product::<usize>() * self.channels
    }

    /// Values of a frame that goes out.
    pub fn output_len(&self) -> usize {
        self.axes.iter().map(|axis| axis.output).product::<usize>() * self.channels
    }

    /// Taps over the picture.
    pub fn space_taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.kernel).product()
    }

    /// Frames of all clips.
    pub fn all_frames(&self) -> usize {
        self.clips * self.frames
    }
}
