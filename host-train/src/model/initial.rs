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

/// Normal with deviation `sqrt(2 / (fan_in + fan_out))`.
pub(super) fn xavier_normal(fan_in: usize, fan_out: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    normal((2.0 / (fan_in + fan_out).max(1) as f64).sqrt(), fan_in * fan_out, rng)
}

/// Normal around zero, by Box and Muller.
pub(crate) fn normal(deviation: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt() * deviation;
        let (sine, cosine) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        values.extend([(radius * cosine) as f32, (radius * sine) as f32]);
    }
    values.truncate(count);
    values
}
