//! Figures counted as papers count them, beside those that they print.

use super::{Counted, Summary};
use crate::cmd::spread::of_figures;
use crate::published::{Measure, PrintedFigure};
use anyhow::Result;
use std::fmt::Write as _;

/// A row for each variant and way of counting; nothing where there is neither a way nor a printed figure. `width` is that
/// of the features at hand.
pub(super) fn table(variants: &[Summary], width: Option<usize>) -> Result<String> {
    let mut rows = String::new();
    for summary in variants {
        let ways = summary.rows.first().map_or(&[][..], |row| &row.counted);
        for (index, way) in ways.iter().enumerate() {
            let of = |get: fn(&Counted) -> Option<f64>| {
                of_figures(summary.rows.iter().map(|row| row.counted.get(index).and_then(get)))
            };
            let (roc_auc, pr_auc) = (of(|way| way.roc_auc), of(|way| way.pr_auc_trapezoid));
            let printed = summary.printed.filter(|figure| figure.counted_as.is_none_or(|by| by == way.by));
            row(&mut rows, summary, way.by, [roc_auc, pr_auc], printed, width)?;
        }
        if let (true, Some(printed)) = (ways.is_empty(), summary.printed) {
            let roc_auc = of_figures(summary.rows.iter().map(|row| row.frame_auc));
            let pr_auc = of_figures(summary.rows.iter().map(|row| row.pr_auc_trapezoid));
            row(&mut rows, summary, "every frame once", [roc_auc, pr_auc], Some(printed), width)?;
        }
    }
    if rows.is_empty() {
        return Ok(rows);
    }
    Ok(format!(
        "| variant | counted as | frame ROC AUC | PR AUC, trapezoidal | printed in the paper |\n|---|---|---|---|---|\n{rows}"
    ))
}

fn row(
    rows: &mut String,
    summary: &Summary,
    way: &str,
    [roc_auc, pr_auc]: [String; 2],
    printed: Option<&PrintedFigure>,
    width: Option<usize>,
) -> Result<()> {
    let printed = printed.map_or_else(String::new, |figure| said(figure, width));
    Ok(writeln!(rows, "| {} | {way} | {roc_auc} | {pr_auc} | {printed} |", summary.variant)?)
}

/// The printed figure, and what keeps it from being comparable.
fn said(figure: &PrintedFigure, width: Option<usize>) -> String {
    let measure = match figure.measure {
        Measure::RocAuc => "ROC AUC",
        Measure::PrAuc => "PR AUC",
    };
    let mut text = format!("{measure} {:.4}, {}", figure.value, figure.features);
    if figure.counted_as.is_none() {
        text += "; how frames are counted is not said";
    }
    if let Some(width) = width.filter(|width| *width != figure.feature_dim) {
        text += &format!(
            "; **not comparable**: features of {} values there, of {width} here",
            figure.feature_dim
        );
    }
    text
}
