//! What an encoder that streams can be run on.

use std::fmt;
use std::str::FromStr;

use crate::lite::Isa;

/// Kernels of an encoder that streams. All give the same features, but for the order of sums.
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
    pub const ALL: [Self; 7] =
        [Self::Best, Self::Avx512Vnni, Self::Avx512, Self::Avx2, Self::Neon, Self::Portable, Self::Tract];

    /// Those of this processor, ours first, of them the ones with the widest vectors first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Isa::available().into_iter().map(Isa::kernels).chain([Self::Tract]).collect()
    }

    /// Whether this processor has them.
    #[must_use]
    pub fn is_available(self) -> bool {
        self == Self::Best || Self::available().contains(&self)
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
        let error = "sse9".parse::<Kernels>().unwrap_err().to_string();
        assert!(error.contains("sse9") && error.contains("avx2, neon"), "{error}");
    }
}
