//! A `1x1x1` convolution of 8-bit integers: exact sums in 32 bits, then f32, or the steps of the next layer's grid.
//!
//! What is computed is what a graph with `QuantizeLinear` and `DequantizeLinear` around its convolutions means: an input is
//! rounded to 256 even steps, a weight is a step of its output's grid. The products of the steps are summed as integers; the
//! zero point and the bias are in the sums' beginnings.

use pulp::Simd;

use super::dots::{Dots, Sums, WithDots, weight_words};
use super::isa::{Isa, mul_add, padded};
use super::lines::Lines;
use super::pointwise::{Then, panels};

/// 1.5 * 2^23: an f32 of 22 bits at most that it is added to is rounded to the nearest integer, of two to the even one, and
/// that integer is in its lowest bits.
const ROUNDING: f32 = 12_582_912.0;

/// Greatest step of a grid.
const STEPS: f32 = 255.0;

/// The even steps that inputs are rounded to: `x = scale * (step - zero_point)`, `step` in 0..=255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    /// Positive and normal.
    pub(super) scale: f32,
    pub(super) zero_point: u8,
}

impl Grid {
    /// Least and greatest value in steps from the one that is 0.
    fn ends(self) -> (f32, f32) {
        let zero = f32::from(self.zero_point);
        (-zero, STEPS - zero)
    }
}

/// A layer as a file has it.
#[derive(Debug)]
pub(super) struct Int8Weights<'a> {
    pub(super) input: Grid,
    /// `[outputs, inputs]`.
    pub(super) weight: &'a [i8],
    /// Of each output.
    pub(super) scale: &'a [f32],
    /// In steps of `input.scale * scale`.
    pub(super) bias: &'a [i32],
}

/// Sums of a layer could be more than 32 bits hold.
#[derive(Debug, thiserror::Error)]
#[error("its sums may be larger than 32 bits hold; its bias is too large for its scales")]
pub(super) struct SumsTooLarge;

/// Its weights. Inputs and outputs are filled up to whole vectors, with weights of 0.
#[derive(Debug)]
pub(super) struct Int8 {
    isa: Isa,
    input: Grid,
    inputs: usize,
    outputs: usize,
    /// Words of inputs.
    words: usize,
    /// By panel, in a panel by word of inputs.
    packed: Lines<i32>,
    /// Where the sum of each output begins.
    beginning: Lines<i32>,
    /// What a step of each sum is worth.
    scale: Lines<f32>,
}

/// What a sum becomes where the next layer takes steps: a ReLU lies between.
#[derive(Debug)]
pub(super) struct Requantise {
    /// Steps of the next grid for each of the sum, by output.
    factor: Lines<f32>,
    to: Grid,
}

impl Int8 {
    pub(super) fn new(isa: Isa, layer: &Int8Weights<'_>) -> Result<Self, SumsTooLarge> {
        let outputs = layer.bias.len();
        let taps = layer.weight.len() / outputs.max(1);
        let mut beginning = Lines::zeros(padded(outputs));
        for (at, (row, &bias)) in layer.weight.chunks_exact(taps.max(1)).zip(layer.bias).enumerate() {
            let sum: i64 = row.iter().map(|&weight| i64::from(weight)).sum();
            let first = i64::from(bias) - i64::from(layer.input.zero_point) * sum;
            let most: i64 = row.iter().map(|&weight| i64::from(weight.unsigned_abs()) * 255).sum();
            let fits = first.abs() + most <= i64::from(i32::MAX);
            beginning[at] = i32::try_from(first).ok().filter(|_| fits).ok_or(SumsTooLarge)?;
        }
        let mut scale = Lines::zeros(padded(outputs));
        for (own, weight) in scale.iter_mut().zip(layer.scale) {
            *own = layer.input.scale * weight;
        }
        let (inputs, outputs) = (padded(taps), padded(outputs));
        let Packed { words, values } = isa.run_dots(Pack { taps, inputs, outputs, weight: layer.weight });
        Ok(Self {
            isa,
            input: layer.input,
            inputs,
            outputs,
            words,
            packed: Lines::of(&values),
            beginning,
            scale,
        })
    }

    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Words of so many places' inputs.
    pub(super) fn words(&self, places: usize) -> usize {
        places * self.words
    }

    /// How this layer's sums become the inputs of `next`.
    pub(super) fn requantise(&self, next: &Self) -> Requantise {
        let mut factor = Lines::zeros(self.scale.len());
        for (factor, scale) in factor.iter_mut().zip(&*self.scale) {
            *factor = scale / next.input.scale;
        }
        Requantise { factor, to: next.input }
    }

    /// Rounds a map, `[places, inputs]`, to the grid of the inputs.
    pub(super) fn quantise(&self, x: &[f32], words: &mut [i32]) {
        self.isa.run_dots(Quantise { grid: self.input, x, words });
    }

    /// From `[places, words]` to `[places, outputs]`.
    pub(super) fn run(&self, x: &[i32], then: Then<'_>, y: &mut [f32]) {
        self.isa.run_dots(Product { layer: self, x, made: Made::Floats(then, y) });
    }

    /// From `[places, words]` through a ReLU to the words of the next layer.
    pub(super) fn run_into_steps(&self, x: &[i32], requantise: &Requantise, y: &mut [i32]) {
        self.isa.run_dots(Product { layer: self, x, made: Made::Steps(requantise, y) });
    }
}

/// Brings weights `[outputs, taps]` into panels.
struct Pack<'a> {
    taps: usize,
    inputs: usize,
    outputs: usize,
    weight: &'a [i8],
}

struct Packed {
    words: usize,
    values: Vec<i32>,
}

impl WithDots for Pack<'_> {
    type Output = Packed;

    fn with_dots<D: Dots>(self, _: D) -> Packed {
        let Self { taps, inputs, outputs, weight } = self;
        let lanes = D::Simd::F32_LANES;
        let words = inputs / D::INPUTS;
        let at = |output: usize, input: usize| {
            if input < taps { weight.get(output * taps + input).copied().unwrap_or(0) } else { 0 }
        };
        let mut values = Vec::with_capacity(words * outputs);
        let mut first = 0;
        for vectors in panels(outputs / lanes) {
            for word in 0..words {
                for vector in 0..vectors {
                    let rows = (0..lanes).map(|lane| first + vector * lanes + lane);
                    let rows: Vec<Vec<i8>> = rows
                        .map(|row| (0..D::INPUTS).map(|input| at(row, word * D::INPUTS + input)).collect())
                        .collect();
                    values.extend(weight_words::<D>(&rows));
                }
            }
            first += vectors * lanes;
        }
        Packed { words, values }
    }
}

struct Quantise<'a> {
    grid: Grid,
    x: &'a [f32],
    words: &'a mut [i32],
}

impl WithDots for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_dots<D: Dots>(self, dots: D) {
        let (x, _) = D::Simd::as_simd_f32s(self.x);
        let steps = Steps::new(dots, self.grid, self.grid.ends().0);
        let inverse = dots.simd().splat_f32s(self.grid.scale.recip());
        let words = self.words.chunks_exact_mut(D::Simd::F32_LANES / D::INPUTS);
        for (&x, words) in x.iter().zip(words) {
            steps.store(dots.simd().mul_f32s(x, inverse), words);
        }
    }
}

/// Rounds to the steps of a grid.
#[derive(Clone, Copy)]
struct Steps<D: Dots> {
    dots: D,
    least: <D::Simd as Simd>::f32s,
    most: <D::Simd as Simd>::f32s,
    rounding: <D::Simd as Simd>::f32s,
    /// The bits of `rounding`, but for the zero point.
    offset: Sums<D>,
}

impl<D: Dots> Steps<D> {
    /// Values below `least` are taken for it.
    #[inline(always)]
    fn new(dots: D, grid: Grid, least: f32) -> Self {
        let simd = dots.simd();
        let offset = ROUNDING.to_bits().cast_signed() - i32::from(grid.zero_point);
        Self {
            dots,
            least: simd.splat_f32s(least),
            most: simd.splat_f32s(grid.ends().1),
            rounding: simd.splat_f32s(ROUNDING),
            offset: simd.splat_i32s(offset),
        }
    }

    /// Writes a vector of values, in steps from the one that is 0.
    #[inline(always)]
    fn store(self, values: <D::Simd as Simd>::f32s, words: &mut [i32]) {
        let simd = self.dots.simd();
        let within = simd.min_f32s(simd.max_f32s(values, self.least), self.most);
        let rounded = simd.add_f32s(within, self.rounding);
        self.dots.store(simd.sub_i32s(simd.transmute_i32s_f32s(rounded), self.offset), words);
    }
}

/// What is made of the sums.
enum Made<'a> {
    Floats(Then<'a>, &'a mut [f32]),
    Steps(&'a Requantise, &'a mut [i32]),
}

struct Product<'a> {
    layer: &'a Int8,
    x: &'a [i32],
    made: Made<'a>,
}

impl WithDots for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_dots<D: Dots>(mut self, dots: D) {
        let (words, vectors) = (self.layer.words, self.layer.outputs / D::Simd::F32_LANES);
        let (packed, _) = D::Simd::as_simd_i32s(&self.layer.packed);
        let (beginning, _) = D::Simd::as_simd_i32s(&self.layer.beginning);
        let mut first = 0;
        for panel in panels(vectors) {
            let weight = &packed[first * words..(first + panel) * words];
            let beginning = &beginning[first..first + panel];
            // As `pointwise` has it.
            match (panel, D::Simd::REGISTER_COUNT > 16) {
                (1, _) => self.panel::<D, 1, 12>(dots, weight, beginning, first),
                (2, true) => self.panel::<D, 2, 12>(dots, weight, beginning, first),
                (2, false) => self.panel::<D, 2, 6>(dots, weight, beginning, first),
                (_, true) => self.panel::<D, 3, 8>(dots, weight, beginning, first),
                (_, false) => self.panel::<D, 3, 4>(dots, weight, beginning, first),
            }
            first += panel;
        }
    }
}

impl Product<'_> {
    /// All places of the panel that begins at vector `first`, in tiles of `MOST` places or a few less, all alike.
    #[inline(always)]
    fn panel<D: Dots, const VECTORS: usize, const MOST: usize>(
        &mut self,
        dots: D,
        weight: &[Sums<D>],
        beginning: &[Sums<D>],
        first: usize,
    ) {
        let (weight, _) = weight.as_chunks::<VECTORS>();
        let Some(beginning) = beginning.first_chunk::<VECTORS>() else { return };
        let words = self.layer.words;
        let places = self.x.len() / words;
        let tiles = places.div_ceil(MOST).max(1);
        let (size, larger) = (places / tiles, places % tiles);
        let mut place = 0;
        for tile in 0..tiles {
            let rows = size + usize::from(tile < larger);
            let x = &self.x[place * words..(place + rows) * words];
            macro_rules! of_rows {
                ($($count:literal)*) => {
                    match rows {
                        $($count if $count <= MOST => {
                            let sums = sums::<D, $count, VECTORS>(dots, x, words, weight, beginning);
                            self.finish(dots, place, first, &sums);
                        })*
                        _ => {}
                    }
                };
            }
            of_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
            place += rows;
        }
    }

    /// From the sums of some places, of which `place` is the first, to the output.
    #[inline(always)]
    fn finish<D: Dots, const ROWS: usize, const VECTORS: usize>(
        &mut self,
        dots: D,
        place: usize,
        first: usize,
        sums: &[[Sums<D>; VECTORS]; ROWS],
    ) {
        let (simd, outputs) = (dots.simd(), self.layer.outputs);
        let (column, width) = (first * D::Simd::F32_LANES, VECTORS * D::Simd::F32_LANES);
        match &mut self.made {
            Made::Floats(then, y) => {
                let (scale, _) = D::Simd::as_simd_f32s(&self.layer.scale[column..column + width]);
                for (row, sums) in sums.iter().enumerate() {
                    let begin = (place + row) * outputs + column;
                    let (y, _) = D::Simd::as_mut_simd_f32s(&mut y[begin..begin + width]);
                    for vector in 0..VECTORS {
                        let value = dots.real(sums[vector]);
                        y[vector] = match *then {
                            Then::Nothing => simd.mul_f32s(value, scale[vector]),
                            Then::Relu => {
                                simd.max_f32s(simd.mul_f32s(value, scale[vector]), simd.splat_f32s(0.0))
                            }
                            Then::Add(map) => {
                                let (map, _) = D::Simd::as_simd_f32s(&map[begin..begin + width]);
                                mul_add(simd, value, scale[vector], map[vector])
                            }
                        };
                    }
                }
            }
            Made::Steps(requantise, y) => {
                let (factor, _) = D::Simd::as_simd_f32s(&requantise.factor[column..column + width]);
                let steps = Steps::new(dots, requantise.to, 0.0);
                for (row, sums) in sums.iter().enumerate() {
                    let begin = ((place + row) * outputs + column) / D::INPUTS;
                    let y = &mut y[begin..begin + width / D::INPUTS];
                    let words = y.chunks_exact_mut(D::Simd::F32_LANES / D::INPUTS);
                    for ((&sum, &factor), words) in sums.iter().zip(factor).zip(words) {
                        steps.store(simd.mul_f32s(dots.real(sum), factor), words);
                    }
                }
            }
        }
    }
}

/// The sums of a tile.
#[inline(always)]
fn sums<D: Dots, const ROWS: usize, const VECTORS: usize>(
    dots: D,
    x: &[i32],
    words: usize,
    weight: &[[Sums<D>; VECTORS]],
    beginning: &[Sums<D>; VECTORS],
) -> [[Sums<D>; VECTORS]; ROWS] {
    let rows: [&[i32]; ROWS] = std::array::from_fn(|row| &x[row * words..][..words]);
    // Tells the compiler that no index below is out of bounds.
    let weight = &weight[..words];
    let mut sums = [*beginning; ROWS];
    for word in 0..words {
        let weight = &weight[word];
        // Plain counts: the compiler unrolls these loops and keeps the sums in registers.
        for row in 0..ROWS {
            let value = dots.simd().splat_i32s(rows[row][word]);
            for vector in 0..VECTORS {
                sums[row][vector] = dots.dot(sums[row][vector], value, weight[vector]);
            }
        }
    }
    sums
}
