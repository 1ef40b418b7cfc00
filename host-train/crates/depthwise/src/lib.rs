//! A depthwise kernel over the picture, then one over time, as an I3D-lite block has them: forward, and backward for
//! training.
//!
//! Maps are channels last, `[clips, frames, H, W, C]`, so that all channels of a place lie side by side and every loop runs over
//! them. With `x` the input, `s` what comes after the picture and `y` the output, each channel by itself:
//!
//! ```text
//! s[t, p, q] = sum over i, j of space[i, j] * x[t, p * stride + i - before, q * stride + j - before]
//! y[t, p, q] = bias + sum over k of time[k] * s[t + k + 1 - taps, p, q]
//! ```
//!
//! with 0 for places outside and for frames before the first. Sums are not fused with their products, so every processor
//! gives the same. The caller brings threads.

mod layer;
mod loops;
mod passes;

pub use layer::{Axis, Layer};
pub use passes::{Gradients, Outputs, Weights};
