//! Every random draw of a training, as a pure function of seed, purpose and counter.
//!
//! A draw at step 700 does not depend on how the first 699 steps were run, so a checkpoint needs no generator
//! state beyond the seed and the step, and resuming is exact. burn's own generator is not used: it is one
//! per process and its state cannot be saved.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// What a stream of random numbers is for. Streams of different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights; the counter is the index of the layer.
    Weights,
    /// The order of the abnormal videos; the counter is the epoch.
    AbnormalOrder,
    /// The order of the normal videos; the counter is the epoch.
    NormalOrder,
    /// Shifts of the sampled sub-bags; the counter is the step.
    Sampling,
    /// Dropout masks; the counter is the step.
    Dropout,
    /// The order of windows of footage; the counter is the pass.
    Footage,
    /// Windows that layers in int8 learn on; the counter is the step.
    Rounding,
    /// Dropout masks of scoring a video many times over; the counter is the round and the video.
    RepeatedScoring,
}

impl Purpose {
    fn tag(self) -> &'static [u8] {
        match self {
            Self::Weights => b"weights",
            Self::AbnormalOrder => b"abnormal order",
            Self::NormalOrder => b"normal order",
            Self::Sampling => b"sampling",
            Self::Dropout => b"dropout",
            Self::Footage => b"footage",
            Self::Rounding => b"rounding",
            Self::RepeatedScoring => b"repeated scoring",
        }
    }
}

/// The generator for one purpose at one counter value: ChaCha8 keyed by SHA-256 of seed and purpose, with
/// the counter as its stream number.
pub fn stream(seed: u64, purpose: Purpose, counter: u64) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(b"watchpost random stream 1\0");
    hash.update(seed.to_le_bytes());
    hash.update(purpose.tag());
    let mut rng = ChaCha8Rng::from_seed(hash.finalize().into());
    rng.set_stream(counter);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::RngCore;

    #[test]
    fn streams_differ_by_seed_purpose_and_counter_and_repeat() {
        let first = |seed, purpose, counter| stream(seed, purpose, counter).next_u64();
        let base = first(1, Purpose::Dropout, 5);
        assert_eq!(base, first(1, Purpose::Dropout, 5));
        assert_ne!(base, first(2, Purpose::Dropout, 5));
        assert_ne!(base, first(1, Purpose::Sampling, 5));
        assert_ne!(base, first(1, Purpose::Dropout, 6));
    }
}
