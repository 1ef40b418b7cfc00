//! Writes a report on made-up scores, to look at: `cargo run -p vad-eval --example sample_report -- report.html`.

use std::error::Error;
use std::path::Path;

use vad_core::{ClipSpec, ScoreSpec, Smoothing};
use vad_eval::{Evaluation, Report, ScoreTrack, SeedFigures, VideoScores, VideoTruth, choose_threshold};

const FRAME_RATE_HZ: f64 = 10.0;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "sample-report.html".to_owned());
    let normal: Vec<ScoreTrack> = (40..52).map(|n| track(&video(n, 900, VideoTruth::Normal))).collect();
    let base = ScoreSpec { smoothing: Smoothing::Exponential { alpha: 0.6 }, ..ScoreSpec::default() };
    let threshold = choose_threshold(&normal, &base, 1.0)?;
    let videos: Vec<VideoScores> = (0..10).map(|n| video(n, 150 + n * 37 % 90, truth(n))).collect();
    let evaluation = Evaluation::run(&videos, &threshold.apply_to(&base))?;
    let facts = [
        ("Recipe", "mist-stage1, mode released"),
        (
            "Configuration",
            "top_k = 7\nsub_bags = 32\nclips_per_sub_bag = 3\nlearning_rate = 0.01\nweight_decay = 0.001",
        ),
        ("Seed", "7"),
        ("Data", "sha256 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"),
        ("Commit", "27fbbd7"),
        (
            "Command",
            "watchpost eval --model runs/street/bundle --labels street/labels.csv --split test --report report.html",
        ),
    ];
    let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut report =
        Report::new("street-2026", "Synthetic street scenes, test split, 10 videos", facts, evaluation);
    report.threshold = Some(threshold);
    report.seeds = (1..=5).map(seed_figures).collect();
    report.write(Path::new(&path))?;
    println!("{path}");
    Ok(())
}

fn truth(n: u64) -> VideoTruth {
    match n {
        0 | 3 | 7 => VideoTruth::Abnormal(Some(vec![48 + 3 * n..=95 + 2 * n])),
        5 => VideoTruth::Abnormal(Some(vec![20..=41, 110..=139])),
        8 => VideoTruth::Abnormal(None),
        _ => VideoTruth::Normal,
    }
}

fn video(n: u64, frames: u64, truth: VideoTruth) -> VideoScores {
    let spans: Vec<_> = ClipSpec { frames: 16, stride: 8 }.spans(frames).collect();
    let ranges = match &truth {
        VideoTruth::Abnormal(Some(ranges)) => ranges.clone(),
        VideoTruth::Abnormal(None) => vec![60..=120],
        VideoTruth::Normal => Vec::new(),
    };
    let raw = spans
        .iter()
        .map(|span| {
            let middle = span.first_frame.0 + 8;
            let lift = if ranges.iter().any(|range| range.contains(&middle)) { 0.62 } else { 0.0 };
            let bump = if n == 4 && (70..100).contains(&middle) { 0.6 } else { 0.0 };
            (0.06 + lift + bump + 0.24 * noise(n * 1_000 + middle)).min(0.99)
        })
        .collect();
    VideoScores {
        video: format!("street-{n:02}"),
        frames,
        frame_rate_hz: FRAME_RATE_HZ,
        spans,
        raw,
        truth,
        class: None,
    }
}

fn track(video: &VideoScores) -> ScoreTrack {
    ScoreTrack::from_clips(video.video.clone(), &video.spans, &video.raw, video.frames, video.frame_rate_hz)
}

/// 0 to 1, fixed for a number.
fn noise(n: u64) -> f32 {
    (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / (1_u64 << 24) as f32
}

fn seed_figures(seed: u64) -> SeedFigures {
    let figure = |centre: f64| Some(centre + 0.04 * f64::from(noise(seed * 77)));
    SeedFigures {
        seed,
        roc_auc: figure(0.93),
        pr_auc_trapezoid: figure(0.84),
        average_precision: figure(0.835),
    }
}
