//! First values of weights, drawn from a training's own random streams.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Uniform within `bound` of zero.
pub(crate) fn uniform(bound: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..count).map(|_| ((2.0 * rng.random::<f64>() - 1.0) * bound) as f32).collect()
}
