//! The times side by side, and beside their targets.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::models::{MODELS, Model, Precision};
use crate::turns::{CLIP_FRAMES, Report, Row, Runner};

/// Frames after which a runtime without a stream looks at its last sixteen again.
const STRIDE_FRAMES: usize = 4;

/// A comparison.
struct Comparison {
    what: &'static str,
    peer: Runner,
    /// The peer's time per frame by its time per frame of a clip once every sixteen frames.
    peer_factor: f64,
    /// The other model that the peer runs.
    peer_model: Option<&'static str>,
    /// What we set ourselves.
    target: f64,
}

const SLIDING: f64 = (CLIP_FRAMES / STRIDE_FRAMES) as f64;

const COMPARISONS: [Comparison; 6] = [
    Comparison {
        what: "ONNX Runtime, each frame once",
        peer: Runner::OnnxRuntime,
        peer_factor: 1.0,
        peer_model: None,
        target: 0.8,
    },
    Comparison {
        what: "OpenVINO, each frame once",
        peer: Runner::OpenVino,
        peer_factor: 1.0,
        peer_model: None,
        target: 0.9,
    },
    Comparison {
        what: "LiteRT, each frame once",
        peer: Runner::LiteRt,
        peer_factor: 1.0,
        peer_model: None,
        target: 0.9,
    },
    Comparison {
        what: "ONNX Runtime, 16 frames every 4",
        peer: Runner::OnnxRuntime,
        peer_factor: SLIDING,
        peer_model: None,
        target: 0.1,
    },
    Comparison {
        what: "OpenVINO, 16 frames every 4",
        peer: Runner::OpenVino,
        peer_factor: SLIDING,
        peer_model: None,
        target: 0.1,
    },
    Comparison {
        what: "I3D in ONNX Runtime, each frame once",
        peer: Runner::OnnxRuntime,
        peer_factor: 1.0,
        peer_model: Some("i3d"),
        target: 0.15,
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
    fn row(&self, model: &str, precision: Precision, runner: Runner) -> Option<&Row> {
        let is = |row: &&Row| row.model == model && row.precision == precision && row.runner == runner;
        self.rows.iter().find(is)
    }

    /// The middle of the ratios of our pass and another's of the same turn.
    fn ratio(&self, ours: &Row, other: &Row, factor: f64) -> f64 {
        let turns = ours.frame_ms.chunks(self.clips).zip(other.frame_ms.chunks(self.clips));
        let ratios: Vec<f64> = turns.map(|(ours, other)| median(ours) / (median(other) * factor)).collect();
        median(&ratios)
    }

    /// Models that were measured.
    fn models(&self) -> impl Iterator<Item = &'static Model> {
        let measured = |model: &&Model| self.rows.iter().any(|row| row.model == model.name);
        MODELS.iter().filter(measured)
    }
}

/// Times and ratios, as Markdown.
pub fn tables(report: &Report) -> String {
    format!("{}\n{}\n{}\n{}", times(report), kernels(report), ratios(report), memory(report))
}

fn times(report: &Report) -> String {
    let mut text = String::from(
        "| model | GMAC per frame | ours, pulse 1 | pulse 2 | pulse 4 | ONNX Runtime | OpenVINO | LiteRT |\n|---|---|---|---|---|---|---|---|\n",
    );
    let columns = [
        Runner::Ours { pulse: 1 },
        Runner::Ours { pulse: 2 },
        Runner::Ours { pulse: 4 },
        Runner::OnnxRuntime,
        Runner::OpenVino,
        Runner::LiteRt,
    ];
    for model in report.models() {
        let gmac = model.gmac_per_frame().map_or("-".to_owned(), |gmac| format!("{gmac:.4}"));
        for &precision in model.precisions() {
            let cells = columns.map(|runner| cell(report.row(model.name, precision, runner)));
            let (title, precision, cells) = (model.title(), precision.name(), cells.join(" | "));
            let _ = writeln!(text, "| {title}, {precision} | {gmac} | {cells} |");
        }
    }
    text
}

fn cell(row: Option<&Row>) -> String {
    match row {
        Some(row) => format!("{:.2} ({})", median(&row.frame_ms), spread(&row.frame_ms)),
        None => "-".to_owned(),
    }
}

/// What int8 brings with each set of instructions.
fn kernels(report: &Report) -> String {
    let mut text = String::from("| model | kernels | f32 | int8 | int8 by f32 |\n|---|---|---|---|---|\n");
    for model in report.models().filter(|model| model.streams()) {
        let best = ("best", Runner::Ours { pulse: 1 });
        let others =
            report.rows.iter().filter(|row| row.model == model.name && row.precision == Precision::Int8);
        let others = others.filter_map(|row| match row.runner {
            Runner::OursOn { kernels } => Some((kernels, row.runner)),
            _ => None,
        });
        for (name, runner) in std::iter::once(best).chain(others) {
            let [float, int8] =
                [Precision::F32, Precision::Int8].map(|precision| report.row(model.name, precision, runner));
            let ratio = int8.zip(float).map(|(int8, float)| report.ratio(int8, float, 1.0));
            let ratio = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
            let _ =
                writeln!(text, "| {} | {name} | {} | {} | {ratio} |", model.name, cell(float), cell(int8));
        }
    }
    text
}

fn ratios(report: &Report) -> String {
    let mut text =
        String::from("| ours | beside | target | pulse 1 | pulse 2 | pulse 4 |\n|---|---|---|---|---|---|\n");
    for model in report.models().filter(|model| model.streams()) {
        for &precision in model.precisions() {
            let ours = format!("{}, {}", model.name, precision.name());
            for comparison in &COMPARISONS {
                let peer_model = comparison.peer_model.unwrap_or(model.name);
                let peer = report.row(peer_model, Precision::F32, comparison.peer);
                let what = format!("{}, f32", comparison.what);
                let found = beside(report, model, precision, peer, comparison.peer_factor);
                line(&mut text, &ours, &what, Some(comparison.target), found);
            }
            if precision == Precision::Int8 {
                for (what, runner) in [("ONNX Runtime", Runner::OnnxRuntime), ("OpenVINO", Runner::OpenVino)]
                {
                    let peer = report.row(model.name, precision, runner);
                    let found = beside(report, model, precision, peer, 1.0);
                    line(
                        &mut text,
                        &ours,
                        &format!("{what}, each frame once, the same graph in int8"),
                        None,
                        found,
                    );
                }
                let float = report.row(model.name, Precision::F32, Runner::Ours { pulse: 1 });
                let found = beside(report, model, precision, float, 1.0);
                line(&mut text, &ours, "ours in f32, pulse 1", None, found);
            }
        }
    }
    text
}

/// Our time with each pulse by the peer's.
fn beside(
    report: &Report,
    model: &Model,
    precision: Precision,
    peer: Option<&Row>,
    factor: f64,
) -> [Option<f64>; 3] {
    [1, 2, 4].map(|pulse| {
        let ours = report.row(model.name, precision, Runner::Ours { pulse })?;
        Some(report.ratio(ours, peer?, factor))
    })
}

fn line(text: &mut String, ours: &str, what: &str, target: Option<f64>, found: [Option<f64>; 3]) {
    if found.iter().all(Option::is_none) {
        return;
    }
    let cells = found.map(|ratio| match (ratio, target) {
        (Some(ratio), Some(target)) if ratio <= target => format!("**{ratio:.2}**"),
        (Some(ratio), Some(_)) => format!("{ratio:.2} (missed)"),
        (Some(ratio), None) => format!("{ratio:.2}"),
        (None, _) => "-".to_owned(),
    });
    let target = target.map_or("-".to_owned(), |target| target.to_string());
    let _ = writeln!(text, "| {ours} | {what} | {target} | {} |", cells.join(" | "));
}

/// Most memory with one camera, and for each further one.
const MEMORY_MIB: [f64; 2] = [80.0, 15.0];
/// Longest time to the first score.
const FIRST_SCORE_MS: f64 = 500.0;

fn memory(report: &Report) -> String {
    let mut text = String::from(
        "| model | 1 camera, MiB | 2 | 4 | each further | to the first score, ms |\n|---|---|---|---|---|---|\n",
    );
    let held = |found: f64, most: f64| {
        if found <= most { format!("**{found:.1}**") } else { format!("{found:.1} (missed)") }
    };
    for row in &report.memory {
        let [one, two, .., last] = row.memory.cameras_mib.as_slice() else { continue };
        let further = (last - one) / (row.memory.cameras_mib.len() - 1) as f64;
        let _ = writeln!(
            text,
            "| {}, {} | {} | {two:.1} | {last:.1} | {} | {} |",
            row.model,
            row.precision.name(),
            held(*one, MEMORY_MIB[0]),
            held(further, MEMORY_MIB[1]),
            held(row.memory.first_score_ms, FIRST_SCORE_MS),
        );
    }
    text
}

/// Writes `edge-speed.md` and `edge-speed.json`.
pub fn write(folder: &Path, report: &Report) -> Result<()> {
    let core = if report.one_core { "all of them bound to the same core" } else { "not bound to a core" };
    let page = format!(
        include_str!("page.md"),
        passes = report.rounds * report.clips,
        rounds = report.rounds,
        clips = report.clips,
        core = core,
        times = times(report),
        kernels = kernels(report),
        ratios = ratios(report),
        memory = memory(report),
        machine = report.machine,
        versions = report.versions.join(", "),
        commit = report.commit,
        command = report.command,
    );
    let numbers = serde_json::to_string_pretty(report)?;
    for (name, text) in [("edge-speed.md", page), ("edge-speed.json", numbers + "\n")] {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}
