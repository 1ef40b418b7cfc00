//! PyTorch's files of before version 1.6: pickles one behind the other, then the values of each storage.
//!
//! ```text
//! mark, version, system     pickles
//! name -> tensor            pickle; a tensor names its storage, where in it it begins, and its shape
//! [storage]                 pickle; their order in what follows
//! count, values             of each storage: count as u64 LE
//! ```

use std::collections::BTreeMap;

use super::WeightsError;
use super::convert::Tensor;
use super::pickle::{self, Value};

/// The number that such files begin with, as its bytes.
const MARK: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Bytes before the values of a storage.
const COUNT_BYTES: usize = 8;

/// A tensor of the dict, its values still elsewhere.
struct Entry {
    name: String,
    storage: String,
    first: usize,
    shape: Vec<usize>,
    /// Values from one place to the next, along each axis.
    strides: Vec<usize>,
}

/// The tensors of 32-bit floats in a file; others, such as counters of batches, are left out.
///
/// # Errors
/// [`WeightsError::UnexpectedPackage`] when it is no such file.
pub fn from_file(bytes: &[u8]) -> Result<Vec<Tensor>, WeightsError> {
    let mut rest = bytes;
    let mut next = || {
        let (value, end) = pickle::read_first(rest).map_err(|error| unexpected(&error.to_string()))?;
        rest = &rest[end..];
        Ok::<_, WeightsError>(value)
    };
    if !matches!(next()?, Value::Bytes(mark) if *mark == MARK) {
        return Err(unexpected("no mark of a PyTorch file"));
    }
    let _version_and_system = (next()?, next()?);
    let (Value::Dict(tensors), Value::List(order)) = (next()?, next()?) else {
        return Err(unexpected("no dict of tensors"));
    };
    let mut sizes = BTreeMap::new();
    let mut entries = Vec::new();
    for (name, value) in tensors {
        let (entry, value_bytes) = entry(name, &value)?;
        sizes.insert(entry.storage.clone(), value_bytes);
        // Only floats are wanted, which have four bytes.
        if value_bytes == size_of::<f32>() {
            entries.push(entry);
        }
    }
    let storages = storages(rest, &order, &sizes)?;
    entries.into_iter().map(|entry| entry.tensor(&storages)).collect()
}

/// The values of each storage.
fn storages<'a>(
    mut rest: &'a [u8],
    order: &[Value],
    sizes: &BTreeMap<String, usize>,
) -> Result<BTreeMap<String, &'a [u8]>, WeightsError> {
    let short = || unexpected("the file ends within its values");
    let mut storages = BTreeMap::new();
    for key in order {
        let Value::Text(key) = key else { return Err(unexpected("a storage without a name")) };
        let (count, behind) = rest.split_first_chunk::<COUNT_BYTES>().ok_or_else(short)?;
        let value_bytes = sizes.get(key).ok_or_else(|| unexpected("a storage that no tensor names"))?;
        let count = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| short())?;
        let length = count.checked_mul(*value_bytes).ok_or_else(short)?;
        let (values, behind) = behind.split_at_checked(length).ok_or_else(short)?;
        storages.insert(key.clone(), values);
        rest = behind;
    }
    Ok(storages)
}

impl Entry {
    /// The values in row-major order.
    fn tensor(self, storages: &BTreeMap<String, &[u8]>) -> Result<Tensor, WeightsError> {
        let wrong = || unexpected(&format!("{} is not among the values", self.name));
        let values = storages.get(&self.storage).ok_or_else(wrong)?;
        let (values, _) = values.as_chunks::<{ size_of::<f32>() }>();
        let mut places = vec![self.first];
        for (&side, &stride) in self.shape.iter().zip(&self.strides) {
            // A sound tensor has no more places than there are values.
            places.len().checked_mul(side).filter(|&count| count <= values.len()).ok_or_else(wrong)?;
            let along =
                |place: usize| (0..side).map(move |at| place.saturating_add(at.saturating_mul(stride)));
            places = places.into_iter().flat_map(along).collect();
        }
        let found: Option<Vec<[u8; 4]>> =
            places.into_iter().map(|place| values.get(place).copied()).collect();
        Ok(Tensor { bytes: found.ok_or_else(wrong)?.concat(), shape: self.shape, name: self.name })
    }
}

/// `_rebuild_tensor_v2(storage, first, shape, strides, ..)`, and the bytes of a value.
fn entry(name: String, value: &Value) -> Result<(Entry, usize), WeightsError> {
    let wrong = || unexpected(&format!("{name} is no dense tensor"));
    let Value::Call { arguments, .. } = value else { return Err(wrong()) };
    let Value::Tuple(arguments) = &**arguments else { return Err(wrong()) };
    let [Value::Reference(storage), first, Value::Tuple(shape), Value::Tuple(strides), ..] =
        arguments.as_slice()
    else {
        return Err(wrong());
    };
    let Value::Tuple(storage) = &**storage else { return Err(wrong()) };
    let [_, Value::Global(kind), Value::Text(key), ..] = storage.as_slice() else { return Err(wrong()) };
    let value_bytes = match kind.as_str() {
        "torch.FloatStorage" => size_of::<f32>(),
        "torch.LongStorage" => size_of::<i64>(),
        _ => return Err(wrong()),
    };
    let first = number(first).ok_or_else(wrong)?;
    let [shape, strides] =
        [shape, strides].map(|values| values.iter().map(number).collect::<Option<Vec<_>>>());
    let (shape, strides) = (shape.ok_or_else(wrong)?, strides.ok_or_else(wrong)?);
    if shape.len() != strides.len() {
        return Err(wrong());
    }
    Ok((Entry { storage: key.clone(), first, shape, strides, name }, value_bytes))
}

fn number(value: &Value) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}

fn unexpected(what: &str) -> WeightsError {
    WeightsError::UnexpectedPackage { what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one matrix of two rows and three columns, stored column by column behind another value, and a counter.
    fn file() -> Vec<u8> {
        let mut file = b"\x80\x02\x8a\x0a".to_vec();
        file.extend(MARK);
        file.extend(b".\x80\x02M\xe9\x03.\x80\x02}q\x00.");
        let text = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
        let tensor = |kind: &str, key: &str, rest: &[u8]| {
            let function = b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec();
            let storage = format!("ctorch\n{kind}\n").into_bytes();
            [function, text("storage"), storage, text(key), text("cpu"), b"K\x07NtQ".to_vec(), rest.to_vec()]
                .concat()
        };
        file.extend(b"\x80\x02ccollections\nOrderedDict\n)Rq\x00(");
        file.extend(text("matrix"));
        file.extend(tensor("FloatStorage", "1", b"K\x01K\x02K\x03\x86K\x01K\x02\x86\x89NtR"));
        file.extend(text("counter"));
        file.extend(tensor("LongStorage", "0", b"K\x00))\x89NtR"));
        // The dict has an attribute.
        file.extend(b"u}X\x01\x00\x00\x00mNsb.\x80\x02]q\x00(");
        file.extend([text("0"), text("1"), b"e.".to_vec()].concat());
        file.extend([1_u64.to_le_bytes(), 99_i64.to_le_bytes()].concat());
        file.extend(7_u64.to_le_bytes());
        file.extend((0..7_u16).flat_map(|value| f32::from(value).to_le_bytes()));
        file
    }

    #[test]
    fn values_come_out_row_by_row_and_counters_not_at_all() {
        let tensors = from_file(&file()).unwrap();
        assert_eq!(tensors.len(), 1);
        assert_eq!((tensors[0].name.as_str(), &tensors[0].shape), ("matrix", &vec![2, 3]));
        let (values, _) = tensors[0].bytes.as_chunks();
        let values: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        assert_eq!(values, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let file = file();
        for length in 0..file.len() {
            assert!(from_file(&file[..length]).is_err(), "{length} bytes were accepted");
        }
    }
}
