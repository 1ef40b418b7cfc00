//! RTFM: the multi-scale temporal network over a window of clips, and the perceptron behind it.
//!
//! Only the newest clip is scored, so only the rows that reach its score are computed: the last convolution looks at its
//! neighbours, the branches before it at theirs, and the non-local block at the whole window. What lies outside the
//! window counts as zero, as what lies outside a video does in training.

use vad_core::{HeadContext, HeadKind, ModelSpec};

use super::dims;
use super::rows::{Net, Rows, side_by_side};
use crate::ExportError;
use crate::fold::Affine;
use crate::weights::Weights;

/// Distances of the taps of the three branches.
const DILATIONS: [usize; 3] = [1, 2, 4];
/// Taps of every convolution over clips.
const TAPS: usize = 3;
/// Epsilon of every batch normalisation.
const BN_EPSILON: f32 = 1e-5;

/// `[1, clips, D]` to the score of the newest clip; without a window `[1, D]`, and the perceptron alone.
pub(super) fn onnx(weights: Weights<'_>, spec: &ModelSpec) -> Result<Vec<u8>, ExportError> {
    let [dim, first, second, _] = dims(spec)?;
    let mut net = Net::new("rtfm", weights);
    let x = match spec.head.context {
        HeadContext::Window { clips } => {
            check_width(dim)?;
            let clips = net.input_window(clips.into(), dim);
            let time = Time::of(spec.head.kind, &clips);
            temporal(&mut net, &clips, &time)?
        }
        HeadContext::Clip | HeadContext::Memory { .. } => net.input_row(dim),
    };
    let x = net.linear("fc1", &x, first)?;
    let x = net.relu(x);
    let x = net.linear("fc2", &x, second)?;
    let x = net.relu(x);
    let x = net.linear("fc3", &x, 1)?;
    Ok(net.score(&x))
}

fn check_width(dim: usize) -> Result<(), ExportError> {
    if dim.is_multiple_of(8) {
        return Ok(());
    }
    Err(ExportError::Unsupported {
        what: format!("a temporal network over features of {dim} values"),
        remedy: "their number must be a multiple of 8".to_owned(),
    })
}

/// Which clips the layers look at.
struct Time {
    /// Clips that the last convolution sees: the newest of the window, and how many.
    seen: usize,
    /// The first of them.
    first: usize,
    /// Taps of the last convolution that lie on them.
    join_taps: std::ops::Range<usize>,
    /// Taps of a branch lie this many dilations before the clip, the first one farthest.
    lead: usize,
    /// For each clip that is seen, the share that each clip of the window has in its non-local block.
    shares: Vec<f32>,
    /// Clips of zeros on each side of the window.
    around: usize,
}

impl Time {
    fn of(kind: HeadKind, window: &Rows) -> Self {
        let count = window.count;
        if kind == HeadKind::RtfmCausal {
            // Each of the three clips looks at itself and so many before it that the window holds them for all.
            let (seen, looked_at) = (TAPS, count - (TAPS - 1));
            let share = |row: usize, clip: usize| {
                if (row..row + looked_at).contains(&clip) { 1.0 / looked_at as f32 } else { 0.0 }
            };
            let shares = (0..seen).flat_map(|row| (0..count).map(move |clip| share(row, clip))).collect();
            return Self { seen, first: count - seen, join_taps: 0..TAPS, lead: TAPS - 1, shares, around: 0 };
        }
        // The clip behind the newest one is a zero.
        let seen = count.min(TAPS - 1);
        Self {
            seen,
            first: count - seen,
            join_taps: TAPS - 1 - seen..TAPS - 1,
            lead: 1,
            shares: vec![1.0 / count as f32; seen * count],
            around: DILATIONS[DILATIONS.len() - 1],
        }
    }
}

/// The rewritten feature of the newest clip, `[1, D]`.
fn temporal(net: &mut Net<'_>, clips: &Rows, time: &Time) -> Result<Rows, ExportError> {
    let dim = clips.width;
    let around = match time.around {
        0 => clips.clone(),
        count => net.padded("clips.padded", clips, count),
    };
    let mut joined = Vec::new();
    for (index, dilation) in DILATIONS.into_iter().enumerate() {
        joined.push(branch(net, &around, time, index + 1, dilation)?);
    }
    joined.push(non_local(net, clips, time)?);
    let joined = net.beside("Aggregate.joined", &joined);
    let joined = net.reshaped("Aggregate.neighbours", &joined, [1, time.seen * dim]);
    let weight = net.weights.floats("Aggregate.conv_5.0.weight", &[dim, dim, TAPS])?;
    let weight = side_by_side(&weight, dim, TAPS, time.join_taps.clone());
    let output = net.product("Aggregate.conv_5.0", &joined, dim, &weight, None);
    let output = net.relu(output);
    let norm = normalisation(&net.weights, "Aggregate.conv_5.2", dim)?;
    let output = net.affine("Aggregate.conv_5.2", output, &norm);
    let newest = net.slice("clips.newest", clips, clips.count - 1, 1);
    Ok(net.each("Add", "Aggregate.sum", &output, &newest))
}

/// A dilated convolution, `[seen, D / 4]`.
fn branch(
    net: &mut Net<'_>,
    around: &Rows,
    time: &Time,
    number: usize,
    dilation: usize,
) -> Result<Rows, ExportError> {
    let (dim, width) = (around.width, around.width / 4);
    let unit = format!("Aggregate.conv_{number}.0");
    let taps: Vec<Rows> = (0..TAPS)
        .map(|tap| {
            let first = time.around + time.first + tap * dilation - time.lead * dilation;
            net.slice(&format!("{unit}.tap{tap}"), around, first, time.seen)
        })
        .collect();
    let taps = net.beside(&format!("{unit}.taps"), &taps);
    let weight = net.weights.floats(&format!("{unit}.weight"), &[width, dim, TAPS])?;
    let bias = net.weights.floats(&format!("{unit}.bias"), &[width])?;
    let weight = side_by_side(&weight, dim, TAPS, 0..TAPS);
    let x = net.product(&unit, &taps, width, &weight, Some(&bias));
    let x = net.relu(x);
    let norm = format!("Aggregate.conv_{number}.2");
    let by = normalisation(&net.weights, &norm, width)?;
    Ok(net.affine(&norm, x, &by))
}

/// Every seen clip beside what it takes from the window, `[seen, D / 4]`.
fn non_local(net: &mut Net<'_>, clips: &Rows, time: &Time) -> Result<Rows, ExportError> {
    let (dim, width) = (clips.width, clips.width / 4);
    let weight = net.weights.floats("Aggregate.conv_4.0.weight", &[width, dim, 1])?;
    let reduced = net.product("Aggregate.conv_4.0", clips, width, &weight, None);
    let reduced = net.relu(reduced);
    let seen = net.slice("Aggregate.seen", &reduced, time.first, time.seen);
    let name = |part: &str| format!("Aggregate.non_local.{part}");
    let theta = pointwise(net, &name("theta"), &seen, width / 2, None)?;
    let phi = pointwise(net, &name("phi"), &reduced, width / 2, None)?;
    let g = pointwise(net, &name("g"), &reduced, width / 2, None)?;
    let map = net.matmul_transposed(&name("map"), &theta, &phi);
    let shares = net.graph.floats(name("shares"), &[map.count, map.width], &time.shares);
    let shares = Rows { name: shares, ..map.clone() };
    let map = net.each("Mul", &name("share"), &map, &shares);
    let taken = net.matmul(&name("taken"), &map, &g);
    let norm = normalisation(&net.weights, &name("W.1"), width)?;
    let output = pointwise(net, &name("W.0"), &taken, width, Some(&norm))?;
    Ok(net.each("Add", &name("sum"), &output, &seen))
}

fn normalisation(weights: &Weights<'_>, unit: &str, width: usize) -> Result<Affine, ExportError> {
    let gamma = weights.floats(&format!("{unit}.weight"), &[width])?;
    Affine::read(weights, unit, &gamma, BN_EPSILON)
}

/// A convolution over single clips, with the normalisation behind it.
fn pointwise(
    net: &mut Net<'_>,
    unit: &str,
    x: &Rows,
    out: usize,
    norm: Option<&Affine>,
) -> Result<Rows, ExportError> {
    let mut weight = net.weights.floats(&format!("{unit}.weight"), &[out, x.width, 1])?;
    let mut bias = net.weights.floats(&format!("{unit}.bias"), &[out])?;
    if let Some(norm) = norm {
        norm.fold(&mut weight, &mut bias);
    }
    Ok(net.product(unit, x, out, &weight, Some(&bias)))
}
