//! The page of a comparison.

use super::papers;
use super::{Outcome, Row, Summary, Trials};
use crate::atomic_file;
use crate::cmd::provenance;
use crate::cmd::spread::{Spread, of_figures};
use crate::cmd::terminal::figure;
use crate::cmd::train::Session;
use anyhow::Result;
use std::fmt::Write as _;
use vad_eval::{Interval, Resampling};

pub(super) fn write(session: &Session<'_>, trials: &Trials, outcome: &Outcome) -> Result<()> {
    let table = table(&outcome.variants)?;
    let papers = papers::table(&outcome.variants)?;
    let page = text(session, trials, outcome, [&table, &papers])?;
    let folder = session.work.runs();
    let path = |ending: &str| folder.join(format!("{}.{ending}", trials.file));
    atomic_file::write(&path("json"), &serde_json::to_vec_pretty(outcome)?)?;
    atomic_file::write(&path("md"), page.as_bytes())?;
    println!("\n{table}\n{papers}page: {}", path("md").display());
    Ok(())
}

fn text(
    session: &Session<'_>,
    trials: &Trials,
    outcome: &Outcome,
    [table, papers]: [&str; 2],
) -> Result<String> {
    let mut page = format!(
        "# {}\n\n{}\n\nFigures on the test split, mean ± standard deviation (range) over seeds. A difference is between means over \
         seeds, with its 95 % interval over {} draws of the test videos (whole videos with replacement, the same draws for \
         both); where 0 lies inside, these videos cannot tell the two apart. Times are means over seeds, with the looks at the \
         validation split; that of MIST's second stage is its own, beside the first stage's.\n\n{table}\n",
        trials.title, trials.introduction, outcome.resampling.resamples
    );
    if let Some(caution) = Resampling::caution(session.dataset.splits.test.entries().len()) {
        writeln!(page, "**Caution**: {caution}.\n")?;
    }
    if !papers.is_empty() {
        writeln!(page, "## As papers count frames\n\n{papers}")?;
    }
    let noted: Vec<&Summary> = outcome.variants.iter().filter(|summary| !summary.note.is_empty()).collect();
    if !noted.is_empty() {
        writeln!(page, "## What differs\n\n| variant | recipe | settings |\n|---|---|---|")?;
        for summary in noted {
            writeln!(page, "| {} | {} | `{}` |", summary.variant, summary.recipe, summary.note)?;
        }
        writeln!(page)?;
    }
    writeln!(
        page,
        "## Every run\n\n| run | frame AUC | average precision | PR AUC, trapezoidal | video AUC | frame AUC of the last step |\n|---|---|---|---|---|---|"
    )?;
    for row in outcome.variants.iter().flat_map(|summary| &summary.rows) {
        let figures = [row.frame_auc, row.average_precision, row.pr_auc_trapezoid, row.video_auc].map(figure);
        writeln!(page, "| {} | {} | {} |", row.run, figures.join(" | "), row.last_step)?;
    }
    writeln!(page, "\n## How it was made\n")?;
    page.push_str(&provenance::list(&outcome.facts));
    Ok(page)
}

fn table(variants: &[Summary]) -> Result<String> {
    let mut text = String::from(
        "| variant | seeds | frame AUC | average precision | video AUC | difference in frame AUC | steps | ms per step | training, s |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for summary in variants {
        let of = |get: fn(&Row) -> Option<f64>| of_figures(summary.rows.iter().map(get));
        let mean = |get: fn(&Row) -> f64| Spread::of(summary.rows.iter().map(get)).mean;
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {:.1} | {:.1} |",
            summary.variant,
            summary.rows.len(),
            of(|row| row.frame_auc),
            of(|row| row.average_precision),
            of(|row| row.video_auc),
            difference(summary),
            summary.rows.first().map_or(0, |row| row.steps),
            mean(|row| row.step_ms),
            mean(|row| row.training_s)
        )?;
    }
    Ok(text)
}

fn difference(summary: &Summary) -> String {
    let Some(against) = &summary.against else {
        return String::new();
    };
    let interval =
        |of: Interval| format!("{:+.4} [{:+.4}, {:+.4}] to {against}", of.estimate, of.low, of.high);
    let found = summary.difference.and_then(|areas| areas.roc_auc);
    found.map_or_else(|| "undefined".to_owned(), interval)
}
