//! Starts the runtimes, compares what they compute, and lets them take turns.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use golden::{Tolerance, assert_close};
use serde::Serialize;

use crate::Args;
use crate::models::{MODELS, Model};
use crate::runtime::{Runtime, write_floats};

const PEER_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/edge/python/worker.py");

/// Other runtimes compute the same sums in another order, through up to 60 layers.
const PEER: Tolerance = Tolerance { relative: 1e-4, absolute: 1e-4, of_max_abs: 1e-4 };

/// Frames of a clip, in which the peers' time is divided.
pub const CLIP_FRAMES: usize = 16;

/// A runtime, and how it takes frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "runtime", content = "pulse")]
pub enum Runner {
    /// Ours, with so many frames at a time.
    Ours(usize),
    OnnxRuntime,
    OpenVino,
    #[serde(rename = "litert")]
    LiteRt,
}

impl Runner {
    fn peer(self) -> Option<&'static str> {
        match self {
            Self::Ours(_) => None,
            Self::OnnxRuntime => Some("onnxruntime"),
            Self::OpenVino => Some("openvino"),
            Self::LiteRt => Some("litert"),
        }
    }

    /// Those that run a model.
    fn all(model: &Model) -> Vec<Self> {
        if model.streams() {
            let ours = [1, 2, 4].map(Self::Ours);
            ours.into_iter().chain([Self::OnnxRuntime, Self::OpenVino, Self::LiteRt]).collect()
        } else {
            vec![Self::Ours(1), Self::OnnxRuntime, Self::OpenVino]
        }
    }
}

/// The times of one runtime with one model.
#[derive(Debug, Serialize)]
pub struct Row {
    pub model: &'static str,
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
    let mut seats = Vec::new();
    for model in MODELS.iter().filter(chosen) {
        seats.extend(seat(model, args, core, folder.path())?);
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
        rows: seats.into_iter().map(|seat| seat.row).collect(),
    })
}

struct Seat {
    runtime: Runtime,
    row: Row,
}

/// The runtimes of one model, all of which give the same features.
fn seat(model: &Model, args: &Args, core: Option<usize>, folder: &Path) -> Result<Vec<Seat>> {
    let graph = folder.join(format!("{}.onnx", model.name));
    let input = folder.join(format!("{}.input", model.name));
    std::fs::write(&graph, model.onnx())?;
    write_floats(&input, &model.clip())?;
    let files = [graph.display().to_string(), input.display().to_string()];
    let mut seats: Vec<Seat> = Vec::new();
    let mut ours: Option<Vec<f32>> = None;
    for runner in Runner::all(model) {
        let features = folder.join(format!("{}-{}.features", model.name, seats.len()));
        let mut runtime = match (runner, &args.python) {
            (Runner::Ours(pulse), _) => {
                let mut own = vec!["--alone".to_owned(), model.name.to_owned()];
                own.extend(files.clone());
                own.push(pulse.to_string());
                Runtime::start(&std::env::current_exe()?, &own, core, features)?
            }
            (_, None) => continue,
            (_, Some(python)) => {
                let name = runner.peer().context("a peer")?.to_owned();
                let mut peer = vec![PEER_SCRIPT.to_owned(), name];
                peer.extend(files.clone());
                Runtime::start(python, &peer, core, features)?
            }
        };
        let found = runtime.features().with_context(|| format!("{runner:?} with {}", model.name))?;
        ensure!(
            found.iter().any(|&value| value != 0.0),
            "{runner:?} with {}: all features are 0",
            model.name
        );
        let expected = ours.get_or_insert_with(|| found.clone());
        assert_close(&format!("{runner:?} with {}", model.name), &found, expected, PEER);
        seats.push(Seat { runtime, row: Row { model: model.name, runner, frame_ms: Vec::new() } });
    }
    eprintln!("{}: {} runtimes give the same features", model.name, seats.len());
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
