//! `watchpostd bench`

mod figures;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use vad_infer::{Kernels, Pulse};

use self::figures::BenchFigures;
use super::print_figures;
use super::streams::{self, Laps, Stream};
use super::timing::ms;
use crate::cli::BenchArgs;
use crate::config::Config;
use crate::energy::{EnergySensor, Metering};
use crate::error::Error;
use crate::model::Model;
use crate::tuned::TuningSource;

pub(crate) fn run(args: &BenchArgs) -> Result<ExitCode, Error> {
    print_figures(&measure(args)?, args.json)?;
    Ok(ExitCode::SUCCESS)
}

/// What is stored is for the board's own run; one who names kernels or a pulse gets these.
fn tuning(args: &BenchArgs) -> Result<TuningSource, Error> {
    Ok(match (&args.config, &args.tuned) {
        (Some(config), _) => Config::load(config)?.tuning(),
        (None, Some(file)) => TuningSource::Stored { file: file.clone(), pulse: None },
        (None, None) => TuningSource::Asked {
            kernels: args.kernels.unwrap_or(Kernels::Best),
            pulse: args.pulse.map_or(Pulse::ONE.frames(), usize::from),
        },
    })
}

fn measure(args: &BenchArgs) -> Result<BenchFigures, Error> {
    let source = tuning(args)?;
    let begin = Instant::now();
    let model = Model::load(&args.bundle, None, &source)?;
    let spec = model.spec();
    let pictures = streams::pictures(spec, args.picture);
    let camera =
        |_| Stream::new(Arc::clone(model.encoder()), model.head(), spec, args.picture, Arc::clone(&pictures));
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
    let mut metering = EnergySensor::find(Path::new("/sys")).and_then(EnergySensor::start);
    let begin = Instant::now();
    let mut laps = Laps::default();
    let clip = usize::from(spec.clip.frames);
    let clips = args.frames.get().div_ceil(clip);
    for _ in 0..clips {
        for stream in &mut streams {
            stream.clip(&mut laps)?;
            if let Some(metering) = &mut metering {
                metering.sample();
            }
        }
    }
    let frames = clips * clip * streams.len();
    let seconds = begin.elapsed().as_secs_f64();
    let energy = metering.and_then(Metering::finish);
    Ok(BenchFigures::new(args, &model, &laps, frames)
        .with_times(load_ms, first_score_ms.unwrap_or(load_ms), seconds)
        .with_memory(&memory)
        .with_energy(energy))
}
