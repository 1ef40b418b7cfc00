//! Held-back videos, scored by one run or by several.

use super::options::{DeviceOption, WorkOption};
use super::tuned::{self, Head};
use super::work::{Dataset, Work};
use crate::evaluate::{self, Judgement, View};
use crate::finetune::tuned::TunedRun;
use crate::run::Run;
use anyhow::{Result, ensure};
use clap::builder::RangedI64ValueParser;
use std::borrow::Cow;
use vad_core::head::MAX_CONTEXT_CLIPS;
use vad_data::{CropPlan, Features, Label, VideoEntry};
use vad_eval::{Evaluation, FrameMetrics, Resampling, VideoScores, class_from_name};

/// Videos that nothing was trained on.
#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
pub enum SplitName {
    Val,
    Test,
}

/// Which videos, and how runs look at them.
#[derive(Debug, Clone, clap::Args)]
pub struct HeldBackOptions {
    #[command(flatten)]
    pub work: WorkOption,
    /// Videos to evaluate on
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    pub split: SplitName,
    /// Crops of the features to evaluate on, 1, 5 or 10 [default: those of the training]
    #[arg(long, value_name = "N")]
    crops: Option<CropPlan>,
    /// What scores the clips of a fine-tuned run
    #[arg(long, value_enum, default_value_t = Head::Own)]
    head: Head,
    /// Take the class of abnormal videos from the letters that their names begin with, where neither the label file nor an
    /// imported data set says it
    #[arg(long)]
    class_from_name: bool,
    /// Score as a board does: what looks at whole videos sees a window of the last clips
    #[arg(long)]
    on_board: bool,
    /// Clips of that window [default: the segments of the training]
    #[arg(long, value_name = "N", requires = "on_board", value_parser = window_range())]
    window: Option<u16>,
    #[command(flatten)]
    compute: DeviceOption,
}

/// Clips that a head's window may have.
pub fn window_range() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=i64::from(MAX_CONTEXT_CLIPS))
}

/// How often the held-back videos are drawn again.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct ResamplingOptions {
    /// Draws of the videos behind every 95 % interval; 0 for none
    #[arg(long, value_name = "N", default_value_t = Resampling::default().resamples)]
    resamples: u32,
    /// Seed of these draws, and of the map of features
    #[arg(long, value_name = "N", default_value_t = Resampling::default().seed)]
    resample_seed: u64,
}

/// The videos of one split.
pub struct HeldBack<'a> {
    pub entries: Vec<VideoEntry>,
    work: &'a Work,
    dataset: &'a Dataset,
    options: &'a HeldBackOptions,
}

/// What one run says about the videos.
pub struct Judged {
    pub name: String,
    pub scores: Vec<VideoScores>,
    /// What the features were made from, in words.
    pub made: String,
    /// What scored the clips.
    pub head: Head,
    pub evaluation: Evaluation,
    /// Of the detector after the last step, where another one was selected.
    pub last: Option<FrameMetrics>,
}

impl SplitName {
    /// The videos of this split; those of the test with the frames that are annotated apart from the labels.
    pub fn entries(self, dataset: &Dataset) -> Vec<VideoEntry> {
        match self {
            Self::Val => dataset.splits.val.entries().to_vec(),
            Self::Test => {
                dataset.splits.test.entries().iter().map(|entry| dataset.annotated(entry)).collect()
            }
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl HeldBackOptions {
    /// How detectors look at the videos.
    pub fn view(&self) -> View {
        if self.on_board { View::Board { window: self.window } } else { View::Video }
    }

    /// What a page says of the view, where it is not the usual one.
    pub fn view_fact(&self) -> Option<(String, String)> {
        let window = match self.view() {
            View::Video => return None,
            View::Board { window: None } => String::new(),
            View::Board { window: Some(clips) } => format!(", through a window of {clips}"),
        };
        Some(("Scored".to_owned(), format!("as a board does, without later clips{window}")))
    }

    /// Tells the files of a view from those of the usual one.
    pub fn view_suffix(&self) -> String {
        match self.view() {
            View::Video => String::new(),
            View::Board { window: None } => "-board".to_owned(),
            View::Board { window: Some(clips) } => format!("-board-window{clips}"),
        }
    }
}

impl ResamplingOptions {
    pub fn resampling(self) -> Resampling {
        Resampling { resamples: self.resamples, seed: self.resample_seed }
    }
}

impl<'a> HeldBack<'a> {
    pub fn open(work: &'a Work, dataset: &'a Dataset, options: &'a HeldBackOptions) -> Result<Self> {
        let mut entries = options.split.entries(dataset);
        ensure!(
            !entries.is_empty(),
            "the {} split is empty; index again with more videos for it",
            options.split.name()
        );
        let nameless = |entry: &&mut VideoEntry| entry.label == Label::Abnormal && entry.class.is_none();
        for entry in entries.iter_mut().filter(nameless).filter(|_| options.class_from_name) {
            entry.class = class_from_name(&entry.id).map(str::to_owned);
        }
        Ok(Self { entries, work, dataset, options })
    }

    /// Scores every video with the detector of a run.
    pub fn judge(&self, run: &Run) -> Result<Judged> {
        let Some(tuned) = TunedRun::of(run)? else { return self.judge_features(run) };
        ensure!(
            !self.options.on_board,
            "no board program runs a fine-tuned encoder yet\n  remedy: leave --on-board out"
        );
        let (head, encoding) = (self.options.head, self.options.compute.into());
        let tuned::Judged { name, videos: scores, made, evaluation, last } =
            tuned::judge(self.work, &tuned, &self.entries, head, &encoding)?;
        Ok(Judged { name, scores, made, head, evaluation, last })
    }

    /// Scores by a detector on features that were extracted or imported before.
    fn judge_features(&self, run: &Run) -> Result<Judged> {
        let source = self.dataset.features_of(self.work, run, self.options.crops)?;
        let Judgement { scores, evaluation, last } = evaluate::by_run(
            run,
            self.options.compute.device,
            self.options.view(),
            &self.entries,
            |entry| source.load(entry).map(Cow::Owned),
        )?;
        Ok(Judged {
            name: run.model()?.name,
            scores,
            made: source.to_string(),
            head: Head::Own,
            evaluation,
            last,
        })
    }

    /// Hands over what the detector of a run sees of each video.
    pub fn each_features(&self, run: &Run, mut take: impl FnMut(&VideoEntry, &Features)) -> Result<()> {
        if let Some(tuned) = TunedRun::of(run)? {
            let encoder = tuned::encoder(&tuned, &self.options.compute.device.into())?;
            let features = tuned::features(self.work, &encoder, &self.entries, &self.options.compute.into())?;
            for entry in &self.entries {
                features.get(&entry.id).into_iter().for_each(|features| take(entry, features));
            }
            return Ok(());
        }
        let source = self.dataset.features_of(self.work, run, self.options.crops)?;
        for entry in &self.entries {
            take(entry, &source.load(entry)?);
        }
        Ok(())
    }
}
