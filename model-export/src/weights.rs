//! Named tensors of a safetensors file, read with their expected shape.

use safetensors::{Dtype, SafeTensors};

use crate::ExportError;

/// A parsed safetensors file, borrowed.
pub(crate) struct Weights<'a> {
    tensors: SafeTensors<'a>,
}

impl<'a> Weights<'a> {
    /// Parses the header and checks that offsets lie inside the file.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, ExportError> {
        let tensors = SafeTensors::deserialize(bytes)
            .map_err(|e| ExportError::NotSafetensors { reason: e.to_string() })?;
        Ok(Self { tensors })
    }

    /// Whether a tensor of that name exists.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    /// Shape of a tensor; nothing where there is none of that name.
    pub(crate) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.tensor(name).ok().map(|view| view.shape().to_vec())
    }

    /// Reads one f32 tensor, row-major, after checking its type, shape and values.
    pub(crate) fn floats(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, ExportError> {
        let tensor = || name.to_owned();
        let view = self.tensors.tensor(name).map_err(|_| ExportError::MissingTensor { tensor: tensor() })?;
        if view.dtype() != Dtype::F32 {
            let found = format!("{:?}", view.dtype());
            return Err(ExportError::TensorType { tensor: tensor(), found });
        }
        if view.shape() != expected {
            return Err(ExportError::TensorShape {
                tensor: tensor(),
                expected: expected.to_vec(),
                found: view.shape().to_vec(),
            });
        }
        let (words, _) = view.data().as_chunks::<4>();
        let values: Vec<f32> = words.iter().map(|&w| f32::from_le_bytes(w)).collect();
        match values.iter().position(|v| !v.is_finite()) {
            Some(index) => {
                Err(ExportError::NonFiniteWeight { tensor: tensor(), index, value: values[index] })
            }
            None => Ok(values),
        }
    }
}
