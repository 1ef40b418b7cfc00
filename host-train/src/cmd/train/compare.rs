//! Several recipes or seeds on one data set, in one table.

use super::Session;
use crate::atomic_file;
use crate::cmd::provenance;
use crate::cmd::recipe_options::with_seed;
use crate::cmd::spread::Spread;
use crate::evaluate;
use crate::recipe::registry::Recipe;
use anyhow::{Result, ensure};
use serde::Serialize;
use std::fmt::Write as _;
use std::ops::Range;
use toml::Table;
use vad_data::VideoEntry;
use vad_eval::Evaluation;

/// One training and its figures on the test split.
#[derive(Debug, Serialize)]
struct Row {
    recipe: &'static str,
    run: String,
    frame_auc: Option<f64>,
    average_precision: Option<f64>,
    video_auc: Option<f64>,
    /// Mean time of a step, in milliseconds.
    step_ms: f64,
    steps: usize,
}

/// Everything in the table.
#[derive(Debug, Serialize)]
struct Comparison {
    facts: Vec<(String, String)>,
    rows: Vec<Row>,
}

/// Trains every recipe with every seed, evaluates each on the test split, and writes `runs/comparison.md` and `.json`.
pub fn run(
    session: &mut Session<'_>,
    recipes: &[&'static dyn Recipe],
    given: &Table,
    seeds: Range<u64>,
) -> Result<()> {
    let dataset = &session.dataset;
    let test: Vec<VideoEntry> =
        dataset.splits.test.entries().iter().map(|entry| dataset.annotated(entry)).collect();
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
    let mut rows = Vec::new();
    for recipe in recipes {
        for seed in seeds.clone() {
            let run = session.train(*recipe, &with_seed(given, seed)?)?;
            let metrics = run.metrics()?;
            let scorer = evaluate::scorer(&run, session.args.compute.device)?;
            let scored = |entry| evaluate::score(entry, &*session.features(entry)?, &scorer);
            let videos = test.iter().map(scored).collect::<Result<Vec<_>>>()?;
            let evaluation = Evaluation::run(&videos, &run.model()?.score)?;
            rows.push(Row {
                recipe: recipe.name(),
                run: run.dir().file_name().unwrap_or_default().to_string_lossy().into_owned(),
                frame_auc: evaluation.frame.roc_auc,
                average_precision: evaluation.frame.average_precision,
                video_auc: evaluation.video_roc_auc,
                step_ms: metrics.step_ms,
                steps: metrics.curves.train.len(),
            });
        }
    }
    write(session, recipes, &Comparison { facts, rows })
}

fn write(session: &Session<'_>, recipes: &[&'static dyn Recipe], comparison: &Comparison) -> Result<()> {
    let table = table(recipes, &comparison.rows)?;
    let mut page = format!(
        "# Recipes compared\n\nFigures on the test split, mean ± standard deviation (range) over seeds.\n\n{table}\n"
    );
    writeln!(page, "## Every run\n\n| run | frame AUC | average precision | video AUC |\n|---|---|---|---|")?;
    for row in &comparison.rows {
        let figures = [row.frame_auc, row.average_precision, row.video_auc].map(figure);
        writeln!(page, "| {} | {} |", row.run, figures.join(" | "))?;
    }
    writeln!(page, "\n## How it was made\n")?;
    for (name, value) in &comparison.facts {
        writeln!(page, "- {name}: `{value}`")?;
    }
    let folder = session.work.runs();
    atomic_file::write(&folder.join("comparison.json"), &serde_json::to_vec_pretty(comparison)?)?;
    atomic_file::write(&folder.join("comparison.md"), page.as_bytes())?;
    println!("\n{table}\npage: {}", folder.join("comparison.md").display());
    Ok(())
}

fn table(recipes: &[&'static dyn Recipe], rows: &[Row]) -> Result<String> {
    let mut text = String::from(
        "| recipe | seeds | frame AUC | average precision | video AUC | steps | ms per step |\n|---|---|---|---|---|---|---|\n",
    );
    for recipe in recipes {
        let own: Vec<&Row> = rows.iter().filter(|row| row.recipe == recipe.name()).collect();
        let of = |get: fn(&Row) -> Option<f64>| {
            let values: Option<Vec<f64>> = own.iter().map(|row| get(row)).collect();
            values.map_or_else(|| "undefined".to_owned(), |values| Spread::of(values).to_string())
        };
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {:.1} |",
            recipe.name(),
            own.len(),
            of(|row| row.frame_auc),
            of(|row| row.average_precision),
            of(|row| row.video_auc),
            own.first().map_or(0, |row| row.steps),
            Spread::of(own.iter().map(|row| row.step_ms)).mean
        )?;
    }
    Ok(text)
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"))
}
