//! From a camera picture to the numbers an encoder reads: fit, resize, channel order, normalise.
//!
//! This is the sole home of `mean` and `std` in the workspace.
//!
//! # Terms
//!
//! - *resized frame*: `height_px * width_px * 3` bytes, `[H, W, 3]`, always RGB. It is what the
//!   clip window keeps: a quarter of the memory of `f32`.
//! - *normalised clip*: `[3, T, H, W]` in `f32`, in the spec's channel order.
//!
//! # Equations
//!
//! Each axis is resampled on its own. With `n` input and `m` output pixels, output pixel `i` has
//!
//! ```text
//! shrinking, n >= m:  footprint [i*n/m, (i+1)*n/m); w[i,j] = |footprint ∩ [j, j+1)| * m/n
//! enlarging, n <  m:  x = (i + 1/2)*n/m - 1/2, clamped to [0, n-1];
//!                     w[i,floor(x)] = 1 - frac(x), w[i,floor(x)+1] = frac(x)
//! ```
//!
//! Weights are rounded to multiples of 2^-15 so that each output pixel's weights sum to exactly 1.
//! Rows are blended first into 8.8 fixed point, then columns, each rounded half up. Hence a
//! constant picture stays constant and no output leaves the range of the input.
//!
//! ```text
//! value = (pixel - mean[c]) / std[c]      c counted in output order
//! ```

mod axis;
mod preprocessor;
mod resize;
mod spec;

pub use preprocessor::Preprocessor;
pub use spec::{ChannelOrder, Fit, MAX_MODEL_SIDE_PX, PreprocessSpec};
