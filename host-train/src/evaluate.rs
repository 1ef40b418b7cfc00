//! From cached features and a trained detector to the scores of `vad-eval`.

use crate::device::DeviceChoice;
use crate::infer::Scorer;
use crate::recipe::registry;
use crate::run::Run;
use crate::tensors;
use anyhow::{Context, Result};
use std::borrow::Cow;
use std::path::Path;
use vad_core::ScoreSpec;
use vad_data::{Features, Label, VideoEntry};
use vad_eval::{
    Evaluation, FrameMetrics, ScoreTrack, ThresholdChoice, VideoScores, VideoTruth, choose_threshold,
};

/// The selected detector of a run, on `device`.
///
/// # Errors
/// When the run has no detector yet, or the device is not compiled in.
pub fn scorer(run: &Run, device: DeviceChoice) -> Result<Scorer> {
    load(run, &run.head_path(), device)
}

/// The detector after the last step of a run, where another one was selected.
fn last_scorer(run: &Run, device: DeviceChoice) -> Result<Option<Scorer>> {
    let metrics = run.metrics()?;
    if metrics.selection.is_last_of(&metrics.curves) {
        return Ok(None);
    }
    load(run, &run.last_head_path(), device).map(Some)
}

fn load(run: &Run, head: &Path, device: DeviceChoice) -> Result<Scorer> {
    let settings = run.settings()?;
    let recipe = registry::of(&settings)?;
    let (weights, _) = tensors::load(head)
        .context("this run has no trained detector\n  remedy: finish `watchpost train`")?;
    Ok(recipe.load(&settings, &weights, &head.display().to_string(), &device.open()?)?.into())
}

/// How a detector looks at videos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// At all of each, as papers do.
    #[default]
    Video,
    /// As a board does, through a window where it looks at whole videos; see [`crate::on_board`].
    Board {
        /// Clips of the window, or those that the detector suggests.
        window: Option<u16>,
    },
}

impl View {
    fn of(self, scorer: Scorer) -> Result<Scorer> {
        match self {
            Self::Video => Ok(scorer),
            Self::Board { window } => Ok(scorer.on_board(window)?),
        }
    }
}

/// Videos judged by a run's detectors.
pub struct Judgement {
    /// In the order in which the videos were given, by the detector that was selected.
    pub scores: Vec<VideoScores>,
    /// Of these scores.
    pub evaluation: Evaluation,
    /// Of the detector after the last step, where another one was selected.
    pub last: Option<FrameMetrics>,
}

/// Judges videos by a run's detectors; features are loaded once.
///
/// # Errors
/// As [`scorer`], [`score`] and `features`.
pub fn by_run<'a>(
    run: &Run,
    device: DeviceChoice,
    view: View,
    entries: &'a [VideoEntry],
    features: impl Fn(&'a VideoEntry) -> Result<Cow<'a, Features>>,
) -> Result<Judgement> {
    let spec = run.model()?.score;
    let selected = view.of(scorer(run, device)?)?;
    let last = last_scorer(run, device)?.map(|last| view.of(last)).transpose()?;
    let (mut scores, mut last_scores) = (Vec::new(), Vec::new());
    for entry in entries {
        let features = features(entry)?;
        scores.push(score(entry, &features, &selected)?);
        if let Some(last) = &last {
            last_scores.push(score(entry, &features, last)?);
        }
    }
    let last = last.map(|_| Evaluation::run(&last_scores, &spec)).transpose()?;
    Ok(Judgement {
        evaluation: Evaluation::run(&scores, &spec)?,
        scores,
        last: last.map(|evaluation| evaluation.frame),
    })
}

/// Scores a video's clips and joins them with its label.
///
/// # Errors
/// When the features are not those that the detector was trained on.
pub fn score(entry: &VideoEntry, features: &Features, scorer: &Scorer) -> Result<VideoScores> {
    let raw = scorer.score_video(&entry.id, features).with_context(|| entry.id.clone())?;
    Ok(with_scores(entry, features, raw))
}

/// Joins the scores of a video's clips with its label.
pub fn with_scores(entry: &VideoEntry, features: &Features, raw: Vec<f32>) -> VideoScores {
    let truth = match entry.label {
        Label::Normal => VideoTruth::Normal,
        Label::Abnormal => VideoTruth::Abnormal(entry.abnormal.clone()),
    };
    VideoScores {
        video: entry.id.clone(),
        frames: features.frames,
        frame_rate_hz: features.frame_rate_hz,
        spans: features.spans.clone(),
        raw,
        truth,
        class: entry.class.clone(),
    }
}

/// Chooses the alarm threshold from the normal videos among `videos`, for at most `false_alarms_per_camera_day`.
///
/// # Errors
/// When there is no normal footage.
pub fn calibrate(
    videos: &[VideoScores],
    spec: &ScoreSpec,
    false_alarms_per_camera_day: f64,
) -> Result<ThresholdChoice> {
    let normal: Vec<ScoreTrack> =
        videos.iter().filter(|video| video.truth == VideoTruth::Normal).map(track).collect();
    Ok(choose_threshold(&normal, spec, false_alarms_per_camera_day)?)
}

fn track(video: &VideoScores) -> ScoreTrack {
    ScoreTrack::from_clips(video.video.clone(), &video.spans, &video.raw, video.frames, video.frame_rate_hz)
}
