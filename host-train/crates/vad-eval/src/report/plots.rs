//! One score plot per video: truth shaded, alarms marked, threshold dashed, time in seconds and frames.

use std::fmt::Write as _;

use vad_threshold::AlarmSpan;

use crate::alarms::VideoAlarms;
use crate::evaluation::{Evaluation, VideoResult, VideoTruth};

use super::curves::{Line, colour, legend};
use super::svg::{area, score_path, short, tick_step};
use super::text::{Text, count, seconds};

/// Width and height of a plot in its own coordinates; it is stretched to the page.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;
/// Ticks of the time axis at most: what fits on a phone.
const MAX_TICKS: usize = 6;

pub(super) fn section(evaluation: &Evaluation) -> String {
    let threshold = f64::from(evaluation.spec.raise_threshold);
    let plots: String =
        evaluation.videos.iter().enumerate().map(|(index, video)| figure(index, video, threshold)).collect();
    format!(
        "<section><h2>Scores over time</h2>\
         <p class=\"lead\">The score that the alarm logic compares, clip by clip. An alarm bar reaches from the onset of the event to its \
         clearing; the tick on it is the moment the alarm goes out.</p>{LEGEND}\
         <div class=\"pair plots\">\n{plots}</div></section>\n"
    )
}

/// The scores of several runs over one another, video by video; they are of the same videos.
pub(super) fn over_one_another(lines: &[Line<'_>]) -> String {
    let videos = lines.first().map_or(0, |first| first.evaluation.videos.len());
    let plots: String = (0..videos).map(|index| together(lines, index)).collect();
    format!(
        "<section><h2>Scores over one another</h2>\
         <p class=\"lead\">The score that the alarm logic compares. Where lines lie on each other, the last one named is seen.</p>{}\
         <div class=\"pair plots\">\n{plots}</div></section>\n",
        legend(lines)
    )
}

fn together(lines: &[Line<'_>], index: usize) -> String {
    let of: Vec<&VideoResult> = lines.iter().filter_map(|line| line.evaluation.videos.get(index)).collect();
    let Some(first) = of.first() else { return String::new() };
    let path = |(index, video): (usize, &&VideoResult)| {
        format!(
            "<path class=\"line {}\" d=\"{}\"/>",
            colour(index),
            score_path(&video.smoothed, WIDTH, HEIGHT)
        )
    };
    let body = truth(first) + &of.iter().enumerate().map(path).collect::<String>();
    format!(
        "<figure class=\"card plot\"><figcaption><h3>{}</h3>{}</figcaption>\
         <div class=\"axes\"><div class=\"area\">{}<span class=\"y\" style=\"bottom:0\">0</span>\
         <span class=\"y\" style=\"bottom:100%\">1</span></div>{}</div></figure>\n",
        Text(&first.video),
        badge(&first.truth),
        stretched(&body),
        time_axis(first),
    )
}

const LEGEND: &str = "<p class=\"legend\"><span><i class=\"k-line\"></i>score</span><span><i class=\"k-raw\"></i>raw score</span>\
     <span><i class=\"k-truth\"></i>truly abnormal</span><span><i class=\"k-threshold\"></i>raise threshold</span>\
     <span><i class=\"k-hit\"></i>alarm on an event</span><span><i class=\"k-false\"></i>false alarm</span>\
     <span><i class=\"k-unknown\"></i>alarm, truth unknown</span></p>\n";

fn figure(index: usize, video: &VideoResult, threshold: f64) -> String {
    format!(
        "<figure class=\"card plot\" id=\"v{index}\"><figcaption><h3>{}</h3>{}<span>{}</span></figcaption>\
         <div class=\"axes\"><div class=\"area\">{}<span class=\"y\" style=\"bottom:0\">0</span>\
         <span class=\"y\" style=\"bottom:100%\">1</span>\
         <span class=\"y t\" style=\"bottom:{}%\">{}</span></div>{}{}</div></figure>\n",
        Text(&video.video),
        badge(&video.truth),
        Text(&outcome(video)),
        drawing(video, threshold),
        short(100.0 * threshold),
        short(threshold),
        lane(video),
        time_axis(video),
    )
}

pub(super) fn badge(truth: &VideoTruth) -> &'static str {
    match truth {
        VideoTruth::Normal => "<b class=\"badge normal\">normal</b>",
        VideoTruth::Abnormal(Some(_)) => "<b class=\"badge abnormal\">abnormal</b>",
        VideoTruth::Abnormal(None) => "<b class=\"badge abnormal\">abnormal, ranges unknown</b>",
    }
}

/// What happened on the video, in a few words.
fn outcome(video: &VideoResult) -> String {
    let figures = &video.figures;
    let mut parts = Vec::new();
    if figures.events_total > 0 {
        let events = plural(figures.events_total, "event");
        parts.push(format!("{} of {events} found", figures.events_found));
    }
    parts.extend(figures.mean_delay_s.map(|delay_s| format!("delay {}", seconds(delay_s))));
    match (video.alarms.len(), figures.false_alarms) {
        (0, _) => parts.push("no alarm".to_owned()),
        (alarms, _) if figures.unknown_videos > 0 => parts.push(plural(alarms as u64, "alarm")),
        (_, 0) => {}
        (_, wrong) => parts.push(plural(wrong, "false alarm")),
    }
    parts.join(" · ")
}

fn plural(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The truly abnormal frames.
fn truth(video: &VideoResult) -> String {
    let mut body = String::new();
    for range in video.abnormal_frames().unwrap_or_default() {
        let (x, end) = (x_of_frame(video, *range.start()), x_of_frame(video, range.end() + 1));
        let _ = write!(
            body,
            "<rect class=\"truth\" x=\"{}\" y=\"0\" width=\"{}\" height=\"100\"><title>abnormal: frames {} to {}</title></rect>",
            short(x),
            short(end - x),
            range.start(),
            range.end()
        );
    }
    body
}

fn drawing(video: &VideoResult, threshold: f64) -> String {
    let mut body = truth(video);
    let line = score_path(&video.smoothed, WIDTH, HEIGHT);
    if video.raw != video.smoothed {
        let _ = write!(body, "<path class=\"raw\" d=\"{}\"/>", score_path(&video.raw, WIDTH, HEIGHT));
    }
    let y = short(HEIGHT * (1.0 - threshold));
    let _ = write!(
        body,
        "<path class=\"fill\" d=\"{}\"/><path class=\"line\" d=\"{line}\"/><path class=\"threshold\" d=\"M0 {y}H1000\"/>",
        area(&line, 0.0, WIDTH, HEIGHT)
    );
    stretched(&body)
}

/// A drawing that is stretched to its box.
fn stretched(body: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"score over time\">\
         <path class=\"grid\" d=\"M0 50H1000\"/>{body}</svg>"
    )
}

fn x_of_frame(video: &VideoResult, frame: u64) -> f64 {
    WIDTH * frame as f64 / video.frames.max(1) as f64
}

/// The bars of the alarms below the plot.
fn lane(video: &VideoResult) -> String {
    let judged = video.to_alarms();
    let bars: String = video.alarms.iter().map(|alarm| bar(&judged, alarm)).collect();
    format!("<div class=\"lane\">{bars}</div>")
}

fn bar(judged: &VideoAlarms, alarm: &AlarmSpan) -> String {
    let percent = |ms: u64| 100.0 * ms as f64 / judged.duration_ms.max(1) as f64;
    let class = match judged.is_true(alarm) {
        Some(true) => "hit",
        Some(false) => "false",
        None => "unknown",
    };
    let (left, right) = (percent(alarm.onset_ms), percent(alarm.cleared_at_ms).min(100.0));
    let time = |ms: u64| seconds(ms as f64 / 1_000.0);
    format!(
        "<i class=\"alarm {class}\" style=\"left:{}%;width:{}%\" title=\"alarm: onset {}, raised {}, cleared {}, peak {:.3}\"></i>\
         <i class=\"raised\" style=\"left:{}%\"></i>",
        short(left),
        short((right - left).max(0.0)),
        time(alarm.onset_ms),
        time(alarm.raised_at_ms),
        time(alarm.cleared_at_ms),
        alarm.peak,
        short(percent(alarm.raised_at_ms).min(100.0)),
    )
}

/// Ticks at round seconds, each with the frame shown then.
fn time_axis(video: &VideoResult) -> String {
    let length_s = video.frames as f64 / video.frame_rate_hz;
    let step = tick_step(length_s, MAX_TICKS);
    let mut ticks = String::new();
    for tick in 0..=MAX_TICKS {
        let at_s = tick as f64 * step;
        if at_s > length_s * 1.000_001 || length_s <= 0.0 {
            break;
        }
        let frame = (at_s * video.frame_rate_hz).round() as u64;
        let _ = write!(
            ticks,
            "<span style=\"left:{}%\">{} s<em>{}</em></span>",
            short(100.0 * at_s / length_s),
            short(at_s),
            count(frame)
        );
    }
    format!("<div class=\"time\"><b>time<em>frame</em></b>{ticks}</div>")
}
