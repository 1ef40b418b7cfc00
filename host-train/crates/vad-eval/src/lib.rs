//! Frame-level and alarm-level metrics, the alarm threshold, and the HTML report.
//!
//! One path leads through this crate: [`Evaluation::run`] takes the raw clip scores of every test video, spreads them
//! over frames ([`align`]), computes the frame metrics ([`FrameMetrics`]), replays the board's own
//! [`vad_core::ScoreTracker`] and judges the alarms it raises ([`AlarmMetrics`]); [`Report`] shows the result as one
//! HTML file. The parts are usable alone; metrics take plain slices, so that trainer, quantised model and board are
//! judged by the same code.
//!
//! # Terms
//!
//! - *frame label*: whether the frame lies in an abnormal range. Evaluation only; training never sees it.
//! - *undefined*: a figure that the data cannot give (an AUC without abnormal frames). It is `None`, never 0 or 0.5.
//! - *alarm*: the span from the onset of a raised event to its clearing, as the board would report it.
//!
//! # What is deliberately absent
//!
//! - Normalisation per video. Scores are compared as they are, over all videos together.
//! - A threshold fitted on abnormal footage. [`choose_threshold`] reads normal footage only.
//! - Tensors, decoding and the clock: reports of the same data are the same bytes.
#![deny(missing_docs)]

pub mod alarms;
pub mod align;
pub mod bootstrap;
pub mod classes;
pub mod convention;
pub mod curves;
pub mod evaluation;
pub mod feature_map;
pub mod gt;
pub mod limits;
pub mod metrics;
pub mod ranked_videos;
mod ranking;
pub mod report;
pub mod tsne;

pub use alarms::{AlarmMetrics, TimeRangeMs, Truth, VideoAlarms};
pub use align::{AlignError, Alignment, align, clip_scores_to_frames, repeat_scores};
pub use bootstrap::{AreaIntervals, BootstrapError, Interval, Resampled, Resampling};
pub use classes::{ClassResult, class_from_name};
pub use convention::{Convention, FrameCounts};
pub use curves::{CurvePoint, pr_curve, roc_curve};
pub use evaluation::{EvalError, Evaluation, FrameIntervals, VideoResult, VideoScores, VideoTruth};
pub use feature_map::{ClipKind, FeatureMap, MapClip, MapPoint};
pub use gt::GroundTruth;
pub use limits::Limits;
pub use metrics::{
    Areas, FrameMetrics, MetricsError, average_precision, far, pr_auc_trapezoid, rmse, roc_auc, score_gap,
};
pub use ranked_videos::{RankError, RankedVideos};
pub use ranking::Score;
pub use report::comparison::{ComparedRun, ComparisonReport, PlainTable};
pub use report::{Report, ReportError, SeedFigures};
pub use tsne::{Tsne, tsne};
pub use vad_threshold::{AlarmSpan, CalibrateError, Replay, ScoreTrack, ThresholdChoice, choose_threshold};
