//! The compute devices that `--device` can name, chosen at run time among those compiled in.
//!
//! The device is always explicit: burn's default device depends on which features happen to be enabled.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A compute device by its command line name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceChoice {
    /// burn's maintained processor backend (flex), threaded and vectorised. Always compiled in.
    #[default]
    Cpu,
    /// The older `burn-ndarray` processor backend, kept for compatibility (feature `ndarray`).
    Ndarray,
    /// Any graphics card that Vulkan, Metal or DirectX reach (feature `wgpu`).
    Wgpu,
    /// An NVIDIA card (feature `cuda`).
    Cuda,
}

/// Why a device cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DeviceError {
    /// No device has this name.
    #[error(
        "unknown device \"{name}\": use one of cpu, ndarray, wgpu, cuda (compiled into this program: {compiled})"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The devices that would work, comma separated.
        compiled: String,
    },
    /// The device exists, but this program was built without it.
    #[error(
        "device \"{name}\" is not compiled into this program (compiled in: {compiled}): \
         rebuild with `cargo build --release -p watchpost --features {name}`"
    )]
    NotCompiled {
        /// The device, which is also the name of the feature to build with.
        name: DeviceChoice,
        /// The devices that would work, comma separated.
        compiled: String,
    },
}

impl DeviceChoice {
    /// Every device there is, compiled in or not.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Ndarray, Self::Wgpu, Self::Cuda];

    /// The command line name, which is also the Cargo feature (except `cpu`, which needs none).
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
        }
    }

    /// Clips that an encoder should be given at once: several only where one does not fill the device.
    pub fn batch(self) -> usize {
        match self {
            Self::Cpu | Self::Ndarray => 1,
            Self::Wgpu | Self::Cuda => 8,
        }
    }

    /// Whether this program was built with the device.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }

    /// The devices compiled into this program.
    pub fn compiled() -> Vec<Self> {
        Self::ALL.into_iter().filter(|choice| choice.is_compiled()).collect()
    }

    /// Opens the device.
    ///
    /// # Errors
    /// When the program was built without it.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            // Deprecated upstream, asked for by name: the compatibility feature is this call.
            #[allow(deprecated)]
            Self::Ndarray => Ok(Device::ndarray()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0_usize)),
            #[allow(unreachable_patterns)]
            name => Err(DeviceError::NotCompiled { name, compiled: compiled_names() }),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        Self::ALL
            .into_iter()
            .find(|choice| choice.name() == name)
            .ok_or_else(|| DeviceError::Unknown { name: name.to_owned(), compiled: compiled_names() })
    }
}

fn compiled_names() -> String {
    let names: Vec<&str> = DeviceChoice::compiled().into_iter().map(DeviceChoice::name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_device_always_opens() {
        assert_eq!(DeviceChoice::default(), DeviceChoice::Cpu);
        assert!(DeviceChoice::Cpu.open().is_ok());
    }

    #[test]
    fn every_name_parses_back() {
        for choice in DeviceChoice::ALL {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
    }

    #[test]
    fn a_device_that_is_not_compiled_in_names_the_feature() {
        for choice in DeviceChoice::ALL.into_iter().filter(|choice| !choice.is_compiled()) {
            let message = choice.open().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(message.contains(&format!("--features {choice}")), "{message}");
        }
    }

    #[test]
    fn an_unknown_device_lists_the_known_ones() {
        let error = "gpu".parse::<DeviceChoice>().err().map(|error| error.to_string());
        assert!(error.is_some_and(|message| message.contains("wgpu") && message.contains("cpu")));
    }
}
