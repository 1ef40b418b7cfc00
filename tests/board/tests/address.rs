//! What a board's file in `boards/` promises, asked of a board that answers to ssh: a real one whose address is in `WATCHPOST_BOARD_ADDRESS`
//! (`cargo xtask board ADDRESS --board NAME`), or else the emulated one, which is reached by its address just the same.
//!
//! Every question is asked, then all that failed are named together. What a board lacks is a failure, not a reason to skip.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod rig;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use board_tests::virt::Running;
use board_tests::vivid::FIRST;
use board_tests::{Board, Remote};
use e2e_tests::bundles::bundle;
use e2e_tests::{finish, run};
use golden::kinetics_i3d;
use model_export::EncoderPrecision;
use rig::{BOARD, Hub, board_program, light_bundle, new_board};
use vad_core::ModelSpec;

/// Longest wait for something that must happen; only reached on failure.
const PATIENCE: Duration = Duration::from_secs(120);
/// Kernels of two processors sum in another order.
const SCORE_TOLERANCE: f64 = 1e-4;

type Question = fn(&Visit) -> Result<String>;

/// In this order: a later one needs what an earlier one looked at.
const QUESTIONS: &[(&str, Question)] = &[
    ("processor", processor),
    ("program", program_is_small),
    ("camera", camera_formats),
    ("check", check),
    ("replay", replay),
    ("bench", bench),
    ("watch", watch),
    ("hub", alarm_at_the_hub),
];

#[test]
fn a_board_does_what_its_file_promises() {
    let Some(program) = board_program() else { return };
    let here = tempfile::tempdir().unwrap();
    let visit = Visit::begin(program, here.path()).unwrap();
    println!("{} as {}: {}", visit.remote.address(), visit.board.name, visit.board.summary);
    let mut failed = Vec::new();
    for (what, question) in QUESTIONS {
        let answer = question(&visit);
        let (mark, text) = match &answer {
            Ok(text) => ("ok  ", text.clone()),
            Err(e) => ("FAIL", format!("{e:#}")),
        };
        println!("{mark}  {what:<9}  {}", text.trim().replace('\n', "\n                 "));
        failed.extend(answer.is_err().then_some(*what));
    }
    assert!(failed.is_empty(), "{} does not keep: {}", visit.remote.address(), failed.join(", "));
}

/// A board with what was brought to it, in a folder that goes with this value.
struct Visit {
    board: Board,
    remote: Remote,
    /// On the board.
    folder: String,
    camera: String,
    /// On this machine.
    here: PathBuf,
    program: PathBuf,
    bundle: PathBuf,
    /// Its power is on as long as the visit takes.
    emulated: Option<Running>,
}

impl Visit {
    fn begin(program: PathBuf, here: &Path) -> Result<Self> {
        let var = |name: &str| std::env::var(name).ok();
        let camera = var("WATCHPOST_BOARD_CAMERA").unwrap_or_else(|| FIRST.camera.to_owned());
        let (board, remote, emulated) = match var("WATCHPOST_BOARD_ADDRESS") {
            Some(address) => {
                let name = var("WATCHPOST_BOARD").context("WATCHPOST_BOARD names no file in boards/")?;
                (Board::read(&name)?, Remote::at(&address, None)?, None)
            }
            None => {
                let running = new_board(here, 9).start(None)?;
                FIRST.connect(&running.remote)?;
                let identity = running.remote.identity().map(Path::to_owned);
                (Board::read("virt")?, Remote::at(&running.remote.address(), identity)?, Some(running))
            }
        };
        let others = remote.run("ls -l /proc/[0-9]*/exe 2> /dev/null | grep watchpostd || true")?;
        ensure!(
            others.trim().is_empty(),
            "watchpostd is running on {}; stop it first (systemctl stop watchpostd): both would want the camera",
            remote.address()
        );
        let bundle = light_bundle(here);
        let folder = remote.run("mktemp -d /tmp/watchpost.XXXXXX")?.trim().to_owned();
        // From here on it is cleared away, whatever happens.
        let visit = Self { board, remote, folder, camera, here: here.to_owned(), program, bundle, emulated };
        visit.remote.put(&std::fs::read(&visit.program)?, &format!("{}/watchpostd", visit.folder))?;
        visit.remote.put_folder(&visit.bundle, &format!("{}/bundle", visit.folder))?;
        Ok(visit)
    }

    /// Runs a line of shell in the folder.
    fn run(&self, line: &str) -> Result<String> {
        self.remote.run(&format!("cd {} && {line}", self.folder))
    }

    /// Writes a configuration with more sections than the camera.
    fn configure(&self, file: &str, sections: &str) -> Result<()> {
        let camera = rig::camera("north", &self.camera, 8.0);
        let config = rig::config("bundle", &format!("[score]\nraise_threshold = 1.0\n{camera}{sections}"));
        self.remote.put(config.as_bytes(), &format!("{}/{file}", self.folder))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.emulated.is_none() && self.folder.starts_with("/tmp/watchpost.") {
            // Nobody is left to be told. What still runs there holds the camera.
            let mine = format!("[ \"$(readlink $p/exe)\" = {}/watchpostd ]", self.folder);
            let kill = format!("for p in /proc/[0-9]*; do {mine} && kill -9 ${{p#/proc/}}; done");
            let _ = self.remote.run(&format!("{kill}; rm -rf {}", self.folder));
        }
    }
}

fn processor(visit: &Visit) -> Result<String> {
    let found = visit.run("uname -m")?.trim().to_owned();
    ensure!(
        visit.board.triple.starts_with(&found),
        "it is {found}, and the file says {}",
        visit.board.triple
    );
    Ok(format!("{found}, {}", visit.run("./watchpostd --version")?))
}

fn program_is_small(visit: &Visit) -> Result<String> {
    let (bytes, most) = (visit.program.metadata()?.len(), visit.board.budget.binary_bytes);
    ensure!(bytes <= most, "{bytes} bytes are more than {most}");
    Ok(format!("{bytes} bytes of at most {most}"))
}

/// One of the formats that the program reads is enough.
fn camera_formats(visit: &Visit) -> Result<String> {
    let list = format!("v4l2-ctl --device {} --list-formats", visit.camera);
    let listing = visit.run(&list).context(
        "its formats cannot be listed: is v4l-utils installed, and a camera connected (WATCHPOST_BOARD_CAMERA names its node)?",
    )?;
    let offered: Vec<&str> = listing.split('\'').skip(1).step_by(2).collect();
    let formats = &visit.board.camera.formats;
    let read: Vec<&str> =
        formats.iter().map(String::as_str).filter(|format| offered.contains(format)).collect();
    ensure!(!read.is_empty(), "it offers {offered:?}, none of {formats:?}");
    Ok(format!("{}: {}", visit.camera, read.join(", ")))
}

/// The lines are looked for and not switched: somebody may stand beside the siren.
fn check(visit: &Visit) -> Result<String> {
    let lines = visit.board.gpio.as_ref().map(|gpio| {
        let (chip, siren, button) = (&gpio.chip, &gpio.siren_line, &gpio.acknowledge_line);
        format!(
            "[[output]]\nname = \"siren\"\nkind = \"gpio\"\nchip = \"{chip}\"\nline = {siren}\n\
             [[input]]\nchip = \"{chip}\"\nline = {button}\ndoes = \"acknowledge\"\n"
        )
    });
    visit.configure("check.toml", &lines.unwrap_or_default())?;
    visit.run("./watchpostd check --config check.toml 2>&1")
}

/// The scores of this machine for the same pictures.
fn replay(visit: &Visit) -> Result<String> {
    let scenes = visit.here.join("scenes");
    let (out, pictures) = (scenes.display().to_string(), visit.here.join("pictures"));
    run("watchpost", &["scenes", "--out", &out, "--videos", "1", "--abnormal", "1", "--frames", "48"])
        .expect_success();
    std::fs::create_dir(&pictures)?;
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-i"]).arg(scenes.join("scene-000.mp4")).arg(pictures.join("%03d.png"));
    finish(&mut ffmpeg).expect_success();
    visit.remote.put_folder(&pictures, &format!("{}/pictures", visit.folder))?;

    let args = ["replay", "--json", "--bundle", &visit.bundle.display().to_string()].map(str::to_owned);
    let native = scores(
        &run("watchpostd", &[&args[..], &[pictures.display().to_string()]].concat()).expect_success().stdout,
    )?;
    let there = scores(&visit.run("./watchpostd replay --json --bundle bundle pictures")?)?;
    ensure!(
        !native.is_empty() && native.len() == there.len(),
        "{} clips, and {} here",
        there.len(),
        native.len()
    );
    let worst = native.iter().zip(&there).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    ensure!(worst <= SCORE_TOLERANCE, "scores {there:?}, and {native:?} here");
    Ok(format!("{} clips, scores off by {worst:.1e}", there.len()))
}

fn scores(lines: &str) -> Result<Vec<f64>> {
    let score = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line)?["raw"].as_f64().context("a clip without a score")
    };
    lines.lines().map(score).collect()
}

/// Budgets are those of the full I3D, which is nothing for an emulated processor.
fn bench(visit: &Visit) -> Result<String> {
    let weights = if visit.emulated.is_some() {
        None
    } else {
        Some(kinetics_i3d().context("no weights of I3D here: set WATCHPOST_SHARED")?)
    };
    let model = if let Some(weights) = weights {
        let spec = ModelSpec::i3d_mist("i3d");
        let full = bundle(&spec, &weights, &EncoderPrecision::F32, &visit.here.join("i3d"));
        visit.remote.put_folder(&full, &format!("{}/i3d", visit.folder))?;
        "i3d"
    } else {
        "bundle"
    };
    let printed = visit.run(&format!("./watchpostd bench --json --frames 16 --bundle {model}"))?;
    let figures: serde_json::Value = serde_json::from_str(&printed)?;
    let figure = |value: &serde_json::Value, name: &str| {
        value.as_f64().with_context(|| format!("{name} in {printed}"))
    };
    let clip_ms = figure(&figures["whole"]["p50_ms"], "whole")? * 16.0;
    let memory_bytes = figure(&figures["peak_memory_mib"], "peak_memory_mib")? * f64::from(1 << 20);
    let budget = &visit.board.budget;
    ensure!(clip_ms <= budget.clip_ms as f64, "a clip takes {clip_ms:.0} ms, more than {}", budget.clip_ms);
    ensure!(
        memory_bytes <= budget.memory_bytes as f64,
        "{memory_bytes} bytes of memory are more than {}",
        budget.memory_bytes
    );
    Ok(format!(
        "{}: {clip_ms:.0} ms for a clip, {:.0} MiB",
        figures["model"],
        memory_bytes / f64::from(1 << 20)
    ))
}

/// The real camera, until a clip of it is scored.
fn watch(visit: &Visit) -> Result<String> {
    visit.configure("board.toml", "")?;
    let process = visit.run(
        "{ WATCHPOSTD_LOG=watchpostd=debug ./watchpostd run --config board.toml > log 2>&1 < /dev/null & } && echo $!",
    )?;
    let process: u32 = process.trim().parse()?;
    let begun = Instant::now();
    while visit.run("grep -q 'scored camera=north ' log").is_err() {
        if begun.elapsed() > PATIENCE {
            let log = visit.run("tail -40 log").unwrap_or_default();
            let _ = visit.run(&format!("kill -9 {process}"));
            bail!("no clip was scored within {PATIENCE:?}:\n{log}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let peak = visit.run(&format!("grep VmHWM /proc/{process}/status"))?;
    let peak_kib: u64 = peak.split_whitespace().nth(1).context("no VmHWM")?.parse()?;
    visit.run(&format!("kill -TERM {process}"))?;
    // A log-in that fails is no answer.
    let has_ended = || visit.run(&format!("kill -0 {process} 2> /dev/null && echo runs || echo ended"));
    while has_ended()?.trim() != "ended" {
        ensure!(begun.elapsed() < PATIENCE * 2, "it does not end when it is asked to");
        std::thread::sleep(Duration::from_millis(200));
    }
    let most = visit.board.budget.memory_bytes;
    ensure!(peak_kib * 1024 <= most, "{peak_kib} KiB of memory are more than {most} bytes");
    Ok(format!("a clip of the camera was scored; {} MiB", peak_kib / 1024))
}

/// Through the same log-in, so that the board needs no other way to this machine.
fn alarm_at_the_hub(visit: &Visit) -> Result<String> {
    let hub = Hub::start(&visit.here);
    let port = visit.remote.reach_back(hub.port)?;
    visit.configure("hub.toml", &format!("[network]\nbroker = \"mqtt://127.0.0.1:{port}\"\n"))?;
    let said = visit.run("./watchpostd drill --config hub.toml --count 3 --wait-s 60 2>&1")?;
    let alarms = hub.alarms();
    ensure!(
        alarms.len() == 3 && alarms.iter().all(|alarm| alarm.board == BOARD && alarm.kind == "drill"),
        "the hub has {alarms:?}; the board says:\n{said}"
    );
    Ok(format!("3 alarms through port {port} of the board"))
}
