//! NumPy's `.npy`, versions 1 to 3: a header that is a Python dictionary, then the values.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{Array, ArrayError, Element, product};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Real headers have a hundred bytes or so; those of structured types, which are not read here, some thousands.
const MAX_HEADER_BYTES: u32 = 1 << 16;
const READ_BYTES: usize = 1 << 20;

/// A file whose header is read and fits the file's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NpyFile {
    path: PathBuf,
    shape: Vec<usize>,
    element: Element,
    /// First axis fastest, as Fortran stores arrays.
    columns_first: bool,
    data_at: u64,
}

/// What the dictionary says.
struct Header {
    shape: Vec<usize>,
    element: Element,
    columns_first: bool,
}

impl NpyFile {
    /// Reads the header.
    ///
    /// # Errors
    /// No `.npy` file, elements that are no numbers, or fewer bytes than the shape needs.
    pub fn open(path: &Path) -> Result<Self, ArrayError> {
        let failed = |source| ArrayError::io(path, source);
        let mut file = File::open(path).map_err(failed)?;
        let file_bytes = file.metadata().map_err(failed)?.len();
        let text = header_text(&mut file, path)?;
        let data_at = file.stream_position().map_err(failed)?;
        let Header { shape, element, columns_first } =
            parse(&text).map_err(|problem| ArrayError::content(path, problem))?;
        let wanted = product(&shape).and_then(|count| count.checked_mul(element.bytes()));
        let there = file_bytes.saturating_sub(data_at);
        if wanted.is_none_or(|wanted| wanted as u64 > there) {
            let wanted = wanted.map_or_else(|| "more than any file".to_owned(), |wanted| wanted.to_string());
            let problem = format!(
                "the file is cut off: an array of shape {shape:?} has {wanted} bytes, here are {there}; copy or download it again"
            );
            return Err(ArrayError::content(path, problem));
        }
        Ok(Self { path: path.to_owned(), shape, element, columns_first, data_at })
    }

    /// Length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Reads the values.
    ///
    /// # Errors
    /// The file cannot be read to the end.
    pub fn read(&self) -> Result<Array, ArrayError> {
        let failed = |source| ArrayError::io(&self.path, source);
        let count = product(&self.shape).unwrap_or(0);
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(self.data_at)).map_err(failed)?;
        let mut bytes_left = count * self.element.bytes();
        let mut values = Vec::with_capacity(count);
        let mut chunk = vec![0; READ_BYTES.min(bytes_left)];
        let mut reader = BufReader::with_capacity(READ_BYTES, file);
        while bytes_left > 0 {
            // A multiple of every element's width.
            let part = chunk.len().min(bytes_left);
            let bytes = &mut chunk[..part];
            reader.read_exact(bytes).map_err(failed)?;
            self.element.append(bytes, &mut values);
            bytes_left -= part;
        }
        let values = if self.columns_first { rows_first(&values, &self.shape) } else { values };
        Ok(Array { shape: self.shape.clone(), values })
    }
}

/// The dictionary, as text.
fn header_text(file: &mut File, path: &Path) -> Result<String, ArrayError> {
    let foreign = || ArrayError::content(path, "not a .npy file; save it with numpy.save");
    let mut take = |bytes: &mut [u8]| match file.read_exact(bytes) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(foreign()),
        Err(source) => Err(ArrayError::io(path, source)),
    };
    let mut start = [0; 8];
    take(&mut start)?;
    if !start.starts_with(MAGIC) {
        return Err(foreign());
    }
    let length = match start[6] {
        1 => {
            let mut length = [0; 2];
            take(&mut length)?;
            u16::from_le_bytes(length).into()
        }
        2 | 3 => {
            let mut length = [0; 4];
            take(&mut length)?;
            u32::from_le_bytes(length)
        }
        version => {
            let problem = format!("version {version} of .npy is not known here; save it with another numpy");
            return Err(ArrayError::content(path, problem));
        }
    };
    if length > MAX_HEADER_BYTES {
        let problem = format!("its header claims {length} bytes, more than any array of numbers needs");
        return Err(ArrayError::content(path, problem));
    }
    let mut header = vec![0; length as usize];
    take(&mut header)?;
    String::from_utf8(header).map_err(|_| foreign())
}

fn parse(text: &str) -> Result<Header, String> {
    let value = |key: &str| {
        let after = text.split_once(&format!("'{key}':")).map(|(_, after)| after.trim_start());
        after.ok_or_else(|| format!("its header lacks '{key}'; save it with numpy.save"))
    };
    let kind = value("descr")?;
    let kind = kind.strip_prefix('\'').and_then(|rest| rest.split('\'').next()).unwrap_or("(structured)");
    if kind == "|O" {
        return Err(
            "it holds Python objects, not numbers; save it with numpy.save(file, numpy.stack(array).astype('float32'))"
                .to_owned(),
        );
    }
    let element = Element::from_numpy(kind)
        .ok_or_else(|| format!("its elements are of type {kind}, not numbers of 16, 32 or 64 bits"))?;
    let shape = value("shape")?;
    let axes = shape.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(axes, _)| axes);
    let axes = axes.ok_or("its header has no shape; save it with numpy.save")?;
    let parse = |axis: &str| axis.parse().map_err(|_| format!("its shape ({axes}) is not one"));
    let shape = axes.split(',').map(str::trim).filter(|axis| !axis.is_empty()).map(parse);
    Ok(Header {
        shape: shape.collect::<Result<_, _>>()?,
        element,
        columns_first: value("fortran_order")?.starts_with("True"),
    })
}

/// From first axis fastest to last axis fastest.
fn rows_first(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let mut index = vec![0; shape.len()];
    let mut turned = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        let at = index.iter().zip(shape).rev().fold(0, |at, (&i, &length)| at * length + i);
        turned.push(values[at]);
        for (i, &length) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < length {
                break;
            }
            *i = 0;
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Array, ArrayError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        NpyFile::open(file.path())?.read()
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn an_array_is_read_in_either_order() {
        let data = floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let rows = file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }     \n", &data);
        assert_eq!(
            read(&rows).unwrap(),
            Array { shape: vec![2, 3], values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] }
        );
        let columns = file("{'shape': (2,3), 'fortran_order': True, 'descr': '<f4'}", &data);
        assert_eq!(read(&columns).unwrap().values, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        let vector = file("{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }", &[1, 0, 1]);
        assert_eq!(read(&vector).unwrap(), Array { shape: vec![3], values: vec![1.0, 0.0, 1.0] });
    }

    #[test]
    fn what_is_wrong_is_said() {
        let whole = file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", &floats(&[0.0; 6]));
        let huge = "{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000, 4000000000, 9), }";
        let cases = [
            (whole[..whole.len() - 1].to_vec(), "cut off"),
            (whole[..20].to_vec(), "not a .npy file"),
            (b"PK\x03\x04 and so on".to_vec(), "not a .npy file"),
            (file(huge, &[0; 8]), "more than any file"),
            (file("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", &[]), "Python objects"),
            (file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", &[]), "(structured)"),
            (file("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", &[]), "is not one"),
            (file("{'descr': '<f4', 'fortran_order': False}", &[]), "lacks 'shape'"),
        ];
        for (bytes, part) in cases {
            let error = read(&bytes).unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    proptest! {
        #[test]
        fn damage_is_an_error_or_a_value_and_never_more(at in 0_usize..120, byte: u8, cut in 0_usize..120) {
            let mut bytes = file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", &floats(&[0.5; 6]));
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(bytes.len() - cut % bytes.len());
            if let Ok(array) = read(&bytes) {
                prop_assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
            }
        }
    }
}
