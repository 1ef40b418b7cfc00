//! From raw clip scores to alarm edges: calibrate, smooth, decide.
//!
//! # Terms
//!
//! - *raw score*: output of the head for one clip, 0 (normal) to 1 (anomalous).
//! - *calibrated score*: raw score on the scale that thresholds are stated in.
//! - *smoothed score*: causal mean of calibrated scores; the one that is compared and reported.
//! - *event*: time from onset to clearing, numbered from 1; intervals of events never overlap.
//! - *edge*: the moment at which an event is raised, updated or cleared.
//!
//! # Equations
//!
//! ```text
//! p = clamp(raw, 0, 1)
//! calibrated = p                                            Identity
//!            = sigmoid(slope * ln(q / (1 - q)) + intercept) Logistic, q = clamp(p, 1e-6, 1 - 1e-6)
//! smoothed_t = c_t                                          None
//!            = s_{t-1} + alpha * (c_t - s_{t-1}), s_0 = c_0 Exponential
//!            = mean of the latest min(t + 1, clips) values  Mean
//! ```
//!
//! # Missing scores
//!
//! A raw score that is NaN or infinite is *missing*: the step reports `calibrated = NaN` and the
//! previous smoothed score, and the tracker stays exactly as if the sample had not been pushed. It
//! can neither raise nor clear nor poison anything. That scores stop coming is a health event, and
//! not this crate's to judge.

mod calibrate;
mod smooth;
mod spec;
mod tracker;

pub use spec::{Calibration, MAX_MEAN_CLIPS, ScoreSpec, Smoothing};
pub use tracker::{AlarmEdge, EdgeKind, ScoreSample, ScoreStep, ScoreTracker};
