//! 3-D max pooling as one pool per axis, with the same result.
//!
//! tract pools planes row by row but walks volumes element by element, and is quickest where a pool
//! folds whole rows. A maximum over a box is the maximum over time of maxima over rows of maxima
//! over columns, and on a row-major tensor each of them is a 2-D pool of a reshaped view. No value
//! is rounded, so the result equals that of one 5-D `MaxPool` bit for bit.

use crate::onnx::{GraphBuilder, ints};
use crate::same::{SameAxis, onnx_pads, same};
use crate::volume::{Volume, reshape};

/// Pools with TensorFlow `SAME` padding; the padding never wins.
///
/// Time comes first, because its rows are longest and its stride spares the other two work.
pub(crate) fn max_pool(
    graph: &mut GraphBuilder,
    name: &str,
    x: &Volume,
    kernel: [usize; 3],
    stride: [usize; 3],
) -> Volume {
    let axes = same(x.size, kernel, stride);
    let (c, [_, h, w], size) = (x.channels, x.size, axes.map(|a| a.out));
    let mut out = x.name.clone();
    if moves(kernel[0], stride[0]) {
        let view = [1, c, x.size[0], h * w];
        out = reshape(graph, format!("{name}.frames"), &out, &view);
        out = pool_rows(graph, format!("{name}.time"), &out, kernel[0], stride[0], axes[0]);
    }
    out = reshape(graph, format!("{name}.planes"), &out, &[1, c * size[0], h, w]);
    if moves(kernel[1], stride[1]) {
        out = pool_rows(graph, format!("{name}.rows"), &out, kernel[1], stride[1], axes[1]);
    }
    if moves(kernel[2], stride[2]) {
        let columns = [SameAxis::UNPOOLED, axes[2]];
        let name = format!("{name}.columns");
        out = pool_node(graph, name, &out, &[1, kernel[2]], &[1, stride[2]], &columns);
    }
    let volume = [1, c, size[0], size[1], size[2]];
    let name = reshape(graph, name.to_owned(), &out, &volume);
    Volume { name, channels: c, size }
}

/// Whether pooling an axis changes anything.
fn moves(kernel: usize, stride: usize) -> bool {
    (kernel, stride) != (1, 1)
}

/// Pools the third of four axes.
fn pool_rows(
    graph: &mut GraphBuilder,
    name: String,
    input: &str,
    kernel: usize,
    stride: usize,
    axis: SameAxis,
) -> String {
    pool_node(graph, name, input, &[kernel, 1], &[stride, 1], &[axis, SameAxis::UNPOOLED])
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test")]
mod tests {
    use golden::hashed_values;
    use proptest::prelude::*;
    use tract_onnx::prelude::*;

    use super::*;

    /// The plain form: one 5-D node.
    fn one_node(
        graph: &mut GraphBuilder,
        name: &str,
        x: &Volume,
        kernel: [usize; 3],
        stride: [usize; 3],
    ) -> Volume {
        let axes = same(x.size, kernel, stride);
        let name = pool_node(graph, name.to_owned(), &x.name, &kernel, &stride, &axes);
        Volume { name, channels: x.channels, size: axes.map(|a| a.out) }
    }

    type Pool = fn(&mut GraphBuilder, &str, &Volume, [usize; 3], [usize; 3]) -> Volume;

    fn run(pool: Pool, x: &Volume, kernel: [usize; 3], stride: [usize; 3]) -> Tensor {
        let [t, h, w] = x.size;
        let shape = [1, x.channels, t, h, w];
        let mut graph = GraphBuilder::new("pool");
        graph.input(&x.name, &shape);
        let out = pool(&mut graph, "pool", x, kernel, stride);
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
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn pools_per_axis_equal_the_volume_pool_bit_for_bit(
            channels in 1usize..5,
            size in proptest::array::uniform3(1usize..12),
            kernel in proptest::array::uniform3(1usize..4),
            stride in proptest::array::uniform3(1usize..3),
        ) {
            let x = Volume { name: "x".to_owned(), channels, size };
            let volume = run(one_node, &x, kernel, stride);
            let per_axis = run(max_pool, &x, kernel, stride);
            prop_assert_eq!(volume, per_axis);
        }
    }
}
