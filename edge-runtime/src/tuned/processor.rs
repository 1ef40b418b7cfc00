//! Which processor this is, as far as the speed of kernels depends on it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use vad_infer::Kernels;

/// Name and vector instructions of a processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Processor(String);

/// Lines of `/proc/cpuinfo` that name a kind of core. ARM has no model name but numbers, which differ between the cores of
/// one board.
const NAMES: [&str; 5] = ["model name", "CPU implementer", "CPU variant", "CPU part", "Hardware"];

/// Lines with the instructions that a core has.
const FEATURES: [&str; 2] = ["flags", "Features"];

/// Beginnings of those that kernels use.
const VECTORS: [&str; 10] = ["amx", "asimd", "avx", "bf16", "f16c", "fma", "fphp", "i8mm", "sse", "sve"];

impl Processor {
    /// The one at hand.
    #[must_use]
    pub fn here() -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").ok();
        cpuinfo.as_deref().and_then(Self::of_cpuinfo).unwrap_or_else(Self::unnamed)
    }

    fn of_cpuinfo(text: &str) -> Option<Self> {
        let lines = || {
            text.lines()
                .filter_map(|line| line.split_once(':'))
                .map(|(key, value)| (key.trim(), value.trim()))
        };
        let names: BTreeSet<&str> =
            lines().filter(|(key, _)| NAMES.contains(key)).map(|(_, value)| value).collect();
        let features = lines().filter(|(key, _)| FEATURES.contains(key));
        let vectors: BTreeSet<&str> = features
            .flat_map(|(_, value)| value.split_whitespace())
            .filter(|feature| VECTORS.iter().any(|vector| feature.starts_with(vector)))
            .collect();
        let joined = |words: BTreeSet<&str>| words.into_iter().collect::<Vec<_>>().join(" ");
        (!names.is_empty()).then(|| Self(format!("{}: {}", joined(names), joined(vectors))))
    }

    /// Where the system tells nothing.
    fn unnamed() -> Self {
        let kernels: Vec<_> = Kernels::available().into_iter().map(Kernels::name).collect();
        Self(format!("{}: {}", std::env::consts::ARCH, kernels.join(" ")))
    }
}

/// Its name alone.
impl fmt::Display for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.split(": ").next().unwrap_or(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86: &str = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu sse2 avx2 fma hypervisor\n\n\
                       processor\t: 1\nmodel name\t: AMD EPYC\nflags\t\t: fpu sse2 avx2 fma hypervisor\n";

    #[test]
    fn a_processor_is_its_name_and_its_vectors() {
        let processor = Processor::of_cpuinfo(X86).unwrap();
        assert_eq!(processor, Processor("AMD EPYC: avx2 fma sse2".to_owned()));
        assert_eq!(processor.to_string(), "AMD EPYC");
        let other = X86.replace("avx2", "avx2 avx512f");
        assert_ne!(Processor::of_cpuinfo(&other).unwrap(), processor, "another machine of that name");
        let slower = X86.replace("processor\t: 1", "processor\t: 1\ncpu MHz\t\t: 800.0");
        assert_eq!(Processor::of_cpuinfo(&slower).unwrap(), processor);
    }

    #[test]
    fn unlike_cores_of_a_board_all_count() {
        let core = |part: &str| {
            format!("Features\t: fp asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n")
        };
        let (little, both) = (core("0xd05"), core("0xd05") + &core("0xd0b"));
        let processor = Processor::of_cpuinfo(&both).unwrap();
        assert_eq!(processor, Processor("0x41 0xd05 0xd0b: asimd asimddp".to_owned()));
        assert_ne!(processor, Processor::of_cpuinfo(&little).unwrap());
    }

    #[test]
    fn a_system_that_tells_nothing_still_has_a_name() {
        assert!(Processor::of_cpuinfo("").is_none());
        assert!(Processor::unnamed().to_string().starts_with(std::env::consts::ARCH));
        assert_eq!(Processor::here(), Processor::here());
    }
}
