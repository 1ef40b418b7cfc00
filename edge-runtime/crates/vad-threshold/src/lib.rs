//! The raise threshold for "at most N false alarms per camera-day", from normal footage: for the host, which has held-back videos, and for
//! the board, which has its own cameras.
//!
//! A [`ScoreTrack`] holds the raw clip scores of one stream and replays the board's own score tracker over them; [`choose_threshold`]
//! chooses, and [`ThresholdChoice`] says what the footage shows about the choice and what it cannot.
//!
//! Deliberately absent: a threshold fitted on abnormal footage, files, and cameras.
#![deny(missing_docs)]

mod calibrate;
pub mod poisson;
mod track;

pub use calibrate::{CalibrateError, ThresholdChoice, choose_threshold, duration_text, rate_text};
pub use track::{AlarmSpan, Replay, ScoreTrack};
