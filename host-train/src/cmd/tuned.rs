//! What the subcommands share that work with fine-tuned encoders.

use super::options::Encoding;
use super::progress::ExtractBars;
use super::train::THRESHOLD_FILE;
use super::work::Work;
use crate::device::{DeviceChoice, DeviceList};
use crate::evaluate;
use crate::finetune::tuned::{TunedEncoder, TunedRun, TunedSpec};
use crate::infer::Scorer;
use crate::recipe::mist_config::MistConfig;
use crate::recipe::mist_stage1::MistStage1;
use crate::recipe::system::System;
use crate::tensors;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use vad_core::ScoreSpec;
use vad_data::{FeatureSpec, Features, Replicas, VideoEntry, extract};
use vad_eval::{Evaluation, FrameMetrics, VideoScores};

const UNFINISHED: &str = "this run has no fine-tuned encoder\n  remedy: finish `watchpost finetune`";

/// What scores the clips of a fine-tuned encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Head {
    /// Its own classifier, as published
    Own,
    /// Stage I, trained anew on its features
    Stage1,
}

/// Scored videos and what the scores are worth.
pub struct Judged {
    pub name: String,
    pub videos: Vec<VideoScores>,
    /// What the features were made from, in words.
    pub made: String,
    pub evaluation: Evaluation,
    /// Of the encoder after the last step by its own classifier, where another one was selected.
    pub last: Option<FrameMetrics>,
}

impl Head {
    /// Tells the files of the second head from those of the first.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Own => "",
            Self::Stage1 => "-stage1",
        }
    }

    /// File of a run that says how the alarm threshold was chosen.
    pub fn threshold_file(self) -> &'static str {
        match self {
            Self::Own => THRESHOLD_FILE,
            Self::Stage1 => "threshold_stage1.json",
        }
    }

    /// What turns its scores into alarms.
    pub fn score_spec(self, spec: &TunedSpec) -> &ScoreSpec {
        match self {
            Self::Own => &spec.score,
            Self::Stage1 => &spec.stage1_score,
        }
    }

    /// The detector on features of the encoder.
    pub fn scorer(self, run: &TunedRun, encoder: &TunedEncoder, device: DeviceChoice) -> Result<Scorer> {
        match self {
            Self::Own => Ok(Scorer::new(encoder.classifier()?)),
            Self::Stage1 => {
                let path = run.stage1_head_path();
                let (weights, _) = tensors::load(&path)
                    .context("stage I was not trained anew yet\n  remedy: finish `watchpost finetune`")?;
                let origin = path.display().to_string();
                let device = device.open()?;
                Ok(Scorer::new(MistStage1::load(&MistConfig::small(), &weights, &origin, &device)?))
            }
        }
    }
}

/// Opens the encoder of a run, a copy on each device.
pub fn encoder(run: &TunedRun, devices: &DeviceList) -> Result<Replicas<TunedEncoder>> {
    let open = devices.open()?;
    let load = |device| TunedEncoder::load(run, device).context(UNFINISHED);
    let others = open.others.iter().map(load).collect::<Result<_>>()?;
    Ok(Replicas::new(load(&open.first)?, others)?)
}

/// Opens the encoder after the last step of a run, if another one was selected.
fn last_encoder(run: &TunedRun, devices: &DeviceList) -> Result<Option<Replicas<TunedEncoder>>> {
    let open = devices.open()?;
    let load = |device| TunedEncoder::load_last(run, device).context(UNFINISHED);
    let Some(first) = load(&open.first)? else { return Ok(None) };
    let others = open.others.iter().filter_map(|device| load(device).transpose()).collect::<Result<_>>()?;
    Ok(Some(Replicas::new(first, others)?))
}

/// Features of videos by a fine-tuned encoder, from the cache where it has them.
pub fn features(
    work: &Work,
    encoder: &Replicas<TunedEncoder>,
    entries: &[VideoEntry],
    encoding: &Encoding,
) -> Result<BTreeMap<String, Features>> {
    let spec = encoder.first().spec();
    let request = encoding.extract_spec(FeatureSpec::new(spec.preprocess.clone(), spec.clip));
    let bars = ExtractBars::new(entries.len());
    let outcome = extract(entries, encoder, request, &work.features()?, false, &bars);
    bars.finish();
    Ok(outcome?.features)
}

/// Judges videos by a fine-tuned encoder; its own classifier also after the last step, where another one was selected. Stage I
/// is trained anew on features of the selected encoder alone.
pub fn judge(
    work: &Work,
    run: &TunedRun,
    entries: &[VideoEntry],
    head: Head,
    encoding: &Encoding,
) -> Result<Judged> {
    let encoder = encoder(run, &encoding.devices)?;
    let last = match head {
        Head::Own => last_encoder(run, &encoding.devices)?,
        Head::Stage1 => None,
    };
    let spec = encoder.first().spec();
    let scored = |encoder: &Replicas<TunedEncoder>| {
        let features = features(work, encoder, entries, encoding)?;
        let scorer = head.scorer(run, encoder.first(), encoding.devices.first())?;
        let videos = score(entries, &features, &scorer)?;
        let evaluation = Evaluation::run(&videos, head.score_spec(spec))?;
        Ok::<_, anyhow::Error>((videos, evaluation))
    };
    let (videos, evaluation) = scored(&encoder)?;
    let last = last.as_ref().map(scored).transpose()?;
    let made =
        format!("of the fine-tuned encoder, clips of {} frames every {}", spec.clip.frames, spec.clip.stride);
    let last = last.map(|(_, evaluation)| evaluation.frame);
    Ok(Judged { name: spec.name.clone(), videos, made, evaluation, last })
}

/// Scores the videos that have features.
pub fn score(
    entries: &[VideoEntry],
    features: &BTreeMap<String, Features>,
    scorer: &Scorer,
) -> Result<Vec<VideoScores>> {
    let scored = |entry: &VideoEntry| Some(evaluate::score(entry, features.get(&entry.id)?, scorer));
    entries.iter().filter_map(scored).collect()
}
