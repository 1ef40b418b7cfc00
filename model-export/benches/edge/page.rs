//! The times side by side, and beside their targets.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::models::MODELS;
use crate::turns::{CLIP_FRAMES, Report, Row, Runner};

/// Frames after which a runtime without a stream looks at its last sixteen again.
const STRIDE_FRAMES: usize = 4;

/// A comparison that we set ourselves.
struct Target {
    what: &'static str,
    peer: Runner,
    /// The peer's time per frame by its time per frame of a clip once every sixteen frames.
    peer_factor: f64,
    /// The other model that the peer runs.
    peer_model: Option<&'static str>,
    most: f64,
}

const SLIDING: f64 = (CLIP_FRAMES / STRIDE_FRAMES) as f64;

const TARGETS: [Target; 6] = [
    Target {
        what: "ONNX Runtime, each frame once",
        peer: Runner::OnnxRuntime,
        peer_factor: 1.0,
        peer_model: None,
        most: 0.8,
    },
    Target {
        what: "OpenVINO, each frame once",
        peer: Runner::OpenVino,
        peer_factor: 1.0,
        peer_model: None,
        most: 0.9,
    },
    Target {
        what: "LiteRT, each frame once",
        peer: Runner::LiteRt,
        peer_factor: 1.0,
        peer_model: None,
        most: 0.9,
    },
    Target {
        what: "ONNX Runtime, 16 frames every 4",
        peer: Runner::OnnxRuntime,
        peer_factor: SLIDING,
        peer_model: None,
        most: 0.1,
    },
    Target {
        what: "OpenVINO, 16 frames every 4",
        peer: Runner::OpenVino,
        peer_factor: SLIDING,
        peer_model: None,
        most: 0.1,
    },
    Target {
        what: "I3D in ONNX Runtime, each frame once",
        peer: Runner::OnnxRuntime,
        peer_factor: 1.0,
        peer_model: Some("i3d"),
        most: 0.15,
    },
];

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The middle half of all times.
fn spread(values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: usize| sorted[(sorted.len() - 1) * share / 4];
    format!("{:.2} to {:.2}", at(1), at(3))
}

impl Report {
    fn row(&self, model: &str, runner: Runner) -> Option<&Row> {
        self.rows.iter().find(|row| row.model == model && row.runner == runner)
    }

    /// The middle of the ratios of our pass and the peer's of the same turn.
    fn ratio(&self, model: &str, pulse: usize, target: &Target) -> Option<f64> {
        let ours = self.row(model, Runner::Ours(pulse))?;
        let peer = self.row(target.peer_model.unwrap_or(model), target.peer)?;
        let turns = ours.frame_ms.chunks(self.clips).zip(peer.frame_ms.chunks(self.clips));
        let ratios: Vec<f64> =
            turns.map(|(ours, peer)| median(ours) / (median(peer) * target.peer_factor)).collect();
        Some(median(&ratios))
    }
}

/// Times and ratios, as Markdown.
pub fn tables(report: &Report) -> String {
    format!("{}\n{}", times(report), ratios(report))
}

fn times(report: &Report) -> String {
    let mut text = String::from(
        "| model | GMAC per frame | ours, pulse 1 | pulse 2 | pulse 4 | ONNX Runtime | OpenVINO | LiteRT |\n|---|---|---|---|---|---|---|---|\n",
    );
    for model in MODELS.iter().filter(|model| report.row(model.name, Runner::Ours(1)).is_some()) {
        let columns = [
            Runner::Ours(1),
            Runner::Ours(2),
            Runner::Ours(4),
            Runner::OnnxRuntime,
            Runner::OpenVino,
            Runner::LiteRt,
        ];
        let cell = |runner| match report.row(model.name, runner) {
            Some(row) => format!("{:.2} ({})", median(&row.frame_ms), spread(&row.frame_ms)),
            None => "-".to_owned(),
        };
        let gmac = model.gmac_per_frame().map_or("-".to_owned(), |gmac| format!("{gmac:.4}"));
        let _ = writeln!(text, "| {} | {gmac} | {} |", model.title(), columns.map(cell).join(" | "));
    }
    text
}

fn ratios(report: &Report) -> String {
    let mut text = String::from(
        "| model | beside | target | pulse 1 | pulse 2 | pulse 4 |\n|---|---|---|---|---|---|\n",
    );
    for model in MODELS.iter().filter(|model| model.streams()) {
        for target in &TARGETS {
            let found = [1, 2, 4].map(|pulse| report.ratio(model.name, pulse, target));
            if found.iter().all(Option::is_none) {
                continue;
            }
            let cells = found.map(|ratio| match ratio {
                Some(ratio) if ratio <= target.most => format!("**{ratio:.2}**"),
                Some(ratio) => format!("{ratio:.2} (missed)"),
                None => "-".to_owned(),
            });
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                model.name,
                target.what,
                target.most,
                cells.join(" | ")
            );
        }
    }
    text
}

/// Writes `edge-speed.md` and `edge-speed.json`.
pub fn write(folder: &Path, report: &Report) -> Result<()> {
    let core = if report.one_core { "all of them bound to the same core" } else { "not bound to a core" };
    let page = format!(
        "# Encoders beside ONNX Runtime, OpenVINO and LiteRT\n\n\
         Milliseconds per new frame, medians (and the middle half) of {} passes over 16 frames: {} turns of {}, after one pass in \
         each turn that is not counted. One thread, f32, {core}, one after the other in turns. Every runtime is given the same graph with the same random \
         weights and the same normalised frames, so no preprocessing is timed, and all gave the same features before (1e-4). Ours \
         streams: it takes 1, 2 or 4 frames at a time (the pulse). The peers run the graph on 16 frames at once, divided by 16.\n\n{}\n\
         ## Ratios\n\n\
         Our time per new frame by the peer's, the middle of the ratios within a turn; below 1 is in our favour, in bold \
         where the target is met. *Each frame once* is the peer's best case: a clip every 16 frames, a score as late as that. *16 frames every 4* is what it takes \
         to have a score every 4 frames without a stream. The last line of each model compares with full I3D on pictures of 112 px.\n\n{}\n\
         ## How it was made\n\n\
         - Machine: {}\n\
         - Peers: {}; LiteRT's graph is written layer by layer from the same ONNX file, in its own layout, with ReLU fused\n\
         - Commit: `{}`\n\
         - Command: `{}`\n\n\
         The same in numbers: [edge-speed.json](edge-speed.json).\n",
        report.rounds * report.clips,
        report.rounds,
        report.clips,
        times(report),
        ratios(report),
        report.machine,
        report.versions.join(", "),
        report.commit,
        report.command,
    );
    let numbers = serde_json::to_string_pretty(report)?;
    for (name, text) in [("edge-speed.md", page), ("edge-speed.json", numbers + "\n")] {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}
