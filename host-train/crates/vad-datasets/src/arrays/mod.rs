//! Numeric arrays in files: NumPy's `.npy` and HDF5.
//!
//! What a header claims is compared with the size of the file before memory is taken.

mod element;
mod error;
mod h5;
mod npy;

pub use element::Element;
pub use error::ArrayError;
pub use h5::{H5Array, H5File};
pub use npy::NpyFile;

/// Values of an array, row-major, and its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// Values in `f32`; their number is the product of the shape.
    pub values: Vec<f32>,
}

/// Number of elements, if it is one.
fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis))
}
