//! Tables: videos, seeds, facts of the run.

use vad_core::{Calibration, ScoreSpec, Smoothing};

use crate::evaluation::{Evaluation, VideoResult};

use super::SeedFigures;
use super::plots::badge;
use super::text::{Text, count, seconds};

pub(super) fn videos(evaluation: &Evaluation) -> String {
    let rows: String =
        evaluation.videos.iter().enumerate().map(|(index, video)| video_row(index, video)).collect();
    format!(
        "<section><h2>Videos</h2><div class=\"scroll\"><table><thead><tr><th>Video</th><th>Label</th><th class=\"n\">Length</th><th class=\"n\">Frames</th>\
         <th class=\"n\">Abnormal frames</th><th class=\"n\">Peak score</th><th class=\"n\">Alarms</th><th class=\"n\">Events found</th><th class=\"n\">Delay</th><th class=\"n\">False alarms</th></tr></thead>\
         <tbody>\n{rows}</tbody></table></div></section>\n"
    )
}

fn video_row(index: usize, video: &VideoResult) -> String {
    let figures = &video.figures;
    let unknown = figures.unknown_videos > 0;
    let abnormal = video.abnormal_frames();
    let abnormal = abnormal.map(|ranges| ranges.iter().map(|range| range.end() - range.start() + 1).sum());
    let peak = video.smoothed.iter().copied().fold(f32::NAN, f32::max);
    let dash = || "<span class=\"dim\">-</span>".to_owned();
    format!(
        "<tr><th><a href=\"#v{index}\">{}</a></th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n{}\">{}</td></tr>\n",
        Text(&video.video),
        badge(&video.truth),
        seconds(video.frames as f64 / video.frame_rate_hz),
        count(video.frames),
        abnormal.map_or_else(|| "unknown".to_owned(), count),
        if peak.is_nan() { dash() } else { format!("{peak:.3}") },
        video.alarms.len(),
        match figures.events_total {
            0 => dash(),
            total => format!("{} / {total}", figures.events_found),
        },
        figures.mean_delay_s.map_or_else(dash, seconds),
        if figures.false_alarms > 0 { " bad" } else { "" },
        if unknown { "unknown".to_owned() } else { count(figures.false_alarms) },
    )
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

fn figure(value: Option<f64>) -> String {
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

/// The facts given, and the alarm logic that was replayed.
pub(super) fn facts(facts: &[(String, String)], spec: &ScoreSpec) -> String {
    let logic = ("Alarm logic".to_owned(), alarm_logic(spec));
    let rows: String = facts
        .iter()
        .chain([&logic])
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
        "<section><h2>This run</h2><div class=\"scroll\"><table class=\"facts\"><tbody>\n{rows}</tbody></table></div></section>\n"
    )
}

fn alarm_logic(spec: &ScoreSpec) -> String {
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
    format!(
        "raise at {}, clear below {}\nminimum duration {} ms, cool-down {} ms\ncalibration: {calibration}; smoothing: {smoothing}",
        spec.raise_threshold, spec.clear_threshold, spec.min_duration_ms, spec.cool_down_ms
    )
}
