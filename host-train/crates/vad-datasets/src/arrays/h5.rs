//! HDF5: one data set per video.

use std::path::{Path, PathBuf};

use hdf5_reader::group::Group;
use hdf5_reader::{ByteOrder, Datatype, Hdf5File, OpenOptions};

use super::{Array, ArrayError, Element, product};

/// Groups within groups that are looked into.
const MAX_DEPTH: usize = 4;
/// Deflate, the strongest filter that is read here, makes at most this many bytes of one. What claims more is no honest file.
const MOST_INFLATION: u64 = 1100;
/// The longest training video of UCF-Crime with ten crops stays below.
const MAX_READ_BYTES: u64 = 16 * 1024 * 1024 * 1024;
const SHAPE_PROBLEM: &str = "its shape is not one; store it again";

/// An open file.
#[derive(Clone)]
pub struct H5File {
    path: PathBuf,
    file: Hdf5File,
}

/// A data set of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct H5Array {
    /// Full name, without a slash in front.
    pub name: String,
    /// Length of each axis.
    pub shape: Vec<usize>,
}

impl H5File {
    /// Opens a file.
    ///
    /// # Errors
    /// No HDF5 file, or a damaged one.
    pub fn open(path: &Path) -> Result<Self, ArrayError> {
        let bytes = std::fs::metadata(path).map_err(|source| ArrayError::io(path, source))?.len();
        let most = bytes.saturating_mul(MOST_INFLATION).min(MAX_READ_BYTES);
        let options = OpenOptions::default().with_max_read_bytes(usize::try_from(most).unwrap_or(usize::MAX));
        let file = Hdf5File::open_with_options(path, options)
            .map_err(|error| ArrayError::content(path, format!("not a readable HDF5 file: {error}")))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// All data sets that hold numbers, and the names of those that hold something else.
    ///
    /// # Errors
    /// A group cannot be listed.
    pub fn arrays(&self) -> Result<(Vec<H5Array>, Vec<String>), ArrayError> {
        let root = self.file.root_group().map_err(|error| self.damaged("/", &error))?;
        let (mut arrays, mut others) = (Vec::new(), Vec::new());
        self.visit(&root, "", 0, &mut arrays, &mut others)?;
        arrays.sort_by(|a, b| a.name.cmp(&b.name));
        others.sort();
        Ok((arrays, others))
    }

    fn visit(
        &self,
        group: &Group,
        prefix: &str,
        depth: usize,
        arrays: &mut Vec<H5Array>,
        others: &mut Vec<String>,
    ) -> Result<(), ArrayError> {
        let (groups, datasets) = group.members().map_err(|error| self.damaged(prefix, &error))?;
        for dataset in datasets {
            let name = format!("{prefix}{}", dataset.name());
            match (element(dataset.dtype()), shape(dataset.shape())) {
                (Some(_), Some(shape)) => arrays.push(H5Array { name, shape }),
                _ => others.push(name),
            }
        }
        if depth < MAX_DEPTH {
            for group in groups {
                self.visit(&group, &format!("{prefix}{}/", group.name()), depth + 1, arrays, others)?;
            }
        }
        Ok(())
    }

    /// The shape of a data set, without reading it.
    ///
    /// # Errors
    /// There is none of that name, or its header is damaged.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>, ArrayError> {
        let dataset = self.file.dataset(name).map_err(|error| self.damaged(name, &error))?;
        shape(dataset.shape()).ok_or_else(|| ArrayError::dataset(&self.path, name, SHAPE_PROBLEM))
    }

    /// Reads a data set by its full name.
    ///
    /// # Errors
    /// There is none of that name, it holds no numbers, or it is damaged.
    pub fn read(&self, name: &str) -> Result<Array, ArrayError> {
        let dataset = self.file.dataset(name).map_err(|error| self.damaged(name, &error))?;
        let fault = |problem: &str| ArrayError::dataset(&self.path, name, problem);
        let element = element(dataset.dtype())
            .ok_or_else(|| fault("it holds no numbers of 16, 32 or 64 bits; store features as float32"))?;
        let shape = shape(dataset.shape()).ok_or_else(|| fault(SHAPE_PROBLEM))?;
        let bytes = dataset.read_raw_bytes().map_err(|error| self.damaged(name, &error))?;
        let mut values = Vec::with_capacity(bytes.len() / element.bytes());
        element.append(&bytes, &mut values);
        if product(&shape) != Some(values.len()) {
            return Err(fault("the number of values does not match the shape; store it again"));
        }
        Ok(Array { shape, values })
    }

    fn damaged(&self, name: &str, error: &hdf5_reader::error::Error) -> ArrayError {
        let remedy = if error.to_string().contains("unsupported filter") {
            "store it with gzip or without compression"
        } else {
            "copy or download the file again"
        };
        ArrayError::dataset(&self.path, name, format!("{error}; {remedy}"))
    }
}

impl std::fmt::Debug for H5File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("H5File").field("path", &self.path).finish_non_exhaustive()
    }
}

fn element(kind: &Datatype) -> Option<Element> {
    let big = |order: &ByteOrder| matches!(order, ByteOrder::BigEndian);
    match kind {
        Datatype::FloatingPoint { size, byte_order } => Element::float(usize::from(*size), big(byte_order)),
        Datatype::FixedPoint { size, signed, byte_order } => {
            Element::integer(usize::from(*size), *signed, big(byte_order))
        }
        _ => None,
    }
}

fn shape(axes: &[u64]) -> Option<Vec<usize>> {
    axes.iter().map(|&axis| usize::try_from(axis).ok()).collect()
}
