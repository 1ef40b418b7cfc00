//! A `1x1x1` convolution: one matrix product over all places of a map, with bias, ReLU or a sum behind it.
//!
//! The weights are packed once, in panels of a few vectors of outputs. A tile of a panel and some places keeps all its
//! sums in registers; each weight is loaded once for all places of the tile, each input stands for a whole vector.

use pulp::{Simd, WithSimd};

use super::isa::{Isa, LANES, mul_add, padded};
use super::lines::Lines;

/// What is done with the sums.
#[derive(Debug, Clone, Copy)]
pub(super) enum Then<'a> {
    Nothing,
    Relu,
    /// Adds a map of the output's shape.
    Add(&'a [f32]),
}

/// Its weights. Inputs and outputs are filled up to whole vectors, with weights of 0.
#[derive(Debug)]
pub(super) struct Pointwise {
    isa: Isa,
    inputs: usize,
    outputs: usize,
    /// By panel, in a panel by input.
    packed: Lines<f32>,
    bias: Lines<f32>,
}

impl Pointwise {
    /// `weight` is `[outputs, inputs]`, `bias` as long as there are outputs.
    pub(super) fn new(isa: Isa, weight: &[f32], bias: &[f32]) -> Self {
        let taps = weight.len() / bias.len().max(1);
        let (inputs, outputs) = (padded(taps), padded(bias.len()));
        let mut filled = vec![0.0; inputs * outputs];
        for (row, values) in weight.chunks_exact(taps.max(1)).enumerate() {
            for (input, &value) in values.iter().enumerate() {
                filled[input * outputs + row] = value;
            }
        }
        let mut biases = Lines::zeros(outputs);
        biases[..bias.len()].copy_from_slice(bias);
        let packed = Lines::of(&isa.run(Pack { inputs, outputs, weight: &filled }));
        Self { isa, inputs, outputs, packed, bias: biases }
    }

    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// From `[places, inputs]` to `[places, outputs]`.
    pub(super) fn run(&self, x: &[f32], then: Then<'_>, y: &mut [f32]) {
        self.isa.run(Product { layer: self, x, then, y });
    }
}

/// Vectors in each panel of `outputs`: two, and three at the end where their number is odd.
pub(super) fn panels(vectors: usize) -> impl Iterator<Item = usize> {
    let pairs = if vectors % 2 == 1 { vectors.saturating_sub(3) / 2 } else { vectors / 2 };
    let last = Some(vectors - 2 * pairs).filter(|&left| left > 0);
    std::iter::repeat_n(2, pairs).chain(last)
}

/// Brings weights `[inputs, outputs]` into panels.
struct Pack<'a> {
    inputs: usize,
    outputs: usize,
    weight: &'a [f32],
}

impl WithSimd for Pack<'_> {
    type Output = Vec<f32>;

    fn with_simd<S: Simd>(self, _: S) -> Vec<f32> {
        let Self { inputs, outputs, weight } = self;
        let mut packed = Vec::with_capacity(inputs * outputs);
        let mut first = 0;
        for vectors in panels(outputs / S::F32_LANES) {
            let width = vectors * S::F32_LANES;
            for row in weight.chunks_exact(outputs) {
                packed.extend_from_slice(&row[first..first + width]);
            }
            first += width;
        }
        packed
    }
}

struct Product<'a> {
    layer: &'a Pointwise,
    x: &'a [f32],
    then: Then<'a>,
    y: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (inputs, vectors) = (self.layer.inputs, self.layer.outputs / S::F32_LANES);
        let (packed, _) = S::as_simd_f32s(&self.layer.packed);
        let (bias, _) = S::as_simd_f32s(&self.layer.bias);
        let mut first = 0;
        for panel in panels(vectors) {
            let weight = &packed[first * inputs..(first + panel) * inputs];
            let bias = &bias[first..first + panel];
            // As many sums as there are registers for, beside those for weights and an input.
            match (panel, S::REGISTER_COUNT > 16) {
                (1, _) => self.panel::<S, 1, 12>(simd, weight, bias, first),
                (2, true) => self.panel::<S, 2, 12>(simd, weight, bias, first),
                (2, false) => self.panel::<S, 2, 6>(simd, weight, bias, first),
                (_, true) => self.panel::<S, 3, 8>(simd, weight, bias, first),
                (_, false) => self.panel::<S, 3, 4>(simd, weight, bias, first),
            }
            first += panel;
        }
    }
}

impl Product<'_> {
    /// All places of the panel that begins at vector `first`, in tiles of `MOST` places or a few less, all alike.
    #[inline(always)]
    fn panel<S: Simd, const VECTORS: usize, const MOST: usize>(
        &mut self,
        simd: S,
        weight: &[S::f32s],
        bias: &[S::f32s],
        first: usize,
    ) {
        let (weight, _) = weight.as_chunks::<VECTORS>();
        let Some(bias) = bias.first_chunk::<VECTORS>() else { return };
        let (inputs, outputs) = (self.layer.inputs, self.layer.outputs);
        let places = self.x.len() / inputs;
        let tiles = places.div_ceil(MOST).max(1);
        let (size, larger) = (places / tiles, places % tiles);
        let mut place = 0;
        for tile in 0..tiles {
            let rows = size + usize::from(tile < larger);
            let x = &self.x[place * inputs..(place + rows) * inputs];
            let span = place * outputs..(place + rows) * outputs;
            let then = match self.then {
                Then::Add(map) => Then::Add(&map[span.clone()]),
                other => other,
            };
            let column = first * S::F32_LANES;
            let tile = Tile { inputs, outputs, column, x, then, y: &mut self.y[span] };
            macro_rules! of_rows {
                ($($count:literal)*) => {
                    match rows {
                        $($count if $count <= MOST => tile.run::<S, $count, VECTORS>(simd, weight, bias),)*
                        _ => {}
                    }
                };
            }
            of_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
            place += rows;
        }
    }
}

/// Some places of one panel.
struct Tile<'a> {
    inputs: usize,
    outputs: usize,
    /// First output of the panel.
    column: usize,
    x: &'a [f32],
    then: Then<'a>,
    y: &'a mut [f32],
}

impl Tile<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(
        self,
        simd: S,
        weight: &[[S::f32s; VECTORS]],
        bias: &[S::f32s; VECTORS],
    ) {
        let Self { inputs, outputs, column, x, then, y } = self;
        let rows: [&[f32]; ROWS] = std::array::from_fn(|row| &x[row * inputs..][..inputs]);
        // Tells the compiler that no index below is out of bounds.
        let weight = &weight[..inputs];
        let mut sums = [*bias; ROWS];
        for input in 0..inputs {
            let weight = &weight[input];
            // Plain counts: the compiler unrolls these loops and keeps the sums in registers.
            for row in 0..ROWS {
                let value = simd.splat_f32s(rows[row][input]);
                for vector in 0..VECTORS {
                    sums[row][vector] = mul_add(simd, value, weight[vector], sums[row][vector]);
                }
            }
        }
        let width = VECTORS * S::F32_LANES;
        for (row, sums) in sums.iter().enumerate() {
            let span = row * outputs + column..row * outputs + column + width;
            let sums = match then {
                Then::Nothing => *sums,
                Then::Relu => sums.map(|sum| simd.max_f32s(sum, simd.splat_f32s(0.0))),
                Then::Add(map) => {
                    let (map, _) = S::as_simd_f32s(&map[span.clone()]);
                    std::array::from_fn(|at| simd.add_f32s(sums[at], map[at]))
                }
            };
            let (y, _) = S::as_mut_simd_f32s(&mut y[span]);
            y.copy_from_slice(&sums);
        }
    }
}

/// The longest vector holds whole lanes of every shorter one.
const _: () = assert!(LANES.is_multiple_of(8));
