//! First values of weights, drawn from a training's own random streams.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Uniform within `bound` of zero.
pub(crate) fn uniform(bound: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..count).map(|_| ((2.0 * rng.random::<f64>() - 1.0) * bound) as f32).collect()
}

/// Uniform within `sqrt(6 / (fan_in + fan_out))`, for a weight `[outputs, inputs, taps..]`.
pub(super) fn xavier_uniform(shape: &[usize], rng: &mut ChaCha8Rng) -> Vec<f32> {
    let taps: usize = shape.iter().skip(2).product();
    let fans = taps * (shape[0] + shape[1]);
    uniform((6.0 / fans as f64).sqrt(), shape.iter().product(), rng)
}
