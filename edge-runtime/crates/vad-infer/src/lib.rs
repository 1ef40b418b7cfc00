//! Encoder and head graphs, run by tract on one thread per clip.
//!
//! [`Encoder`] and [`Head`] are loaded from ONNX bytes and checked against the
//! [`ModelSpec`](vad_core::ModelSpec) that travels with them: a graph of another shape, with weights
//! that are not finite, with operators this runtime does not run or with anything behind its end is
//! refused at load, never at the first frame. [`FeatureStream`] and [`Scorer`] hold the state of one
//! camera or video; host extraction, evaluation and the board use the same two. An encoder either takes
//! whole clips, or streams: it looks at each frame once, [`Pulse`] frames at a time. A head looks at one clip, at the mean of
//! those before it or at a window of the last ones, which its [`HeadStream`] keeps. An [`Attention`] tells where in a scored
//! clip the encoder looked.
//!
//! Deliberately absent: files, threads, clocks, calibration and smoothing.
#![deny(missing_docs)]

mod attention;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;
mod encoder;
mod error;
mod head;
mod kernels;
mod lite;
mod model_file;
mod plan;
mod prepare;
mod pulse;
mod scorer;
mod stream;
mod tap;
mod tuning;

pub use attention::{Attention, AttentionMap};
pub use encoder::Encoder;
pub use error::InferError;
pub use head::{Head, HeadStream};
pub use kernels::{Kernels, UnknownKernels};
pub use pulse::{Pulse, PulseState};
pub use scorer::{ClipScore, Scorer};
pub use stream::FeatureStream;
pub use tuning::{LazyIm2col, Tuning};
