//! One encoder in several copies, for machines with several graphics cards.

use crate::{ClipEncoder, DataError, EncodeError, FrameStream};

/// Copies of one encoder, each on a device of its own; at least one.
///
/// Of an extraction's workers, each keeps to one copy, in turn: a card's memory pools belong to the threads that use it, so
/// threads that went from card to card would fill each card with the pools of all of them.
#[derive(Debug)]
pub struct Replicas<E> {
    first: E,
    others: Vec<E>,
}

impl<E: ClipEncoder> Replicas<E> {
    /// Takes the copies.
    ///
    /// # Errors
    /// When they are not copies of one encoder: the file was replaced while it was loaded.
    pub fn new(first: E, others: Vec<E>) -> Result<Self, DataError> {
        if others
            .iter()
            .any(|other| other.hash() != first.hash() || other.feature_dim() != first.feature_dim())
        {
            let problem =
                "the copies of the encoder differ: its file was replaced while it was loaded; start again";
            return Err(DataError::Request { problem: problem.to_owned() });
        }
        Ok(Self { first, others })
    }

    /// The first copy, for what is done once.
    pub fn first(&self) -> &E {
        &self.first
    }

    /// All copies.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn of(&self, worker: usize) -> &E {
        match worker % (1 + self.others.len()) {
            0 => &self.first,
            turn => self.others.get(turn - 1).unwrap_or(&self.first),
        }
    }
}

impl<E: ClipEncoder> ClipEncoder for Replicas<E> {
    fn feature_dim(&self) -> usize {
        self.first.feature_dim()
    }

    fn hash(&self) -> [u8; 32] {
        self.first.hash()
    }

    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        self.first.encode(clip)
    }

    fn encode_batch(&self, clips: &[f32], count: usize) -> Result<Vec<f32>, EncodeError> {
        self.first.encode_batch(clips, count)
    }

    fn encode_for(&self, worker: usize, clips: &[f32], count: usize) -> Result<Vec<f32>, EncodeError> {
        self.of(worker).encode_batch(clips, count)
    }

    fn stream(&self) -> Result<Option<Box<dyn FrameStream>>, EncodeError> {
        self.first.stream()
    }
}
