//! `watchpostd safe`

use std::process::ExitCode;

use crate::cli::ConfigArg;
use crate::config::{Config, SafeState};
use crate::error::Error;
use crate::local_alarm::switch_of;

/// Puts every output into its safe state, whatever becomes of the others.
pub(crate) fn run(args: &ConfigArg) -> Result<ExitCode, Error> {
    let config = Config::load(&args.config)?;
    let mut failed = false;
    for output in &config.outputs {
        let (on, state) = match output.safe_state {
            SafeState::Off => (false, "off"),
            SafeState::On => (true, "on"),
        };
        match switch_of(&output.drive).set(on) {
            Ok(()) => println!("ok    {} is {state}", output.name),
            Err(reason) => {
                failed = true;
                println!("FAIL  {} is not {state}: {reason}", output.name);
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
