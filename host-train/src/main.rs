//! The host program: from labelled videos to boards that raise alarms.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    watchpost::cmd::Cli::parse().run()
}
