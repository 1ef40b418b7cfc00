//! The page as a whole.

use super::{Report, curves, explain, map, plots, tables, text::Text, tiles};

const STYLE: &str = include_str!("style.css");

/// The mark in the heading: a lens with a pulse, drawn in the accent colour.
const MARK: &str = r#"<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="13"/><path d="M6 17h5l3-8 4 14 3-6h5"/></svg>"#;

pub(super) fn render(report: &Report) -> String {
    let evaluation = &report.evaluation;
    let facts = [report.facts.as_slice(), &[tables::alarm_logic(&evaluation.spec)]].concat();
    let sections = [
        tiles::headline(report),
        notes(report),
        curves::section(&[curves::Line { name: &report.title, evaluation }]),
        tables::classes(&evaluation.classes),
        plots::section(evaluation),
        tables::videos(evaluation),
        map::section(report.map.as_ref()),
        tables::seeds(&report.seeds),
        tables::facts("This run", &facts),
        explain::section(),
    ];
    let footer = "Frame figures are over all videos together, without normalisation per video. The alarms are those the board's
own score logic raises on these scores.";
    document(&report.title, &report.subtitle, &sections.concat(), footer)
}

/// A page with heading and style; `body` is HTML, the other texts are plain.
pub(super) fn document(title: &str, subtitle: &str, body: &str, footer: &str) -> String {
    let (title, subtitle, footer) = (Text(title), Text(subtitle), Text(footer));
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title} - Watchpost report</title>
<style>
{STYLE}</style>
</head>
<body>
<header class="top"><div class="brand">{MARK}<span>Watchpost evaluation report</span></div>
<h1>{title}</h1>
<p class="sub">{subtitle}</p></header>
<main>
{body}</main>
<footer>{footer}</footer>
</body>
</html>
"#
    )
}

/// What the reader must know before the figures: limits of the threshold and of the data.
fn notes(report: &Report) -> String {
    let threshold = report
        .threshold
        .as_ref()
        .map(|choice| format!("Threshold from normal footage: {}.", choice.explain()));
    let items: String = threshold
        .iter()
        .chain(&report.evaluation.notes)
        .map(|note| format!("<li>{}</li>", Text(note)))
        .collect();
    if items.is_empty() {
        return String::new();
    }
    format!("<section class=\"notes\" aria-label=\"Notes\"><ul>{items}</ul></section>\n")
}
