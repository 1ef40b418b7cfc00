//! `watchpost-hub`: the hub without the trainer.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hub::cli::{self, AlarmsArgs, HubArgs};

/// Receives alarms from Watchpost boards and keeps them.
///
/// Start it with `run`, look at what arrived with `alarms`. Nothing else is needed: the MQTT broker is built in.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(HubArgs),
    Alarms(AlarmsArgs),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("WATCHPOST_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,mqtt5=warn,rumqttc=error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    let result = match &arguments.command {
        Command::Run(args) => cli::run_hub(args),
        Command::Alarms(args) => cli::run_alarms(args, &mut std::io::stdout().lock()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
