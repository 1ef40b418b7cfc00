//! The compute devices that `--device` can name, chosen at run time among those compiled in.
//!
//! The device is always explicit: burn's default device depends on which features happen to be enabled.

mod list;

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use thiserror::Error;

pub use list::{DeviceList, OpenDevices};

/// A kind of device, which is also a Cargo feature (except [`Backend::Cpu`], which needs none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// burn's maintained processor backend (flex), threaded and vectorised. Always compiled in.
    Cpu,
    /// The older `burn-ndarray` processor backend, kept for compatibility (feature `ndarray`).
    Ndarray,
    /// Any graphics card that Vulkan, Metal or DirectX reach (feature `wgpu`).
    Wgpu,
    /// An NVIDIA card (feature `cuda`).
    Cuda,
}

/// One compute device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// All cores of the processor: `cpu`.
    #[default]
    Cpu,
    /// The same by the older backend: `ndarray`.
    Ndarray,
    /// `wgpu:N` is discrete card N as the graphics interface counts them, from 0; `wgpu` alone is the card that it holds for
    /// the best, an integrated one where there is no other.
    Wgpu(Option<usize>),
    /// `cuda:N` is card N as the driver counts them, from 0; `cuda` alone is `cuda:0`.
    Cuda(usize),
}

/// Why a device cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DeviceError {
    /// No device has this name.
    #[error(
        "unknown device \"{name}\": use one of cpu, ndarray, wgpu, cuda, or a card by its number such as cuda:1 \
         (compiled into this program: {compiled})"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The devices that would work, comma separated.
        compiled: String,
    },
    /// What stands behind the colon is no number of a card.
    #[error("device \"{given}\": a card is named by its number, from 0, such as {backend}:1")]
    Index {
        /// What was asked for.
        given: String,
        /// Its kind.
        backend: Backend,
    },
    /// There is one processor.
    #[error("device \"{given}\": {backend} is the whole processor and has no numbers; say {backend}")]
    NoIndex {
        /// What was asked for.
        given: String,
        /// Its kind.
        backend: Backend,
    },
    /// Several devices for a command that uses one.
    #[error(
        "\"{given}\" are several devices, and this command works on one: a detector on features does not fill a card; \
         `extract`, `finetune` and `bench` take several"
    )]
    Several {
        /// What was asked for.
        given: String,
    },
    /// Devices of several kinds in one list.
    #[error(
        "\"{given}\" are devices of several kinds, whose results differ in the last bits; name devices of one kind"
    )]
    Mixed {
        /// What was asked for.
        given: String,
    },
    /// The device exists, but this program was built without it.
    #[error(
        "device \"{name}\" is not compiled into this program (compiled in: {compiled}): \
         rebuild with `cargo build --release -p watchpost --features {name}`"
    )]
    NotCompiled {
        /// The kind of device, which is also the name of the feature to build with.
        name: Backend,
        /// The devices that would work, comma separated.
        compiled: String,
    },
    /// The driver shows no card of this number.
    #[error("device \"{device}\" is not there: the driver shows {}; see what `nvidia-smi` lists", shown(.cards))]
    Absent {
        /// What was asked for.
        device: DeviceChoice,
        /// Cards that the driver shows.
        cards: usize,
    },
}

impl Backend {
    /// Every kind there is, compiled in or not.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Ndarray, Self::Wgpu, Self::Cuda];

    /// The name on the command line and of the Cargo feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
        }
    }

    /// Whether it is a graphics card.
    pub fn is_card(self) -> bool {
        match self {
            Self::Cpu | Self::Ndarray => false,
            Self::Wgpu | Self::Cuda => true,
        }
    }

    /// Clips that an encoder should be given at once: several only where one does not fill the device.
    pub fn batch(self) -> usize {
        if self.is_card() { 8 } else { 1 }
    }

    /// Workers that should give clips to `devices` encoders of this kind, on a machine with `cores` cores.
    pub fn workers(self, devices: usize, cores: usize) -> usize {
        // The second one of a card prepares its batch while the first one's is encoded.
        if self.is_card() { 2 * devices } else { cores.max(devices) }
    }

    /// Whether this program was built with it.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl DeviceChoice {
    /// What kind of device it is.
    pub fn backend(self) -> Backend {
        match self {
            Self::Cpu => Backend::Cpu,
            Self::Ndarray => Backend::Ndarray,
            Self::Wgpu(_) => Backend::Wgpu,
            Self::Cuda(_) => Backend::Cuda,
        }
    }

    /// Opens the device.
    ///
    /// # Errors
    /// When the program was built without it, or the NVIDIA driver shows no such card.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            // Deprecated upstream, asked for by name: the compatibility feature is this call.
            #[allow(deprecated)]
            Self::Ndarray => Ok(Device::ndarray()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu(card) => {
                use burn::tensor::DeviceKind::{DefaultDevice, DiscreteGpu};
                Ok(Device::wgpu(card.map_or(DefaultDevice, DiscreteGpu)))
            }
            #[cfg(feature = "cuda")]
            Self::Cuda(card) => {
                // burn itself opens a card when it is first used, and panics where there is none.
                let cards = Device::enumerate(burn::tensor::DeviceType::Cuda).len();
                let absent = DeviceError::Absent { device: self, cards };
                if card < cards { Ok(Device::cuda(card)) } else { Err(absent) }
            }
            #[allow(unreachable_patterns)]
            other => Err(DeviceError::NotCompiled { name: other.backend(), compiled: compiled_names() }),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wgpu(Some(card)) | Self::Cuda(card) => write!(f, "{}:{card}", self.backend()),
            Self::Cpu | Self::Ndarray | Self::Wgpu(None) => f.write_str(self.backend().name()),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(given: &str) -> Result<Self, DeviceError> {
        if given.contains(',') {
            return Err(DeviceError::Several { given: given.to_owned() });
        }
        let (name, card) = match given.split_once(':') {
            Some((name, card)) => (name, Some(card)),
            None => (given, None),
        };
        let unknown = || DeviceError::Unknown { name: given.to_owned(), compiled: compiled_names() };
        let backend = Backend::ALL.into_iter().find(|backend| backend.name() == name).ok_or_else(unknown)?;
        let no_number = |_| DeviceError::Index { given: given.to_owned(), backend };
        // As burn counts cards.
        let card = card.map(str::parse::<u16>).transpose().map_err(no_number)?.map(usize::from);
        match (backend, card) {
            (Backend::Cpu, None) => Ok(Self::Cpu),
            (Backend::Ndarray, None) => Ok(Self::Ndarray),
            (Backend::Wgpu, card) => Ok(Self::Wgpu(card)),
            (Backend::Cuda, card) => Ok(Self::Cuda(card.unwrap_or(0))),
            (Backend::Cpu | Backend::Ndarray, Some(_)) => {
                Err(DeviceError::NoIndex { given: given.to_owned(), backend })
            }
        }
    }
}

fn shown(cards: &usize) -> String {
    match cards {
        0 => "no card of this kind".to_owned(),
        1 => "one card, number 0".to_owned(),
        more => format!("{more} cards, counted from 0"),
    }
}

fn compiled_names() -> String {
    let compiled = Backend::ALL.into_iter().filter(|backend| backend.is_compiled());
    compiled.map(Backend::name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(given: &str) -> String {
        given.parse::<DeviceChoice>().unwrap_err().to_string()
    }

    #[test]
    fn the_default_device_always_opens() {
        assert_eq!(DeviceChoice::default(), DeviceChoice::Cpu);
        assert!(DeviceChoice::Cpu.open().is_ok());
    }

    #[test]
    fn every_name_parses_back() {
        for name in ["cpu", "ndarray", "wgpu", "wgpu:0", "wgpu:3", "cuda:0", "cuda:11"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_ne!("wgpu".parse::<DeviceChoice>(), "wgpu:0".parse());
    }

    #[test]
    fn a_device_that_is_not_compiled_in_names_the_feature() {
        for choice in [DeviceChoice::Ndarray, DeviceChoice::Wgpu(None), DeviceChoice::Cuda(1)] {
            if !choice.backend().is_compiled() {
                let message = choice.open().unwrap_err().to_string();
                assert!(message.contains(&format!("--features {}", choice.backend())), "{message}");
            }
        }
    }

    #[test]
    fn wrong_names_are_refused_with_the_right_ones() {
        assert!(refusal("gpu").contains("wgpu") && refusal("gpu").contains("cuda:1"));
        assert!(refusal("cpu:0").contains("say cpu"));
        for card in ["cuda:", "cuda:-1", "cuda:one", "cuda:0:1", "wgpu:70000"] {
            assert!(refusal(card).contains("by its number"), "{card}: {}", refusal(card));
        }
        assert!(refusal("").contains("unknown device"));
    }

    #[test]
    fn where_one_device_is_wanted_a_list_is_refused_with_the_reason() {
        assert!(refusal("cuda:0,cuda:1").contains("works on one"));
    }
}
