//! What a variant is: something that trains a run and scores test videos.

use crate::cmd::finetune::{self, Stage1, TuningOptions};
use crate::cmd::published_counts::PublishedCounts;
use crate::cmd::recipe_options::with_seed;
use crate::cmd::terminal::figure;
use crate::cmd::train::Session;
use crate::cmd::tuned::{self, Head};
use crate::evaluate::{self, Judgement, View};
use crate::published::{PrintedFigure, printed};
use crate::recipe::mist_stage1::MistStage1;
use crate::recipe::mist_stage2_config::{NAME as STAGE2, Stage2Config};
use crate::recipe::registry::{self, Recipe};
use crate::recipe::system::System;
use crate::run::Run;
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use toml::Table;
use vad_data::VideoEntry;
use vad_eval::{Evaluation, FrameMetrics};

/// What is trained. Settings are without a seed.
pub enum Training {
    /// A recipe on features.
    Recipe { recipe: &'static dyn Recipe, given: Table },
    /// MIST's second stage on the videos themselves, from a run of its first.
    Stage2 { given: Table, stage1: Stage1Variant, options: Box<TuningOptions> },
}

/// The run of stage I that a fine-tuning starts from: one for each seed, made when it is not there.
pub struct Stage1Variant {
    /// What stands in its run's name for the variant. A variant of that name is the same run.
    pub name: String,
    pub given: Table,
}

/// The model of the last step, beside the one that counts.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastStep {
    /// It is the one that counts.
    Selected,
    /// Another one was selected; this one's frame ROC AUC.
    Other { frame_auc: Option<f64> },
}

impl From<Option<FrameMetrics>> for LastStep {
    /// What a judgement says of the last step where another one was selected.
    fn from(last: Option<FrameMetrics>) -> Self {
        last.map_or(Self::Selected, |frame| Self::Other { frame_auc: frame.roc_auc })
    }
}

impl fmt::Display for LastStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selected => f.write_str("the same model"),
            Self::Other { frame_auc } => f.write_str(&figure(*frame_auc)),
        }
    }
}

/// What a paper prints for a training.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Printed {
    #[serde(flatten)]
    pub figure: &'static PrintedFigure,
    /// Of the features here; the figure is comparable where it is theirs.
    pub width: usize,
}

/// A finished run and what it is worth on the test videos.
pub struct Trained {
    pub name: String,
    pub run: Run,
    pub evaluation: Evaluation,
    pub last_step: LastStep,
    /// As papers count frames.
    pub counts: PublishedCounts,
}

impl Training {
    /// Name of its recipe.
    pub fn recipe(&self) -> &'static str {
        match self {
            Self::Recipe { recipe, .. } => recipe.name(),
            Self::Stage2 { .. } => STAGE2,
        }
    }

    /// What its paper prints for the data set whose settings it starts from, with features of the width at hand where it
    /// learns from them.
    pub fn printed(&self, width: usize) -> Option<Printed> {
        let (given, width) = match self {
            Self::Recipe { given, .. } => (given, width),
            Self::Stage2 { given, .. } => {
                (given, Stage2Config::resolve(given).ok()?.encoder.published_feature_dim())
            }
        };
        let figure = printed(self.recipe(), given.get("dataset")?.as_str()?, width)?;
        Some(Printed { figure, width })
    }
}

/// Trains variants with one session.
pub struct Trainer<'a> {
    session: &'a Session<'a>,
    test: &'a [VideoEntry],
    run_prefix: &'a str,
    /// Runs on features that this command has trained: two variants can start from one.
    made: BTreeSet<String>,
}

impl<'a> Trainer<'a> {
    pub fn new(session: &'a Session<'a>, test: &'a [VideoEntry], run_prefix: &'a str) -> Self {
        Self { session, test, run_prefix, made: BTreeSet::new() }
    }

    /// Trains a variant with a seed, or goes on with it, and scores the test videos.
    pub fn train(&mut self, variant: &str, training: &Training, seed: u64) -> Result<Trained> {
        let name = self.run_name(variant, seed);
        match training {
            Training::Recipe { recipe, given } => {
                let run = self.on_features(&name, *recipe, &with_seed(given, seed)?)?;
                self.evaluate(&name, run).with_context(|| name)
            }
            Training::Stage2 { given, stage1, options } => {
                let stage1_name = self.run_name(&stage1.name, seed);
                let recipe = registry::by_name(MistStage1::NAME)?;
                let run = self.on_features(&stage1_name, recipe, &with_seed(&stage1.given, seed)?)?;
                let stage1 = Stage1 { name: stage1_name, run };
                self.fine_tune(&name, &stage1, &with_seed(given, seed)?, options).with_context(|| name)
            }
        }
    }

    fn run_name(&self, variant: &str, seed: u64) -> String {
        format!("{}{variant}-seed{seed}", self.run_prefix)
    }

    fn on_features(&mut self, name: &str, recipe: &dyn Recipe, given: &Table) -> Result<Run> {
        if self.made.contains(name) {
            return Ok(Run::open(&self.session.work.runs().join(name))?);
        }
        let run = self.session.train(recipe, given, Some(name)).with_context(|| name.to_owned())?;
        self.made.insert(name.to_owned());
        Ok(run)
    }

    fn evaluate(&self, name: &str, run: Run) -> Result<Trained> {
        let Session { dataset, options, .. } = self.session;
        let Judgement { scores, evaluation, last } =
            evaluate::by_run(&run, options.compute.device, View::Video, self.test, |entry| {
                self.session.features(entry)
            })?;
        Ok(Trained {
            name: name.to_owned(),
            evaluation,
            last_step: last.into(),
            counts: PublishedCounts::of(dataset.conventions(), &scores)?,
            run,
        })
    }

    fn fine_tune(
        &self,
        name: &str,
        stage1: &Stage1,
        given: &Table,
        options: &TuningOptions,
    ) -> Result<Trained> {
        let Session { work, dataset, .. } = self.session;
        let session = finetune::Session::new(options, work, dataset)?;
        let tuned = session.tune(stage1, None, name, given)?.run;
        let tuned::Judged { videos, evaluation, last, .. } =
            tuned::judge(work, &tuned, self.test, Head::Own, &session.encoding)?;
        Ok(Trained {
            name: name.to_owned(),
            run: tuned.run().clone(),
            evaluation,
            last_step: last.into(),
            counts: PublishedCounts::of(dataset.conventions(), &videos)?,
        })
    }
}
