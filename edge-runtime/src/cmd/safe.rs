//! `watchpostd safe`

use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::say;
use crate::cli::ConfigArg;
use crate::config::{Config, OutputConfig, SafeState};
use crate::error::Error;
use crate::local_alarm::switch_of;

/// How long all outputs together are waited for; a service manager waits longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Puts every output into its safe state, whatever becomes of the others.
pub(crate) fn run(args: &ConfigArg) -> Result<ExitCode, Error> {
    let config = Config::load(&args.config)?;
    let begun = Instant::now();
    let (sender, done) = channel();
    let start = |(index, output): (usize, &OutputConfig)| -> Result<JoinHandle<()>, Error> {
        let (drive, on, sender) = (output.drive.clone(), output.safe_state == SafeState::On, sender.clone());
        std::thread::Builder::new()
            .name(format!("output {}", output.name))
            // Nobody may be waiting any more.
            .spawn(move || drop(sender.send((index, switch_of(&drive).set(on)))))
            .map_err(Error::system("start the thread of an output"))
    };
    // A thread each: one that hangs keeps no siren on.
    let threads = config.outputs.iter().enumerate().map(start).collect::<Result<Vec<_>, _>>()?;
    drop(sender);
    let mut results: Vec<Option<Result<(), String>>> = threads.iter().map(|_| None).collect();
    while let Ok((index, result)) = done.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
        results[index] = Some(result);
    }
    let mut failed = false;
    for (output, result) in config.outputs.iter().zip(results) {
        let state = if output.safe_state == SafeState::On { "on" } else { "off" };
        match result.unwrap_or_else(|| Err(format!("it hangs, for more than {} s", PATIENCE.as_secs()))) {
            Ok(()) => say(format_args!("ok    {} is {state}", output.name)),
            Err(reason) => {
                failed = true;
                say(format_args!("FAIL  {} is not {state}: {reason}", output.name));
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
