//! The field half of the demo: a hub and a board with two cameras, as separate programs.

use super::verdict::{Pair, StoredAlarm};
use anyhow::{Context, Result, bail, ensure};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Camera that plays the video in which something happens.
pub const ABNORMAL_CAMERA: &str = "cam-abnormal";
const NORMAL_CAMERA: &str = "cam-normal";
/// Far more than two short videos can raise.
const MOST_ALARMS: u32 = 1000;
const HUB_START_LIMIT: Duration = Duration::from_secs(20);

/// Starts the hub, lets the board play both videos, and returns the alarms that the hub stored.
pub fn play(work: &Path, bundle: &Path, pair: &Pair) -> Result<Vec<StoredAlarm>> {
    let board = beside_this_program("watchpostd")?;
    let store = work.join("hub.sqlite");
    remove_database(&store)?;
    remove_database(&work.join("outbox.db"))?;
    let port = free_port()?;
    let config = work.join("board.toml");
    std::fs::write(&config, board_config(bundle, pair, port)?)
        .with_context(|| format!("cannot write {}", config.display()))?;

    println!("\n$ watchpost hub --listen 127.0.0.1:{port} --store {}", store.display());
    let hub = Command::new(std::env::current_exe()?)
        .args(["hub", "--listen", &format!("127.0.0.1:{port}"), "--store"])
        .arg(&store)
        .spawn()
        .context("cannot start the hub")?;
    let mut hub = Stopped(hub);
    wait_until_listening(port, &mut hub.0)?;
    println!("$ watchpostd run --config {}", config.display());
    let status = Command::new(&board)
        .args(["run", "--config"])
        .arg(&config)
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", board.display()))?;
    ensure!(status.success(), "the board stopped with {status}");
    drop(hub);
    stored(&store)
}

/// A child that does not outlive its owner.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        // Either may fail only because the hub has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn board_config(bundle: &Path, pair: &Pair, port: u16) -> Result<String> {
    let mut text = format!(
        "[board]\nid = \"demo-board\"\nsite = \"demo\"\n\n[model]\nbundle = {}\n\n[network]\nbroker = \"mqtt://127.0.0.1:{port}\"\n",
        quoted(bundle)?
    );
    for (camera, clip) in [(ABNORMAL_CAMERA, &pair.abnormal), (NORMAL_CAMERA, &pair.normal)] {
        text += &format!(
            "\n[[camera]]\nid = \"{camera}\"\nsource = {{ kind = \"file\", path = {}, pace = \"fast\" }}\n",
            quoted(&clip.path)?
        );
    }
    Ok(text)
}

/// A path as a TOML string, absolute so that it does not depend on where the file lies.
fn quoted(path: &Path) -> Result<String> {
    let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
    let text = path.to_str().with_context(|| format!("{} is not valid UTF-8", path.display()))?;
    Ok(toml::Value::String(text.to_owned()).to_string())
}

fn stored(store: &Path) -> Result<Vec<StoredAlarm>> {
    let reader = hub::store::StoreReader::open(store)?;
    let query = hub::store::AlarmQuery {
        kind: Some("raised".into()),
        limit: MOST_ALARMS,
        ..hub::store::AlarmQuery::default()
    };
    let alarms = reader.alarms(&query)?;
    Ok(alarms
        .into_iter()
        .map(|alarm| StoredAlarm {
            camera: alarm.camera,
            onset_ms: alarm.onset_media_ms.unsigned_abs(),
            raised_ms: alarm.media_ms.unsigned_abs(),
            score: alarm.score,
        })
        .collect())
}

fn beside_this_program(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.is_file() {
        bail!("{} is missing\n  remedy: cargo build -p watchpostd, or `cargo xtask demo`", path.display());
    }
    Ok(path)
}

/// A demo starts from an empty store, so that it shows its own alarms only.
fn remove_database(path: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", Path::new(&name).display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn wait_until_listening(port: u16, hub: &mut Child) -> Result<()> {
    let deadline = Instant::now() + HUB_START_LIMIT;
    while Instant::now() < deadline {
        if let Some(status) = hub.try_wait()? {
            bail!("the hub ended with {status}");
        }
        if std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the hub does not listen on port {port} after {} s", HUB_START_LIMIT.as_secs())
}
