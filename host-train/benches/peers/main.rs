//! Training steps and metrics beside PyTorch and scikit-learn, on the same machine and in turns.
//!
//! `cargo bench -p watchpost --bench peers -- --help` lists the options. Each measurement is a process of its own, so that
//! its peak memory is its own; ours and the peer's take turns, so that a machine that slows down slows both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a broken set-up must stop the benchmark"
)]

mod cases;
mod figures;
mod page;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cases::{CASES, Case};
use clap::Parser;
use figures::Figures;
use page::Row;

const RUN_PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/python/run.sh");

#[derive(Debug, Parser)]
#[command(name = "peers", about = "Training steps and metrics beside PyTorch and scikit-learn")]
struct Args {
    /// Measure these cases only.
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// Times that ours and the peer take turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Steps measured in each turn, after one to warm up.
    #[arg(long, default_value_t = 5)]
    steps: u64,
    /// Also write the result page and its numbers to this folder, from the root of the source tree.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// Measure one case here and print its figures (what the program calls itself with).
    #[arg(long, hide = true)]
    alone: Option<String>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    if let Some(name) = &args.alone {
        let case = CASES.iter().find(|case| case.name == name).expect("a case of this name");
        println!("{}", serde_json::to_string(&case.run(1, args.steps)).unwrap());
        return;
    }
    if !args.bench {
        eprintln!("nothing measured: this is for `cargo bench`");
        return;
    }
    if let Some(unknown) = args.cases.iter().find(|name| CASES.iter().all(|case| case.name != **name)) {
        let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
        eprintln!("there is no case {unknown}; there are {}", names.join(", "));
        std::process::exit(2);
    }
    let chosen = |case: &&Case| args.cases.is_empty() || args.cases.iter().any(|name| name == case.name);
    let rows: Vec<Row> = CASES.iter().filter(chosen).map(|case| row(case, &args)).collect();
    println!("\n{}", page::table(&rows));
    if let Some(folder) = &args.write {
        // `cargo bench` starts this program in the folder of its package.
        page::write(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder),
            &rows,
            args.rounds,
            args.steps,
        );
    }
}

fn row(case: &Case, args: &Args) -> Row {
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        eprintln!("{} round {round} of {}", case.name, args.rounds);
        ours.push(figures(&mut own(case, args.steps)));
        peer.push(figures(&mut python(case, args.steps)));
    }
    Row { name: case.name, about: case.about, ours, peer }
}

fn own(case: &Case, steps: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--alone", case.name, "--steps", &steps.to_string()]);
    command
}

fn python(case: &Case, steps: u64) -> Command {
    let mut command = Command::new(RUN_PEER);
    command.args(case.peer()).args(["1", &steps.to_string()]);
    command
}

fn figures(command: &mut Command) -> Figures {
    let output = command.stderr(Stdio::inherit()).output().expect("a program that starts");
    assert!(output.status.success(), "{command:?} failed");
    serde_json::from_slice(&output.stdout).expect("one line of figures")
}
