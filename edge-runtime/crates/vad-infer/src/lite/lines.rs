//! Values that begin with a cache line, so that no vector lies on two of them.

use std::ops::{Deref, DerefMut};

/// Length of a cache line, and of the widest vector, in bytes.
const LINE: usize = 64;

/// A slice of fixed length, of f32 or of words of 8-bit integers.
#[derive(Debug)]
pub(super) struct Lines<T> {
    /// Does not move when this is moved, so `first` stays right; it must not grow.
    room: Vec<T>,
    first: usize,
    len: usize,
}

impl<T: Copy + Default> Lines<T> {
    pub(super) fn zeros(len: usize) -> Self {
        let room = vec![T::default(); len + LINE / size_of::<T>()];
        // What cannot be aligned is slower, not wrong.
        let first = room.as_ptr().align_offset(LINE).min(room.len() - len);
        Self { room, first, len }
    }

    pub(super) fn of(values: &[T]) -> Self {
        let mut lines = Self::zeros(values.len());
        lines.copy_from_slice(values);
        lines
    }
}

impl<T> Deref for Lines<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.room[self.first..self.first + self.len]
    }
}

impl<T> DerefMut for Lines<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.room[self.first..self.first + self.len]
    }
}
