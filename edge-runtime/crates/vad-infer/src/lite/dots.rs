//! Products of 8-bit integers, summed exactly in 32 bits, in the vectors of each instruction set.
//!
//! Inputs lie in *words* of 32 bits: four of 8 bits where one instruction multiplies and adds four of them (AVX-512 VNNI),
//! else two, widened to 16 bits. A word stands for a whole vector of outputs and meets a vector of weights with as many
//! for each output. Every instruction set gives the same sums.

use pulp::Simd;

/// What a kernel for integers asks of an instruction set.
pub(super) trait Dots: Copy {
    type Simd: Simd;

    /// Inputs in a word.
    const INPUTS: usize;

    /// Its vectors of f32.
    fn simd(self) -> Self::Simd;

    /// Where the weight of an input of a word and an output of a vector lies among the vector's weights.
    fn place(output: usize, input: usize) -> usize {
        output * Self::INPUTS + input
    }

    /// `sums`, and the products of the words' inputs with each output's weights.
    fn dot(self, sums: Sums<Self>, words: Sums<Self>, weights: Sums<Self>) -> Sums<Self>;

    /// Integers as f32.
    fn real(self, sums: Sums<Self>) -> <Self::Simd as Simd>::f32s;

    /// Writes integers of 0 to 255 as words.
    fn store(self, steps: Sums<Self>, words: &mut [i32]);
}

/// Integers of 32 bits.
pub(super) type Sums<D> = <<D as Dots>::Simd as Simd>::i32s;

/// Work that is compiled for each of them.
pub(super) trait WithDots {
    type Output;

    fn with_dots<D: Dots>(self, dots: D) -> Self::Output;
}

/// The words of some weights, `[inputs]` for each output of a vector, inputs of one word only.
pub(super) fn weight_words<D: Dots>(weights: &[Vec<i8>]) -> Vec<i32> {
    let lanes = D::Simd::F32_LANES;
    let width_bits = 32 / D::INPUTS;
    let mut words = vec![0_u32; lanes];
    for (output, weights) in weights.iter().enumerate() {
        for (input, &weight) in weights.iter().enumerate() {
            let place = D::place(output, input);
            let bits = i32::from(weight).cast_unsigned() & (u32::MAX >> (32 - width_bits));
            words[place / D::INPUTS] |= bits << (place % D::INPUTS * width_bits);
        }
    }
    words.into_iter().map(u32::cast_signed).collect()
}

/// AVX-512 with `vpdpbusd`: four products of each lane at once.
#[cfg(target_arch = "x86_64")]
mod vnni {
    use core::arch::x86_64::{__m512i, _mm512_dpbusd_epi32};

    use archmage::{SimdToken, X64V4xToken, arcane};
    use pulp::cast;
    use pulp::x86::V4;

    use super::{Dots, Sums, WithDots};

    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Vnni {
        simd: V4,
        token: X64V4xToken,
    }

    impl Vnni {
        /// Nothing where the processor has no such instructions.
        pub(in super::super) fn try_new() -> Option<Self> {
            Some(Self { simd: V4::try_new()?, token: X64V4xToken::summon()? })
        }

        pub(in super::super) fn run<Op: WithDots>(self, op: Op) -> Op::Output {
            under(self.token, self, op)
        }
    }

    /// Compiles `op` for the processor of the token.
    #[arcane]
    fn under<Op: WithDots>(_token: X64V4xToken, dots: Vnni, op: Op) -> Op::Output {
        op.with_dots(dots)
    }

    #[arcane]
    #[inline(always)]
    fn dpbusd(_token: X64V4xToken, sums: __m512i, inputs: __m512i, weights: __m512i) -> __m512i {
        _mm512_dpbusd_epi32(sums, inputs, weights)
    }

    impl Dots for Vnni {
        type Simd = V4;

        const INPUTS: usize = 4;

        #[inline(always)]
        fn simd(self) -> V4 {
            self.simd
        }

        #[inline(always)]
        fn dot(self, sums: Sums<Self>, words: Sums<Self>, weights: Sums<Self>) -> Sums<Self> {
            cast!(dpbusd(self.token, cast!(sums), cast!(words), cast!(weights)))
        }

        #[inline(always)]
        fn real(self, sums: Sums<Self>) -> pulp::f32x16 {
            cast!(self.simd.avx512f._mm512_cvtepi32_ps(cast!(sums)))
        }

        #[inline(always)]
        fn store(self, steps: Sums<Self>, words: &mut [i32]) {
            let bytes: [i32; 4] = cast!(self.simd.avx512f._mm512_cvtepi32_epi8(cast!(steps)));
            words.copy_from_slice(&bytes);
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use vnni::Vnni;

/// AVX2: `vpmaddwd`, two products of each lane at once. Its counterpart for 8 bits would saturate.
#[cfg(target_arch = "x86_64")]
impl Dots for pulp::x86::V3 {
    type Simd = Self;

    const INPUTS: usize = 2;

    #[inline(always)]
    fn simd(self) -> Self {
        self
    }

    #[inline(always)]
    fn dot(self, sums: Sums<Self>, words: Sums<Self>, weights: Sums<Self>) -> Sums<Self> {
        let products = self.avx2._mm256_madd_epi16(pulp::cast!(words), pulp::cast!(weights));
        self.add_i32s(sums, pulp::cast!(products))
    }

    #[inline(always)]
    fn real(self, sums: Sums<Self>) -> pulp::f32x8 {
        pulp::cast!(self.avx._mm256_cvtepi32_ps(pulp::cast!(sums)))
    }

    #[inline(always)]
    fn store(self, steps: Sums<Self>, words: &mut [i32]) {
        let steps = pulp::cast!(steps);
        // Each half twice; then the first of either.
        let halves = self.avx2._mm256_packs_epi32(steps, steps);
        let both = self.avx2._mm256_permute4x64_epi64::<0b1000>(halves);
        let pairs: [i32; 4] = pulp::cast!(self.avx._mm256_castsi256_si128(both));
        words.copy_from_slice(&pairs);
    }
}

/// NEON: `smlal`, one product of each lane at once.
#[cfg(target_arch = "aarch64")]
impl Dots for pulp::aarch64::Neon {
    type Simd = Self;

    const INPUTS: usize = 2;

    /// The first weight of every output, then the second.
    fn place(output: usize, input: usize) -> usize {
        input * Self::F32_LANES + output
    }

    #[inline(always)]
    fn simd(self) -> Self {
        self
    }

    #[inline(always)]
    fn dot(self, sums: Sums<Self>, words: Sums<Self>, weights: Sums<Self>) -> Sums<Self> {
        let weights = pulp::cast!(weights);
        let inputs = self.neon.vget_low_s16(pulp::cast!(words));
        let first = self.neon.vget_low_s16(weights);
        let sums = self.neon.vmlal_lane_s16::<0>(pulp::cast!(sums), first, inputs);
        pulp::cast!(self.neon.vmlal_high_lane_s16::<1>(sums, weights, inputs))
    }

    #[inline(always)]
    fn real(self, sums: Sums<Self>) -> pulp::f32x4 {
        pulp::cast!(self.neon.vcvtq_f32_s32(pulp::cast!(sums)))
    }

    #[inline(always)]
    fn store(self, steps: Sums<Self>, words: &mut [i32]) {
        let pairs: [i32; 2] = pulp::cast!(self.neon.vmovn_s32(pulp::cast!(steps)));
        words.copy_from_slice(&pairs);
    }
}

/// What the compiler makes of it.
impl Dots for pulp::Scalar256b {
    type Simd = Self;

    const INPUTS: usize = 2;

    #[inline(always)]
    fn simd(self) -> Self {
        self
    }

    #[inline(always)]
    fn dot(self, sums: Sums<Self>, words: Sums<Self>, weights: Sums<Self>) -> Sums<Self> {
        let (mut sums, words, weights): ([i32; 8], [[i16; 2]; 8], [[i16; 2]; 8]) =
            (pulp::cast!(sums), pulp::cast!(words), pulp::cast!(weights));
        for lane in 0..sums.len() {
            for input in 0..Self::INPUTS {
                sums[lane] += i32::from(words[lane][input]) * i32::from(weights[lane][input]);
            }
        }
        pulp::cast!(sums)
    }

    #[inline(always)]
    fn real(self, sums: Sums<Self>) -> pulp::f32x8 {
        let sums: [i32; 8] = pulp::cast!(sums);
        pulp::cast!(sums.map(|sum| sum as f32))
    }

    #[inline(always)]
    fn store(self, steps: Sums<Self>, words: &mut [i32]) {
        let pairs: [[i32; 2]; 4] = pulp::cast!(steps);
        for (word, [low, high]) in words.iter_mut().zip(pairs) {
            *word = low | high << 16;
        }
    }
}
