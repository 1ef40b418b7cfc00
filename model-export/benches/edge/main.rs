//! Encoders on one core beside ONNX Runtime, OpenVINO and LiteRT: the same graph, the same frames, in turns.
//!
//! `cargo xtask peers` prepares the Python side and calls this; `cargo bench -p model-export --bench edge -- --help` lists
//! the options. Every runtime is a process of its own on the same core that stays alive, so that turns are short: a machine
//! that slows down slows all of them. Before anything is timed, all have to give the same features.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a broken set-up must stop the benchmark"
)]

mod memory;
mod models;
mod own;
mod page;
mod runtime;
mod turns;

#[path = "../../tests/common/mod.rs"]
mod common;

use std::path::PathBuf;

use clap::Parser;

use models::MODELS;

#[derive(Debug, Parser)]
#[command(name = "edge", about = "Encoders on one core beside ONNX Runtime, OpenVINO and LiteRT")]
struct Args {
    /// Python interpreter that has the packages of `python/requirements.txt`; without it, only ours are timed.
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Measure these models only: small, middle, large or i3d.
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// Times that the runtimes take turns.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Clips of 16 frames in a turn, after one to warm up.
    #[arg(long, default_value_t = 3)]
    clips: usize,
    /// Also write the result page and its numbers to this folder, from the root of the source tree.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// Be one of our runtimes: MODEL GRAPH INPUT PULSE KERNELS (what the program calls itself with).
    #[arg(long, hide = true, num_args = 5)]
    alone: Option<Vec<String>>,
    /// Load MODEL ENCODER HEAD and say what it takes (what the program calls itself with).
    #[arg(long, hide = true, num_args = 3)]
    memory: Option<Vec<String>>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(alone) = &args.alone {
        return own::serve(alone);
    }
    if let Some(files) = &args.memory {
        return memory::serve(files);
    }
    if !args.bench {
        eprintln!("nothing measured: this is for `cargo bench`");
        return Ok(());
    }
    if let Some(unknown) = args.models.iter().find(|name| MODELS.iter().all(|model| model.name != **name)) {
        let names: Vec<_> = MODELS.iter().map(|model| model.name).collect();
        anyhow::bail!("there is no model {unknown}; there are {}", names.join(", "));
    }
    let report = turns::measure(&args)?;
    println!("\n{}", page::tables(&report));
    if let Some(folder) = &args.write {
        // `cargo bench` starts this program in the folder of its package.
        page::write(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder), &report)?;
    }
    Ok(())
}
