//! Checks of one constant tensor.

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::prelude::f16;

use crate::InferError;

/// Largest number of axes of a constant.
const MAX_RANK: usize = 6;

/// Type, size and values of an initialiser; its data must lie in the file itself.
pub(super) fn check(tensor: &TensorProto, graph: &str) -> Result<(), InferError> {
    let external = tensor.data_location == Some(DataLocation::External as i32);
    if external || !tensor.external_data.is_empty() {
        let (graph, tensor) = (graph.to_owned(), tensor.name.clone());
        return Err(InferError::ExternalData { graph, tensor });
    }
    let malformed = |reason: String| InferError::Malformed {
        graph: graph.to_owned(),
        reason: format!("tensor `{}` {reason}", tensor.name),
    };
    let elements = elements(&tensor.dims)
        .ok_or_else(|| malformed(format!("has the impossible shape {:?}", tensor.dims)))?;
    let (width, typed) = layout(tensor).map_err(malformed)?;
    let found = match (tensor.raw_data.len(), typed) {
        (0, typed) => typed,
        (raw, 0) if raw % width == 0 => raw / width,
        _ => {
            return Err(malformed("has data in two places or half a value".to_owned()));
        }
    };
    if found != elements || found == 0 {
        return Err(malformed(format!("has {found} values for the shape {:?}", tensor.dims)));
    }
    check_finite(tensor, graph)
}

fn elements(dims: &[i64]) -> Option<usize> {
    let rank_fits = dims.len() <= MAX_RANK;
    let product = |n: usize, &d: &i64| n.checked_mul(usize::try_from(d).ok()?);
    dims.iter().try_fold(1, product).filter(|_| rank_fits)
}

/// Bytes per value, and how many values lie in the typed field; other typed fields must be empty.
fn layout(tensor: &TensorProto) -> Result<(usize, usize), String> {
    let strays = tensor.int32_data.len()
        + tensor.string_data.len()
        + tensor.double_data.len()
        + tensor.uint64_data.len();
    if strays > 0 || tensor.segment.is_some() {
        return Err("has data that does not belong to its type".to_owned());
    }
    let numbers_are_raw = tensor.float_data.is_empty() && tensor.int64_data.is_empty();
    match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) if tensor.int64_data.is_empty() => Ok((4, tensor.float_data.len())),
        Ok(DataType::Int64) if tensor.float_data.is_empty() => Ok((8, tensor.int64_data.len())),
        Ok(DataType::Int8 | DataType::Uint8) if numbers_are_raw => Ok((1, 0)),
        Ok(DataType::Float16) if numbers_are_raw => Ok((2, 0)),
        Ok(DataType::Int32) if numbers_are_raw => Ok((4, 0)),
        Ok(
            DataType::Float
            | DataType::Float16
            | DataType::Int64
            | DataType::Int8
            | DataType::Uint8
            | DataType::Int32,
        ) => Err("has data that does not belong to its type".to_owned()),
        _ => {
            let found = tensor.data_type;
            Err(format!("has the element type {found}, expected f32, f16, i64, i32, i8 or u8"))
        }
    }
}

fn check_finite(tensor: &TensorProto, graph: &str) -> Result<(), InferError> {
    let mut values = floats(tensor).into_iter().flatten().enumerate();
    match values.find(|(_, v)| !v.is_finite()) {
        Some((index, value)) => Err(InferError::NonFiniteWeight {
            graph: graph.to_owned(),
            tensor: tensor.name.clone(),
            index,
            value,
        }),
        None => Ok(()),
    }
}

/// Values of a constant in f32, or in f16 and then widened; nothing of another type.
pub(crate) fn floats(tensor: &TensorProto) -> Option<Box<dyn Iterator<Item = f32> + '_>> {
    match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => {
            let (words, _) = tensor.raw_data.as_chunks::<4>();
            let raw = words.iter().map(|&word| f32::from_le_bytes(word));
            Some(Box::new(raw.chain(tensor.float_data.iter().copied())))
        }
        Ok(DataType::Float16) => {
            let (words, _) = tensor.raw_data.as_chunks::<2>();
            Some(Box::new(words.iter().map(|&word| f16::from_le_bytes(word).to_f32())))
        }
        _ => None,
    }
}
