//! Values made by a hash, so that full-size networks can be compared without storing their weights.

/// `len` values in `[lo, hi)` for the tensor `name`:
/// `value[i] = float32(lo + (hi - lo) * u[i])`, computed in float64, with `u[i] = (z >> 40) * 2^-24`,
/// `z = splitmix64 finaliser of (S + (i + 1) * 0x9E3779B97F4A7C15)` and `S = FNV1a64(name) XOR case_seed`.
/// `i` runs over the row-major flat index.
pub fn hashed_values(name: &str, case_seed: u64, len: usize, lo: f64, hi: f64) -> Vec<f32> {
    let start = fnv1a64(name.as_bytes()) ^ case_seed;
    let mut counter = start;
    (0..len)
        .map(|_| {
            counter = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let unit = (splitmix64(counter) >> 40) as f64 / (1_u64 << 24) as f64;
            (lo + (hi - lo) * unit) as f32
        })
        .collect()
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

fn splitmix64(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
