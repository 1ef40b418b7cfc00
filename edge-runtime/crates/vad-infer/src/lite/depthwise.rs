//! The two convolutions of each channel by itself that open a block: over the picture, then over the present frame and
//! those before it.
//!
//! Both are one pass: the value of a place over the picture is stored for the frames to come and goes on into the sum over
//! time while it is in a register. The picture is copied between zeros first, so that every place has every tap.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::isa::{Isa, mul_add, padded};
use super::lines::Lines;

/// One axis of a kernel over a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Zeros before the first place.
    pub(super) before: usize,
}

impl Axis {
    /// Places, zeros included, from the first to the last that the kernels of `outputs` places lie on.
    fn reach(self, outputs: usize) -> usize {
        (outputs - 1) * self.stride + self.kernel
    }
}

/// `1xkxk`, then `kx1x1`; channels are filled up with zeros.
#[derive(Debug)]
pub(super) struct Depthwise {
    isa: Isa,
    channels: usize,
    /// Of height and width.
    axes: [Axis; 2],
    frames: usize,
    space: Taps,
    time: Taps,
}

/// Weights by tap and then by channel, and a bias.
#[derive(Debug)]
struct Taps {
    weight: Lines<f32>,
    bias: Lines<f32>,
}

impl Taps {
    /// `weight` is `[channels, taps]`.
    fn new(weight: &[f32], bias: &[f32]) -> Self {
        let (channels, taps) = (padded(bias.len()), weight.len() / bias.len().max(1));
        let mut moved = Lines::zeros(taps * channels);
        for (at, &value) in weight.iter().enumerate() {
            moved[at % taps * channels + at / taps] = value;
        }
        let mut biases = Lines::zeros(channels);
        biases[..bias.len()].copy_from_slice(bias);
        Self { weight: moved, bias: biases }
    }
}

/// A convolution of each channel by itself: `[channels, taps]`, over time the oldest frame's tap first, and a bias for each
/// channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel<'a> {
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
}

impl Depthwise {
    pub(super) fn new(isa: Isa, axes: [Axis; 2], space: Kernel<'_>, time: Kernel<'_>) -> Self {
        let frames = time.weight.len() / time.bias.len().max(1);
        let channels = padded(space.bias.len());
        let (space, time) = (Taps::new(space.weight, space.bias), Taps::new(time.weight, time.bias));
        Self { isa, channels, axes, frames, space, time }
    }

    /// Rows of a map that it makes.
    pub(super) fn rows(&self) -> usize {
        self.axes[0].output
    }

    /// Values of one of them.
    pub(super) fn row_len(&self) -> usize {
        self.axes[1].output * self.channels
    }

    /// Values between zeros that `rows` rows need.
    pub(super) fn framed_len(&self, rows: usize) -> usize {
        self.axes[0].reach(rows) * self.framed_row_len()
    }

    /// Values that a stream keeps.
    pub(super) fn memory_len(&self) -> usize {
        self.frames * self.rows() * self.row_len()
    }

    fn framed_row_len(&self) -> usize {
        self.axes[1].reach(self.axes[1].output) * self.channels
    }

    /// A stream at its beginning.
    pub(super) fn beginning(&self) -> Memory {
        Memory { maps: Lines::zeros(self.memory_len()), len: self.rows() * self.row_len(), newest: 0 }
    }

    /// From the newest frame of a stream, `[height, width, channels]`, to some rows of the output.
    pub(super) fn run(
        &self,
        memory: &mut Memory,
        x: &[f32],
        rows: Range<usize>,
        room: &mut [f32],
        y: &mut [f32],
    ) {
        let framed = &mut room[..self.framed_len(rows.len())];
        self.frame(x, rows.start * self.axes[0].stride, framed);
        let span = rows.start * self.row_len()..rows.end * self.row_len();
        self.isa.run(Step { layer: self, memory, span, framed, y });
    }

    /// Copies rows of a picture between zeros, from row `first` on, the zeros before the picture counted. Places that no
    /// kernel reaches are left out.
    fn frame(&self, x: &[f32], first: usize, framed: &mut [f32]) {
        let [rows, columns] = self.axes;
        let within = columns.before * self.channels;
        let copied = (columns.input * self.channels).min(self.framed_row_len().saturating_sub(within));
        for (row, framed) in framed.chunks_exact_mut(self.framed_row_len()).enumerate() {
            match (first + row).checked_sub(rows.before).filter(|&row| row < rows.input) {
                Some(row) => {
                    let x = &x[row * columns.input * self.channels..][..copied];
                    framed[..within].fill(0.0);
                    framed[within..within + copied].copy_from_slice(x);
                    framed[within + copied..].fill(0.0);
                }
                None => framed.fill(0.0),
            }
        }
    }
}

/// The last maps over the picture of a stream, a ring; those before its beginning are zeros.
#[derive(Debug)]
pub(super) struct Memory {
    maps: Lines<f32>,
    len: usize,
    newest: usize,
}

impl Memory {
    /// Back to the beginning of a stream.
    pub(super) fn forget(&mut self) {
        self.maps.fill(0.0);
    }

    /// Makes room for the next map: the oldest is forgotten.
    pub(super) fn advance(&mut self) {
        self.newest = (self.newest + 1) % (self.maps.len() / self.len);
    }

    /// A part of the newest map, and the same of those before it, from the oldest on.
    fn part(&mut self, span: Range<usize>) -> (&mut [f32], impl Iterator<Item = &[f32]>) {
        let (newer, rest) = self.maps.split_at_mut(self.newest * self.len);
        let (newest, older) = rest.split_at_mut(self.len);
        let maps = older.chunks_exact(self.len).chain(newer.chunks_exact(self.len));
        (&mut newest[span.clone()], maps.map(move |map| &map[span.clone()]))
    }
}

/// Places of a row that are computed with the same weights in registers, before the next vector of channels: few enough
/// to find the picture in the fastest cache again.
const TILE: usize = 8;

/// Beginnings of a row's tiles, each with every vector of channels.
#[inline(always)]
fn tiles(places: usize, vectors: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..places).step_by(TILE).flat_map(move |begin| (0..vectors).map(move |vector| (begin, vector)))
}

struct Step<'a> {
    layer: &'a Depthwise,
    memory: &'a mut Memory,
    /// Of each map.
    span: Range<usize>,
    framed: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [rows, columns] = self.layer.axes;
        match (rows.kernel, columns.kernel, self.layer.frames) {
            (3, 3, 3) => self.fixed::<S, 3, 2>(simd),
            (3, 3, 5) => self.fixed::<S, 3, 4>(simd),
            (5, 5, 3) => self.fixed::<S, 5, 2>(simd),
            (5, 5, 5) => self.fixed::<S, 5, 4>(simd),
            _ => self.any::<S>(simd),
        }
    }
}

impl Step<'_> {
    /// Kernels that are known when this is compiled: their weights stay in registers along a row.
    #[inline(always)]
    fn fixed<S: Simd, const SIDE: usize, const BEFORE: usize>(self, simd: S) {
        let Depthwise { channels, axes: [_, columns], space, time, .. } = self.layer;
        let vectors = channels / S::F32_LANES;
        let (weight, _) = S::as_simd_f32s(&space.weight);
        let (bias, _) = S::as_simd_f32s(&space.bias);
        let (time_weight, _) = S::as_simd_f32s(&time.weight);
        let (time_bias, _) = S::as_simd_f32s(&time.bias);
        let (framed, _) = S::as_simd_f32s(self.framed);
        let (next, mut older) = self.memory.part(self.span);
        let older: [&[S::f32s]; BEFORE] =
            std::array::from_fn(|_| S::as_simd_f32s(older.next().unwrap_or_default()).0);
        let (next, _) = S::as_mut_simd_f32s(next);
        let (y, _) = S::as_mut_simd_f32s(self.y);
        let (row_len, framed_len) = (columns.output * vectors, columns.reach(columns.output) * vectors);
        let outputs = next.chunks_exact_mut(row_len).zip(y.chunks_exact_mut(row_len));
        for (row, (next, y)) in outputs.enumerate() {
            let top = row * self.layer.axes[0].stride;
            let taps: [&[S::f32s]; SIDE] =
                std::array::from_fn(|down| &framed[(top + down) * framed_len..][..framed_len]);
            let older: [&[S::f32s]; BEFORE] =
                std::array::from_fn(|at| &older[at][row * row_len..][..row_len]);
            for (begin, vector) in tiles(columns.output, vectors) {
                let weight: [[S::f32s; SIDE]; SIDE] = std::array::from_fn(|down| {
                    std::array::from_fn(|across| weight[(down * SIDE + across) * vectors + vector])
                });
                let bias = bias[vector];
                for column in begin..(begin + TILE).min(columns.output) {
                    let left = column * columns.stride * vectors + vector;
                    let mut sum = bias;
                    for down in 0..SIDE {
                        for across in 0..SIDE {
                            let x = taps[down][left + across * vectors];
                            sum = mul_add(simd, x, weight[down][across], sum);
                        }
                    }
                    let at = column * vectors + vector;
                    next[at] = sum;
                    let mut over_time =
                        mul_add(simd, sum, time_weight[BEFORE * vectors + vector], time_bias[vector]);
                    for before in 0..BEFORE {
                        over_time = mul_add(
                            simd,
                            older[before][at],
                            time_weight[before * vectors + vector],
                            over_time,
                        );
                    }
                    y[at] = over_time;
                }
            }
        }
    }

    /// Any kernel.
    #[inline(always)]
    fn any<S: Simd>(self, simd: S) {
        let Depthwise { channels, axes: [rows, columns], space, time, frames, .. } = self.layer;
        let vectors = channels / S::F32_LANES;
        let (weight, _) = S::as_simd_f32s(&space.weight);
        let (bias, _) = S::as_simd_f32s(&space.bias);
        let (time_weight, _) = S::as_simd_f32s(&time.weight);
        let (time_bias, _) = S::as_simd_f32s(&time.bias);
        let (framed, _) = S::as_simd_f32s(self.framed);
        let (next, older) = self.memory.part(self.span);
        let (next, _) = S::as_mut_simd_f32s(next);
        let (y, _) = S::as_mut_simd_f32s(self.y);
        for (at, (next, y)) in next.iter_mut().zip(y.iter_mut()).enumerate() {
            let (place, vector) = (at / vectors, at % vectors);
            let (top, left) = (place / columns.output * rows.stride, place % columns.output * columns.stride);
            let mut sum = bias[vector];
            for (tap, weight) in weight.iter().skip(vector).step_by(vectors).enumerate() {
                let (down, across) = (tap / columns.kernel, tap % columns.kernel);
                let from = (top + down) * columns.reach(columns.output) + left + across;
                sum = mul_add(simd, framed[from * vectors + vector], *weight, sum);
            }
            *next = sum;
            *y = mul_add(simd, sum, time_weight[(frames - 1) * vectors + vector], time_bias[vector]);
        }
        for (older, weight) in older.zip(time_weight.chunks_exact(vectors)) {
            let (older, _) = S::as_simd_f32s(older);
            for (at, (y, &older)) in y.iter_mut().zip(older).enumerate() {
                *y = mul_add(simd, older, weight[at % vectors], *y);
            }
        }
    }
}
