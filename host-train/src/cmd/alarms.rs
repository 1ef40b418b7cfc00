//! `watchpost alarms`: list stored alarms and answer them. The work is done by the `hub` crate.

use anyhow::Result;

pub type Args = hub::cli::AlarmsArgs;

pub fn run(args: Args) -> Result<()> {
    Ok(hub::cli::run_alarms(&args, &mut std::io::stdout().lock())?)
}
