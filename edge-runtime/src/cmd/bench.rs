//! `watchpostd bench`

mod figures;
mod streams;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use model_bundle::Bundle;
use vad_infer::{Encoder, Head, InferError, Pulse};

use self::figures::{BenchFigures, ms};
use self::streams::{Laps, Stream};
use crate::cli::BenchArgs;
use crate::energy::EnergyMeter;
use crate::error::Error;
use crate::model::ModelError;

pub(crate) fn run(args: &BenchArgs) -> Result<ExitCode, Error> {
    let figures = measure(args)?;
    let text = if args.json {
        serde_json::to_string(&figures)
            .map_err(|e| Error::System { doing: "write JSON", reason: e.to_string() })?
    } else {
        figures.to_string()
    };
    writeln!(std::io::stdout().lock(), "{text}").map_err(Error::system("write to standard output"))?;
    Ok(ExitCode::SUCCESS)
}

fn measure(args: &BenchArgs) -> Result<BenchFigures, Error> {
    let begin = Instant::now();
    let bundle = Bundle::open(&args.bundle).map_err(ModelError::from)?;
    let spec = bundle.model();
    let Some(pulse) = Pulse::new(args.pulse.into(), spec.clip) else {
        return Err(InferError::Pulse { pulse: args.pulse.into(), clip: spec.clip }.into());
    };
    let graph = |source| ModelError::Graph { dir: args.bundle.clone(), source };
    let encoder = Encoder::with_pulse(bundle.encoder(), "encoder", spec, pulse);
    let head = Head::from_onnx(bundle.head(), "head", spec);
    let (encoder, head) = (Arc::new(encoder.map_err(graph)?), Arc::new(head.map_err(graph)?));
    let pictures = streams::pictures(spec, args.picture);
    let camera = |_| Stream::new(Arc::clone(&encoder), &head, spec, args.picture, Arc::clone(&pictures));
    let streams = (0..args.cameras.get()).map(camera);
    let mut streams: Vec<Stream> = streams.collect::<Result<_, _>>()?;
    let load_ms = ms(begin);
    // The first clip of each warms up: buffers are made and tables built.
    let (mut first_score_ms, mut memory) = (None, Vec::new());
    for stream in &mut streams {
        stream.clip(&mut Laps::default())?;
        first_score_ms.get_or_insert_with(|| ms(begin));
        memory.extend(figures::memory_mib());
    }
    let meter = EnergyMeter::find(Path::new("/sys"));
    let (reading, begin) = (meter.read(), Instant::now());
    let mut laps = Laps::default();
    let clip = usize::from(spec.clip.frames);
    let clips = args.frames.get().div_ceil(clip);
    for _ in 0..clips {
        for stream in &mut streams {
            stream.clip(&mut laps)?;
        }
    }
    let frames = clips * clip * streams.len();
    let seconds = begin.elapsed().as_secs_f64();
    let joules = reading.and_then(|reading| meter.joules_since(&reading));
    Ok(BenchFigures::new(args, spec, &laps, frames)
        .with_times(load_ms, first_score_ms.unwrap_or(load_ms), seconds)
        .with_memory(&memory)
        .with_energy(joules))
}
