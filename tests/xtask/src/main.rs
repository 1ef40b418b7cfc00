//! The one project tool. `cargo xtask demo` and `cargo xtask test` are all a newcomer types.

mod machine;
mod peers;
mod size;
mod step;
mod tidy;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use machine::Need;
use std::path::PathBuf;
use step::{cargo, run};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Build, test and show Watchpost; missing programs are installed where that is allowed, named otherwise"
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the main job: videos with video-level labels in, an alarm at the hub out
    #[command(
        after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --videos footage/ --labels footage/labels.csv"
    )]
    Demo {
        /// Passed on to `watchpost demo` (see `watchpost demo --help`)
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build everything and run every test
    Test,
    /// Formatting, clippy with every training device compiled in, the project's own habits, and `deny`
    Lint,
    /// Licences, sources and known defects of the dependencies (installs cargo-deny)
    Deny,
    /// Prove that the shared contracts build without an operating system
    NoStd,
    /// Cross-build the static aarch64 board program and run it under emulation
    Cross,
    /// Boot an emulated board, play footage into its camera and follow the alarm to the hub
    #[command(after_help = "Example:\n  cargo xtask board virt")]
    Board {
        /// Name of a file in boards/ that says how the board is emulated
        name: String,
    },
    /// Print the size of what goes onto a board, beside its budget
    Size,
    /// Time encoders beside ONNX Runtime, OpenVINO and LiteRT, which it installs below target/
    #[command(
        after_help = "Examples:\n  cargo xtask peers\n  cargo xtask peers --model small --rounds 5\n  cargo xtask peers --write docs/results"
    )]
    Peers {
        /// Passed on to the benchmark (see `cargo bench -p model-export --bench edge -- --help`)
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> Result<()> {
    std::env::set_current_dir(step::workspace_root())?;
    match Cli::parse().task {
        Task::Demo { args } => demo(&args),
        Task::Test => test(),
        Task::Lint => lint(),
        Task::Deny => deny(),
        Task::NoStd => no_std(),
        Task::Cross => cross(),
        Task::Board { name } => board(&name),
        Task::Size => size::report(),
        Task::Peers { args } => {
            machine::ensure(&[Need::CCompiler])?;
            peers::measure(&args)
        }
    }
}

fn demo(args: &[String]) -> Result<()> {
    machine::ensure(&[Need::Ffmpeg, Need::CCompiler, Need::Libclang])?;
    build()?;
    let watchpost = step::binary("watchpost");
    let mut command = std::process::Command::new(&watchpost);
    command.arg("demo").args(args);
    run("watchpost demo", &mut command)
}

fn test() -> Result<()> {
    machine::ensure(&[
        Need::Ffmpeg,
        Need::CCompiler,
        Need::Libclang,
        Need::Mosquitto,
        Need::RtspServer,
        Need::Browser,
        Need::MetricsReader,
        Need::Gstreamer,
    ])?;
    machine::say_what_data_is_missing();
    build()?;
    cargo(&[&["test", "--no-fail-fast"], SELECTION].concat())
}

/// One selection for demo, tests and fault tests, so that none builds anything twice: cargo unites features over what
/// is selected, and development dependencies count. The compatibility backend is in it for its test.
pub const SELECTION: &[&str] = &["--workspace", "--features", "watchpost/ndarray"];

fn build() -> Result<()> {
    cargo(&[&["build", "--all-targets"], SELECTION].concat())
}

fn lint() -> Result<()> {
    machine::ensure(&[Need::CCompiler, Need::Libclang])?;
    cargo(&["fmt", "--all", "--check"])?;
    // Shows that every device compiles, on a machine without a graphics card or its tool kit.
    let devices = "watchpost/ndarray,watchpost/wgpu,watchpost/cuda";
    cargo(&["clippy", "--workspace", "--all-targets", "--features", devices, "--", "-D", "warnings"])?;
    tidy::check()?;
    deny()
}

fn deny() -> Result<()> {
    machine::ensure_cargo_tool("cargo-deny", "0.20.2")?;
    cargo(&["deny", "--all-features", "check", "bans", "licenses", "sources"])?;
    step::advisories()
}

fn no_std() -> Result<()> {
    machine::ensure_target("thumbv7em-none-eabihf")?;
    cargo(&["build", "-p", "vad-core", "-p", "alarm-proto", "--target", "thumbv7em-none-eabihf"])
}

const BOARD_TARGET: &str = "aarch64-unknown-linux-musl";

/// Builds the static program for 64-bit ARM and returns where it lies.
fn board_program() -> Result<PathBuf> {
    machine::ensure(&[Need::Aarch64Compiler, Need::Libclang])?;
    machine::ensure_target(BOARD_TARGET)?;
    cargo(&["build", "--release", "-p", "watchpostd", "--target", BOARD_TARGET])?;
    let program = step::target_dir().join(BOARD_TARGET).join("release/watchpostd");
    step::assert_static(&program)?;
    Ok(program)
}

fn board(name: &str) -> Result<()> {
    ensure!(name == "virt", "the board that can be emulated is `virt`: cargo xtask board virt");
    machine::ensure(&[Need::Emulator, Need::Disk, Need::Ssh, Need::Ffmpeg, Need::CCompiler])?;
    let program = board_program()?;
    build()?;
    step::test_on_board(&program, &["virt", "camera", "power", "trouble"], "the emulated board")
}

fn cross() -> Result<()> {
    machine::ensure(&[Need::QemuUser, Need::Ffmpeg])?;
    let board = board_program()?;
    run(
        "watchpostd --version under qemu-aarch64",
        std::process::Command::new("qemu-aarch64").arg(&board).arg("--version"),
    )?;
    build()?;
    step::test_on_board(&board, &["emulated"], "replay under qemu-aarch64")
}
