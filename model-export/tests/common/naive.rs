//! I3D-lite in loops over every tap, in f64, over a whole video at once: it shares no code with exporter and runtime.
#![allow(clippy::indexing_slicing, reason = "test support")]

use std::collections::HashMap;

use model_export::{Int8Plan, Int8Weights};
use vad_core::{LiteBlock, LiteSize};

use super::lite_tensors;

/// `[c, t, h, w]`.
pub struct Video {
    pub channels: usize,
    /// Frames, height and width.
    pub size: [usize; 3],
    pub values: Vec<f64>,
}

/// The network.
pub struct Net {
    pub tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
    pub int8: Int8Plan,
}

/// First tap of a `SAME` kernel behind output position 0.
fn before(n: usize, k: usize, s: usize) -> isize {
    let out = n.div_ceil(s);
    -((((out - 1) * s + k).saturating_sub(n) / 2) as isize)
}

impl Net {
    pub fn of(size: LiteSize) -> Self {
        let tensors = lite_tensors(size).into_iter().map(|(name, shape, values)| (name, (shape, values)));
        Self { tensors: tensors.collect(), int8: Int8Plan::default() }
    }

    /// Convolution with stride `s` in space, causal in time; its bias if it has one.
    fn conv(&self, unit: &str, x: &Video, s: usize) -> Video {
        let (shape, weight) = &self.tensors[&format!("{unit}.weight")];
        let Some(how) = self.int8.get(unit) else { return self.product(unit, shape, weight, x, s) };
        let plane = x.size.iter().product();
        let by = |channel: usize| how.divisors.get(channel).copied().unwrap_or(1.0);
        let channels = x.values.chunks_exact(plane).enumerate();
        let near = |(channel, plane): (usize, &[f64])| {
            let by = by(channel);
            plane.iter().map(|&v| f64::from(how.input.nearest(v as f32 / by))).collect::<Vec<_>>()
        };
        let x = Video { values: channels.flat_map(near).collect(), ..*x };
        let weight: Vec<f32> =
            how.weight.iter().enumerate().map(|(at, weight)| weight * by(at % x.channels)).collect();
        self.product(unit, shape, &Int8Weights::nearest(&weight, shape[0]).floats(), &x, s)
    }

    fn product(&self, unit: &str, shape: &[usize], weight: &[f32], x: &Video, s: usize) -> Video {
        let [out, inputs, kt, kh, kw] = *shape else { unreachable!() };
        let [t, h, w] = x.size;
        let size = [t, h.div_ceil(s), w.div_ceil(s)];
        let (top, left) = (before(h, kh, s), before(w, kw, s));
        let at = |c: usize, t: isize, y: isize, z: isize| -> f64 {
            let inside = t >= 0 && (0..h as isize).contains(&y) && (0..w as isize).contains(&z);
            if inside {
                x.values[((c * x.size[0] + t as usize) * h + y as usize) * w + z as usize]
            } else {
                0.0
            }
        };
        let mut values = Vec::new();
        for o in 0..out {
            for p in 0..size.iter().product() {
                let [f, y, z] = [p / (size[1] * size[2]), p / size[2] % size[1], p % size[2]];
                let mut sum = 0.0;
                for i in 0..inputs {
                    // A depthwise kernel has one input, the channel of its output.
                    let c = if inputs == x.channels { i } else { o };
                    for tap in 0..kt * kh * kw {
                        let [a, b, d] = [tap / (kh * kw), tap / kw % kh, tap % kw];
                        let v = at(
                            c,
                            f as isize + a as isize - (kt as isize - 1),
                            (y * s + b) as isize + top,
                            (z * s + d) as isize + left,
                        );
                        sum += f64::from(weight[(o * inputs + i) * kt * kh * kw + tap]) * v;
                    }
                }
                values.push(sum + self.bias(unit, o));
            }
        }
        Video { channels: out, size, values }
    }

    fn bias(&self, unit: &str, o: usize) -> f64 {
        let trained =
            || self.tensors.get(&format!("{unit}.bias")).map_or(0.0, |(_, bias)| f64::from(bias[o]));
        self.int8.get(unit).map_or_else(trained, |how| f64::from(how.bias[o]))
    }

    fn block(&self, block: &LiteBlock, x: Video) -> Video {
        let unit = |layer: &str| block.layer(layer);
        let y = self.conv(&unit("space"), &x, block.stride);
        let y = relu(self.conv(&unit("expand"), &self.conv(&unit("time"), &y, 1), 1));
        let mut y = self.conv(&unit("project"), &y, 1);
        if block.stride == 1 && block.inputs == block.outputs {
            y.values.iter_mut().zip(&x.values).for_each(|(y, x)| *y += x);
        }
        y
    }

    /// The map behind the first `stages` stages.
    pub fn behind(&self, size: LiteSize, video: &Video, stages: usize) -> Video {
        let mut x = relu(self.conv("stem", video, 4));
        for block in size.plan().blocks().filter(|block| block.place[0] < stages) {
            x = self.block(&block, x);
        }
        x
    }

    /// `[frames, D]`.
    pub fn features(&self, size: LiteSize, video: &Video) -> Vec<Vec<f32>> {
        let x = relu(self.conv("last", &self.behind(size, video, 4), 1));
        let plane = x.size[1] * x.size[2];
        let mean = |c: usize, t: usize| {
            let begin = (c * x.size[0] + t) * plane;
            x.values[begin..begin + plane].iter().sum::<f64>() / plane as f64
        };
        (0..x.size[0]).map(|t| (0..x.channels).map(|c| mean(c, t) as f32).collect()).collect()
    }
}

pub fn relu(mut x: Video) -> Video {
    x.values.iter_mut().for_each(|v| *v = v.max(0.0));
    x
}

impl Video {
    /// Packed RGB pictures of this height and width, scaled to -1 to 1.
    pub fn of([height, width]: [usize; 2], pictures: impl ExactSizeIterator<Item = Vec<u8>>) -> Self {
        let size = [pictures.len(), height, width];
        let pictures: Vec<Vec<u8>> = pictures.collect();
        let colour = |c: usize| pictures.iter().flat_map(move |p| p.iter().skip(c).step_by(3));
        let values = (0..3).flat_map(colour).map(|&v| (f64::from(v) - 127.5) / 127.5).collect();
        Self { channels: 3, size, values }
    }
}
