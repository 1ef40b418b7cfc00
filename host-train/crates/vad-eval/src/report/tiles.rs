//! Headline figures.

use crate::bootstrap::Interval;
use vad_threshold::{duration_text, rate_text};

use crate::evaluation::VideoTruth;

use super::Report;
use super::text::{Text, count, seconds, why_undefined};

/// One figure: its name, its value or why it has none, and a line on how to read it.
struct Tile {
    name: &'static str,
    value: Result<String, String>,
    hint: String,
}

impl Tile {
    fn html(&self) -> String {
        let value = match &self.value {
            Ok(value) => format!("<div class=\"value\">{}</div>", Text(value)),
            Err(why) => {
                format!("<div class=\"value undefined\">undefined <small>({})</small></div>", Text(why))
            }
        };
        format!(
            "<div class=\"tile\"><div class=\"name\">{}</div>{value}<div class=\"hint\">{}</div></div>\n",
            Text(self.name),
            Text(&self.hint)
        )
    }
}

pub(super) fn headline(report: &Report) -> String {
    let first: String = alarm_tiles(report).iter().chain(&curve_tiles(report)).map(Tile::html).collect();
    let second: String = other_tiles(report).iter().map(Tile::html).collect();
    format!(
        "<section aria-label=\"Headline figures\"><div class=\"tiles\">\n{first}</div>\n\
         <div class=\"tiles minor\">\n{second}</div></section>\n"
    )
}

fn curve_tiles(report: &Report) -> Vec<Tile> {
    let evaluation = &report.evaluation;
    let frame = &evaluation.frame;
    let why = why_undefined(frame.abnormal_frames, frame.normal_frames());
    let share = frame.abnormal_frames as f64 / frame.frames.max(1) as f64;
    let areas = evaluation.intervals.map(|of| of.areas).unwrap_or_default();
    let figure = |name, value: Option<f64>, interval: Option<Interval>, hint: String| Tile {
        name,
        value: value.map(|v| format!("{v:.4}")).ok_or_else(|| why.to_owned()),
        hint: interval
            .map_or_else(|| hint.clone(), |of| format!("95 %: {:.3} to {:.3}; {hint}", of.low, of.high)),
    };
    vec![
        figure("Frame ROC AUC", frame.roc_auc, areas.roc_auc, "0.5 is guessing".to_owned()),
        figure(
            "PR AUC, trapezoidal",
            frame.pr_auc_trapezoid,
            areas.pr_auc_trapezoid,
            format!("\"AP\" in papers; guessing gives {share:.3}"),
        ),
        figure(
            "Average precision, step-wise",
            frame.average_precision,
            areas.average_precision,
            format!("guessing gives {share:.3}"),
        ),
    ]
}

fn alarm_tiles(report: &Report) -> Vec<Tile> {
    let alarm = &report.evaluation.alarm;
    let no_event = || "no event with a known range".to_owned();
    let delay_hint = match alarm.events_already_standing {
        0 => "from onset to the first alarm".to_owned(),
        standing => format!("{standing} met only by an alarm raised before"),
    };
    let rate_hint = match alarm.false_alarms_per_camera_day_upper95 {
        Some(upper) => format!(
            "{} in {} of normal time; 95 %: at most {}",
            count(alarm.false_alarms),
            duration_text(alarm.normal_camera_days),
            rate_text(upper)
        ),
        None => "needs normal footage".to_owned(),
    };
    vec![
        Tile {
            name: "Events found",
            value: match alarm.events_total {
                0 => Err(no_event()),
                total => Ok(format!("{} / {}", alarm.events_found, total)),
            },
            hint: match alarm.unknown_videos {
                0 => "an alarm covers part of it".to_owned(),
                videos => {
                    format!("and {} of {videos} videos without ranges alarmed", alarm.unknown_videos_alarmed)
                }
            },
        },
        Tile {
            name: "Mean delay",
            value: alarm.mean_delay_s.map(seconds).ok_or_else(|| match alarm.events_total {
                0 => no_event(),
                _ => "no event was met by a new alarm".to_owned(),
            }),
            hint: delay_hint,
        },
        Tile {
            name: "False alarms per camera-day",
            value: alarm
                .false_alarms_per_camera_day
                .map(rate_text)
                .ok_or_else(|| "no normal time".to_owned()),
            hint: rate_hint,
        },
    ]
}

fn other_tiles(report: &Report) -> Vec<Tile> {
    let evaluation = &report.evaluation;
    let frame = &evaluation.frame;
    let why = why_undefined(frame.abnormal_frames, frame.normal_frames());
    let share = |value: Option<f64>, why: &str| {
        value.map(|v| format!("{:.2} %", 100.0 * v)).ok_or_else(|| why.to_owned())
    };
    let number =
        |value: Option<f64>, why: &str| value.map(|v| format!("{v:.4}")).ok_or_else(|| why.to_owned());
    let abnormal_videos = evaluation.videos.iter().filter(|video| video.truth != VideoTruth::Normal).count();
    let tile = |name, value, hint: &str| Tile { name, value, hint: hint.to_owned() };
    vec![
        tile(
            "FAR at 0.5, all normal frames",
            share(frame.far_05, "no normal frame"),
            "scores strictly above 0.5",
        ),
        tile(
            "FAR at 0.5, normal videos",
            share(evaluation.far_05_normal_videos, "no normal video"),
            "as MIST's test prints it",
        ),
        tile("Score gap", number(frame.score_gap, why), "mean abnormal minus mean normal"),
        tile("RMSE", number(frame.rmse, why), "score against label 0 or 1"),
        tile(
            "ROC AUC, abnormal videos only",
            number(evaluation.frame_abnormal_videos.roc_auc, why),
            "abnormal against normal frames",
        ),
        tile(
            "Video ROC AUC",
            number(evaluation.video_roc_auc, "one kind of video only"),
            "greatest score of each video",
        ),
        Tile {
            name: "Labelled frames",
            value: Ok(count(frame.frames)),
            hint: format!("{} abnormal", count(frame.abnormal_frames)),
        },
        Tile {
            name: "Videos",
            value: Ok(count(evaluation.videos.len() as u64)),
            hint: format!("{} abnormal", count(abnormal_videos as u64)),
        },
    ]
}
