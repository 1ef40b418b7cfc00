//! The vectors of the processor at hand.

use pulp::{Simd, WithSimd};

/// Channels of a map are filled up with zeros to a multiple of this: the widest vector there is, in f32.
pub(super) const LANES: usize = 16;

/// `count` channels with the zeros that fill them up.
pub(super) fn padded(count: usize) -> usize {
    count.next_multiple_of(LANES)
}

/// A set of vector instructions that this processor has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
    /// What the compiler makes of it.
    Any,
}

impl Isa {
    /// All, the fastest first.
    pub(super) fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let special = [pulp::x86::V4::try_new().map(Self::Avx512), pulp::x86::V3::try_new().map(Self::Avx2)];
        #[cfg(target_arch = "aarch64")]
        let special = [pulp::aarch64::Neon::try_new().map(Self::Neon)];
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let special: [Option<Self>; 0] = [];
        special.into_iter().flatten().chain([Self::Any]).collect()
    }

    pub(super) fn best() -> Self {
        Self::available().first().copied().unwrap_or(Self::Any)
    }

    pub(super) fn run<Op: WithSimd>(self, op: Op) -> Op::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(simd) => Simd::vectorize(simd, op),
            Self::Any => Simd::vectorize(pulp::Scalar256b, op),
        }
    }
}
