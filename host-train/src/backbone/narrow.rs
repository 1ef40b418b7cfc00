//! Networks of the published depth and next to no width, for unit tests.

use burn::tensor::{Device, Tensor, TensorData};
use golden::hashed_values;

use super::source::Names;
use crate::tensors::{Array, Arrays};

const SEED: u64 = 7;

/// Outputs of every branch of every Inception block: blocks are `4 * WIDTH` wide.
const WIDTH: usize = 2;

/// Values of -1..1 on the processor.
pub(crate) fn values<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let values = hashed_values("values", SEED, shape.iter().product(), -1.0, 1.0);
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn add(arrays: &mut Arrays, name: String, shape: Vec<usize>, low: f64, high: f64) {
    let values = hashed_values(&name, SEED, shape.iter().product(), low, high);
    arrays.insert(name, Array { shape, values });
}

/// A convolution with normalisation.
pub(crate) fn unit(
    arrays: &mut Arrays,
    name: &str,
    names: Names,
    inputs: usize,
    outputs: usize,
    [t, h, w]: [usize; 3],
) {
    let bound = (6.0 / (inputs * t * h * w) as f64).sqrt();
    let weight = vec![outputs, inputs, t, h, w];
    add(arrays, format!("{name}.{}.weight", names.conv()), weight, -bound, bound);
    let ranges =
        [("weight", 0.5, 1.5), ("bias", 0.0, 0.3), ("running_mean", -0.1, 0.1), ("running_var", 0.5, 1.5)];
    for (part, low, high) in ranges {
        add(arrays, format!("{name}.{}.{part}", names.norm()), vec![outputs], low, high);
    }
}

/// All layers of I3D.
pub(crate) fn i3d(names: Names) -> Arrays {
    let mut arrays = Arrays::new();
    let [conv_1a, conv_2b, conv_2c] = names.stem();
    unit(&mut arrays, conv_1a, names, 3, WIDTH, [7; 3]);
    unit(&mut arrays, conv_2b, names, WIDTH, WIDTH, [1; 3]);
    unit(&mut arrays, conv_2c, names, WIDTH, 4 * WIDTH, [3; 3]);
    for block in ["3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c"] {
        let layers = [(4, 1), (4, 1), (1, 3), (4, 1), (1, 3), (4, 1)];
        for (part, (inputs, kernel)) in names.branches().into_iter().zip(layers) {
            let name = format!("{}.{part}", names.mixed(block));
            unit(&mut arrays, &name, names, inputs * WIDTH, WIDTH, [kernel; 3]);
        }
    }
    arrays
}

/// All layers of C3D.
pub(crate) fn c3d() -> Arrays {
    let mut arrays = Arrays::new();
    let mut inputs = 3;
    for name in super::c3d::LAYERS {
        let bound = (6.0 / (inputs * 27) as f64).sqrt();
        add(&mut arrays, format!("{name}.weight"), vec![WIDTH, inputs, 3, 3, 3], -bound, bound);
        add(&mut arrays, format!("{name}.bias"), vec![WIDTH], 0.0, 0.3);
        inputs = WIDTH;
    }
    arrays
}
