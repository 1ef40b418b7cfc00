//! Cutting a stream of resized frames into the clips an encoder reads.
//!
//! # Terms
//!
//! - *clip*: `T = frames` consecutive frames. Clip `k` begins at frame `k * stride`.
//! - *tail*: the last clip of a stream that ends inside it; missing frames repeat the last one.
//!
//! # Equations
//!
//! A stream of `N` frames has `full = floor((N - T) / S) + 1` full clips (0 when `N < T`), which
//! cover frames `0 .. (full - 1) * S + T`. When frames remain beyond that, and only then, one tail
//! follows: clip `full`, from frame `full * S` to the last. Since `S <= T`, no frame is left out.

use alloc::{vec, vec::Vec};
use core::ops::Range;

use serde::{Deserialize, Serialize};

use crate::spec::{SpecError, check_range};
use crate::units::{FrameIndex, MediaTimeMs};

/// Most frames in a clip. It bounds the memory of a [`ClipWindow`].
pub const MAX_CLIP_FRAMES: u16 = 512;

/// Length of clips and distance between their beginnings, both in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipSpec {
    /// Frames in a clip, 1 to [`MAX_CLIP_FRAMES`].
    pub frames: u16,
    /// Frames from the beginning of a clip to that of the next, 1 to `frames`.
    pub stride: u16,
}

/// Which frames of its stream a clip shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipSpan {
    /// Number of the clip in its stream, from 0.
    pub index: u64,
    /// First frame shown.
    pub first_frame: FrameIndex,
    /// Frames shown, without the padding of a tail; 1 to [`ClipSpec::frames`].
    pub frames: u16,
}

impl ClipSpec {
    /// Clips as I3D and MIST use them: 16 frames, no overlap.
    #[must_use]
    pub fn i3d() -> Self {
        Self { frames: 16, stride: 16 }
    }

    /// Checks both fields.
    ///
    /// # Errors
    ///
    /// The first field that is out of its range, by its full name.
    pub fn validate(&self) -> Result<(), SpecError> {
        check_range("clip.frames", self.frames.into(), 1.0..=f64::from(MAX_CLIP_FRAMES))?;
        check_range("clip.stride", self.stride.into(), 1.0..=f64::from(self.frames))
    }

    /// Clips of a whole stream of `stream_frames` frames, in order, the tail included.
    ///
    /// This is the batch form of [`ClipWindow`]. A spec that [`Self::validate`] refuses has none.
    pub fn spans(&self, stream_frames: u64) -> impl Iterator<Item = ClipSpan> + use<> {
        let (frames, stride) = (u64::from(self.frames), u64::from(self.stride));
        let count = if self.validate().is_err() || stream_frames == 0 {
            0
        } else {
            stream_frames.saturating_sub(frames).div_ceil(stride) + 1
        };
        (0..count).map(move |index| {
            let first = index * stride;
            // At most `frames`, so the cast is lossless.
            let shown = frames.min(stream_frames - first) as u16;
            ClipSpan { index, first_frame: FrameIndex(first), frames: shown }
        })
    }
}

impl ClipSpan {
    /// Indices of the frames shown.
    #[must_use]
    pub fn frame_range(&self) -> Range<u64> {
        self.first_frame.0..self.first_frame.0.saturating_add(self.frames.into())
    }

    /// Media time at which the clip begins and at which it ends (the begin of the frame after it),
    /// in a stream of constant rate; see [`FrameIndex::media_time`].
    #[must_use]
    pub fn media_span(&self, frame_rate_hz: f64) -> (MediaTimeMs, MediaTimeMs) {
        let Range { start, end } = self.frame_range();
        (FrameIndex(start).media_time(frame_rate_hz), FrameIndex(end).media_time(frame_rate_hz))
    }
}

/// A ring of the last `T` frames of a stream, resized pixels or features, which says when a clip is complete.
///
/// ```
/// use vad_core::{ClipSpec, ClipWindow};
///
/// let mut window = ClipWindow::new(ClipSpec { frames: 2, stride: 2 }, 3)?;
/// assert_eq!(window.push(&[1, 1, 1]), None);
/// assert!(window.push(&[2, 2, 2]).is_some());
/// assert_eq!(window.frames().map(|frame| frame[0]).collect::<Vec<_>>(), [1, 2]);
/// window.push(&[3, 3, 3]);
/// assert!(window.finish().is_some()); // the tail: frame 3 shown twice
/// assert_eq!(window.frames().map(|frame| frame[0]).collect::<Vec<_>>(), [3, 3]);
/// # Ok::<(), vad_core::SpecError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClipWindow<V = u8> {
    spec: ClipSpec,
    frame_len: usize,
    /// `[T, frame_len]`; frame `i` of the stream lies in slot `i % T`.
    ring: Vec<V>,
    pushed: u64,
    clips: u64,
    ready: Option<ClipSpan>,
}

impl<V: Copy + Default> ClipWindow<V> {
    /// A window over frames of `frame_len` values. It allocates `frames * frame_len` of them once.
    ///
    /// # Errors
    ///
    /// Those of [`ClipSpec::validate`], and a `frame_len` of 0 or beyond the address space.
    pub fn new(spec: ClipSpec, frame_len: usize) -> Result<Self, SpecError> {
        spec.validate()?;
        let most = isize::MAX as usize / size_of::<V>().max(1) / usize::from(spec.frames);
        check_range("length of a frame", frame_len as f64, 1.0..=most as f64)?;
        let ring = vec![V::default(); usize::from(spec.frames) * frame_len];
        Ok(Self { spec, frame_len, ring, pushed: 0, clips: 0, ready: None })
    }

    /// The spec in force.
    #[must_use]
    pub fn spec(&self) -> ClipSpec {
        self.spec
    }

    /// Frames pushed since the stream began.
    #[must_use]
    pub fn frames_pushed(&self) -> u64 {
        self.pushed
    }

    /// Copies one frame in; returns the clip that it completes.
    ///
    /// # Panics
    ///
    /// When `frame` has not the length that the window was built for: a defect of the caller.
    pub fn push(&mut self, frame: &[V]) -> Option<ClipSpan> {
        self.slot_mut().copy_from_slice(frame);
        self.commit()
    }

    /// As [`Self::push`], but lets `fill` write the frame in place, which saves a copy.
    ///
    /// # Errors
    ///
    /// That of `fill`; the stream then goes on as if this call had not happened.
    pub fn push_with<E>(
        &mut self,
        fill: impl FnOnce(&mut [V]) -> Result<(), E>,
    ) -> Result<Option<ClipSpan>, E> {
        fill(self.slot_mut())?;
        Ok(self.commit())
    }

    /// Ends the stream; returns its tail, or nothing when every frame is covered already. The next
    /// push begins a new stream at clip 0 and frame 0.
    pub fn finish(&mut self) -> Option<ClipSpan> {
        let first = self.clips * u64::from(self.spec.stride);
        let covered = match self.clips.checked_sub(1) {
            Some(last) => last * u64::from(self.spec.stride) + u64::from(self.spec.frames),
            None => 0,
        };
        self.ready = (self.pushed > covered).then(|| ClipSpan {
            index: self.clips,
            first_frame: FrameIndex(first),
            // Less than `frames`, or the clip would have been complete.
            frames: (self.pushed - first) as u16,
        });
        self.pushed = 0;
        self.clips = 0;
        self.ready
    }

    /// Forgets the stream, without a tail. The next push begins a new one.
    pub fn reset(&mut self) {
        self.pushed = 0;
        self.clips = 0;
        self.ready = None;
    }

    /// The frames of the clip that the latest call of push or finish returned, oldest first, with
    /// the tail's padding; empty when it returned none.
    ///
    /// # Shapes
    ///
    /// [`ClipSpec::frames`] slices of the window's frame length.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = &[V]> {
        let count = if self.ready.is_some() { self.spec.frames } else { 0 };
        let (first, shown) = self.ready.map_or((0, 1), |span| (span.first_frame.0, span.frames));
        (0..count).map(move |i| self.slot(first + u64::from(i.min(shown - 1))))
    }

    fn commit(&mut self) -> Option<ClipSpan> {
        self.pushed += 1;
        let first = self.clips * u64::from(self.spec.stride);
        let complete = self.pushed == first + u64::from(self.spec.frames);
        self.ready = complete.then_some(ClipSpan {
            index: self.clips,
            first_frame: FrameIndex(first),
            frames: self.spec.frames,
        });
        self.clips += u64::from(complete);
        self.ready
    }

    fn slot_begin(&self, frame: u64) -> usize {
        // Less than `frames`, which is 16 bits wide.
        (frame % u64::from(self.spec.frames)) as usize * self.frame_len
    }

    fn slot(&self, frame: u64) -> &[V] {
        let begin = self.slot_begin(frame);
        &self.ring[begin..begin + self.frame_len]
    }

    fn slot_mut(&mut self) -> &mut [V] {
        self.ready = None;
        let begin = self.slot_begin(self.pushed);
        &mut self.ring[begin..begin + self.frame_len]
    }
}
