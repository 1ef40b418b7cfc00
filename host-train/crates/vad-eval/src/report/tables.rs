//! Tables: classes, videos, seeds, facts of the run.

use vad_core::{Calibration, ScoreSpec, Smoothing};

use crate::classes::ClassResult;
use crate::evaluation::{Evaluation, VideoResult};
use crate::metrics::FrameMetrics;

use super::SeedFigures;
use super::comparison::PlainTable;
use super::plots::badge;
use super::text::{Text, count, seconds};

/// Results by kind of anomaly; nothing where no video has a class.
pub(super) fn classes(classes: &[ClassResult]) -> String {
    if classes.is_empty() {
        return String::new();
    }
    let row = |class: &ClassResult| {
        let cells = [
            class.videos.to_string(),
            count(class.within.abnormal_frames),
            figure(class.against_normal.roc_auc),
            figure(class.against_normal.average_precision),
            figure(class.within.roc_auc),
            figure(class.against_normal.score_gap),
            format!("{} / {}", class.alarm.events_found, class.alarm.events_total),
            class.alarm.mean_delay_s.map_or_else(dash, seconds),
        ];
        let cells = cells.map(|cell| format!("<td class=\"n\">{cell}</td>")).concat();
        format!("<tr><th>{}</th>{cells}</tr>\n", Text(&class.class))
    };
    let rows: String = classes.iter().map(row).collect();
    format!(
        "<section><h2>Classes</h2><p class=\"lead\">Each class of anomalies against all normal videos; <em>within</em> takes its videos alone.</p>\
         <div class=\"scroll\"><table><thead><tr><th>Class</th><th class=\"n\">Videos</th><th class=\"n\">Abnormal frames</th>\
         <th class=\"n\">Frame ROC AUC</th><th class=\"n\">Average precision</th><th class=\"n\">ROC AUC within</th><th class=\"n\">Score gap</th>\
         <th class=\"n\">Events found</th><th class=\"n\">Delay</th></tr></thead><tbody>\n{rows}</tbody></table></div></section>\n"
    )
}

pub(super) fn videos(evaluation: &Evaluation) -> String {
    let classes = evaluation.videos.iter().any(|video| video.class.is_some());
    let rows: String =
        evaluation.videos.iter().enumerate().map(|(index, video)| video_row(index, video, classes)).collect();
    let class = if classes { "<th>Class</th>" } else { "" };
    format!(
        "<section><h2>Videos</h2><div class=\"scroll\"><table><thead><tr><th>Video</th><th>Label</th>{class}<th class=\"n\">Length</th><th class=\"n\">Frames</th>\
         <th class=\"n\">Abnormal frames</th><th class=\"n\">ROC AUC</th><th class=\"n\">Average precision</th><th class=\"n\">Score gap</th><th class=\"n\">Peak score</th>\
         <th class=\"n\">Alarms</th><th class=\"n\">Events found</th><th class=\"n\">Delay</th><th class=\"n\">False alarms</th></tr></thead>\
         <tbody>\n{rows}</tbody></table></div></section>\n"
    )
}

fn video_row(index: usize, video: &VideoResult, classes: bool) -> String {
    let figures = &video.figures;
    let unknown = figures.unknown_videos > 0;
    let peak = video.smoothed.iter().copied().fold(f32::NAN, f32::max);
    let own = |of: fn(&FrameMetrics) -> Option<f64>| {
        video.frame.as_ref().and_then(of).map_or_else(dash, |value| format!("{value:.3}"))
    };
    let class = match (&video.class, classes) {
        (_, false) => String::new(),
        (class, true) => format!("<td>{}</td>", Text(class.as_deref().unwrap_or_default())),
    };
    let cells = [
        seconds(video.frames as f64 / video.frame_rate_hz),
        count(video.frames),
        video.frame.as_ref().map_or_else(|| "unknown".to_owned(), |frame| count(frame.abnormal_frames)),
        own(|frame| frame.roc_auc),
        own(|frame| frame.average_precision),
        own(|frame| frame.score_gap),
        if peak.is_nan() { dash() } else { format!("{peak:.3}") },
        video.alarms.len().to_string(),
        match figures.events_total {
            0 => dash(),
            total => format!("{} / {total}", figures.events_found),
        },
        figures.mean_delay_s.map_or_else(dash, seconds),
    ];
    let cells = cells.map(|cell| format!("<td class=\"n\">{cell}</td>")).concat();
    format!(
        "<tr><th><a href=\"#v{index}\">{}</a></th><td>{}</td>{class}{cells}<td class=\"n{}\">{}</td></tr>\n",
        Text(&video.video),
        badge(&video.truth),
        if figures.false_alarms > 0 { " bad" } else { "" },
        if unknown { "unknown".to_owned() } else { count(figures.false_alarms) },
    )
}

fn dash() -> String {
    "<span class=\"dim\">-</span>".to_owned()
}

pub(super) fn seeds(seeds: &[SeedFigures]) -> String {
    if seeds.is_empty() {
        return String::new();
    }
    let rows: String = seeds
        .iter()
        .map(|run| {
            let cells = figures(run).map(|value| format!("<td class=\"n\">{}</td>", figure(value)));
            format!("<tr><th>{}</th>{}</tr>\n", run.seed, cells.concat())
        })
        .collect();
    let spread: String = (0..3)
        .map(|column| {
            let values: Vec<f64> = seeds.iter().filter_map(|run| figures(run)[column]).collect();
            format!("<td class=\"n\">{}</td>", mean_and_spread(&values))
        })
        .collect();
    format!(
        "<section><h2>Seeds</h2><p class=\"lead\">The same run with other seeds; the last row gives mean and standard deviation.</p>\
         <div class=\"scroll\"><table><thead><tr><th>Seed</th><th class=\"n\">Frame ROC AUC</th><th class=\"n\">PR AUC, trapezoidal</th>\
         <th class=\"n\">Average precision, step-wise</th></tr></thead><tbody>\n{rows}</tbody>\
         <tfoot><tr><th>{} seeds</th>{spread}</tr></tfoot></table></div></section>\n",
        seeds.len()
    )
}

fn figures(run: &SeedFigures) -> [Option<f64>; 3] {
    [run.roc_auc, run.pr_auc_trapezoid, run.average_precision]
}

pub(super) fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"))
}

fn mean_and_spread(values: &[f64]) -> String {
    if values.is_empty() {
        return "undefined".to_owned();
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    if values.len() == 1 {
        return format!("{mean:.4}");
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    format!("{mean:.4} ± {:.4}", (squares / (values.len() - 1) as f64).sqrt())
}

/// What was run. A value of several lines keeps them.
/// Any table of texts.
pub(super) fn plain(table: &PlainTable) -> String {
    let number = |index: usize| if index == 0 { "" } else { " class=\"n\"" };
    let cells = |tag: &'static str, texts: &[String]| {
        let cell =
            |(index, text): (usize, &String)| format!("<{tag}{}>{}</{tag}>", number(index), Text(text));
        texts.iter().enumerate().map(cell).collect::<String>()
    };
    let rows: String = table.rows.iter().map(|row| format!("<tr>{}</tr>\n", cells("td", row))).collect();
    format!(
        "<section><h2>{}</h2><p class=\"lead\">{}</p><div class=\"scroll\"><table><thead><tr>{}</tr></thead><tbody>\n{rows}</tbody></table></div></section>\n",
        Text(&table.title),
        Text(&table.lead),
        cells("th", &table.columns)
    )
}

pub(super) fn facts(heading: &str, facts: &[(String, String)]) -> String {
    let rows: String = facts
        .iter()
        .map(|(name, value)| {
            let value = if value.contains('\n') {
                format!("<pre>{}</pre>", Text(value.trim_end()))
            } else {
                format!("<code>{}</code>", Text(value))
            };
            format!("<tr><th>{}</th><td>{value}</td></tr>\n", Text(name))
        })
        .collect();
    format!(
        "<section><h2>{heading}</h2><div class=\"scroll\"><table class=\"facts\"><tbody>\n{rows}</tbody></table></div></section>\n"
    )
}

/// The alarm logic that was replayed, as a fact of the run.
pub(super) fn alarm_logic(spec: &ScoreSpec) -> (String, String) {
    let calibration = match spec.calibration {
        Calibration::Identity => "none".to_owned(),
        Calibration::Logistic { slope, intercept } => {
            format!("logistic, slope {slope}, intercept {intercept}")
        }
    };
    let smoothing = match spec.smoothing {
        Smoothing::None => "none".to_owned(),
        Smoothing::Exponential { alpha } => format!("exponential, alpha {alpha}"),
        Smoothing::Mean { clips } => format!("mean of the last {clips} clips"),
    };
    let text = format!(
        "raise at {}, clear below {}\nminimum duration {} ms, cool-down {} ms\ncalibration: {calibration}; smoothing: {smoothing}",
        spec.raise_threshold, spec.clear_threshold, spec.min_duration_ms, spec.cool_down_ms
    );
    ("Alarm logic".to_owned(), text)
}
