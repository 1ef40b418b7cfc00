//! Trains several variants with several seeds on one data set and compares them on its test videos.
//!
//! What is compared is data: what to train ([`training`]), settings, and the variant to compare with. `train --recipe all` and
//! `ablate` differ in nothing else.

use super::held_back::SplitName;
use super::provenance;
use super::recipe_options::Chosen;
use super::train::Session;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::ops::Range;
use training::{LastStep, Printed, Trained, Trainer, Training};
use vad_eval::{AreaIntervals, RankedVideos, Resampled, Resampling};

mod page;
mod papers;
pub mod training;

/// One of several ways to train.
pub struct Variant {
    pub name: String,
    pub training: Training,
    /// What the settings change, for the page; may be empty.
    pub note: String,
    /// Position of the variant that it is compared with, if any.
    pub against: Option<usize>,
}

impl From<Chosen> for Variant {
    /// A whole recipe, compared with the first one.
    fn from(Chosen { recipe, given }: Chosen) -> Self {
        Self {
            name: recipe.name().to_owned(),
            training: Training::Recipe { recipe, given },
            note: String::new(),
            against: Some(0),
        }
    }
}

/// What is to be trained and compared.
pub struct Trials {
    /// Heading of the page.
    pub title: String,
    /// What the page says before its table.
    pub introduction: String,
    /// Name of the page and of its numbers, without ending.
    pub file: String,
    /// Runs are named `PREFIXVARIANT-seedN`.
    pub run_prefix: String,
    pub variants: Vec<Variant>,
    pub seeds: Range<u64>,
}

/// One training and its figures on the test split.
#[derive(Debug, Serialize)]
struct Row {
    variant: String,
    recipe: &'static str,
    run: String,
    seed: u64,
    frame_auc: Option<f64>,
    last_step: LastStep,
    average_precision: Option<f64>,
    pr_auc_trapezoid: Option<f64>,
    video_auc: Option<f64>,
    /// Share of frames above 0.5: of all normal frames, and of those in normal videos alone.
    far: Option<f64>,
    far_normal_videos: Option<f64>,
    /// Mean time of a step, in milliseconds.
    step_ms: f64,
    steps: usize,
    /// Time of the whole training, in seconds; of a second stage, without its first.
    training_s: f64,
    /// As papers count frames, if the data set is one that they report on.
    counted: Vec<Counted>,
}

/// The figures by one way of counting frames.
#[derive(Debug, Serialize)]
struct Counted {
    by: &'static str,
    roc_auc: Option<f64>,
    pr_auc_trapezoid: Option<f64>,
    /// Share of normal frames above 0.5.
    far: Option<f64>,
}

/// One variant over all seeds.
#[derive(Debug, Serialize)]
struct Summary {
    variant: String,
    recipe: &'static str,
    note: String,
    /// Of the means over seeds, over draws of the test videos.
    areas: AreaIntervals,
    against: Option<String>,
    /// Of the difference between the means over seeds, over the same draws.
    difference: Option<AreaIntervals>,
    /// What the paper prints, if the settings are those published for a data set.
    printed: Option<Printed>,
    rows: Vec<Row>,
}

/// Everything on the page.
#[derive(Debug, Serialize)]
struct Outcome {
    facts: Vec<(String, String)>,
    resampling: Resampling,
    variants: Vec<Summary>,
}

/// Trains, evaluates, compares, and writes `runs/FILE.md` and `runs/FILE.json`.
pub fn run(session: &mut Session<'_>, trials: &Trials) -> Result<()> {
    let test = SplitName::Test.entries(&session.dataset);
    ensure!(
        !test.is_empty(),
        "the test split is empty, so there is nothing to compare on; index again with more videos"
    );
    session.keep(&test)?;
    // The tree may change while this runs.
    let facts = provenance::facts(&[
        ("Label file hash", session.dataset.file.labels_sha256.clone()),
        ("Test videos", test.len().to_string()),
        ("Features", session.source.to_string()),
    ]);
    let width = session.source.width()?;
    let mut trainer = Trainer::new(session, &test, &trials.run_prefix);
    let resampling = Resampling::default();
    let mut judged: Vec<Resampled> = Vec::new();
    let mut variants = Vec::new();
    for variant in &trials.variants {
        let (rows, ranked): (Vec<Row>, Vec<RankedVideos>) = trials
            .seeds
            .clone()
            .map(|seed| one_run(&mut trainer, variant, seed))
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .unzip();
        judged.push(resampling.judge(&ranked)?);
        variants.push(Summary {
            variant: variant.name.clone(),
            recipe: variant.training.recipe(),
            note: variant.note.clone(),
            areas: AreaIntervals::default(),
            against: None,
            difference: None,
            printed: variant.training.printed(width),
            rows,
        });
    }
    for (index, (summary, variant)) in variants.iter_mut().zip(&trials.variants).enumerate() {
        summary.areas = judged[index].intervals();
        if let Some(other) = variant.against.filter(|other| *other != index) {
            let reference = judged.get(other).context("a variant is compared with one that there is not")?;
            summary.difference = Some(judged[index].minus(reference)?);
            summary.against = trials.variants.get(other).map(|variant| variant.name.clone());
        }
    }
    page::write(session, trials, &Outcome { facts, resampling, variants })
}

fn one_run(trainer: &mut Trainer<'_>, variant: &Variant, seed: u64) -> Result<(Row, RankedVideos)> {
    let Trained { name, run, evaluation, last_step, counts } =
        trainer.train(&variant.name, &variant.training, seed)?;
    let counted = counts.iter().map(|(convention, figures)| Counted {
        by: convention.name,
        roc_auc: figures.roc_auc,
        pr_auc_trapezoid: figures.pr_auc_trapezoid,
        far: figures.far_05,
    });
    let metrics = run.metrics()?;
    let row = Row {
        variant: variant.name.clone(),
        recipe: variant.training.recipe(),
        run: name,
        seed,
        frame_auc: evaluation.frame.roc_auc,
        last_step,
        average_precision: evaluation.frame.average_precision,
        pr_auc_trapezoid: evaluation.frame.pr_auc_trapezoid,
        video_auc: evaluation.video_roc_auc,
        far: evaluation.frame.far_05,
        far_normal_videos: evaluation.far_05_normal_videos,
        step_ms: metrics.step_ms,
        steps: metrics.steps(),
        training_s: metrics.training_s(),
        counted: counted.collect(),
    };
    Ok((row, evaluation.ranked_videos()?))
}
