//! What an encoder that streams can be run on.

use std::fmt;
use std::str::FromStr;

use crate::lite::Isa;
use crate::prepare::Arithmetic;

/// Kernels of an encoder that streams. All give the same features, but for the order of sums and, in f16, for rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kernels {
    /// Those that should be the fastest on this processor.
    #[default]
    Best,
    /// Ours with AVX-512 and its products of 8-bit integers.
    Avx512Vnni,
    /// Ours with AVX-512; 8-bit integers with AVX2.
    Avx512,
    /// Ours with AVX2.
    Avx2,
    /// Ours with NEON.
    Neon,
    /// Ours as the compiler makes them for any processor.
    Portable,
    /// tract, which computes layers in int8 in f32.
    Tract,
    /// tract with everything between pixels and features in f16, for an encoder whose weights are. Any processor can, those
    /// without such arithmetic very slowly.
    TractF16,
}

/// A name that no kernels have.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` are no kernels; there are {}", Kernels::ALL.map(Kernels::name).join(", "))]
pub struct UnknownKernels {
    /// What was read.
    pub name: String,
}

impl Kernels {
    /// Those of any processor.
    pub const ALL: [Self; 8] = [
        Self::Best,
        Self::Avx512Vnni,
        Self::Avx512,
        Self::Avx2,
        Self::Neon,
        Self::Portable,
        Self::Tract,
        Self::TractF16,
    ];

    /// Those that this processor has instructions for, ours first, of them the ones with the widest vectors first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let ours = Isa::available().into_iter().map(Isa::kernels);
        ours.chain([Self::Tract]).chain(has_f16_arithmetic().then_some(Self::TractF16)).collect()
    }

    /// Whether this processor can run them, however slowly.
    #[must_use]
    pub fn is_available(self) -> bool {
        matches!(self, Self::Best | Self::TractF16) || Self::available().contains(&self)
    }

    /// Whether they are tract's.
    #[must_use]
    pub fn are_of_tract(self) -> bool {
        self.on_tract().is_some()
    }

    /// A name for people and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Avx512Vnni => "avx512-vnni",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
            Self::Tract => "tract",
            Self::TractF16 => "tract-f16",
        }
    }

    /// The numbers that tract computes with; nothing for ours.
    pub(crate) fn on_tract(self) -> Option<Arithmetic> {
        match self {
            Self::Tract => Some(Arithmetic::F32),
            Self::TractF16 => Some(Arithmetic::F16),
            _ => None,
        }
    }

    /// The vectors of ours; nothing where the processor lacks them, or for tract.
    pub(crate) fn isa(self) -> Option<Isa> {
        match self {
            Self::Best => Some(Isa::best()),
            other => Isa::available().into_iter().find(|isa| isa.kernels() == other),
        }
    }
}

/// Whether the processor adds and multiplies in f16: ARMv8.2 and later, where the maker chose so.
fn has_f16_arithmetic() -> bool {
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("fp16");
    #[cfg(not(target_arch = "aarch64"))]
    let has = false;
    has
}

impl FromStr for Kernels {
    type Err = UnknownKernels;

    fn from_str(name: &str) -> Result<Self, UnknownKernels> {
        let known = Self::ALL.into_iter().find(|kernels| kernels.name() == name);
        known.ok_or_else(|| UnknownKernels { name: name.to_owned() })
    }
}

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for kernels in Kernels::ALL {
            assert_eq!(kernels.name().parse::<Kernels>().unwrap(), kernels);
        }
        assert!(Kernels::available().iter().all(|kernels| Kernels::ALL.contains(kernels)));
        assert!(Kernels::available().into_iter().all(Kernels::is_available));
        let error = "sse9".parse::<Kernels>().unwrap_err().to_string();
        assert!(error.contains("sse9") && error.contains("avx2, neon"), "{error}");
    }

    #[test]
    fn f16_is_not_offered_where_it_is_slow() {
        assert_eq!(Kernels::available().contains(&Kernels::TractF16), has_f16_arithmetic());
        assert!(!cfg!(target_arch = "x86_64") || !has_f16_arithmetic());
        assert!(Kernels::TractF16.is_available(), "asked for by name");
    }
}
