//! 3-D max pooling, either as one node or as planar nodes with the same result.
//!
//! tract pools planes row by row but walks volumes element by element. A maximum over a box is the
//! maximum over time of maxima over planes, and on a row-major tensor both are 2-D pools of a
//! reshaped view: no value is rounded, so the two forms are equal bit for bit.

use crate::i3d::Volume;
use crate::onnx::{GraphBuilder, ints};
use crate::same::{SameAxis, onnx_pads, same};

/// How a 3-D max pool is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolForm {
    /// One 5-D `MaxPool` node.
    #[cfg_attr(not(test), allow(dead_code, reason = "the reference form of the equality test"))]
    Volume,
    /// 2-D `MaxPool` nodes between reshapes that copy nothing.
    Planar,
}

/// Pools with TensorFlow `SAME` padding; the padding never wins.
pub(crate) fn max_pool(
    graph: &mut GraphBuilder,
    form: PoolForm,
    name: &str,
    x: &Volume,
    kernel: [usize; 3],
    stride: [usize; 3],
) -> Volume {
    let axes = same(x.size, kernel, stride);
    let size = axes.map(|a| a.out);
    let pooled = match form {
        PoolForm::Volume => pool_node(graph, name.to_owned(), &x.name, &kernel, &stride, &axes),
        PoolForm::Planar => planar(graph, name, x, kernel, stride, &axes),
    };
    Volume { name: pooled, channels: x.channels, size }
}

/// Space on `[1, C*T, H, W]`, then time on `[1, C, T, H*W]`.
fn planar(
    graph: &mut GraphBuilder,
    name: &str,
    x: &Volume,
    kernel: [usize; 3],
    stride: [usize; 3],
    axes: &[SameAxis; 3],
) -> String {
    let [t, h, w] = x.size;
    let [t_out, h_out, w_out] = axes.map(|a| a.out);
    let c = x.channels;
    let planes = reshape(graph, format!("{name}.planes"), &x.name, &[1, c * t, h, w]);
    let space = format!("{name}.space");
    let mut out = pool_node(graph, space, &planes, &kernel[1..], &stride[1..], &axes[1..]);
    if (kernel[0], stride[0]) != (1, 1) {
        let pixels = h_out * w_out;
        out = reshape(graph, format!("{name}.columns"), &out, &[1, c, t, pixels]);
        let still = SameAxis { before: 0, after: 0, out: pixels };
        let time = format!("{name}.time");
        out = pool_node(graph, time, &out, &[kernel[0], 1], &[stride[0], 1], &[axes[0], still]);
    }
    reshape(graph, name.to_owned(), &out, &[1, c, t_out, h_out, w_out])
}

fn pool_node(
    graph: &mut GraphBuilder,
    name: String,
    input: &str,
    kernel: &[usize],
    stride: &[usize],
    axes: &[SameAxis],
) -> String {
    let attributes = vec![
        ints("kernel_shape", kernel.iter().copied()),
        ints("strides", stride.iter().copied()),
        ints("pads", onnx_pads(axes)),
    ];
    graph.node("MaxPool", name, &[input], attributes)
}

fn reshape(graph: &mut GraphBuilder, name: String, input: &str, shape: &[usize]) -> String {
    let shape: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
    let shape = graph.integers(format!("{name}.shape"), &shape);
    graph.node("Reshape", name, &[input, &shape], vec![])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test")]
mod tests {
    use golden::hashed_values;
    use proptest::prelude::*;
    use tract_onnx::prelude::*;

    use super::*;

    fn run(form: PoolForm, x: &Volume, kernel: [usize; 3], stride: [usize; 3]) -> Tensor {
        let [t, h, w] = x.size;
        let shape = [1, x.channels, t, h, w];
        let mut graph = GraphBuilder::new("pool");
        graph.input(&x.name, &shape);
        let out = max_pool(&mut graph, form, "pool", x, kernel, stride);
        graph.output(&out.name, &[1, out.channels, out.size[0], out.size[1], out.size[2]]);
        let bytes = graph.into_bytes();
        let values = hashed_values("x", 1, shape.iter().product(), -1.0, 1.0);
        let input = Tensor::from_shape(&shape, &values).unwrap();
        let plan = onnx()
            .model_for_read(&mut &bytes[..])
            .and_then(|m| m.into_optimized())
            .and_then(|m| m.into_runnable())
            .unwrap();
        plan.run(tvec!(input.into_tvalue())).unwrap()[0].clone().into_tensor()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn planar_pools_equal_the_volume_pool_bit_for_bit(
            channels in 1usize..5,
            size in proptest::array::uniform3(1usize..12),
            kernel in proptest::array::uniform3(1usize..4),
            stride in proptest::array::uniform3(1usize..3),
        ) {
            let x = Volume { name: "x".to_owned(), channels, size };
            let volume = run(PoolForm::Volume, &x, kernel, stride);
            let planar = run(PoolForm::Planar, &x, kernel, stride);
            prop_assert_eq!(volume, planar);
        }
    }
}
