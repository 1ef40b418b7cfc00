//! Starts the runtimes, compares what they compute, and lets them take turns.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use golden::{Tolerance, assert_close};
use serde::Serialize;
use vad_infer::Kernels;

use crate::Args;
use crate::memory::{self, MemoryRow};
use crate::models::{MODELS, Model, Precision};
use crate::runtime::{Runtime, write_floats};

const PEER_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/edge/python/worker.py");

/// Other runtimes compute the same sums in another order, through up to 60 layers.
const PEER: Tolerance = Tolerance { relative: 1e-4, absolute: 1e-4, of_max_abs: 1e-4 };

/// In int8, values that lie between two steps may be rounded to either, and some runtimes merge scales before they round.
const PEER_INT8: Tolerance = Tolerance { relative: 0.0, absolute: 0.0, of_max_abs: 0.05 };

/// Frames of a clip, in which the peers' time is divided.
pub const CLIP_FRAMES: usize = 16;

/// A runtime, and how it takes frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "runtime")]
pub enum Runner {
    /// Ours, with so many frames at a time.
    Ours {
        pulse: usize,
    },
    /// Ours, one frame at a time, on other kernels than the best for this processor.
    OursOn {
        kernels: &'static str,
    },
    OnnxRuntime,
    OpenVino,
    #[serde(rename = "litert")]
    LiteRt,
}

impl Runner {
    fn peer(self) -> Option<&'static str> {
        match self {
            Self::Ours { .. } | Self::OursOn { .. } => None,
            Self::OnnxRuntime => Some("onnxruntime"),
            Self::OpenVino => Some("openvino"),
            Self::LiteRt => Some("litert"),
        }
    }

    /// Those that run a model.
    fn all(model: &Model, precision: Precision) -> Vec<Self> {
        if !model.streams() {
            return vec![Self::Ours { pulse: 1 }, Self::OnnxRuntime, Self::OpenVino];
        }
        let ours = [1, 2, 4].into_iter().map(|pulse| Self::Ours { pulse });
        let slower = Kernels::available().into_iter().skip(1);
        // Without vectors everything takes a hundred times as long.
        let slower = slower.filter(|kernels| *kernels != Kernels::Portable && !kernels.are_of_tract());
        let peers = match precision {
            Precision::F32 => vec![Self::OnnxRuntime, Self::OpenVino, Self::LiteRt],
            // LiteRT's graph is written layer by layer, in f32.
            Precision::Int8 => vec![Self::OnnxRuntime, Self::OpenVino],
        };
        ours.chain(slower.map(|kernels| Self::OursOn { kernels: kernels.name() })).chain(peers).collect()
    }
}

/// The times of one runtime with one model.
#[derive(Debug, Serialize)]
pub struct Row {
    pub model: &'static str,
    pub precision: Precision,
    #[serde(flatten)]
    pub runner: Runner,
    /// Milliseconds per frame of each pass over sixteen frames, in the order they were taken.
    pub frame_ms: Vec<f64>,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    pub machine: String,
    pub commit: String,
    pub command: String,
    /// Programs beside ours, and their versions.
    pub versions: Vec<String>,
    pub rounds: usize,
    pub clips: usize,
    /// Whether every process ran on one and the same core.
    pub one_core: bool,
    pub memory: Vec<MemoryRow>,
    pub rows: Vec<Row>,
}

/// Runs the whole benchmark.
pub fn measure(args: &Args) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let core = last_core();
    if core.is_none() {
        eprintln!("`taskset` is not there (Debian: util-linux): processes are not bound to a core");
    }
    let chosen = |model: &&Model| args.models.is_empty() || args.models.iter().any(|name| name == model.name);
    let models: Vec<&Model> = MODELS.iter().filter(chosen).collect();
    // First, while nothing else takes the processor.
    let memory = memory::measure(&models, folder.path())?;
    let mut seats = Vec::new();
    for model in models {
        for &precision in model.precisions() {
            seats.extend(seat(model, precision, args, core, folder.path())?);
        }
    }
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        for seat in &mut seats {
            let times = seat.runtime.run_ms(args.clips)?;
            seat.row.frame_ms.extend(times.into_iter().map(|ms| ms / CLIP_FRAMES as f64));
        }
    }
    Ok(Report {
        machine: golden::machine::processor(),
        commit: golden::machine::commit(),
        command: command_line(args),
        versions: args.python.as_deref().map(versions).transpose()?.unwrap_or_default(),
        rounds: args.rounds,
        clips: args.clips,
        one_core: core.is_some(),
        memory,
        rows: seats.into_iter().map(|seat| seat.row).collect(),
    })
}

struct Seat {
    runtime: Runtime,
    row: Row,
}

/// The runtimes of one graph, all of which give the same features.
fn seat(
    model: &Model,
    precision: Precision,
    args: &Args,
    core: Option<usize>,
    folder: &Path,
) -> Result<Vec<Seat>> {
    let name = format!("{}-{}", model.name, precision.name());
    let graph = folder.join(format!("{name}.onnx"));
    let input = folder.join(format!("{name}.input"));
    let tolerance = match precision {
        Precision::F32 => PEER,
        Precision::Int8 => PEER_INT8,
    };
    std::fs::write(&graph, model.onnx(precision))?;
    write_floats(&input, &model.clip())?;
    let files = [graph.display().to_string(), input.display().to_string()];
    let mut seats: Vec<Seat> = Vec::new();
    let mut ours: Option<Vec<f32>> = None;
    for runner in Runner::all(model, precision) {
        let features = folder.join(format!("{name}-{}.features", seats.len()));
        let mut runtime = match (runner, &args.python) {
            (Runner::Ours { .. } | Runner::OursOn { .. }, _) => {
                let (pulse, kernels) = match runner {
                    Runner::Ours { pulse } => (pulse, Kernels::Best.name()),
                    Runner::OursOn { kernels } => (1, kernels),
                    _ => continue,
                };
                let mut own = vec!["--alone".to_owned(), model.name.to_owned()];
                own.extend(files.clone());
                own.extend([pulse.to_string(), kernels.to_owned()]);
                Runtime::start(&std::env::current_exe()?, &own, core, features)?
            }
            (_, None) => continue,
            (_, Some(python)) => {
                let peer = runner.peer().context("a peer")?.to_owned();
                let mut peer = vec![PEER_SCRIPT.to_owned(), peer];
                peer.extend(files.clone());
                Runtime::start(python, &peer, core, features)?
            }
        };
        let found = runtime.features().with_context(|| format!("{runner:?} with {name}"))?;
        ensure!(found.iter().any(|&value| value != 0.0), "{runner:?} with {name}: all features are 0");
        let expected = ours.get_or_insert_with(|| found.clone());
        assert_close(&format!("{runner:?} with {name}"), &found, expected, tolerance);
        let row = Row { model: model.name, precision, runner, frame_ms: Vec::new() };
        seats.push(Seat { runtime, row });
    }
    eprintln!("{name}: {} runtimes give the same features", seats.len());
    Ok(seats)
}

/// The core with the highest number that this process may use, where `taskset` is there to bind others to it.
fn last_core() -> Option<usize> {
    let shown = Command::new("taskset").args(["-cp", &std::process::id().to_string()]).output().ok()?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let last = shown.trim().rsplit([',', '-', ' ']).next()?;
    last.parse().ok()
}

fn versions(python: &Path) -> Result<Vec<String>> {
    let output = Command::new(python).args([PEER_SCRIPT, "versions"]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn command_line(args: &Args) -> String {
    let models: String = args.models.iter().map(|name| format!(" --model {name}")).collect();
    let write = args.write.as_ref().map_or(String::new(), |folder| format!(" --write {}", folder.display()));
    format!("cargo xtask peers --rounds {} --clips {}{models}{write}", args.rounds, args.clips)
}
