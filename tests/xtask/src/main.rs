//! The one project tool. `cargo xtask demo` and `cargo xtask test` are all a newcomer types.

mod deb;
mod fuzz;
mod licences;
mod live555;
mod machine;
mod peers;
mod size;
mod step;
mod tidy;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use deb::Arch;
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
    /// Test a board: the emulated one, from its boot to power cuts, or a real one that answers to ssh
    #[command(
        after_help = "Examples:\n  cargo xtask board virt\n  cargo xtask board pi@10.0.0.7 --board rpi5\n  WATCHPOST_BOARD_CAMERA=/dev/video2 cargo xtask board root@jetson.local:2222 --board jetson-orin-nano"
    )]
    Board {
        /// `virt`, or where a real board answers: [user@]host[:port]. Log-in is as ssh itself is set up, without a password
        address: String,
        /// What the real board is: name of a file in boards/
        #[arg(long)]
        board: Option<String>,
    },
    /// Let libFuzzer look for inputs that break a parser (installs cargo-fuzz and a nightly compiler)
    #[command(
        after_help = "Examples:\n  cargo xtask fuzz\n  cargo xtask fuzz jpeg --minutes 30\n\nThe names are those of the folders in tests/fuzz/corpus."
    )]
    Fuzz {
        /// Which; all of them one after the other without it
        parser: Option<String>,
        /// How long for each
        #[arg(long, default_value_t = 1)]
        minutes: u32,
    },
    /// Build the static board program and pack it for Debian and its children
    #[command(
        after_help = "Examples:\n  cargo xtask deb\n  cargo xtask deb --arch amd64\n  apt install ./target/debian/watchpostd_*_arm64.deb    # on the board"
    )]
    Deb {
        /// The board's processor
        #[arg(long, value_enum, default_value_t = Arch::Arm64)]
        arch: Arch,
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
        Task::Board { address, board: None } if address == "virt" => emulated_board(),
        Task::Board { address, board: name } => real_board(&address, name.as_deref()),
        Task::Deb { arch } => {
            machine::ensure(&[Need::Dpkg])?;
            deb::pack(arch, &board_program(arch)?).map(drop)
        }
        Task::Fuzz { parser, minutes } => {
            machine::ensure(&[Need::CCompiler, Need::Libclang])?;
            fuzz::search(parser.as_deref(), minutes)
        }
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
        Need::Dpkg,
        Need::DebianKeys,
    ])?;
    live555::ensure_ready()?;
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

/// Builds the static program and returns where it lies.
fn board_program(arch: Arch) -> Result<PathBuf> {
    let compiler = if arch == Arch::Arm64 { Need::Aarch64Compiler } else { Need::CCompiler };
    machine::ensure(&[compiler, Need::Libclang])?;
    let triple = arch.triple();
    machine::ensure_target(triple)?;
    cargo(&["build", "--release", "-p", "watchpostd", "--target", triple])?;
    let program = step::target_dir().join(triple).join("release/watchpostd");
    step::assert_static(&program)?;
    Ok(program)
}

fn emulated_board() -> Result<()> {
    machine::ensure(&[Need::Emulator, Need::Disk, Need::Ssh, Need::Ffmpeg, Need::CCompiler, Need::Dpkg])?;
    let program = board_program(Arch::Arm64)?;
    let package = deb::pack(Arch::Arm64, &program)?;
    build()?;
    let tests = ["virt", "camera", "webcam", "power", "trouble", "address", "package"];
    step::test_on_board(&program, &[("WATCHPOSTD_DEB", package.as_os_str())], &tests, "the emulated board")
}

fn real_board(address: &str, name: Option<&str>) -> Result<()> {
    let name = name.with_context(|| {
        format!(
            "what is the board at {address}? Add --board with the name of a file in boards/, such as rpi5"
        )
    })?;
    let arch = Arch::of_board(name)?;
    machine::ensure(&[Need::Ssh, Need::Ffmpeg, Need::CCompiler])?;
    machine::say_what_data_is_missing();
    let program = board_program(arch)?;
    build()?;
    let place = [("WATCHPOST_BOARD_ADDRESS", address.as_ref()), ("WATCHPOST_BOARD", name.as_ref())];
    step::test_on_board(&program, &place, &["address"], &format!("the board at {address}"))
}

fn cross() -> Result<()> {
    machine::ensure(&[Need::QemuUser, Need::Ffmpeg])?;
    let board = board_program(Arch::Arm64)?;
    run(
        "watchpostd --version under qemu-aarch64",
        std::process::Command::new("qemu-aarch64").arg(&board).arg("--version"),
    )?;
    build()?;
    step::test_on_board(&board, &[], &["emulated"], "replay under qemu-aarch64")
}
