//! What changes where a detector that looks at whole videos looks through a window.

use super::super::terminal::figure;
use super::super::train::THRESHOLD_FILE;
use super::super::work::Work;
use crate::device::DeviceChoice;
use crate::evaluate::{self, View};
use crate::extraction::Extraction;
use crate::infer::Scorer;
use crate::run::Run;
use anyhow::{Context, Result};
use std::borrow::Cow;
use vad_core::{HeadContext, HeadKind, HeadSpec, ScoreSpec};
use vad_data::{Label, VideoEntry};
use vad_eval::{Evaluation, ThresholdChoice, VideoScores};

/// The window of a head that was trained on whole videos.
pub struct Window {
    clips: u16,
}

impl Window {
    /// The window of a head, if it would see more in a whole video.
    pub fn of(head: &HeadSpec) -> Option<Self> {
        match (head.kind, head.context) {
            (HeadKind::Rtfm | HeadKind::Arms, HeadContext::Window { clips }) => Some(Self { clips }),
            _ => None,
        }
    }

    /// Score settings with the alarm threshold chosen anew, as `watchpost train` chooses it, on scores through the window.
    pub fn threshold(
        &self,
        work: &Work,
        run: &Run,
        made: &Extraction,
        scorer: &Scorer,
        score: &ScoreSpec,
    ) -> Result<ScoreSpec> {
        let path = run.dir().join(THRESHOLD_FILE);
        let remedy = "the goal of its alarm threshold is unknown\n  remedy: finish `watchpost train`";
        let text = std::fs::read_to_string(&path).with_context(|| format!("{}: {remedy}", path.display()))?;
        let whole: ThresholdChoice =
            serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        let splits = work.dataset()?.splits;
        let learning = splits.train.entries().iter().chain(splits.val.entries());
        let normal: Vec<&VideoEntry> = learning.filter(|entry| entry.label == Label::Normal).collect();
        let scored = scores(work, made, normal, scorer)?;
        let choice = evaluate::calibrate(&scored, score, whole.goal_per_camera_day)?;
        println!("through a window of {} clips: {}", self.clips, choice.explain());
        Ok(choice.apply_to(score))
    }

    /// Says what the window costs on the validation split.
    pub fn print_cost(
        &self,
        work: &Work,
        run: &Run,
        made: &Extraction,
        scorer: &Scorer,
        device: DeviceChoice,
    ) -> Result<()> {
        let dataset = work.dataset()?;
        let entries = dataset.splits.val.entries();
        if entries.is_empty() {
            println!("what the window costs is unknown: there are no validation videos");
            return Ok(());
        }
        let store = work.features_of(made)?;
        let features = |entry: &VideoEntry| made.cached(&*store, entry).map(Cow::Owned);
        let whole = evaluate::by_run(run, device, View::Video, entries, features)?.evaluation;
        let score = run.model()?.score;
        let window = Evaluation::run(&scores(work, made, entries, scorer)?, &score)?;
        println!(
            "validation split, {} videos: frame ROC AUC {} over whole videos, {} through the window; video ROC AUC {} and {}",
            entries.len(),
            figure(whole.frame.roc_auc),
            figure(window.frame.roc_auc),
            figure(whole.video_roc_auc),
            figure(window.video_roc_auc),
        );
        Ok(())
    }
}

fn scores<'a>(
    work: &Work,
    made: &Extraction,
    entries: impl IntoIterator<Item = &'a VideoEntry>,
    scorer: &Scorer,
) -> Result<Vec<VideoScores>> {
    let store = work.features_of(made)?;
    let score = |entry| evaluate::score(entry, &made.cached(&*store, entry)?, scorer);
    entries.into_iter().map(score).collect()
}
