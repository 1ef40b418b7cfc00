//! Our runtime as a process: the code that `watchpostd` runs behind its preprocessing.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use vad_infer::{Encoder, Kernels, Pulse, PulseState, Tuning};

use crate::models::MODELS;
use crate::runtime::{floats, write_floats};

/// Answers lines on standard input until it ends: `run N` with N times, `output FILE` with a file of features.
///
/// KERNELS is `best` or the name of others that the processor has.
pub fn serve(args: &[String]) -> Result<()> {
    let [name, graph, input, pulse, kernels] = args else { bail!("MODEL GRAPH INPUT PULSE KERNELS") };
    let model = MODELS.iter().find(|model| model.name == name).context("a model")?;
    let spec = model.spec();
    let pulse = Pulse::new(pulse.parse()?, spec.clip).context("a pulse")?;
    let mut known = Kernels::available().into_iter().chain([Kernels::Best]);
    let kernels = known.find(|known| known.name() == kernels).context("kernels")?;
    let tuning = Tuning { kernels, pulse, ..Tuning::default() };
    let encoder = Encoder::tuned(&std::fs::read(graph)?, name, &spec, tuning)?;
    let clip = floats(input.as_ref())?;
    let mut runner = match encoder.stream()? {
        Some(state) => Runner::Frames(Box::new(state), pulses(&clip, encoder.clip_shape(), pulse)),
        None => Runner::Clips(encoder, clip),
    };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.split_once(' ') {
            Some(("run", count)) => {
                let times: Result<Vec<_>> = (0..count.parse()?).map(|_| runner.time_ns()).collect();
                times?.join(" ")
            }
            Some(("output", file)) => {
                write_floats(file.as_ref(), &runner.features()?)?;
                "written".to_owned()
            }
            _ => bail!("not understood: {line}"),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// How sixteen frames are taken.
enum Runner {
    /// A stream that goes on, and its next frames over and over, cut into pulses of `[3, pulse, H, W]`.
    Frames(Box<PulseState>, Vec<Vec<f32>>),
    Clips(Encoder, Vec<f32>),
}

impl Runner {
    fn time_ns(&mut self) -> Result<String> {
        let begin = Instant::now();
        match self {
            Self::Frames(state, pulses) => {
                for pulse in pulses {
                    std::hint::black_box(state.run(pulse)?);
                }
            }
            Self::Clips(encoder, clip) => {
                std::hint::black_box(encoder.encode(clip)?);
            }
        }
        Ok(begin.elapsed().as_nanos().to_string())
    }

    /// Features of sixteen frames at the beginning of a stream, `[D, 16]`, or of the clip, `[D]`.
    fn features(&mut self) -> Result<Vec<f32>> {
        match self {
            Self::Clips(encoder, clip) => Ok(encoder.encode(clip)?),
            Self::Frames(state, pulses) => {
                state.reset();
                let parts: Vec<Vec<f32>> = pulses.iter().map(|p| state.run(p)).collect::<Result<_, _>>()?;
                let pulse = state.pulse().frames();
                let rows = parts[0].len() / pulse;
                let row = |row: usize| parts.iter().flat_map(move |p| &p[row * pulse..(row + 1) * pulse]);
                Ok((0..rows).flat_map(row).copied().collect())
            }
        }
    }
}

/// `[1, 3, T, H, W]` cut along time.
fn pulses(clip: &[f32], shape: &[usize], pulse: Pulse) -> Vec<Vec<f32>> {
    let (frames, plane, pulse) = (shape[2], shape[3] * shape[4], pulse.frames());
    let part = |first: usize| {
        let runs = clip.chunks_exact(frames * plane).map(|c| &c[first * plane..(first + pulse) * plane]);
        runs.flatten().copied().collect()
    };
    (0..frames).step_by(pulse).map(part).collect()
}
