//! Random numbers: ChaCha8 for what is drawn once, an integer hash for what is drawn per pixel.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a stream of random numbers is for. Separate streams keep one part of a scene from moving another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Place = 1,
    Light = 2,
    Crowd = 3,
    Actor = 4,
    Shake = 5,
    Set = 6,
}

/// A seeded stream of random numbers.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose as u64);
        Self(rng)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f32 {
        unit_of(self.0.next_u32())
    }

    /// Uniform in [low, high).
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    pub(crate) fn chance(&mut self, share: f32) -> bool {
        self.unit() < share
    }

    /// -1 or 1.
    pub(crate) fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// Uniform in 0..count; 0 when `count` is 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f32) as usize).min(count.saturating_sub(1))
    }

    /// One of the choices.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T], otherwise: T) -> T {
        choices.get(self.below(choices.len())).copied().unwrap_or(otherwise)
    }
}

fn unit_of(bits: u32) -> f32 {
    (bits >> 8) as f32 / 16_777_216.0
}

/// Mixes 64 bits (the finaliser of SplitMix64).
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in [0, 1) that belongs to the cell (x, y).
pub(crate) fn cell(seed: u64, x: i32, y: i32) -> f32 {
    let key = (u64::from(x as u32) << 32) | u64::from(y as u32);
    unit_of((mix(key ^ mix(seed)) >> 32) as u32)
}

/// Smooth noise in [0, 1) with features one unit wide.
pub(crate) fn value_noise(seed: u64, x: f32, y: f32) -> f32 {
    let (x0, y0) = (x.floor(), y.floor());
    let (fx, fy) = (ease(x - x0), ease(y - y0));
    let (ix, iy) = (x0 as i32, y0 as i32);
    let top = mix_share(cell(seed, ix, iy), cell(seed, ix + 1, iy), fx);
    let bottom = mix_share(cell(seed, ix, iy + 1), cell(seed, ix + 1, iy + 1), fx);
    mix_share(top, bottom, fy)
}

/// Three octaves of smooth noise in [0, 1).
pub(crate) fn cloud_noise(seed: u64, x: f32, y: f32) -> f32 {
    let first = value_noise(seed, x, y);
    let second = value_noise(seed ^ 1, x * 2.1 + 7.3, y * 2.1);
    let third = value_noise(seed ^ 2, x * 4.3, y * 4.3 + 3.1);
    (first * 4.0 + second * 2.0 + third) / 7.0
}

fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

fn mix_share(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let draw = |purpose| Dice::new(7, purpose).bits();
        assert_eq!(draw(Purpose::Crowd), draw(Purpose::Crowd));
        assert_ne!(draw(Purpose::Crowd), draw(Purpose::Actor));
    }

    #[test]
    fn noise_stays_in_its_range() {
        for step in 0..2000 {
            let at = step as f32 * 0.37 - 300.0;
            let value = cloud_noise(3, at, -at * 0.7);
            assert!((0.0..1.0).contains(&value), "{value} at {at}");
        }
    }

    #[test]
    fn a_pick_from_nothing_is_the_fallback() {
        assert_eq!(Dice::new(1, Purpose::Set).pick(&[], 9), 9);
    }
}
