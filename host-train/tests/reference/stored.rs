//! From stored cases to arrays and tensors, and back.

use burn::tensor::{DType, Device, Tensor, TensorData};
use golden::{Case, Tolerance, assert_close};
use watchpost::tensors::{Array, Arrays};

/// Arrays of a case whose names start with `prefix`, without it.
pub fn group(case: &Case, prefix: &str) -> Arrays {
    let member = |name: &str| {
        let array = case.f32(name);
        let short = name.strip_prefix(prefix)?.to_owned();
        Some((short, Array { shape: array.shape, values: array.data }))
    };
    let names: Vec<String> =
        case.array_names().filter(|name| name.starts_with(prefix)).map(str::to_owned).collect();
    names.iter().filter_map(|name| member(name)).collect()
}

/// Whether `w.*` holds the weights `after` the step or steps that it should precede, which no step with gradients leaves
/// possible: the reference kept views of its weights and updated them in place before it wrote them out.
pub fn overwritten(case: &Case, after: &str) -> bool {
    let (after, start) = (group(case, after), group(case, "w."));
    let pairs: Vec<_> = start.iter().filter_map(|(name, array)| Some((array, after.get(name)?))).collect();
    !pairs.is_empty() && pairs.iter().all(|(start, after)| start == after)
}

/// Weights that the case's hash makes.
pub fn hashed_weights(case: &Case) -> Arrays {
    let weight = |name: &str| {
        let array = case.hashed(name);
        (name.to_owned(), Array { shape: array.shape, values: array.data })
    };
    case.hashed_names().into_iter().map(weight).collect()
}

/// A stored array on a device; its rank must be `D`.
pub fn tensor<const D: usize>(case: &Case, name: &str, device: &Device) -> Tensor<D> {
    let array = case.f32(name);
    assert_eq!(array.shape.len(), D, "{}: rank of {:?}", case.what(name), array.shape);
    Tensor::from_data(TensorData::new(array.data, array.shape), device)
}

/// A stored array in double precision; its rank must be `D`.
pub fn doubles<const D: usize>(case: &Case, key: &str, device: &Device) -> Tensor<D> {
    let array = case.f64(key);
    assert_eq!(array.shape.len(), D, "{}: rank of {:?}", case.what(key), array.shape);
    Tensor::from_data(TensorData::new(array.data, array.shape), (device, DType::F64))
}

/// The pixels `[T, H, W, 3]` of 0..=255 that a case of a video network stores, as a clip `[1, 3, T, H, W]` of -1..=1.
pub fn clip(case: &Case, device: &Device) -> Tensor<5> {
    let key = case.array_names().find(|name| name.starts_with("input")).expect("an input array").to_owned();
    let pixels = case.u8(&key);
    let values: Vec<f32> = pixels.data.iter().map(|pixel| f32::from(*pixel) / 127.5 - 1.0).collect();
    let [t, h, w] = [pixels.shape[0], pixels.shape[1], pixels.shape[2]];
    Tensor::<5>::from_data(TensorData::new(values, [1, t, h, w, 3]), device).permute([0, 4, 1, 2, 3])
}

/// The values of a tensor, row by row.
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Compares one number with a stored scalar, which the case must have.
#[track_caller]
pub fn check_scalar(case: &Case, key: &str, got: f32) {
    assert_close(&case.what(key), &[got], &case.f64(key).data, case.tolerance());
}

/// Compares what was computed in double precision throughout.
#[track_caller]
pub fn check<const D: usize>(case: &Case, key: &str, got: Tensor<D>, tolerance: Tolerance) {
    assert_eq!(got.dtype(), DType::F64, "{}: computed in another precision", case.what(key));
    let got: Vec<f64> = got.into_data().iter::<f64>().collect();
    assert_close(&case.what(key), &got, &case.f64(key).data, tolerance);
}
