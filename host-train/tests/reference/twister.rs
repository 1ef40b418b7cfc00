//! The random numbers that PyTorch draws on processors. Where a case does not hold the weights that it began with, they are
//! drawn anew from its seed.

use std::f64::consts::TAU;

use golden::Case;
use watchpost::tensors::Array;

/// Normal values are drawn so many at a time: eight radii, then eight angles.
const NORMAL_BLOCK: usize = 16;

/// MT19937 (Matsumoto and Nishimura, 1998).
pub struct Twister {
    state: [u32; 624],
    next: usize,
}

impl Twister {
    /// From a case's seed.
    pub fn of(case: &Case) -> Self {
        let seed = case.meta()["seed"].as_u64().and_then(|seed| u32::try_from(seed).ok());
        Self::new(seed.unwrap_or_else(|| panic!("{}: no `seed`", case.name())))
    }

    fn new(seed: u32) -> Self {
        let mut state = [seed; 624];
        for at in 1..state.len() {
            let before = state[at - 1];
            state[at] = 1_812_433_253_u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(at as u32);
        }
        Self { next: state.len(), state }
    }

    fn twist(&mut self) {
        let count = self.state.len();
        for at in 0..count {
            let joined = (self.state[at] & 0x8000_0000) | (self.state[(at + 1) % count] & 0x7FFF_FFFF);
            let odd = if joined % 2 == 1 { 0x9908_B0DF } else { 0 };
            self.state[at] = self.state[(at + 397) % count] ^ (joined >> 1) ^ odd;
        }
        self.next = 0;
    }

    fn draw(&mut self) -> u32 {
        if self.next == self.state.len() {
            self.twist();
        }
        let mut bits = self.state[self.next];
        self.next += 1;
        bits ^= bits >> 11;
        bits ^= (bits << 7) & 0x9D2C_5680;
        bits ^= (bits << 15) & 0xEFC6_0000;
        bits ^ (bits >> 18)
    }

    /// Within `0..1`: the lowest 24 bits.
    fn unit(&mut self) -> f32 {
        (self.draw() & 0x00FF_FFFF) as f32 / (1_u32 << 24) as f32
    }

    /// Values within `bound` of zero, each scaled and shifted with a single rounding.
    pub fn uniform(&mut self, bound: f32, shape: Vec<usize>) -> Array {
        let values = (0..shape.iter().product()).map(|_| self.unit().mul_add(2.0 * bound, -bound)).collect();
        Array { shape, values }
    }

    /// Normal values around zero (Box and Muller, 1958). PyTorch draws counts that are no multiple of 16 in other ways.
    pub fn normal(&mut self, deviation: f64, shape: Vec<usize>) -> Array {
        let count: usize = shape.iter().product();
        assert_eq!(count % NORMAL_BLOCK, 0, "{shape:?}: drawn in another way");
        let values = (0..count / NORMAL_BLOCK).flat_map(|_| self.normal_block(deviation)).collect();
        Array { shape, values }
    }

    fn normal_block(&mut self, deviation: f64) -> Vec<f32> {
        let units: [f64; NORMAL_BLOCK] = std::array::from_fn(|_| f64::from(self.unit()));
        let (radii, angles) = units.split_at(NORMAL_BLOCK / 2);
        let pairs = || radii.iter().zip(angles).map(|(r, a)| ((-2.0 * (1.0 - r).ln()).sqrt(), TAU * a));
        let (cosines, sines) = (pairs().map(|(r, a)| r * a.cos()), pairs().map(|(r, a)| r * a.sin()));
        cosines.chain(sines).map(|value| (value * deviation) as f32).collect()
    }

    /// Weight and bias of a fresh `Linear` layer.
    pub fn linear(&mut self, inputs: usize, outputs: usize) -> [Array; 2] {
        let bound = (1.0 / (inputs as f64).sqrt()) as f32;
        [vec![outputs, inputs], vec![outputs]].map(|shape| self.uniform(bound, shape))
    }
}
