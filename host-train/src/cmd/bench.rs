//! `watchpost bench`: published protocols, repeated over seeds, written down with everything needed to repeat them.

mod ped2;
mod published;
mod result_page;
mod scenes_stages;

use anyhow::Result;
use clap::Subcommand;

/// Repeat a published evaluation protocol and write its result page
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    protocol: Protocol,
}

#[derive(Debug, Subcommand)]
enum Protocol {
    Ped2(ped2::Args),
    Ped2Join(ped2::join::Args),
    Ped2Lite(ped2::lite::Args),
    ScenesLite(ped2::lite::ScenesArgs),
    ScenesStages(scenes_stages::Args),
    Published(published::Args),
}

pub fn run(args: &Args) -> Result<()> {
    match &args.protocol {
        Protocol::Ped2(args) => ped2::run(args),
        Protocol::Ped2Join(args) => ped2::join::run(args),
        Protocol::Ped2Lite(args) => ped2::lite::run(args),
        Protocol::ScenesLite(args) => ped2::lite::run_on_scenes(args),
        Protocol::ScenesStages(args) => scenes_stages::run(args),
        Protocol::Published(args) => published::run(args),
    }
}
