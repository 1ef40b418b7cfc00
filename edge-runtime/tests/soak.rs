//! A long run in little time: two cameras that are files, read as fast as they can be scored, again and again, with events, evidence and a
//! hub. Memory stays flat, and descriptors, threads and queues stay what they are.
//!
//! `WATCHPOST_SOAK_FRAMES` sets the number of frames (default 20000, too few to say much of memory), `WATCHPOST_RESULTS` a folder for a page
//! of results.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::broker::Broker;
use common::hub::FakeHub;
use common::{eventually, tiny, watchpostd, write_config};

const CLIP_FRAMES: u64 = 16;
/// Clips of the footage with an event, and of the event in it.
const CLIPS: usize = 60;
const EVENT_CLIPS: usize = 3;
const SAMPLES: u64 = 40;
/// Of the whole evidence: so little that old events make room for new ones all the time.
const EVIDENCE_BYTES: u64 = 16 << 20;
/// More than noise: a picture that were kept of every event of a million frames would be a hundred times that.
const MOST_GROWTH_KIB: u64 = 24 << 10;

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the kernel says of the program at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    frames: u64,
    rss_kib: u64,
    descriptors: u64,
    threads: u64,
}

impl Sample {
    fn take(pid: u32, frames: u64) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64;
        Self { frames, rss_kib: number("VmRSS:"), descriptors, threads: number("Threads:") }
    }
}

/// Least squares: KiB for a million frames.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let mean = |of: fn(&Sample) -> u64| samples.iter().map(|s| of(s) as f64).sum::<f64>() / count;
    let (x, y) = (mean(|s| s.frames), mean(|s| s.rss_kib));
    let off = |s: &Sample| (s.frames as f64 - x, s.rss_kib as f64 - y);
    let (both, square) =
        samples.iter().map(off).fold((0.0, 0.0), |sum, (dx, dy)| (sum.0 + dx * dy, sum.1 + dx * dx));
    both / square * 1e6
}

fn written_bytes(pid: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap().parse().unwrap()
}

fn start(folder: &Path, port: u16) -> (Daemon, Arc<AtomicU64>) {
    tiny::bundle(&folder.join("bundle"));
    tiny::event_video(&folder.join("event.mp4"), CLIPS, CLIPS / 3, EVENT_CLIPS);
    tiny::event_video(&folder.join("normal.mp4"), CLIPS, 0, 0);
    let camera = |id: &str| {
        format!(
            "[[camera]]\nid = \"{id}\"\ntolerate = [\"frozen\"]\nsource = {{ kind = \"file\", path = \"{id}.mp4\", pace = \"fast\", loop = true }}\n"
        )
    };
    let text = format!(
        "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"bundle\"\n\
         [network]\nbroker = \"mqtt://127.0.0.1:{port}\"\n[evidence]\nmax_bytes = {EVIDENCE_BYTES}\nmin_free_bytes = 0\n{}{}",
        camera("event"),
        camera("normal")
    );
    write_config(folder, &text);
    let mut command = watchpostd();
    command.args(["run", "--config", "board.toml"]).current_dir(folder);
    command.env("WATCHPOSTD_LOG", "error,watchpostd::pipeline=debug").stderr(Stdio::piped());
    let mut daemon = Daemon(command.spawn().unwrap());
    let stderr = BufReader::new(daemon.0.stderr.take().unwrap());
    let frames = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&frames);
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            if line.contains(" scored ") {
                counter.fetch_add(CLIP_FRAMES, Ordering::SeqCst);
            }
        }
    });
    (daemon, frames)
}

#[test]
fn a_long_run_takes_no_more_of_anything_than_a_short_one() {
    let Some(broker) = Broker::start() else { return };
    let wanted = std::env::var("WATCHPOST_SOAK_FRAMES").map_or(20_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(broker.port);
    let (mut daemon, frames) = start(folder.path(), broker.port);
    let pid = daemon.0.id();
    let mut samples = Vec::new();
    for step in 1..=SAMPLES {
        let until = wanted * step / SAMPLES;
        while frames.load(Ordering::SeqCst) < until {
            assert!(daemon.0.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        samples.push(Sample::take(pid, frames.load(Ordering::SeqCst)));
    }
    let (written, events) = (written_bytes(pid), hub.seen.unique() as u64 / 2);
    let kept = kept_bytes(&folder.path().join("evidence"));
    let deepest = hub.seen.heartbeats.lock().unwrap().iter().map(|beat| beat.outbox_depth).max().unwrap_or(0);
    Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap();
    assert!(daemon.0.wait().unwrap().success());
    eventually("every record has arrived", || hub.seen.unique() as u64 >= 2 * events);

    // The first quarter fills what is filled once: the ring of video, caches, the evidence up to its bound.
    let steady = &samples[samples.len() / 4..];
    let extent =
        |of: fn(&Sample) -> u64| (steady.iter().map(of).min().unwrap(), steady.iter().map(of).max().unwrap());
    let (rss, descriptors, threads) =
        (extent(|s| s.rss_kib), extent(|s| s.descriptors), extent(|s| s.threads));
    let page = page(wanted, slope(steady), [rss, descriptors, threads], deepest, (written, events), kept);
    println!("{page}");
    if let Some(results) = std::env::var_os("WATCHPOST_RESULTS") {
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(results);
        std::fs::write(results.join("soak.md"), page).unwrap();
    }
    assert!(events > 1 && kept > 0 && kept <= EVIDENCE_BYTES, "{events} events, {kept} bytes kept");
    // A file is opened again and again: a decoder's pipe and thread come and go.
    assert!(
        descriptors.1 - descriptors.0 <= 12 && threads.1 - threads.0 <= 6,
        "{descriptors:?}, {threads:?}"
    );
    assert!(rss.1 - rss.0 <= MOST_GROWTH_KIB, "{rss:?}");
}

fn kept_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => kept_bytes(&entry.path()),
        // One that was just removed.
        meta => meta.map_or(0, |meta| meta.len()),
    };
    entries.map(size).sum()
}

fn page(
    frames: u64,
    slope_kib: f64,
    [rss, descriptors, threads]: [(u64, u64); 3],
    deepest: u32,
    (written, events): (u64, u64),
    kept: u64,
) -> String {
    let git = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output().unwrap();
    let commit = String::from_utf8_lossy(&git.stdout).trim().to_owned();
    let mut page = String::from(
        "# A long run in little time\n\nTwo cameras that are files of 960 frames, one of them with an event, are watched again and again as fast as they can be\n\
         scored, with evidence bounded to 16 MiB and a hub that acknowledges. Pictures are of 32 x 32 pixels and the model is arithmetic, so that the\n\
         time goes into everything else. Taken over the last three quarters of the run.\n\n| what | from | to |\n|---|---|---|\n",
    );
    for (what, (from, to)) in
        [("memory, KiB resident", rss), ("descriptors", descriptors), ("threads", threads)]
    {
        writeln!(page, "| {what} | {from} | {to} |").unwrap();
    }
    write!(
        page,
        "\n- Frames: {frames}, at ten a second {:.1} days of one camera\n\
         - Memory: {slope_kib:+.0} KiB per million frames (least squares)\n\
         - Most records that waited for the hub, in any heartbeat: {deepest}\n\
         - Events: {events}; evidence on the disk at the end: {kept} bytes\n\
         - Written to the disk, outbox and evidence: {written} bytes, {} for each event\n\n\
         ## How it was made\n\n\
         - Command: `WATCHPOST_SOAK_FRAMES={frames} WATCHPOST_RESULTS=docs/results cargo test -p watchpostd --test soak`\n\
         - Commit: `{commit}`\n",
        frames as f64 / 10.0 / 86_400.0,
        written / events.max(1)
    )
    .unwrap();
    page
}
