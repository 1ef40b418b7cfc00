//! Arrays of an npz file, row-major, with the element type they were stored in.

use std::io::Cursor;

use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::{NpzReader, ReadNpzError, ReadableElement};

/// A row-major array: `data.len()` is the product of `shape` (1 for a scalar, whose shape is empty).
#[derive(Clone, Debug, PartialEq)]
pub struct Array<T> {
    /// Extents, slowest axis first.
    pub shape: Vec<usize>,
    /// Elements in row-major (C) order.
    pub data: Vec<T>,
}

impl<T: Copy> Array<T> {
    /// The same array with every element converted.
    pub fn map<U>(&self, convert: impl Fn(T) -> U) -> Array<U> {
        Array { shape: self.shape.clone(), data: self.data.iter().map(|&value| convert(value)).collect() }
    }

    /// Row `index` along the first axis, as a slice.
    pub fn row(&self, index: usize) -> &[T] {
        let width: usize = self.shape[1..].iter().product();
        &self.data[index * width..(index + 1) * width]
    }

    /// Number of axes; 0 for a scalar.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }
}

/// One stored array with its numpy element type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stored {
    Bool(Array<bool>),
    U8(Array<u8>),
    U16(Array<u16>),
    U32(Array<u32>),
    U64(Array<u64>),
    I8(Array<i8>),
    I16(Array<i16>),
    I32(Array<i32>),
    I64(Array<i64>),
    F32(Array<f32>),
    F64(Array<f64>),
}

/// Evaluates `$body` with `$array` bound to the array inside, whatever its element type.
macro_rules! with_array {
    ($stored:expr, $array:ident => $body:expr) => {
        match $stored {
            Stored::Bool($array) => $body,
            Stored::U8($array) => $body,
            Stored::U16($array) => $body,
            Stored::U32($array) => $body,
            Stored::U64($array) => $body,
            Stored::I8($array) => $body,
            Stored::I16($array) => $body,
            Stored::I32($array) => $body,
            Stored::I64($array) => $body,
            Stored::F32($array) => $body,
            Stored::F64($array) => $body,
        }
    };
}
pub(crate) use with_array;

impl Stored {
    /// The numpy name of the element type.
    pub(crate) fn dtype(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::U8(_) => "uint8",
            Self::U16(_) => "uint16",
            Self::U32(_) => "uint32",
            Self::U64(_) => "uint64",
            Self::I8(_) => "int8",
            Self::I16(_) => "int16",
            Self::I32(_) => "int32",
            Self::I64(_) => "int64",
            Self::F32(_) => "float32",
            Self::F64(_) => "float64",
        }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        with_array!(self, array => &array.shape)
    }
}

type Npz<'a> = NpzReader<Cursor<&'a [u8]>>;

/// Reads member `name` as `T`; `None` when its element type is another one.
fn read_as<T: ReadableElement + Clone>(npz: &mut Npz<'_>, name: &str) -> Option<Result<Array<T>, String>> {
    use ndarray_npy::ReadNpyError::WrongDescriptor;
    match npz.by_name::<OwnedRepr<T>, IxDyn>(name) {
        Ok(array) => Some(Ok(row_major(&array))),
        Err(ReadNpzError::Npy(WrongDescriptor(_))) => None,
        Err(error) => Some(Err(error.to_string())),
    }
}

fn row_major<T: Clone>(array: &ArrayD<T>) -> Array<T> {
    Array {
        shape: array.shape().to_vec(),
        // Logical order, so that an array stored in Fortran order arrives in C order too.
        data: array.iter().cloned().collect(),
    }
}

/// Every array of an npz file, with the `.npy` of the member names dropped.
pub(crate) fn read_npz(bytes: &[u8]) -> Result<Vec<(String, Stored)>, String> {
    let mut npz = NpzReader::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let names = npz.names().map_err(|error| error.to_string())?;
    let mut arrays = Vec::with_capacity(names.len());
    for name in names {
        let key = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        let stored = read_member(&mut npz, &name).map_err(|reason| format!("array `{key}`: {reason}"))?;
        arrays.push((key, stored));
    }
    Ok(arrays)
}

fn read_member(npz: &mut Npz<'_>, name: &str) -> Result<Stored, String> {
    macro_rules! try_types {
        ($($element:ty => $variant:ident),+ $(,)?) => {
            $(if let Some(read) = read_as::<$element>(npz, name) {
                return read.map(Stored::$variant);
            })+
        };
    }
    try_types!(
        f32 => F32, f64 => F64, i64 => I64, u8 => U8, bool => Bool, i32 => I32,
        i16 => I16, i8 => I8, u16 => U16, u32 => U32, u64 => U64,
    );
    Err("its element type is not one of bool, (u)int8-64, float32, float64".to_owned())
}
