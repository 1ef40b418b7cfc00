//! The exported I3D against a naive forward pass, on random weights and odd sizes.
//!
//! The reference here folds nothing, loops over every tap and pads by TensorFlow's rule, so it shares
//! no code with the exporter.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test")]

mod common;

use std::collections::HashMap;

use common::{MIXED, i3d_tensors, safetensors, spec};
use golden::{Tolerance, assert_close, hashed_values};
use vad_infer::Encoder;

/// Differences by summation order and folding, through 22 layers.
const NAIVE_FORWARD: Tolerance = Tolerance::new(1e-4, 1e-4);

struct Volume {
    channels: usize,
    size: [usize; 3],
    values: Vec<f32>,
}

impl Volume {
    fn at(&self, c: usize, p: [isize; 3]) -> Option<f32> {
        let inside = (0..3).all(|i| p[i] >= 0 && (p[i] as usize) < self.size[i]);
        let [t, h, w] = p.map(|v| v as usize);
        inside.then(|| self.values[((c * self.size[0] + t) * self.size[1] + h) * self.size[2] + w])
    }
}

/// TensorFlow: output size and first padded position of one axis.
fn tf_same(n: usize, k: usize, s: usize) -> (usize, isize) {
    let out = n.div_ceil(s);
    let needed = if n.is_multiple_of(s) { k.saturating_sub(s) } else { k.saturating_sub(n % s) };
    (out, -((needed / 2) as isize))
}

/// Calls `visit(channel-independent output index, taps)` for each output position.
fn windows(
    size: [usize; 3],
    k: [usize; 3],
    s: [usize; 3],
    mut visit: impl FnMut(usize, [isize; 3]),
) -> [usize; 3] {
    let axis: Vec<_> = (0..3).map(|i| tf_same(size[i], k[i], s[i])).collect();
    let out = [axis[0].0, axis[1].0, axis[2].0];
    for position in 0..out.iter().product() {
        let p = [position / (out[1] * out[2]), position / out[2] % out[1], position % out[2]];
        visit(position, std::array::from_fn(|i| axis[i].1 + (p[i] * s[i]) as isize));
    }
    out
}

fn taps(k: [usize; 3]) -> impl Iterator<Item = [isize; 3]> {
    (0..k[0] * k[1] * k[2])
        .map(move |i| [(i / (k[1] * k[2])) as isize, (i / k[2] % k[1]) as isize, (i % k[2]) as isize])
}

struct Net(HashMap<String, (Vec<usize>, Vec<f32>)>);

impl Net {
    fn conv(&self, unit: &str, x: &Volume, stride: usize) -> Volume {
        let (shape, weight) = &self.0[&format!("{unit}.conv.weight")];
        let get = |name: &str| &self.0[&format!("{unit}.bn.{name}")].1;
        let (mean, var, beta) = (get("running_mean"), get("running_var"), get("bias"));
        let kernel = [shape[2], shape[3], shape[4]];
        let volume: usize = kernel.iter().product();
        let mut columns = Vec::new();
        let size = windows(x.size, kernel, [stride; 3], |_, origin| {
            let mut sums = vec![0.0f64; shape[0]];
            for (tap, d) in taps(kernel).enumerate() {
                let p = std::array::from_fn(|i| origin[i] + d[i]);
                for c in 0..x.channels {
                    let Some(v) = x.at(c, p) else { continue };
                    for (o, sum) in sums.iter_mut().enumerate() {
                        let w = weight[(o * x.channels + c) * volume + tap];
                        *sum += f64::from(w) * f64::from(v);
                    }
                }
            }
            columns.push(sums);
        });
        let mut values = vec![0.0; shape[0] * columns.len()];
        for (position, sums) in columns.iter().enumerate() {
            for (o, sum) in sums.iter().enumerate() {
                let gamma =
                    self.0.get(&format!("{unit}.bn.weight")).map_or(1.0, |(_, gamma)| f64::from(gamma[o]));
                let y = (sum - f64::from(mean[o])) / (f64::from(var[o]) + 1e-3).sqrt();
                values[o * columns.len() + position] = (gamma * y + f64::from(beta[o])).max(0.0) as f32;
            }
        }
        Volume { channels: shape[0], size, values }
    }

    fn mixed(&self, block: &str, x: &Volume) -> Volume {
        let unit = |b: usize, l: &str| format!("{block}.Branch_{b}.{l}");
        let b0 = self.conv(&unit(0, "Conv3d_0a_1x1"), x, 1);
        let b1 = self.conv(&unit(1, "Conv3d_0a_1x1"), x, 1);
        let b1 = self.conv(&unit(1, "Conv3d_0b_3x3"), &b1, 1);
        let b2 = self.conv(&unit(2, "Conv3d_0a_1x1"), x, 1);
        let b2 = self.conv(&unit(2, "Conv3d_0b_3x3"), &b2, 1);
        let b3 = self.conv(&unit(3, "Conv3d_0b_1x1"), &pool(x, [3; 3], [1; 3]), 1);
        let branches = [b0, b1, b2, b3];
        Volume {
            channels: branches.iter().map(|b| b.channels).sum(),
            size: x.size,
            values: branches.into_iter().flat_map(|b| b.values).collect(),
        }
    }

    fn feature(&self, clip: Volume) -> Vec<f32> {
        let x = self.conv("Conv3d_1a_7x7", &clip, 2);
        let x = pool(&x, [1, 3, 3], [1, 2, 2]);
        let x = self.conv("Conv3d_2b_1x1", &x, 1);
        let x = self.conv("Conv3d_2c_3x3", &x, 1);
        let mut x = pool(&x, [1, 3, 3], [1, 2, 2]);
        for (block, _, _) in MIXED {
            match block {
                "Mixed_4b" => x = pool(&x, [3; 3], [2; 3]),
                "Mixed_5b" => x = pool(&x, [2; 3], [2; 3]),
                _ => {}
            }
            x = self.mixed(block, &x);
        }
        let n: usize = x.size.iter().product();
        let mean = |v: &[f32]| v.iter().map(|&v| f64::from(v)).sum::<f64>() / n as f64;
        x.values.chunks(n).map(|v| mean(v) as f32).collect()
    }
}

fn pool(x: &Volume, kernel: [usize; 3], stride: [usize; 3]) -> Volume {
    let mut values = Vec::new();
    let mut size = [0; 3];
    for c in 0..x.channels {
        size = windows(x.size, kernel, stride, |_, origin| {
            let inside = taps(kernel).filter_map(|d| x.at(c, std::array::from_fn(|i| origin[i] + d[i])));
            values.push(inside.fold(f32::NEG_INFINITY, f32::max));
        });
    }
    Volume { channels: x.channels, size, values }
}

#[test]
fn the_exported_graph_equals_a_naive_forward_pass() {
    let mut tensors = i3d_tensors();
    // One unit with a gamma: the published weights have none, fine-tuned ones may.
    let gamma = "Mixed_4d.Branch_2.Conv3d_0b_3x3.bn.weight".to_owned();
    let values = hashed_values(&gamma, common::SEED, 64, -2.0, 2.0);
    tensors.push((gamma, vec![64], values));
    let weights = safetensors(&tensors);
    let net = Net(tensors.into_iter().map(|(name, shape, v)| (name, (shape, v))).collect());
    // Even, odd and smaller than the stem's kernel: each takes other pads.
    for (frames, height, width) in [(8, 32, 32), (5, 19, 37), (3, 33, 6)] {
        let spec = spec(frames, height, width);
        let onnx = model_export::encoder_onnx(&weights, &spec).unwrap();
        let encoder = Encoder::from_onnx(&onnx, "encoder.onnx", &spec).unwrap();
        let clip = hashed_values("clip", common::SEED, encoder.clip_len(), -1.0, 1.0);
        let got = encoder.encode(&clip).unwrap();
        let size = [frames, height, width].map(usize::from);
        let want = net.feature(Volume { channels: 3, size, values: clip });
        let spread = want.iter().fold(0.0f32, |m, v| m.max(*v));
        assert!(spread > 1e-2, "the reference must not be all but zero, its maximum is {spread}");
        assert_close(&format!("feature of {size:?}"), &got, &want, NAIVE_FORWARD);
    }
}
