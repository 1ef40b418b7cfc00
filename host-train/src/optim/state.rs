//! What an optimiser remembers of each parameter, in a form that a checkpoint can hold.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use crate::tensors::{Array, Arrays, TensorsError, require};

/// Flattened tensors by parameter path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots(BTreeMap<String, Tensor<1>>);

impl Slots {
    /// The old value in the shape of `like`, or zeros at the first step. It is not kept, so that it can be changed in place.
    pub(crate) fn take<const D: usize>(&mut self, path: &str, like: &Tensor<D>) -> Tensor<D> {
        match self.0.remove(path) {
            Some(value) => value.reshape(like.dims()),
            None => like.zeros_like(),
        }
    }

    /// Stores a value.
    pub(crate) fn set<const D: usize>(&mut self, path: &str, value: Tensor<D>) {
        self.0.insert(path.to_owned(), value.flatten(0, D - 1));
    }

    /// The slots under `prefix` followed by the path.
    pub(crate) fn to_arrays(&self, prefix: &str) -> Arrays {
        let named = |(path, value): (&String, &Tensor<1>)| {
            (format!("{prefix}{path}"), Array::from_tensor(value.clone()))
        };
        self.0.iter().map(named).collect()
    }

    /// The arrays whose names start with `prefix`.
    pub(crate) fn from_arrays(
        arrays: &Arrays,
        prefix: &str,
        origin: &str,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        let slot = |name: &String| {
            let path = name.strip_prefix(prefix)?.to_owned();
            let tensor =
                require(arrays, origin, name).and_then(|array| array.to_tensor(origin, name, device));
            Some(tensor.map(|tensor| (path, tensor)))
        };
        Ok(Self(arrays.keys().filter_map(slot).collect::<Result<_, _>>()?))
    }
}
