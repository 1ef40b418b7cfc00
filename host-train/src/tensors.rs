//! Named arrays in a safetensors file: how weights leave the trainer and come back.
//!
//! Writing is deterministic: equal arrays and notes give equal bytes.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use thiserror::Error;

use crate::atomic_file::{self, WriteError};

/// A dense array of `f32` in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Extent of each dimension; empty for a scalar.
    pub shape: Vec<usize>,
    /// The values; as many as the product of `shape`.
    pub values: Vec<f32>,
}

/// Arrays by name.
pub type Arrays = BTreeMap<String, Array>;

/// Why a file of arrays cannot be used.
#[derive(Debug, Error)]
pub enum TensorsError {
    /// The file cannot be read at all.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a sound safetensors file.
    #[error("{}: not a sound safetensors file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An array is absent.
    #[error("{origin}: array \"{name}\" is missing")]
    Missing {
        /// The file or other origin of the arrays.
        origin: String,
        /// The absent array.
        name: String,
    },
    /// An array has another shape than needed.
    #[error("{origin}: array \"{name}\" has shape {got:?}, expected {want:?}")]
    Shape {
        /// The file or other origin of the arrays.
        origin: String,
        /// The array.
        name: String,
        /// Its shape.
        got: Vec<usize>,
        /// The needed shape.
        want: Vec<usize>,
    },
    /// The arrays cannot be encoded.
    #[error("cannot encode the arrays for {}: {reason}", path.display())]
    Encode {
        /// The file that was to be written.
        path: PathBuf,
        /// What the encoder said.
        reason: String,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Array {
    /// Copies a tensor of any rank from its device.
    pub fn from_tensor<const D: usize>(tensor: Tensor<D>) -> Self {
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().iter::<f32>().collect();
        Self { shape, values }
    }

    /// Copies the array to a device.
    ///
    /// # Errors
    /// When its rank is not `D`; `origin` and `name` say where it came from.
    pub fn to_tensor<const D: usize>(
        &self,
        origin: &str,
        name: &str,
        device: &Device,
    ) -> Result<Tensor<D>, TensorsError> {
        if self.shape.len() != D || self.values.len() != self.shape.iter().product::<usize>() {
            return Err(TensorsError::Shape {
                origin: origin.to_owned(),
                name: name.to_owned(),
                got: self.shape.clone(),
                want: vec![0; D],
            });
        }
        let data = TensorData::new(self.values.clone(), self.shape.clone());
        Ok(Tensor::from_data(data, device))
    }
}

/// The array of this name.
///
/// # Errors
/// When it is absent; `origin` says where it was looked for.
pub fn require<'a>(arrays: &'a Arrays, origin: &str, name: &str) -> Result<&'a Array, TensorsError> {
    arrays.get(name).ok_or_else(|| TensorsError::Missing { origin: origin.to_owned(), name: name.to_owned() })
}

/// The array of this name, which must have this shape.
///
/// # Errors
/// When it is absent or has another shape; `origin` says where it was looked for.
pub fn require_shape<'a>(
    arrays: &'a Arrays,
    origin: &str,
    name: &str,
    want: &[usize],
) -> Result<&'a Array, TensorsError> {
    let array = require(arrays, origin, name)?;
    if array.shape == want {
        return Ok(array);
    }
    Err(TensorsError::Shape {
        origin: origin.to_owned(),
        name: name.to_owned(),
        got: array.shape.clone(),
        want: want.to_vec(),
    })
}

/// The arrays whose names begin with `prefix`, without it.
pub fn group(arrays: &Arrays, prefix: &str) -> Arrays {
    let member =
        |(name, array): (&String, &Array)| Some((name.strip_prefix(prefix)?.to_owned(), array.clone()));
    arrays.iter().filter_map(member).collect()
}

/// All groups in one, each name behind the prefix of its group.
pub fn grouped<'a>(groups: impl IntoIterator<Item = (&'a str, Arrays)>) -> Arrays {
    let named = |(prefix, arrays): (&'a str, Arrays)| {
        arrays.into_iter().map(move |(name, array)| (format!("{prefix}{name}"), array))
    };
    groups.into_iter().flat_map(named).collect()
}

/// Encodes arrays and one note under the metadata key `watchpost`.
///
/// # Errors
/// What the encoder refuses, as text.
pub fn encode(arrays: &Arrays, note: Option<&str>) -> Result<Vec<u8>, String> {
    let bytes: BTreeMap<&String, Vec<u8>> = arrays
        .iter()
        .map(|(name, array)| (name, array.values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let mut views = Vec::with_capacity(arrays.len());
    for (name, array) in arrays {
        let data = bytes.get(name).map(Vec::as_slice).unwrap_or_default();
        let view =
            TensorView::new(Dtype::F32, array.shape.clone(), data).map_err(|error| error.to_string())?;
        views.push((name.as_str(), view));
    }
    // A single key: the order of several would follow the hash seed of the process.
    let metadata = note.map(|note| HashMap::from([("watchpost".to_owned(), note.to_owned())]));
    safetensors::serialize(views, metadata).map_err(|error| error.to_string())
}

/// Decodes arrays and the note of [`encode`]. `path` only serves error messages.
///
/// # Errors
/// When the bytes are not a sound file of `f32` arrays.
pub fn decode(bytes: &[u8], path: &Path) -> Result<(Arrays, Option<String>), TensorsError> {
    let malformed = |reason: String| TensorsError::Malformed { path: path.to_owned(), reason };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| malformed(error.to_string()))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| malformed(error.to_string()))?;
    let mut arrays = Arrays::new();
    for (name, view) in tensors.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(malformed(format!("array \"{name}\" is {:?}, expected F32", view.dtype())));
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        arrays.insert(name.to_owned(), Array { shape: view.shape().to_vec(), values: values.collect() });
    }
    let note = header.metadata().as_ref().and_then(|notes| notes.get("watchpost").cloned());
    Ok((arrays, note))
}

/// Writes the file atomically.
///
/// # Errors
/// When it cannot be encoded or written; an older file of that name is intact then.
pub fn save(path: &Path, arrays: &Arrays, note: Option<&str>) -> Result<(), TensorsError> {
    let bytes =
        encode(arrays, note).map_err(|reason| TensorsError::Encode { path: path.to_owned(), reason })?;
    Ok(atomic_file::write(path, &bytes)?)
}

/// Reads a file of arrays with its note.
///
/// # Errors
/// When it cannot be read or is not a sound safetensors file of `f32` arrays.
pub fn load(path: &Path) -> Result<(Arrays, Option<String>), TensorsError> {
    let bytes = std::fs::read(path).map_err(|source| TensorsError::Read { path: path.to_owned(), source })?;
    decode(&bytes, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Arrays {
        let array =
            |shape: &[usize], values: &[f32]| Array { shape: shape.to_vec(), values: values.to_vec() };
        Arrays::from([
            ("b".to_owned(), array(&[2, 2], &[1.0, -0.0, f32::MIN_POSITIVE, 4.5])),
            ("a".to_owned(), array(&[], &[3.0])),
        ])
    }

    #[test]
    fn arrays_and_note_survive_a_round_trip() {
        let bytes = encode(&sample(), Some("{\"step\":3}")).unwrap();
        assert_eq!(bytes, encode(&sample(), Some("{\"step\":3}")).unwrap());
        let (arrays, note) = decode(&bytes, Path::new("x")).unwrap();
        assert_eq!(arrays, sample());
        assert_eq!(note.as_deref(), Some("{\"step\":3}"));
    }

    #[test]
    fn a_truncated_file_is_refused_by_name() {
        let bytes = encode(&sample(), None).unwrap();
        for end in 0..bytes.len() {
            let error = decode(&bytes[..end], Path::new("head.safetensors")).unwrap_err();
            assert!(error.to_string().contains("head.safetensors"), "{error}");
        }
    }
}
