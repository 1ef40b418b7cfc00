//! From cached features and a trained head to the figures of `vad-eval`.

use crate::device::DeviceChoice;
use crate::infer::HeadScorer;
use crate::run::Run;
use anyhow::{Context, Result, bail};
use vad_core::{ModelSpec, ScoreSpec};
use vad_data::{CacheKey, ClipEncoder, FeatureCache, Features, Label, Lookup, VideoEntry, file_hash};
use vad_eval::{Evaluation, ScoreTrack, ThresholdChoice, VideoScores, VideoTruth, choose_threshold};

/// The selected head of a run, on `device`.
///
/// # Errors
/// When the run has no head yet, or the device is not compiled in.
pub fn scorer(run: &Run, device: DeviceChoice) -> Result<HeadScorer> {
    HeadScorer::load(&run.head_path(), &device.open()?)
        .context("this run has no trained head\n  remedy: finish `watchpost train`")
}

/// Features of one video from the cache.
///
/// # Errors
/// Names the video and the remedy when they were never extracted.
pub fn cached(
    cache: &FeatureCache,
    entry: &VideoEntry,
    encoder: &dyn ClipEncoder,
    spec: &ModelSpec,
) -> Result<Features> {
    let key = CacheKey::new(encoder.hash(), &spec.preprocess, spec.clip, file_hash(&entry.path)?);
    match cache.get(&key)? {
        Lookup::Found(features) => Ok(features),
        Lookup::Absent => bail!("{} has no features\n  remedy: watchpost extract", entry.id),
        Lookup::Damaged(what) => {
            bail!("the features of {} are damaged: {what}\n  remedy: watchpost extract", entry.id)
        }
    }
}

/// Scores a video's clips and joins them with its label.
///
/// # Errors
/// When the features are not those that the head was trained on.
pub fn score(entry: &VideoEntry, features: &Features, scorer: &HeadScorer) -> Result<VideoScores> {
    let raw = scorer.score(&features.values).with_context(|| entry.id.clone())?;
    let truth = match entry.label {
        Label::Normal => VideoTruth::Normal,
        Label::Abnormal => VideoTruth::Abnormal(entry.abnormal.clone()),
    };
    Ok(VideoScores {
        video: entry.id.clone(),
        frames: features.frames,
        frame_rate_hz: features.frame_rate_hz,
        spans: features.spans.clone(),
        raw,
        truth,
    })
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

/// The figures of `videos` under the run's alarm logic.
///
/// # Errors
/// As [`Evaluation::run`].
pub fn evaluate(videos: &[VideoScores], spec: &ModelSpec) -> Result<Evaluation> {
    Ok(Evaluation::run(videos, &spec.score)?)
}
