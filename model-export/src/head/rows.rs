//! Layers over rows, `[rows, width]`, which every head is made of: a row is one clip.

use crate::ExportError;
use crate::fold::Affine;
use crate::onnx::{GraphBuilder, int, ints};
use crate::weights::Weights;

/// A matrix of the graph: its name and size.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) name: String,
    pub(super) count: usize,
    pub(super) width: usize,
}

/// The graph being built and where its weights come from.
pub(super) struct Net<'a> {
    pub(super) graph: GraphBuilder,
    pub(super) weights: Weights<'a>,
}

impl<'a> Net<'a> {
    pub(super) fn new(name: &str, weights: Weights<'a>) -> Self {
        Self { graph: GraphBuilder::new(name), weights }
    }

    /// The input `[1, width]`.
    pub(super) fn input_row(&mut self, width: usize) -> Rows {
        let name = self.graph.input("feature", &[1, width]);
        Rows { name, count: 1, width }
    }

    /// The input `[1, count, width]` as rows.
    pub(super) fn input_window(&mut self, count: usize, width: usize) -> Rows {
        let name = self.graph.input("features", &[1, count, width]);
        self.reshaped("clips", &Rows { name, count, width }, [count, width])
    }

    /// Ends the graph in the sigmoid of a single value.
    pub(super) fn score(mut self, x: &Rows) -> Vec<u8> {
        let score = self.graph.node("Sigmoid", "score".to_owned(), &[&x.name], vec![]);
        self.graph.output(&score, &[1, 1]);
        self.graph.into_bytes()
    }

    /// `x W^T + b`, the weight `[out, width]` row-major. Constants are `<unit>.weight` and `<unit>.bias`.
    pub(super) fn product(
        &mut self,
        unit: &str,
        x: &Rows,
        out: usize,
        weight: &[f32],
        bias: Option<&[f32]>,
    ) -> Rows {
        let weight = self.graph.floats(format!("{unit}.weight"), &[out, x.width], weight);
        let bias = bias.map(|bias| self.graph.floats(format!("{unit}.bias"), &[out], bias));
        let inputs: Vec<&str> =
            [Some(x.name.as_str()), Some(&weight), bias.as_deref()].into_iter().flatten().collect();
        let name = self.graph.node("Gemm", unit.to_owned(), &inputs, vec![int("transB", 1)]);
        Rows { name, width: out, ..x.clone() }
    }

    /// A stored linear layer: `<unit>.weight` as `[out, width]`, `<unit>.bias` as `[out]`.
    pub(super) fn linear(&mut self, unit: &str, x: &Rows, out: usize) -> Result<Rows, ExportError> {
        let weight = self.weights.floats(&format!("{unit}.weight"), &[out, x.width])?;
        let bias = self.weights.floats(&format!("{unit}.bias"), &[out])?;
        Ok(self.product(unit, x, out, &weight, Some(&bias)))
    }

    pub(super) fn relu(&mut self, x: Rows) -> Rows {
        let name = self.graph.node("Relu", format!("{}.relu", x.name), &[&x.name], vec![]);
        Rows { name, ..x }
    }

    /// A normalisation by fixed statistics that no layer before it can take in.
    pub(super) fn affine(&mut self, unit: &str, x: Rows, by: &Affine) -> Rows {
        let single = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<_>>();
        let scaled = self.with_constant("Mul", &format!("{unit}.scale"), &x, &single(&by.scale));
        self.with_constant("Add", &format!("{unit}.shift"), &scaled, &single(&by.shift))
    }

    /// Combines rows with a constant: one row of their width, or one value.
    pub(super) fn with_constant(&mut self, op: &str, unit: &str, x: &Rows, values: &[f32]) -> Rows {
        let constant = self.graph.floats(format!("{unit}.constant"), &[1, values.len()], values);
        let name = self.graph.node(op, unit.to_owned(), &[&x.name, &constant], vec![]);
        Rows { name, ..x.clone() }
    }

    /// Element by element; `b` may be a single column or row.
    pub(super) fn each(&mut self, op: &str, unit: &str, a: &Rows, b: &Rows) -> Rows {
        let name = self.graph.node(op, unit.to_owned(), &[&a.name, &b.name], vec![]);
        Rows { name, ..a.clone() }
    }

    /// `a b`.
    pub(super) fn matmul(&mut self, unit: &str, a: &Rows, b: &Rows) -> Rows {
        let name = self.graph.node("MatMul", unit.to_owned(), &[&a.name, &b.name], vec![]);
        Rows { name, count: a.count, width: b.width }
    }

    /// `a b^T`: what each row of `a` has in common with each row of `b`.
    pub(super) fn matmul_transposed(&mut self, unit: &str, a: &Rows, b: &Rows) -> Rows {
        let attributes = vec![int("transB", 1)];
        let name = self.graph.node("Gemm", unit.to_owned(), &[&a.name, &b.name], attributes);
        Rows { name, count: a.count, width: b.count }
    }

    /// Rows `first .. first + count` of `x`.
    pub(super) fn slice(&mut self, unit: &str, x: &Rows, first: usize, count: usize) -> Rows {
        // Clips of a window.
        let mut bound = |what: &str, at: usize| self.graph.integers(format!("{unit}.{what}"), &[at as i64]);
        let (begin, end, axis) = (bound("begin", first), bound("end", first + count), bound("axis", 0));
        let name = self.graph.node("Slice", unit.to_owned(), &[&x.name, &begin, &end, &axis], vec![]);
        Rows { name, count, ..x.clone() }
    }

    /// `x` between rows of zeros, as many on each side.
    pub(super) fn padded(&mut self, unit: &str, x: &Rows, count: usize) -> Rows {
        let zeros = vec![0.0; count * x.width];
        let [before, after] = ["before", "after"].map(|side| {
            let name = self.graph.floats(format!("{unit}.{side}"), &[count, x.width], &zeros);
            Rows { name, count, ..x.clone() }
        });
        self.below(unit, &[before, x.clone(), after])
    }

    /// Rows side by side.
    pub(super) fn beside(&mut self, unit: &str, parts: &[Rows]) -> Rows {
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let name = self.graph.node("Concat", unit.to_owned(), &names, vec![int("axis", 1)]);
        let count = parts.first().map_or(0, |part| part.count);
        Rows { name, count, width: parts.iter().map(|part| part.width).sum() }
    }

    /// Rows one below the other.
    pub(super) fn below(&mut self, unit: &str, parts: &[Rows]) -> Rows {
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let name = self.graph.node("Concat", unit.to_owned(), &names, vec![int("axis", 0)]);
        let width = parts.first().map_or(0, |part| part.width);
        Rows { name, count: parts.iter().map(|part| part.count).sum(), width }
    }

    /// The same values in rows of another width.
    pub(super) fn reshaped(&mut self, unit: &str, x: &Rows, [count, width]: [usize; 2]) -> Rows {
        let shape = self.graph.integers(format!("{unit}.shape"), &[count as i64, width as i64]);
        let name = self.graph.node("Reshape", unit.to_owned(), &[&x.name, &shape], vec![]);
        Rows { name, count, width }
    }

    /// Mean of each row, `[rows, 1]`.
    pub(super) fn row_means(&mut self, unit: &str, x: &Rows) -> Rows {
        let attributes = vec![ints("axes", [1]), int("keepdims", 1)];
        let name = self.graph.node("ReduceMean", unit.to_owned(), &[&x.name], attributes);
        Rows { name, count: x.count, width: 1 }
    }
}

/// A weight of a convolution over clips, `[out, width, taps]`, as one over rows that lie side by side, `[out, chosen taps,
/// width]`.
pub(super) fn side_by_side(
    weight: &[f32],
    width: usize,
    taps: usize,
    chosen: std::ops::Range<usize>,
) -> Vec<f32> {
    let of_output = |row: &[f32]| {
        let tap = |tap: usize| row.iter().skip(tap).step_by(taps).copied().collect::<Vec<_>>();
        chosen.clone().flat_map(tap).collect::<Vec<_>>()
    };
    weight.chunks_exact((width * taps).max(1)).flat_map(of_output).collect()
}
