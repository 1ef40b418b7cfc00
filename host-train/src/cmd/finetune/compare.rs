//! Both stages over several seeds, on the test split, in one table.

use super::{Session, Tuned};
use crate::atomic_file;
use crate::cmd::held_back::SplitName;
use crate::cmd::provenance;
use crate::cmd::recipe_options::with_seed;
use crate::cmd::spread::{Spread, of_figures};
use crate::cmd::terminal::figure;
use crate::cmd::trials::training::LastStep;
use crate::cmd::tuned::{self, Head};
use crate::evaluate::{self, View};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;
use toml::Table;
use vad_data::VideoEntry;

/// What was compared, in the order of the columns.
pub const DETECTORS: [&str; 3] = ["stage I", "stage II, own classifier", "stage II features, stage I again"];

/// One seed.
#[derive(Debug, Serialize)]
pub struct Row {
    pub seed: u64,
    /// Frame ROC AUC in the order of [`DETECTORS`].
    pub frame_auc: [Option<f64>; 3],
    average_precision: [Option<f64>; 3],
    /// Time of each one's own training in seconds, in the same order.
    training_s: [f64; 3],
    /// Of the first two, which can be selected by validation.
    last_step: [LastStep; 2],
}

/// Everything on the page.
#[derive(Debug, Serialize)]
pub struct Comparison {
    detectors: [&'static str; 3],
    facts: Vec<(String, String)>,
    pub rows: Vec<Row>,
}

/// Fine-tunes `mist-seedN` for each seed and writes `runs/finetune.md` and `.json`.
pub fn run(session: &Session<'_>, given: &Table, seeds: Range<u64>) -> Result<Comparison> {
    let test = SplitName::Test.entries(session.dataset);
    ensure!(!test.is_empty(), "the test split is empty, so there is nothing to compare on");
    // The tree may change while this runs.
    let facts = provenance::facts(&[
        ("Label file hash", session.dataset.file.labels_sha256.clone()),
        ("Test videos", test.len().to_string()),
    ]);
    let rows = seeds.map(|seed| one_seed(session, given, seed, &test)).collect::<Result<Vec<_>>>()?;
    let comparison = Comparison { detectors: DETECTORS, facts, rows };
    write(session, &comparison)?;
    Ok(comparison)
}

fn one_seed(session: &Session<'_>, given: &Table, seed: u64, test: &[VideoEntry]) -> Result<Row> {
    let name = format!("mist-seed{seed}");
    let stage1 = session.stage1(Some(&name)).context(
        "each seed needs its run of stage I; `watchpost train --recipe mist --seeds N` makes them",
    )?;
    let tuned = session.tune(&stage1, None, &format!("{name}-tuned"), &with_seed(given, seed)?)?;
    let Tuned { run, retraining_s } = tuned;
    let training_s = [stage1.run.metrics()?.training_s(), run.run().metrics()?.training_s(), retraining_s];

    let (work, encoding) = (session.work, &session.encoding);
    let made = work.extraction_of(&stage1.run)?;
    let store = work.features_of(&made)?;
    let first = evaluate::by_run(&stage1.run, encoding.devices.first(), View::Video, test, |entry| {
        made.cached(&*store, entry).map(Cow::Owned)
    })?;
    let second = tuned::judge(work, &run, test, Head::Own, encoding)?;
    let again = tuned::judge(work, &run, test, Head::Stage1, encoding)?;
    let all = [first.evaluation, second.evaluation, again.evaluation];
    Ok(Row {
        seed,
        frame_auc: all.each_ref().map(|evaluation| evaluation.frame.roc_auc),
        average_precision: all.each_ref().map(|evaluation| evaluation.frame.average_precision),
        training_s,
        last_step: [first.last.into(), second.last.into()],
    })
}

fn write(session: &Session<'_>, comparison: &Comparison) -> Result<()> {
    let table = table(&comparison.rows)?;
    let mut page = format!(
        "# MIST, first and second stage\n\nFigures on the test split, mean ± standard deviation (range) over seeds. Nothing was selected on it. Times \
         are means over seeds of each training by itself: the second stage needs the first, and the last row needs both.\n\n{table}\n\
         ## Every seed\n\nFrame ROC AUC.\n\n| seed | {} | stage I, last step | stage II, last step | fine-tuning, s |\n|---|---|---|---|---|---|---|\n",
        DETECTORS.join(" | ")
    );
    for row in &comparison.rows {
        let figures = row.frame_auc.map(figure);
        let [_, finetune_s, _] = row.training_s;
        let [first, second] = row.last_step;
        writeln!(page, "| {} | {} | {first} | {second} | {finetune_s:.0} |", row.seed, figures.join(" | "))?;
    }
    writeln!(page, "\n## How it was made\n")?;
    page.push_str(&provenance::list(&comparison.facts));
    let folder = session.work.runs();
    atomic_file::write(&folder.join("finetune.json"), &serde_json::to_vec_pretty(comparison)?)?;
    atomic_file::write(&folder.join("finetune.md"), page.as_bytes())?;
    println!("\n{table}\npage: {}", folder.join("finetune.md").display());
    Ok(())
}

fn table(rows: &[Row]) -> Result<String> {
    let mut text =
        String::from("| detector | frame ROC AUC | average precision | training, s |\n|---|---|---|---|\n");
    for (index, detector) in DETECTORS.into_iter().enumerate() {
        let auc = of_figures(rows.iter().map(|row| row.frame_auc[index]));
        let precision = of_figures(rows.iter().map(|row| row.average_precision[index]));
        let training_s = Spread::of(rows.iter().map(|row| row.training_s[index])).mean;
        writeln!(text, "| {detector} | {auc} | {precision} | {training_s:.1} |")?;
    }
    Ok(text)
}
