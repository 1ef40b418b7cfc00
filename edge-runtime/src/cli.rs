//! The command line.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use vad_infer::Kernels;

use crate::cmd;
use crate::error::Error;

#[derive(Debug, Parser)]
#[command(
    name = "watchpostd",
    version,
    about = "Watches cameras with a trained model and raises alarms, with or without a network",
    after_help = "Examples:
  watchpostd check --config /etc/watchpost/board.toml     is everything in order?
  watchpostd run --config /etc/watchpost/board.toml       watch the cameras
  watchpostd replay --bundle bundle/ clip.mp4             score a recording as a camera would be
  watchpostd drill --config /etc/watchpost/board.toml     press the test button
  watchpostd tune --config /etc/watchpost/board.toml      what is the fastest way to run the model here?
  watchpostd bench --bundle bundle/                       how many cameras can this board take?

The log goes to standard error; WATCHPOSTD_LOG=debug shows more of it, WATCHPOSTD_LOG_FORMAT=json
gives it one JSON object a line."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look whether configuration, model, cameras, outbox, outputs, inputs, broker and clock are in order
    #[command(
        after_help = "Prints one line per thing it looked at: ok, warn or FAIL. Ends with status 1 if anything failed.

Example:
  watchpostd check --config board.toml"
    )]
    Check(ConfigArg),
    /// Watch the cameras until a signal comes, or until every camera is a file that has ended
    #[command(after_help = "Example:
  watchpostd run --config board.toml")]
    Run(ConfigArg),
    /// Put every output into its safe state, after `run` has ended in whatever way
    #[command(
        after_help = "For a service manager (ExecStopPost in a systemd unit): a program that was killed leaves lines as they were, on many chips.
Every output is tried; the status is 1 if one failed.

Example:
  watchpostd safe --config board.toml"
    )]
    Safe(ConfigArg),
    /// Play a recording through exactly the path of a camera and print a line per clip
    #[command(
        after_help = "With --config, its [score] applies, and alarms are stored and delivered as on the board. With --camera, so do that
camera's score, masks and zones; schedules do not, since a recording has no time of day.

Examples:
  watchpostd replay --bundle bundle/ clip.mp4
  watchpostd replay --bundle bundle/ frames/ --scores scores.csv
  watchpostd replay --bundle bundle/ clip.mp4 --json | jq .raw
  watchpostd replay --bundle bundle/ clip.mp4 --explain alarms/
  watchpostd replay --bundle bundle/ clip.mp4 --config board.toml
  watchpostd replay --bundle bundle/ clip.mp4 --config board.toml --camera yard     as that camera would see it"
    )]
    Replay(ReplayArgs),
    /// Raise test alarms, as every alarm system has a test button
    #[command(
        after_help = "Prints `raised BOARD BOOT SEQ` once each test alarm is safely on disk, then waits for the hub.

Examples:
  watchpostd drill --config board.toml
  watchpostd drill --config board.toml --count 100 --interval-ms 10 --wait-s 0"
    )]
    Drill(DrillArgs),
    /// Time a model on this board, part by part, on made-up pictures
    #[command(after_help = "One thread, as for one camera; several cameras take turns and share the weights.

Examples:
  watchpostd bench --bundle bundle/
  watchpostd bench --bundle bundle/ --config /etc/watchpost/board.toml     as `watchpostd tune` left it
  watchpostd bench --bundle bundle/ --pulse 4 --cameras 4 --picture 1280x720
  watchpostd bench --bundle bundle/ --json | jq .encoder.p50_ms")]
    Bench(BenchArgs),
    /// Choose thresholds from what is normal before the cameras: "at most N false alarms a day"
    #[command(
        after_help = "Watches the cameras for a while, through their masks and zones, without raising any alarm. Whatever happens before them until then
counts as normal. Each camera gets the lowest threshold that keeps the goal; `run`, `replay --camera` and `check` use what was
stored, as long as the model is the same and the configuration has no threshold of its own. Stop `run` meanwhile.

Examples:
  watchpostd calibrate --config board.toml                         a day, at most one false alarm a day
  watchpostd calibrate --config board.toml --hours 72 --per-day 0.5
  watchpostd calibrate --config board.toml --camera north --dry-run"
    )]
    Calibrate(CalibrateArgs),
    /// Look for the fastest way to run a model on this board, and store it
    #[command(
        after_help = "One thread, made-up pictures, everything in turns; then `run`, `replay` and `check` use what was stored.
The scores stay the same. With `model.pulse` in the configuration only kernels are looked at.

Examples:
  watchpostd tune --config /etc/watchpost/board.toml
  watchpostd tune --bundle bundle/ --rounds 3                 look, store nothing
  watchpostd tune --bundle bundle/ --out tune.toml --json"
    )]
    Tune(TuneArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArg {
    /// Configuration file of this board
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Model bundle
    #[arg(long, value_name = "DIR")]
    pub bundle: PathBuf,
    /// Video file or folder of images
    #[arg(value_name = "FILE")]
    pub video: PathBuf,
    /// Apply this configuration's [score] and deliver alarms through its outbox and network
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Apply this camera's score, masks and zones of the configuration too
    #[arg(long, value_name = "ID", requires = "config")]
    pub camera: Option<String>,
    /// Also write the scores to a .csv or .json file
    #[arg(long, value_name = "OUT")]
    pub scores: Option<PathBuf>,
    /// Write a picture of each alarm to this folder: its highest clip, and where in it the model looked
    #[arg(long, value_name = "DIR")]
    pub explain: Option<PathBuf>,
    /// Print one JSON object per clip instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DrillArgs {
    /// Configuration file of this board
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Number of test alarms
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub count: u64,
    /// Pause between them, milliseconds
    #[arg(long, value_name = "M", default_value_t = 0)]
    pub interval_ms: u64,
    /// How long to wait for the hub at the end, seconds
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub wait_s: u64,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Model bundle
    #[arg(long, value_name = "DIR")]
    pub bundle: PathBuf,
    /// Run the encoder as on the board with this configuration
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tuned", "kernels", "pulse"])]
    pub config: Option<PathBuf>,
    /// Run the encoder as this file of `watchpostd tune` says
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kernels", "pulse"])]
    pub tuned: Option<PathBuf>,
    /// Kernels of an encoder that streams: best, avx512-vnni, avx512, avx2, neon, portable, tract or tract-f16 [default: best]
    #[arg(long, value_name = "NAME")]
    pub kernels: Option<Kernels>,
    /// Frames that an encoder which streams takes at a time, 1 to 4 [default: 1]
    #[arg(long, value_name = "N")]
    pub pulse: Option<u8>,
    /// Frames of each camera that are timed, rounded up to whole clips
    #[arg(long, value_name = "N", default_value = "320")]
    pub frames: NonZeroUsize,
    /// Cameras that take turns
    #[arg(long, value_name = "N", default_value = "1")]
    pub cameras: NonZeroUsize,
    /// Size of a camera's pictures in pixels
    #[arg(long, value_name = "WxH", default_value = "640x480")]
    pub picture: PictureSize,
    /// Frames per second of a camera, for the number of cameras per core
    #[arg(long, value_name = "HZ", default_value_t = 25.0, value_parser = positive)]
    pub rate_hz: f64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CalibrateArgs {
    /// Configuration file of this board
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// False alarms that are bearable, per camera and day
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = rate)]
    pub per_day: f64,
    /// How long to watch, hours
    #[arg(long, value_name = "H", default_value_t = 24.0, value_parser = cmd::calibrate::hours)]
    pub hours: f64,
    /// Only this camera; may be given several times
    #[arg(long, value_name = "ID")]
    pub camera: Vec<String>,
    /// Say what would be chosen, and store nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TuneArgs {
    /// Model bundle [default: that of --config]
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    pub bundle: Option<PathBuf>,
    /// Configuration of this board: its bundle, its model.pulse, and where to store
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Store in this file instead of tune.toml beside the configuration's outbox
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How often everything is timed in turns
    #[arg(long, value_name = "N", default_value = "9")]
    pub rounds: NonZeroUsize,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Width and height of a picture, written `640x480`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PictureSize {
    pub width_px: u32,
    pub height_px: u32,
}

impl PictureSize {
    /// What most cameras give.
    pub const VGA: Self = Self { width_px: 640, height_px: 480 };
}

/// Largest side of a made-up picture, in pixels.
const MAX_SIDE_PX: u32 = 8192;

impl FromStr for PictureSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |text: &str| text.parse().ok().filter(|side| (1..=MAX_SIDE_PX).contains(side));
        let sides = text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
        let (width_px, height_px) =
            sides.ok_or_else(|| format!("write it as 640x480, each side 1 to {MAX_SIDE_PX}"))?;
        Ok(Self { width_px, height_px })
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| value.is_finite() && *value > 0.0);
    value.ok_or_else(|| "it must be above 0".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.0);
    rate.ok_or_else(|| "it must be 0 or above".to_owned())
}

/// What shells give for a program that ended because nobody read its output.
const ENDED_BY_A_CLOSED_PIPE: u8 = 141;

/// Runs the command line; the status is 0 if all went well.
///
/// # Errors
/// [`Error`] names the file and the place.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Result<ExitCode, Error> {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version come this way too; a closed pipe is not worth a complaint.
            let _ = e.print();
            return Ok(ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2)));
        }
    };
    start_log();
    let ended = match cli.command {
        Command::Check(args) => cmd::check::run(&args),
        Command::Run(args) => cmd::run::run(&args),
        Command::Safe(args) => cmd::safe::run(&args),
        Command::Replay(args) => cmd::replay::run(&args),
        Command::Drill(args) => cmd::drill::run(&args),
        Command::Bench(args) => cmd::bench::run(&args),
        Command::Calibrate(args) => cmd::calibrate::run(&args),
        Command::Tune(args) => cmd::tune::run(&args),
    };
    match ended {
        Err(Error::OutputClosed) => Ok(ExitCode::from(ENDED_BY_A_CLOSED_PIPE)),
        ended => ended,
    }
}

fn start_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("WATCHPOSTD_LOG").unwrap_or_else(|_| {
        EnvFilter::new("info,tract=warn,tract_core=warn,tract_onnx=warn,tract_hir=warn,retina=error")
    });
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process, as in tests, keeps the first log.
    let _ = if std::env::var("WATCHPOSTD_LOG_FORMAT").is_ok_and(|format| format == "json") {
        log.json().flatten_event(true).try_init()
    } else {
        log.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_with_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("watchpostd "), "{} shows no example", command.get_name());
        }
    }
}
