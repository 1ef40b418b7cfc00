//! The command line, one file per subcommand.

mod ablate;
mod alarms;
mod bench;
mod compare;
mod demo;
mod distill;
mod eval;
mod explain;
mod export;
mod extract;
mod finetune;
mod held_back;
mod hub;
mod import;
mod index;
mod interrupt;
mod options;
mod processor_time;
mod progress;
mod provenance;
mod published_counts;
mod qat;
mod recipe_options;
#[cfg(test)]
mod reference_page;
mod scenes;
mod spread;
mod step;
mod terminal;
mod train;
mod trials;
mod tuned;
mod weights;
mod work;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Turn videos that are only labelled "normal" or "something happened" into a camera board that raises an alarm.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "The usual order, each step in one work folder:\n\
        \n  watchpost index --videos footage/ --labels footage/labels.csv --work work/\
        \n  watchpost extract --work work/\
        \n  watchpost train --work work/\
        \n  watchpost eval --work work/\
        \n  watchpost export --work work/ --out bundle/\
        \n  watchpost hub\
        \n\nOr all of it on made-up street scenes: watchpost demo"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Weights(weights::Args),
    Scenes(scenes::Args),
    Index(index::Args),
    Import(import::Args),
    Extract(extract::Args),
    Distill(distill::Args),
    Train(train::Args),
    Finetune(finetune::Args),
    Eval(eval::Args),
    Compare(compare::Args),
    Ablate(ablate::Args),
    Explain(explain::Args),
    Export(export::Args),
    Hub(hub::Args),
    Alarms(alarms::Args),
    Bench(bench::Args),
    Demo(demo::Args),
}

impl Cli {
    /// Runs the chosen subcommand; an error is printed with its causes and gives exit code 1.
    pub fn run(self) -> ExitCode {
        terminal::start_log();
        let done = match self.command {
            Command::Weights(args) => weights::run(&args),
            Command::Scenes(args) => scenes::run(&args),
            Command::Index(args) => index::run(&args),
            Command::Import(args) => import::run(&args),
            Command::Extract(args) => extract::run(&args),
            Command::Distill(args) => distill::run(&args),
            Command::Train(args) => train::run(&args),
            Command::Finetune(args) => finetune::run(&args).map(drop),
            Command::Eval(args) => eval::run(&args).map(drop),
            Command::Compare(args) => compare::run(&args),
            Command::Ablate(args) => ablate::run(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Export(args) => export::run(&args),
            Command::Hub(args) => hub::run(args),
            Command::Alarms(args) => alarms::run(args),
            Command::Bench(args) => bench::run(&args),
            Command::Demo(args) => demo::run(&args),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {}", terminal::with_causes(&error));
                ExitCode::FAILURE
            }
        }
    }
}
