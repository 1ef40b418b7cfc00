//! The loops, over plain slices. All are inlined into a function that is compiled for the processor's vectors.

use crate::layer::Layer;

/// `sum += x * weight`, one channel after the other.
#[inline(always)]
fn add_product(sum: &mut [f32], x: &[f32], weight: &[f32]) {
    for ((sum, x), weight) in sum.iter_mut().zip(x).zip(weight) {
        *sum += x * weight;
    }
}

/// A tap over the picture on a row of outputs: where both begin, in values.
struct Run {
    tap: usize,
    /// First value of the outputs, and behind the last.
    outputs: [usize; 2],
    /// First value of the inputs.
    input: usize,
}

/// Calls `run` for every tap of every row of outputs.
#[inline(always)]
fn for_each_run(layer: &Layer, mut run: impl FnMut(Run)) {
    let [height, width] = &layer.axes;
    let c = layer.channels;
    for i in 0..height.kernel {
        for p in height.outputs(i) {
            let row = height.place(p, i) * width.input;
            for j in 0..width.kernel {
                let outputs = width.outputs(j);
                if outputs.is_empty() {
                    continue;
                }
                let input = (row + width.place(outputs.start, j)) * c;
                let outputs = [outputs.start, outputs.end].map(|q| (p * width.output + q) * c);
                run(Run { tap: i * width.kernel + j, outputs, input });
            }
        }
    }
}

/// One frame over the picture; `sums` begins as zeros.
#[inline(always)]
pub(crate) fn space(layer: &Layer, x: &[f32], weight: &[f32], sums: &mut [f32]) {
    let (c, stride) = (layer.channels, layer.axes[1].stride);
    for_each_run(layer, |Run { tap, outputs: [first, end], input }| {
        let weight = &weight[tap * c..(tap + 1) * c];
        let places = x[input..].chunks_exact(c).step_by(stride);
        for (sum, x) in sums[first..end].chunks_exact_mut(c).zip(places) {
            add_product(sum, x, weight);
        }
    });
}

/// The gradients of one frame's input and of the weights, added to what is there.
#[inline(always)]
pub(crate) fn space_backward(
    layer: &Layer,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    by_x: &mut [f32],
    by_weight: &mut [f32],
) {
    let (c, stride) = (layer.channels, layer.axes[1].stride);
    for_each_run(layer, |Run { tap, outputs: [first, end], input }| {
        let tap = tap * c..(tap + 1) * c;
        let (weight, by_weight) = (&weight[tap.clone()], &mut by_weight[tap]);
        let grads = grad[first..end].chunks_exact(c);
        let places = x[input..].chunks_exact(c).step_by(stride);
        let by_places = by_x[input..].chunks_exact_mut(c).step_by(stride);
        for ((grad, x), by_x) in grads.zip(places).zip(by_places) {
            add_product(by_weight, x, grad);
            add_product(by_x, grad, weight);
        }
    });
}

/// `sums` of a frame get what a tap over time makes of another frame.
#[inline(always)]
pub(crate) fn add_frame(sums: &mut [f32], frame: &[f32], weight: &[f32]) {
    for (sum, x) in sums.chunks_exact_mut(weight.len()).zip(frame.chunks_exact(weight.len())) {
        add_product(sum, x, weight);
    }
}

/// The same for the gradient of the tap itself: `by_weight += x * grad` over all places.
#[inline(always)]
pub(crate) fn add_places(by_weight: &mut [f32], x: &[f32], grad: &[f32]) {
    let c = by_weight.len();
    for (x, grad) in x.chunks_exact(c).zip(grad.chunks_exact(c)) {
        add_product(by_weight, x, grad);
    }
}

/// Adds up all places, channel by channel.
#[inline(always)]
pub(crate) fn add_rows(sums: &mut [f32], rows: &[f32]) {
    for row in rows.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
}
