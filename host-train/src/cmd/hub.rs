//! `watchpost hub`: receive alarms. The work is done by the `hub` crate.

use anyhow::Result;

pub type Args = hub::cli::HubArgs;

pub fn run(args: Args) -> Result<()> {
    Ok(hub::cli::run_hub(&args)?)
}
