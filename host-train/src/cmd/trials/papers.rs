//! Figures counted as papers count them, beside those that they print.

use super::training::Printed;
use super::{Counted, Row, Summary};
use crate::cmd::spread::of_figures;
use crate::published::Measure;
use anyhow::Result;
use std::fmt::Write as _;

/// A row for each variant and way of counting; nothing where there is neither a way nor a printed figure.
pub(super) fn table(variants: &[Summary]) -> Result<String> {
    let mut rows = String::new();
    for summary in variants {
        let ways = summary.rows.first().map_or(&[][..], |row| &row.counted);
        for (index, way) in ways.iter().enumerate() {
            let counted = |row: &Row, get: fn(&Counted) -> Option<f64>| row.counted.get(index).and_then(get);
            let figures = [
                spread(summary, |row| counted(row, |way| way.roc_auc)),
                spread(summary, |row| counted(row, |way| way.pr_auc_trapezoid)),
                percent(summary, |row| row.far_normal_videos),
                percent(summary, |row| counted(row, |way| way.far)),
            ];
            let is_own = |printed: &Printed| printed.figure.counted_as.is_none_or(|by| by == way.by);
            write_row(&mut rows, summary, way.by, &figures, summary.printed.filter(is_own))?;
        }
        if ways.is_empty() && summary.printed.is_some() {
            let figures = [
                spread(summary, |row| row.frame_auc),
                spread(summary, |row| row.pr_auc_trapezoid),
                percent(summary, |row| row.far_normal_videos),
                percent(summary, |row| row.far),
            ];
            write_row(&mut rows, summary, "every frame once", &figures, summary.printed)?;
        }
    }
    if rows.is_empty() {
        return Ok(rows);
    }
    Ok(format!(
        "FAR is the share of frames above 0.5, in percent: of those in normal videos, each once, and of all normal frames. Papers \
         print the former.\n\n\
         | variant | counted as | frame ROC AUC | PR AUC, trapezoidal | FAR, normal videos | FAR, normal frames | printed in the paper |\n\
         |---|---|---|---|---|---|---|\n{rows}"
    ))
}

fn spread(summary: &Summary, get: impl Fn(&Row) -> Option<f64>) -> String {
    of_figures(summary.rows.iter().map(get))
}

fn percent(summary: &Summary, get: impl Fn(&Row) -> Option<f64>) -> String {
    spread(summary, |row| get(row).map(|share| 100.0 * share))
}

fn write_row(
    rows: &mut String,
    summary: &Summary,
    way: &str,
    figures: &[String],
    printed: Option<Printed>,
) -> Result<()> {
    let printed = printed.map_or_else(String::new, said);
    Ok(writeln!(rows, "| {} | {way} | {} | {printed} |", summary.variant, figures.join(" | "))?)
}

/// The printed figure, and what keeps it from being comparable.
fn said(Printed { figure, width }: Printed) -> String {
    let measure = match figure.measure {
        Measure::RocAuc => "ROC AUC",
        Measure::PrAuc => "PR AUC",
    };
    let mut text = format!("{measure} {:.4}, {}", figure.value, figure.features);
    if let Some(far) = figure.far {
        text += &format!("; FAR {:.2} %", 100.0 * far);
    }
    if figure.counted_as.is_none() {
        text += "; how frames are counted is not said";
    }
    if width != figure.feature_dim {
        text += &format!(
            "; **not comparable**: features of {} values there, of {width} here",
            figure.feature_dim
        );
    }
    text
}
