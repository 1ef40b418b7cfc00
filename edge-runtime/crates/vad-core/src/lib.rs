//! The semantics of clip and score, shared bit for bit by host and board.
//!
//! A video becomes alarms in five steps, and this crate owns all of them but the two networks:
//!
//! ```text
//! RgbFrame -> Preprocessor::resize_into -> ClipWindow -> Preprocessor::normalise_into -> [encoder, head]
//!          -> ScoreSample -> ScoreTracker (calibrate, smooth, hysteresis) -> AlarmEdge
//! ```
//!
//! The trainer, the evaluation and the board call the same functions, and the [`ModelSpec`] that
//! parametrises them travels in the model bundle. `docs/reference/score.md` states the same
//! rules in prose; a test ties its defaults to this source.
//!
//! # What is deliberately absent
//!
//! - IO, a clock, threads, logging and tensors: time arrives as [`MediaTimeMs`] beside the data.
//! - Floating point in pixel arithmetic. Resizing is integer, normalisation is a table of IEEE
//!   quotients, `exp` and `ln` come from `libm`: every platform computes the same bits.
//! - Allocation per frame: buffers and tables are built when a spec or a frame size is first seen.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;

pub mod attention;
pub mod clip;
pub mod frame;
pub mod grid;
pub mod head;
pub mod lite;
pub mod preprocess;
pub mod score;
pub mod spec;
pub mod tap;
pub mod units;

pub use attention::AttentionSpec;
pub use clip::{ClipSpan, ClipSpec, ClipWindow};
pub use frame::{FrameError, RgbFrame};
pub use grid::{Grid, Line};
pub use head::{HeadContext, HeadKind, HeadSpec};
pub use lite::{LiteBlock, LitePlan, LiteSize};
pub use preprocess::{ChannelOrder, Fit, MAX_MODEL_SIDE_PX, PreprocessSpec, Preprocessor};
pub use score::{
    AlarmEdge, Calibration, EdgeKind, ScoreSample, ScoreSpec, ScoreStep, ScoreTracker, Smoothing,
};
pub use spec::{EncoderKind, EncoderSpec, ModelSpec, SpecError};
pub use tap::{EndPoint, I3dTap};
pub use units::{FrameIndex, MediaTimeMs};
