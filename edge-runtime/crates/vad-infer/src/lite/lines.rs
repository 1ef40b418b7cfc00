//! Values that begin with a cache line, so that no vector lies on two of them.

use std::ops::{Deref, DerefMut};

/// Length of a cache line, and of the widest vector, in bytes.
const LINE: usize = 64;

/// A slice of fixed length.
#[derive(Debug)]
pub(super) struct Lines {
    /// Does not move when this is moved, so `first` stays right; it must not grow.
    room: Vec<f32>,
    first: usize,
    len: usize,
}

impl Lines {
    pub(super) fn zeros(len: usize) -> Self {
        let room = vec![0.0; len + LINE / size_of::<f32>()];
        // What cannot be aligned is slower, not wrong.
        let first = room.as_ptr().align_offset(LINE).min(room.len() - len);
        Self { room, first, len }
    }

    pub(super) fn of(values: &[f32]) -> Self {
        let mut lines = Self::zeros(values.len());
        lines.copy_from_slice(values);
        lines
    }
}

impl Deref for Lines {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.room[self.first..self.first + self.len]
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.room[self.first..self.first + self.len]
    }
}
