//! Several devices of one kind.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use super::{Backend, DeviceChoice, DeviceError};

/// At least one device, all of one kind, as `cuda:0,cuda:1`. A device may be named twice and then holds two copies of what
/// runs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceList {
    first: DeviceChoice,
    /// Of the kind of the first.
    others: Vec<DeviceChoice>,
}

/// The devices of a list, open and plain.
#[derive(Clone, Debug)]
pub struct OpenDevices {
    /// Holds what exists once.
    pub first: Device,
    /// Hold copies.
    pub others: Vec<Device>,
}

impl DeviceList {
    /// The device for what runs on one.
    pub fn first(&self) -> DeviceChoice {
        self.first
    }

    /// All of them, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = DeviceChoice> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// How many there are, at least 1.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// What kind of devices they are.
    pub fn backend(&self) -> Backend {
        self.first.backend()
    }

    /// Opens them.
    ///
    /// # Errors
    /// As [`DeviceChoice::open`].
    pub fn open(&self) -> Result<OpenDevices, DeviceError> {
        Ok(OpenDevices {
            first: self.first.open()?,
            others: self.others.iter().map(|device| device.open()).collect::<Result<_, _>>()?,
        })
    }
}

impl From<DeviceChoice> for DeviceList {
    fn from(first: DeviceChoice) -> Self {
        Self { first, others: Vec::new() }
    }
}

impl fmt::Display for DeviceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.others.iter().try_for_each(|device| write!(f, ",{device}"))
    }
}

impl FromStr for DeviceList {
    type Err = DeviceError;

    fn from_str(given: &str) -> Result<Self, DeviceError> {
        let (first, others) = match given.split_once(',') {
            Some((first, others)) => (first, Some(others)),
            None => (given, None),
        };
        let first: DeviceChoice = first.parse()?;
        let others: Vec<DeviceChoice> = others
            .into_iter()
            .flat_map(|others| others.split(','))
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        if others.iter().any(|device| device.backend() != first.backend()) {
            return Err(DeviceError::Mixed { given: given.to_owned() });
        }
        Ok(Self { first, others })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_parse_back_in_their_order() {
        for given in ["cpu", "cpu,cpu", "cuda:1,cuda:0,cuda:3", "wgpu,wgpu:1"] {
            let list: DeviceList = given.parse().unwrap();
            assert_eq!(list.to_string(), given);
            assert_eq!(list.iter().count(), list.count());
            assert_eq!(list.iter().next(), Some(list.first()));
        }
        assert_eq!("cuda,cuda:1".parse::<DeviceList>().unwrap().to_string(), "cuda:0,cuda:1");
        assert_eq!(DeviceList::default().count(), 1);
    }

    #[test]
    fn holes_and_mixtures_are_refused() {
        let refusal = |given: &str| given.parse::<DeviceList>().unwrap_err().to_string();
        for holed in ["", ",", "cpu,", ",cpu", "cpu,,cpu"] {
            assert!(refusal(holed).contains("unknown device"), "{holed}");
        }
        assert!(refusal("cpu,cuda:0").contains("one kind"));
    }

    #[test]
    fn a_list_opens_as_many_devices_as_it_names() {
        let open = "cpu,cpu,cpu".parse::<DeviceList>().unwrap().open().unwrap();
        assert_eq!(open.others.len(), 2);
    }
}
