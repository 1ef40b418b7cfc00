//! One evaluation: from the raw clip scores of the test videos to every figure.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vad_core::{ClipSpan, FrameIndex, ScoreSpec, SpecError};

use vad_threshold::{AlarmSpan, ScoreTrack};

use crate::alarms::{AlarmMetrics, TimeRangeMs, Truth, VideoAlarms};
use crate::align::{AlignError, clip_scores_to_frames};
use crate::bootstrap::{AreaIntervals, BootstrapError, Resampling};
use crate::classes::{ClassResult, by_class, frames_of};
use crate::curves::{CurvePoint, pr_curve, roc_curve};
use crate::gt::{GroundTruth, ranges_of};
use crate::metrics::{FAR_THRESHOLD, FrameMetrics, MetricsError, far, roc_auc};
use crate::ranked_videos::{RankError, RankedVideos};

/// Points kept of a curve.
const CURVE_POINTS: usize = 400;

/// Why an evaluation failed; each names its video where it has one.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EvalError {
    /// No videos.
    #[error("no videos to evaluate: the test split is empty")]
    NoVideos,
    /// Clips and frames of a video do not fit.
    #[error("video `{video}`: {source}")]
    Align {
        /// Name of the video.
        video: String,
        /// Why.
        source: AlignError,
    },
    /// A clip score is NaN or infinite.
    #[error("video `{video}`: the score of clip {clip} is {score}; a score must be finite")]
    NotFinite {
        /// Name of the video.
        video: String,
        /// Index of the clip.
        clip: usize,
        /// The score.
        score: f32,
    },
    /// The frame rate is not a rate.
    #[error("video `{video}`: its frame rate is {frame_rate_hz} Hz; it must be positive")]
    FrameRate {
        /// Name of the video.
        video: String,
        /// The rate found.
        frame_rate_hz: f64,
    },
    /// Scores and labels cannot be compared.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The score spec is out of range.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Frames cannot be ranked.
    #[error(transparent)]
    Rank(#[from] RankError),
    /// Videos cannot be drawn again.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
}

/// The label of a video, for evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VideoTruth {
    /// Every frame is normal.
    Normal,
    /// Abnormal in these frames (from 0, the last one named); `None` when nobody noted them.
    Abnormal(Option<Vec<RangeInclusive<u64>>>),
}

/// One test video: its clips, their raw scores, and its truth.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoScores {
    /// Name of the video.
    pub video: String,
    /// Frames decoded.
    pub frames: u64,
    /// Frames per second.
    pub frame_rate_hz: f64,
    /// The clips, in order.
    pub spans: Vec<ClipSpan>,
    /// One raw score per clip.
    pub raw: Vec<f32>,
    /// Its label.
    pub truth: VideoTruth,
    /// What kind of anomaly it holds, where known.
    pub class: Option<String>,
}

/// What the evaluation found out about one video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoResult {
    /// Name of the video.
    pub video: String,
    /// Its frames.
    pub frames: u64,
    /// Frames per second.
    pub frame_rate_hz: f64,
    /// Its label.
    pub truth: VideoTruth,
    /// What kind of anomaly it holds, where known.
    pub class: Option<String>,
    /// Frame-level figures of this video alone; `None` when its ranges are unknown.
    pub frame: Option<FrameMetrics>,
    /// Raw score of every frame.
    pub raw: Vec<f32>,
    /// Smoothed score of every frame: the one compared with the thresholds.
    pub smoothed: Vec<f32>,
    /// The alarms raised.
    pub alarms: Vec<AlarmSpan>,
    /// Alarm-level figures of this video alone.
    pub figures: AlarmMetrics,
}

/// Intervals of the frame-level areas, over draws of the test videos.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameIntervals {
    /// How they were drawn.
    pub resampling: Resampling,
    /// Videos with known frame labels, which are drawn from.
    pub videos: u64,
    /// The intervals.
    pub areas: AreaIntervals,
}

/// Every figure of one evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Frame-level figures over all videos with known frame labels, together.
    pub frame: FrameMetrics,
    /// The same over abnormal videos only: whether the score points at the right part of them.
    pub frame_abnormal_videos: FrameMetrics,
    /// How far the areas could have come out otherwise, where that was asked for.
    pub intervals: Option<FrameIntervals>,
    /// Results by kind of anomaly; empty when no video has a class.
    pub classes: Vec<ClassResult>,
    /// False-alarm rate over the frames of normal videos only (MIST's test script).
    pub far_05_normal_videos: Option<f64>,
    /// ROC AUC over videos: greatest frame score against the video's label.
    pub video_roc_auc: Option<f64>,
    /// Alarm-level figures.
    pub alarm: AlarmMetrics,
    /// The alarm logic that was replayed.
    pub spec: ScoreSpec,
    /// ROC curve, where defined.
    pub roc: Vec<CurvePoint>,
    /// Precision-recall curve, where defined.
    pub pr: Vec<CurvePoint>,
    /// Results per video, in the order given.
    pub videos: Vec<VideoResult>,
    /// What the reader must know about the data.
    pub notes: Vec<String>,
}

impl Evaluation {
    /// Evaluates `videos` with the alarm logic `spec`. Frame metrics are over the raw scores.
    ///
    /// # Errors
    /// [`EvalError`], naming the video.
    pub fn run(videos: &[VideoScores], spec: &ScoreSpec) -> Result<Self, EvalError> {
        if videos.is_empty() {
            return Err(EvalError::NoVideos);
        }
        let mut pool = Pool::default();
        let mut results = Vec::with_capacity(videos.len());
        for video in videos {
            let result = evaluate_video(video, spec)?;
            pool.add(video, &result);
            results.push(result);
        }
        let alarms: Vec<VideoAlarms> = results.iter().map(VideoResult::to_alarms).collect();
        let (far_scores, far_labels) =
            (&pool.normal_video_scores, vec![false; pool.normal_video_scores.len()]);
        let abnormal = results.iter().filter(|video| video.truth != VideoTruth::Normal);
        Ok(Self {
            frame: FrameMetrics::compute(&pool.scores, &pool.labels)?,
            frame_abnormal_videos: frames_of(abnormal)?,
            intervals: None,
            classes: by_class(&results)?,
            far_05_normal_videos: far(far_scores, &far_labels, FAR_THRESHOLD),
            video_roc_auc: roc_auc(&pool.video_scores, &pool.video_labels),
            alarm: AlarmMetrics::compute(&alarms),
            spec: spec.clone(),
            roc: roc_curve(&pool.scores, &pool.labels, CURVE_POINTS).unwrap_or_default(),
            pr: pr_curve(&pool.scores, &pool.labels, CURVE_POINTS).unwrap_or_default(),
            videos: results,
            notes: pool.notes,
        })
    }

    /// Finds the intervals of the areas by drawing the test videos again.
    ///
    /// # Errors
    /// When frames cannot be ranked.
    pub fn resample(&mut self, resampling: Resampling) -> Result<(), EvalError> {
        let ranked = self.ranked_videos()?;
        let videos = ranked.videos();
        let areas = resampling.judge(&[ranked])?.intervals();
        let caution = Resampling::caution(videos).filter(|_| areas.roc_auc.is_some());
        self.notes.extend(caution.map(|text| format!("95 % intervals: {text}")));
        self.intervals = Some(FrameIntervals { resampling, videos: videos as u64, areas });
        Ok(())
    }

    /// The frames of all videos with known labels, in the order of the videos.
    ///
    /// # Errors
    /// When frames cannot be ranked.
    pub fn ranked_videos(&self) -> Result<RankedVideos, EvalError> {
        let labelled: Vec<(&[f32], Vec<bool>)> = self
            .videos
            .iter()
            .filter_map(|video| Some((video.raw.as_slice(), video.frame_labels()?)))
            .collect();
        let borrowed = labelled.iter().map(|(scores, labels)| (*scores, labels.as_slice()));
        Ok(RankedVideos::new(borrowed)?)
    }
}

impl VideoResult {
    /// Whether each frame is abnormal; `None` when the ranges are unknown.
    pub fn frame_labels(&self) -> Option<Vec<bool>> {
        frame_labels(&self.truth, self.frames)
    }

    /// The abnormal ranges in frames, clipped to the video; `None` when they are unknown.
    pub fn abnormal_frames(&self) -> Option<Vec<RangeInclusive<u64>>> {
        Some(ranges_of(&self.frame_labels()?))
    }

    /// The video's truth and alarms in media time.
    pub fn to_alarms(&self) -> VideoAlarms {
        to_alarms(&self.video, self.frames, self.frame_rate_hz, &self.truth, self.alarms.clone())
    }
}

/// Scores and labels of all videos together.
#[derive(Default)]
struct Pool {
    scores: Vec<f32>,
    labels: Vec<bool>,
    normal_video_scores: Vec<f32>,
    video_scores: Vec<f32>,
    video_labels: Vec<bool>,
    notes: Vec<String>,
}

impl Pool {
    fn add(&mut self, video: &VideoScores, result: &VideoResult) {
        if let Some(labels) = frame_labels(&video.truth, video.frames) {
            self.scores.extend(&result.raw);
            self.labels.extend(labels);
        } else {
            self.notes.push(format!(
                "{}: abnormal, but its ranges are unknown; it is left out of every frame-level figure",
                video.video
            ));
        }
        if video.truth == VideoTruth::Normal {
            self.normal_video_scores.extend(&result.raw);
        }
        self.video_scores.extend(result.raw.iter().copied().reduce(f32::max));
        if !result.raw.is_empty() {
            self.video_labels.push(video.truth != VideoTruth::Normal);
        }
        self.note_overhang(video);
    }

    fn note_overhang(&mut self, video: &VideoScores) {
        let VideoTruth::Abnormal(Some(ranges)) = &video.truth else {
            return;
        };
        for range in ranges.iter().filter(|range| *range.end() >= video.frames) {
            self.notes.push(format!(
                "{}: the range {}-{} ends beyond the last frame ({}) and was clipped",
                video.video,
                range.start(),
                range.end(),
                video.frames.saturating_sub(1)
            ));
        }
    }
}

fn evaluate_video(video: &VideoScores, spec: &ScoreSpec) -> Result<VideoResult, EvalError> {
    let name = || video.video.clone();
    if !video.frame_rate_hz.is_finite() || video.frame_rate_hz <= 0.0 {
        return Err(EvalError::FrameRate { video: name(), frame_rate_hz: video.frame_rate_hz });
    }
    if let Some(clip) = video.raw.iter().position(|score| !score.is_finite()) {
        return Err(EvalError::NotFinite { video: name(), clip, score: video.raw[clip] });
    }
    let to_frames = |scores: &[f32]| {
        clip_scores_to_frames(&video.spans, scores, video.frames)
            .map_err(|source| EvalError::Align { video: name(), source })
    };
    let raw = to_frames(&video.raw)?;
    let track = ScoreTrack::from_clips(name(), &video.spans, &video.raw, video.frames, video.frame_rate_hz);
    let replay = track.replay(spec)?;
    let smoothed: Vec<f32> = replay.steps.iter().map(|step| step.smoothed).collect();
    let alarms =
        to_alarms(&video.video, video.frames, video.frame_rate_hz, &video.truth, replay.alarms.clone());
    let frame = frame_labels(&video.truth, video.frames).map(|labels| FrameMetrics::compute(&raw, &labels));
    Ok(VideoResult {
        video: name(),
        frames: video.frames,
        frame_rate_hz: video.frame_rate_hz,
        truth: video.truth.clone(),
        class: video.class.clone(),
        frame: frame.transpose()?,
        raw,
        smoothed: to_frames(&smoothed)?,
        alarms: replay.alarms,
        figures: AlarmMetrics::compute(&[alarms]),
    })
}

/// Labels of every frame; `None` when they are unknown.
fn frame_labels(truth: &VideoTruth, frames: u64) -> Option<Vec<bool>> {
    match truth {
        VideoTruth::Normal => Some(GroundTruth::Frames.labels(&[], frames)),
        VideoTruth::Abnormal(ranges) => Some(GroundTruth::Frames.labels(ranges.as_deref()?, frames)),
    }
}

fn to_alarms(
    video: &str,
    frames: u64,
    frame_rate_hz: f64,
    truth: &VideoTruth,
    alarms: Vec<AlarmSpan>,
) -> VideoAlarms {
    let time = |frame: u64| FrameIndex(frame).media_time(frame_rate_hz).0;
    let truth = match (truth, frame_labels(truth, frames)) {
        (VideoTruth::Normal, _) => Truth::Normal,
        (_, None) => Truth::Unknown,
        (_, Some(labels)) => Truth::Ranges(
            ranges_of(&labels)
                .into_iter()
                .map(|range| TimeRangeMs { start_ms: time(*range.start()), end_ms: time(range.end() + 1) })
                .collect(),
        ),
    };
    VideoAlarms { video: video.to_owned(), duration_ms: time(frames), truth, alarms }
}
