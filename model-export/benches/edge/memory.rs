//! What an encoder with a head holds in memory, and how long until its first score: a process of its own for each.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use vad_core::RgbFrame;
use vad_infer::{Encoder, Head, Scorer};

use crate::common::{frame, mlp_tensors, safetensors};
use crate::models::{MODELS, Model, Precision};

/// Cameras that are added one by one.
const CAMERAS: usize = 4;

/// Size of the cameras' pictures.
const PICTURE_PX: [u16; 2] = [640, 480];

/// What one process says.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    /// From reading the files to the first camera's first score, the clip's frames included.
    pub first_score_ms: f64,
    /// After the first clip of each camera.
    pub cameras_mib: Vec<f64>,
}

/// A model's.
#[derive(Debug, Serialize)]
pub struct MemoryRow {
    pub model: &'static str,
    pub precision: Precision,
    #[serde(flatten)]
    pub memory: Memory,
}

/// Measures every chosen model that streams.
pub fn measure(models: &[&'static Model], folder: &Path) -> Result<Vec<MemoryRow>> {
    let mut rows = Vec::new();
    for model in models.iter().filter(|model| model.streams()) {
        for &precision in model.precisions() {
            let name = format!("{}-{}", model.name, precision.name());
            let [encoder, head] = ["onnx", "head"].map(|kind| folder.join(format!("{name}.{kind}")));
            std::fs::write(&encoder, model.onnx(precision))?;
            let weights = safetensors(&mlp_tensors(&model.spec().head.dims));
            std::fs::write(&head, model_export::head_onnx(&weights, &model.spec())?)?;
            let mut own = Command::new(std::env::current_exe()?);
            let output = own.args(["--memory", model.name]).args([&encoder, &head]).output()?;
            ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            rows.push(MemoryRow {
                model: model.name,
                precision,
                memory: serde_json::from_slice(&output.stdout)?,
            });
        }
    }
    Ok(rows)
}

/// Loads an encoder and a head, and adds cameras.
pub fn serve(args: &[String]) -> Result<()> {
    let [name, encoder, head] = args else { bail!("MODEL ENCODER HEAD") };
    let spec = MODELS.iter().find(|model| model.name == name).context("a model")?.spec();
    let [width, height] = PICTURE_PX;
    let picture = frame(0, width.into(), height.into());
    let begin = Instant::now();
    let encoder = Arc::new(Encoder::from_onnx(&std::fs::read(encoder)?, name, &spec)?);
    let head = Arc::new(Head::from_onnx(&std::fs::read(head)?, "head", &spec)?);
    let mut cameras = Vec::new();
    let mut memory = Memory { first_score_ms: 0.0, cameras_mib: Vec::new() };
    for camera in 0..CAMERAS {
        let mut scorer = Scorer::new(Arc::clone(&encoder), Arc::clone(&head), &spec)?;
        let mut scored = false;
        for _ in 0..spec.clip.frames {
            scored |= scorer.push(RgbFrame::new(width.into(), height.into(), &picture)?)?.is_some();
        }
        ensure!(scored, "a clip without a score");
        if camera == 0 {
            memory.first_score_ms = begin.elapsed().as_secs_f64() * 1e3;
        }
        cameras.push(scorer);
        memory.cameras_mib.push(resident_mib()?);
    }
    println!("{}", serde_json::to_string(&memory)?);
    Ok(())
}

fn resident_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a memory figure")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}
