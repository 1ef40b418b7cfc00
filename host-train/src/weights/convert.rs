//! Flax parameters to the layout of [`super`]: names with dots, convolutions as [C_out, C_in, T, H, W].

use super::WeightsError;
use super::pickle::{self, Value};
use safetensors::tensor::{Dtype, TensorView};

/// One float32 tensor, little-endian.
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

pub fn from_flax_pickle(bytes: &[u8]) -> Result<Vec<Tensor>, WeightsError> {
    let root = pickle::read(bytes).map_err(|error| unexpected(error.to_string()))?;
    let mut tensors = Vec::new();
    walk(&root, &mut Vec::new(), &mut tensors)?;
    Ok(tensors)
}

pub fn to_safetensors(tensors: &[Tensor]) -> Result<Vec<u8>, WeightsError> {
    let views = tensors
        .iter()
        .map(|tensor| {
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), &tensor.bytes);
            view.map(|view| (tensor.name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unexpected(error.to_string()))?;
    safetensors::serialize(views, None).map_err(|error| unexpected(error.to_string()))
}

fn walk(value: &Value, path: &mut Vec<String>, out: &mut Vec<Tensor>) -> Result<(), WeightsError> {
    match value {
        Value::Dict(entries) => {
            for (key, child) in entries {
                path.push(key.clone());
                walk(child, path, out)?;
                path.pop();
            }
            Ok(())
        }
        Value::Call { state: Some(state), .. } => {
            out.push(tensor(path, state)?);
            Ok(())
        }
        other => Err(unexpected(format!("{} holds {other:?}", path.join("/")))),
    }
}

/// A numpy array's state is (version, shape, dtype, is Fortran order, bytes).
fn tensor(path: &[String], state: &Value) -> Result<Tensor, WeightsError> {
    let wrong = || unexpected(format!("{} is not a float32 array", path.join("/")));
    let Value::Tuple(fields) = state else { return Err(wrong()) };
    let [_, Value::Tuple(shape), dtype, Value::Bool(false), Value::Bytes(bytes)] = fields.as_slice() else {
        return Err(wrong());
    };
    let shape = shape
        .iter()
        .map(|size| match size {
            Value::Int(size) => usize::try_from(*size).map_err(|_| wrong()),
            _ => Err(wrong()),
        })
        .collect::<Result<Vec<usize>, _>>()?;
    if !is_float32(dtype) || shape.iter().product::<usize>() * 4 != bytes.len() {
        return Err(wrong());
    }
    let name = name(path).ok_or_else(wrong)?;
    Ok(match *shape.as_slice() {
        [t, h, w, c_in, c_out] if name.ends_with("conv.weight") => Tensor {
            name,
            shape: vec![c_out, c_in, t, h, w],
            bytes: channels_first(bytes, t * h * w, c_in, c_out),
        },
        _ => Tensor { name, shape: vec![bytes.len() / 4], bytes: bytes.to_vec() },
    })
}

fn is_float32(dtype: &Value) -> bool {
    let Value::Call { arguments, .. } = dtype else { return false };
    matches!(&**arguments, Value::Tuple(items) if items.first() == Some(&Value::Text("f4".into())))
}

/// `params/Mixed_5c/Branch_0/Conv3d_0a_1x1/Conv_0/kernel` to `Mixed_5c.Branch_0.Conv3d_0a_1x1.conv.weight`.
fn name(path: &[String]) -> Option<String> {
    let (_, rest) = path.split_first()?;
    let (leaf, rest) = rest.split_last()?;
    let (layer, module) = rest.split_last()?;
    let leaf = match (layer.as_str(), leaf.as_str()) {
        ("Conv_0", "kernel") => "conv.weight",
        ("Conv_0", "bias") => "conv.bias",
        ("BatchNorm_0", "bias") => "bn.bias",
        ("BatchNorm_0", "mean") => "bn.running_mean",
        ("BatchNorm_0", "var") => "bn.running_var",
        _ => return None,
    };
    Some(format!("{}.{leaf}", module.join(".").replace('/', ".")))
}

/// [taps, C_in, C_out] to [C_out, C_in, taps], four bytes a value.
fn channels_first(bytes: &[u8], taps: usize, c_in: usize, c_out: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for o in 0..c_out {
        for i in 0..c_in {
            for tap in 0..taps {
                let at = ((tap * c_in + i) * c_out + o) * 4;
                out.extend_from_slice(&bytes[at..at + 4]);
            }
        }
    }
    out
}

fn unexpected(what: String) -> WeightsError {
    WeightsError::UnexpectedPackage { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn convolutions_are_transposed() {
        let values: Vec<u8> = (0..12_u32).flat_map(u32::to_le_bytes).collect();
        let got = channels_first(&values, 2, 3, 2);
        let got: Vec<u32> =
            got.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        assert_eq!(got, [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11]);
    }

    #[test]
    fn names_follow_the_module_path() {
        let path = ["params", "Mixed_5c", "Branch_0/Conv3d_0a_1x1", "Conv_0", "kernel"].map(String::from);
        assert_eq!(name(&path).as_deref(), Some("Mixed_5c.Branch_0.Conv3d_0a_1x1.conv.weight"));
    }
}
