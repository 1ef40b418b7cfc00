//! `watchpostd tune`

mod choose;
mod figures;
mod search;

use std::path::PathBuf;
use std::process::ExitCode;

use vad_infer::{Pulse, Tuning};

use self::figures::TuneFigures;
use self::search::Search;
use super::print_figures;
use crate::cli::TuneArgs;
use crate::config::Config;
use crate::error::Error;
use crate::model::{ModelError, open_bundle};
use crate::tuned::{Choice, MadeFor, Measured};

pub(crate) fn run(args: &TuneArgs) -> Result<ExitCode, Error> {
    let config = args.config.as_deref().map(Config::load).transpose()?;
    let config = config.as_ref();
    // Without a configuration the command line asks for a bundle.
    let dir = args.bundle.as_ref().or(config.map(|c| &c.bundle)).cloned().unwrap_or_default();
    let bundle = open_bundle(&dir, config.map(|c| c.hardware.as_str()))?;
    let fixed = config.and_then(|c| c.pulse);
    let clip = bundle.model().clip;
    let fits = |pulse| Pulse::new(pulse, clip).ok_or(ModelError::Pulse { dir: dir.clone(), pulse, clip });
    let fixed = fixed.map(fits).transpose()?;
    let default = Tuning { pulse: fixed.unwrap_or_default(), ..Tuning::default() };
    let found = Search::new(&bundle, &dir)?.run(default, fixed.is_some(), args.rounds)?;
    let choice = Choice {
        made_for: MadeFor::here(&bundle),
        tuning: found.chosen().tuning.into(),
        measured: Measured {
            ms_per_frame: found.chosen().ms_per_frame,
            default_ms_per_frame: found.default.ms_per_frame,
        },
    };
    let file: Option<PathBuf> = args.out.clone().or(config.map(Config::tune_file));
    if let Some(path) = &file {
        choice.write(path).map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    print_figures(&TuneFigures::new(&bundle, found, choice, args.rounds, file), args.json)?;
    Ok(ExitCode::SUCCESS)
}
