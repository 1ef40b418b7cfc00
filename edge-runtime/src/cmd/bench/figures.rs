//! What was measured, for people and for programs.

use std::fmt;

use serde::Serialize;
use vad_core::{EncoderKind, LiteSize};

use crate::cli::BenchArgs;
use crate::cmd::streams::Laps;
use crate::cmd::timing::Spread;
use crate::energy::Energy;
use crate::model::Model;
use crate::proc::status;
use crate::tuned::{Origin, TuningRecord};

/// Everything that `bench` prints; the names are those of its JSON.
#[derive(Debug, Serialize)]
pub(super) struct BenchFigures {
    model: String,
    encoder_kind: EncoderKind,
    /// Frames of all cameras.
    frames: usize,
    cameras: usize,
    /// What the encoder ran on.
    #[serde(flatten)]
    tuning: TuningRecord,
    origin: &'static str,
    /// The same in words.
    tuned: String,
    preprocessing: Spread,
    encoder: Spread,
    head: Spread,
    whole: Spread,
    /// Where the work of the encoder is known: I3D-lite.
    gmac_per_s: Option<f64>,
    load_ms: f64,
    /// From the beginning of loading, one clip included.
    first_score_ms: f64,
    frames_per_s: f64,
    rate_hz: f64,
    cameras_per_core: f64,
    /// Where the system tells it, with the first camera's first clip behind it.
    memory_mib: Option<f64>,
    /// What each further camera added on average.
    camera_memory_mib: Option<f64>,
    /// The most, loading included.
    peak_memory_mib: Option<f64>,
    /// Of all that the sensor measures, whatever else runs there; where there is one.
    joules_per_frame: Option<f64>,
    energy_sensor: Option<String>,
}

impl BenchFigures {
    pub(super) fn new(args: &BenchArgs, model: &Model, laps: &Laps, frames: usize) -> Self {
        let (spec, tuned) = (model.spec(), model.tuned());
        let (encoder, whole) = (Spread::of(&laps.encoder), Spread::of(&laps.whole));
        let (height, width) = (spec.preprocess.height_px, spec.preprocess.width_px);
        let macs = |size: LiteSize| size.plan().macs_per_frame(height.into(), width.into()) as f64;
        Self {
            model: spec.name.clone(),
            encoder_kind: spec.encoder.kind,
            frames,
            cameras: args.cameras.get(),
            tuning: tuned.tuning.into(),
            origin: origin(&tuned.origin),
            tuned: tuned.to_string(),
            gmac_per_s: spec.encoder.kind.lite().map(|size| macs(size) * 1e-6 / encoder.p50_ms),
            cameras_per_core: 1e3 / (whole.p50_ms * args.rate_hz),
            preprocessing: Spread::of(&laps.preprocessing),
            encoder,
            head: Spread::of(&laps.head),
            whole,
            load_ms: 0.0,
            first_score_ms: 0.0,
            frames_per_s: 0.0,
            rate_hz: args.rate_hz,
            memory_mib: None,
            camera_memory_mib: None,
            peak_memory_mib: status_mib("VmHWM:"),
            joules_per_frame: None,
            energy_sensor: None,
        }
    }

    pub(super) fn with_times(self, load_ms: f64, first_score_ms: f64, seconds: f64) -> Self {
        Self { load_ms, first_score_ms, frames_per_s: self.frames as f64 / seconds, ..self }
    }

    /// `memory` is what was held after the first clip of each camera.
    pub(super) fn with_memory(self, memory: &[f64]) -> Self {
        let camera_memory_mib = match memory {
            [first, .., last] => Some((last - first) / (memory.len() - 1) as f64),
            _ => None,
        };
        Self { memory_mib: memory.first().copied(), camera_memory_mib, ..self }
    }

    pub(super) fn with_energy(self, energy: Option<Energy>) -> Self {
        let (joules, energy_sensor) = energy.map(|energy| (energy.joules, energy.sensor)).unzip();
        Self { joules_per_frame: joules.map(|joules| joules / self.frames as f64), energy_sensor, ..self }
    }
}

impl fmt::Display for BenchFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoder = match self.encoder_kind.lite() {
            Some(size) => format!("I3D-lite {size}"),
            None => "an encoder of whole clips".to_owned(),
        };
        let cameras = match self.cameras {
            1 => "1 camera".to_owned(),
            several => format!("{several} cameras in turns"),
        };
        writeln!(
            f,
            "{}, {encoder}: {} frames of {cameras}, one thread\nencoder on {}\n",
            self.model, self.frames, self.tuned
        )?;
        writeln!(f, "{:<16} {:>10} {:>10}", "ms per frame", "p50", "p99")?;
        let rows = [
            ("preprocessing", &self.preprocessing),
            ("encoder", &self.encoder),
            ("head", &self.head),
            ("whole", &self.whole),
        ];
        for (name, Spread { p50_ms, p99_ms }) in rows {
            writeln!(f, "{name:<16} {p50_ms:>10.3} {p99_ms:>10.3}")?;
        }
        writeln!(f)?;
        if let Some(rate) = self.gmac_per_s {
            writeln!(f, "{:<16} {rate:>10.1} GMAC/s", "encoder")?;
        }
        writeln!(f, "{:<16} {:>10.0} ms", "load", self.load_ms)?;
        writeln!(f, "{:<16} {:>10.0} ms after the start of loading", "first score", self.first_score_ms)?;
        writeln!(f, "{:<16} {:>10.1} frames/s", "throughput", self.frames_per_s)?;
        let cameras = self.cameras_per_core;
        writeln!(f, "{:<16} {cameras:>10.1} at {} frames/s", "cameras per core", self.rate_hz)?;
        let memory = [("memory", self.memory_mib), ("peak memory", self.peak_memory_mib)];
        for (name, mib) in memory {
            match mib {
                Some(mib) => writeln!(f, "{name:<16} {mib:>10.1} MiB")?,
                None => writeln!(f, "{name:<16} {:>10}", "unknown")?,
            }
        }
        if let Some(mib) = self.camera_memory_mib {
            writeln!(f, "{:<16} {mib:>10.1} MiB for each further camera", "")?;
        }
        match self.joules_per_frame.zip(self.energy_sensor.as_ref()) {
            Some((joules, sensor)) => {
                write!(f, "{:<16} {:>10.2} mJ per frame ({sensor})", "energy", joules * 1e3)
            }
            None => write!(f, "{:<16} {:>10}", "energy", "no sensor"),
        }
    }
}

fn origin(origin: &Origin) -> &'static str {
    match origin {
        Origin::Asked => "asked",
        Origin::Untuned => "default",
        Origin::Stored(_) => "tuned",
        Origin::Unused(..) => "not used",
    }
}

/// Memory that this process holds.
pub(super) fn memory_mib() -> Option<f64> {
    status_mib("VmRSS:")
}

fn status_mib(field: &str) -> Option<f64> {
    Some(status(field)? as f64 / 1024.0)
}
