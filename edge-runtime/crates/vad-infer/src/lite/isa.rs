//! The vectors of the processor at hand.

use std::any::TypeId;

use pulp::{Simd, WithSimd};

use super::dots::{Dots, WithDots};
use crate::Kernels;

/// Channels of a map are filled up with zeros to a multiple of this: the widest vector there is, in f32.
pub(super) const LANES: usize = 16;

/// `count` channels with the zeros that fill them up.
pub(crate) fn padded(count: usize) -> usize {
    count.next_multiple_of(LANES)
}

/// A set of vector instructions that this processor has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Isa {
    /// AVX-512 with products of 8-bit integers.
    #[cfg(target_arch = "x86_64")]
    Vnni(super::dots::Vnni),
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
    pub(crate) fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let special = [
            super::dots::Vnni::try_new().map(Self::Vnni),
            pulp::x86::V4::try_new().map(Self::Avx512),
            pulp::x86::V3::try_new().map(Self::Avx2),
        ];
        #[cfg(target_arch = "aarch64")]
        let special = [pulp::aarch64::Neon::try_new().map(Self::Neon)];
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let special: [Option<Self>; 0] = [];
        special.into_iter().flatten().chain([Self::Any]).collect()
    }

    pub(crate) fn best() -> Self {
        Self::available().first().copied().unwrap_or(Self::Any)
    }

    /// The public name of its kernels.
    pub(crate) fn kernels(self) -> Kernels {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vnni(_) => Kernels::Avx512Vnni,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Kernels::Avx512,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Kernels::Avx2,
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => Kernels::Neon,
            Self::Any => Kernels::Portable,
        }
    }

    pub(super) fn run<Op: WithSimd>(self, op: Op) -> Op::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vnni(dots) => Simd::vectorize(dots.simd(), op),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(simd) => Simd::vectorize(simd, op),
            Self::Any => Simd::vectorize(pulp::Scalar256b, op),
        }
    }

    /// As [`Self::run`], for products of integers.
    pub(super) fn run_dots<Op: WithDots>(self, op: Op) -> Op::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vnni(dots) => dots.run(op),
            // Vectors of 512 bits would not pay for a processor that has them, but no such products.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => Simd::vectorize(*simd, Under(*simd, op)),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => Simd::vectorize(simd, Under(simd, op)),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(simd) => Simd::vectorize(simd, Under(simd, op)),
            Self::Any => Simd::vectorize(pulp::Scalar256b, Under(pulp::Scalar256b, op)),
        }
    }
}

/// `a * b + c`, rounded once where an instruction does that.
#[inline(always)]
pub(super) fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    // For any processor it would be a call for each value, a hundred times as slow; known when this is compiled.
    if TypeId::of::<S>() == TypeId::of::<pulp::Scalar256b>() {
        simd.add_f32s(simd.mul_f32s(a, b), c)
    } else {
        simd.mul_add_e_f32s(a, b, c)
    }
}

/// Compiles work on integers for the vectors that have a token.
struct Under<D, Op>(D, Op);

impl<D: Dots, Op: WithDots> WithSimd for Under<D, Op> {
    type Output = Op::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Op::Output {
        self.1.with_dots(self.0)
    }
}
