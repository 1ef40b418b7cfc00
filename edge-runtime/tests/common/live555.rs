//! The RTSP server of live555 in the part of the camera, as Debian ships it. `cargo xtask test` fetches it; nothing here does.
//!
//! It plays the files of a folder, each from its beginning for whoever asks, `.264` at its own pace until an RTCP BYE and `.mkv` until it
//! falls silent. It asks nobody for a password: none of Debian's programs of live555 can be told to. So `live555/server.cpp` does, a
//! small program over the same package's library, which is compiled where the packages are fetched and has a port of its own.
//!
//! Debian's program cannot be told where to listen: at every address of this machine, port 554 where it may and 8554 otherwise, over IPv4, IPv6 or both.
//! What a killed server's connection still holds, for a minute, the next one does not take. So tests take turns, each start
//! may be somewhere else, and cameras reach it through a proxy, whose address stays.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fault_tests::process::{Lines, Process};

use super::eventually;
use super::rtsp::USER;

/// Longer than the kernel keeps what a connection held.
const PATIENCE: Duration = Duration::from_secs(90);

/// The right to start servers; given back when this value ends.
pub struct Turn {
    _lock: File,
}

impl Turn {
    /// Waits until no other test of this working tree has it.
    pub fn take() -> Self {
        let lock = File::create(unpacked().join("turn")).unwrap();
        lock.lock().unwrap();
        Self { _lock: lock }
    }
}

/// A running server; killed when this value ends.
pub struct Live555 {
    process: Process,
    /// Where it listens on loopback.
    pub address: SocketAddr,
}

impl Live555 {
    /// Plays the files of a folder.
    pub fn start(_: &Turn, folder: &Path) -> Self {
        let begun = Instant::now();
        loop {
            let said = match try_start(folder) {
                Ok(server) => return server,
                Err(said) => said,
            };
            assert!(begun.elapsed() < PATIENCE, "live555MediaServer has no port: {said}");
            // The kernel tells nobody when it gives a port back.
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Plays one file to [`USER`] with this password, over the library. It is nobody's turn: its port is its own.
    pub fn start_locked(file: &Path, password: &str) -> Self {
        let (folder, name) = (file.parent().unwrap(), file.file_name().unwrap());
        let lines = Lines::default();
        let mut command = unpacked_loader();
        command.arg(unpacked().join("server")).args([USER, password]).arg(name).current_dir(folder);
        let stderr = folder.join("locked.log");
        let mut process = Process::spawn("the server with a password", &mut command, &lines, &stderr);
        process.wait_until_it_speaks(Duration::from_secs(60));
        let port = port(&lines.lock().unwrap().join("\n"));
        Self { process, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) }
    }

    pub fn kill(self) {
        assert!(self.process.kill(), "the server ended by itself");
    }
}

/// A server that listens, or what one said that could not.
fn try_start(folder: &Path) -> Result<Live555, String> {
    let lines = Lines::default();
    let mut command = unpacked_loader();
    command.arg(unpacked().join("root/usr/bin/live555MediaServer")).current_dir(folder);
    let stderr = folder.join("live555.log");
    let mut process = Process::spawn("live555MediaServer", &mut command, &lines, &stderr);
    let said = || lines.lock().unwrap().join("\n");
    eventually("live555 says where it listens", || said().contains("/<filename>") || process.has_ended());
    if process.has_ended() {
        // With its last words.
        drop(process);
        return Err(said());
    }
    let port = port(&said());
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let addresses = loopback.map(|host| SocketAddr::new(host, port));
    let address = addresses.into_iter().find(|address| TcpStream::connect(address).is_ok());
    Ok(Live555 { process, address: address.expect("it listens on loopback") })
}

/// Of `rtsp://HOST[:PORT]/<filename>`; an IPv6 host has brackets.
fn port(said: &str) -> u16 {
    let url = said.lines().find_map(|line| line.trim().strip_prefix("rtsp://")?.strip_suffix("/<filename>"));
    let (_, port) = url.unwrap().rsplit_once(':').unwrap_or_default();
    port.parse().unwrap_or(554)
}

/// The loader and libc that came with the server, which programs are arguments to. What goes to stderr is read too: Debian's
/// program says everything there.
fn unpacked_loader() -> Command {
    let libraries = only(&unpacked().join("root/usr/lib"), |name| name.ends_with("-linux-gnu"));
    let loader = only(&libraries, |name| name.starts_with("ld-linux-"));
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" 2>&1", "sh"]).arg(loader).arg("--library-path").arg(libraries);
    command
}

/// The folder that `cargo xtask test` fills.
fn unpacked() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("live555");
    for needed in ["complete", "server"].map(|name| folder.join(name)) {
        assert!(needed.is_file(), "{} is not there: `cargo xtask test` makes it", needed.display());
    }
    folder
}

/// What has such a name in a folder.
fn only(folder: &Path, is_it: impl Fn(&str) -> bool) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found =
        entries.into_iter().find(|path| path.file_name().is_some_and(|name| is_it(&name.to_string_lossy())));
    found.unwrap_or_else(|| panic!("{} is not what Debian packs", folder.display()))
}
