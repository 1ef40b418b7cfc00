//! Dropout masks drawn from the training's own random streams, so that a resumed run repeats them exactly.

use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// Factors that are 0 for dropped units and `1 / (1 - rate)` for kept ones.
#[derive(Clone, Debug)]
pub struct Mask(Tensor<2>);

impl Mask {
    /// Draws a mask of shape `[rows, units]`; `None` when nothing is dropped.
    ///
    /// `rate` is the share of dropped units, in 0..1; it is realised to a multiple of 2^-16.
    pub fn draw(rate: f64, rows: usize, units: usize, rng: &mut ChaCha8Rng, device: &Device) -> Option<Self> {
        if rate <= 0.0 {
            return None;
        }
        let data = TensorData::new(draw_factors(rate, rows * units, rng), [rows, units]);
        Some(Self(Tensor::from_data(data, device)))
    }

    /// Takes factors `[rows, units]` that were drawn elsewhere, for example by a stored reference.
    pub fn from_factors(factors: Tensor<2>) -> Self {
        Self(factors)
    }

    /// The factors, `[rows, units]`.
    pub fn into_tensor(self) -> Tensor<2> {
        self.0
    }
}

fn draw_factors(rate: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let keep = 1.0 / (1.0 - rate) as f32;
    let threshold = (rate * 65_536.0).round().clamp(0.0, 65_535.0) as u16;
    let mut bytes = vec![0_u8; count * 2];
    rng.fill_bytes(&mut bytes);
    bytes
        .chunks_exact(2)
        .map(|pair| if u16::from_le_bytes([pair[0], pair[1]]) >= threshold { keep } else { 0.0 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn the_share_of_dropped_units_and_the_mean_are_right() {
        let factors = draw_factors(0.6, 1 << 18, &mut stream(7, Purpose::Dropout, 0));
        let dropped = factors.iter().filter(|factor| **factor == 0.0).count() as f64 / factors.len() as f64;
        let mean = factors.iter().map(|factor| f64::from(*factor)).sum::<f64>() / factors.len() as f64;
        // Five standard deviations of 2^18 draws.
        assert!((dropped - 0.6).abs() < 0.005, "{dropped}");
        assert!((mean - 1.0).abs() < 0.013, "{mean}");
    }

    #[test]
    fn nothing_is_dropped_at_rate_zero() {
        let mut rng = stream(7, Purpose::Dropout, 0);
        assert!(Mask::draw(0.0, 4, 4, &mut rng, &Device::flex()).is_none());
    }
}
