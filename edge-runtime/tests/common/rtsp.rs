//! A real RTSP server that stands for a camera, what it plays, and what a camera of the board shows of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use fault_tests::process::{Lines, Process};
use watchpostd::capture::{Camera, RtspCamera};
use watchpostd::clock::SystemClock;
use watchpostd::config::{CameraUrl, Credentials, RtspSource, Transport};
use watchpostd::shutdown::Stop;

use super::{tiny, watchpostd, write_config};

/// Debian's own interpreter: it finds the bindings to GStreamer.
const PYTHON: &str = "/usr/bin/python3";
pub const USER: &str = "viewer";
pub const PASSWORD: &str = "hunter2-of-the-camera";
pub const RATE_HZ: usize = 10;

/// GStreamer's server on a port of loopback; killed when this value ends.
pub struct Server {
    process: Process,
    pub port: u16,
}

impl Server {
    /// Plays files under paths such as `/street`.
    pub fn start(port: u16, is_locked: bool, streams: &[(&str, &Path)]) -> Self {
        let mut command = Command::new(PYTHON);
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/rtsp_server.py"))
            .arg(port.to_string());
        if is_locked {
            command.args(["--user", USER, "--password", PASSWORD]);
        }
        for (path, file) in streams {
            command.arg(format!("{path}={}", file.display()));
        }
        let stderr = streams[0].1.with_extension("server.log");
        let mut process = Process::spawn("the RTSP server", &mut command, &Lines::default(), &stderr);
        process.wait_until_it_speaks(Duration::from_secs(60));
        Self { process, port }
    }

    pub fn kill(self) {
        assert!(self.process.kill(), "the server ended by itself");
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Moving test bars; `options` choose the encoder.
pub fn film(folder: &Path, name: &str, size: &str, seconds: u32, options: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let source = format!("testsrc2=size={size}:rate={RATE_HZ}:duration={seconds}");
    let run = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p", "-g", "10"])
        .args(options)
        .arg(&path)
        .status()
        .unwrap();
    assert!(run.success());
    path
}

pub const MAIN: [&str; 6] = ["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main"];
pub const BASELINE: [&str; 4] = ["-c:v", "libx264", "-profile:v", "baseline"];
pub const H265: [&str; 8] =
    ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params", "log-level=none"];

/// What ffmpeg makes of a file, picture by picture.
pub fn decoded(file: &Path, (width, height): (u32, u32)) -> Vec<Vec<u8>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout.chunks_exact((width * height * 3) as usize).map(<[u8]>::to_vec).collect()
}

pub fn source(port: u16, path: &str) -> RtspSource {
    RtspSource {
        url: CameraUrl::parse(&format!("rtsp://127.0.0.1:{port}{path}")).unwrap(),
        credentials: None,
        transport: Transport::Tcp,
        frame_rate_hz: 240.0,
    }
}

pub fn with_password(source: RtspSource, password: &str) -> RtspSource {
    let credentials = Credentials { username: USER.to_owned(), password: password.to_owned() };
    RtspSource { credentials: Some(credentials), ..source }
}

/// A camera's part of a configuration; `more` are further keys of its source.
pub fn section(id: &str, port: u16, path: &str, more: &str) -> String {
    format!(
        "[[camera]]\nid = \"{id}\"\nsource = {{ kind = \"rtsp\", url = \"rtsp://127.0.0.1:{port}{path}\"{more} }}\n"
    )
}

/// Further keys of a source: the password is in a file beside the configuration.
pub fn user_and(password_file: &str) -> String {
    format!(", username = \"{USER}\", password_file = \"{password_file}\"")
}

/// A configuration with these cameras, and its model.
pub fn write_board(folder: &Path, cameras: &str) -> PathBuf {
    tiny::bundle(&folder.join("bundle"));
    let board = "[board]\nid = \"b\"\nsite = \"s\"\n[model]\nbundle = \"bundle\"\n";
    write_config(folder, &(board.to_owned() + cameras))
}

/// What `check` says of these cameras, with all that can be logged.
pub fn check(folder: &Path, cameras: &str) -> Output {
    let mut check = watchpostd();
    check.args(["check", "--config"]).arg(write_board(folder, cameras));
    check.env("WATCHPOSTD_LOG", "trace,retina=trace").output().unwrap()
}

pub fn open(source: &RtspSource) -> RtspCamera {
    RtspCamera::open(source, std::sync::Arc::new(SystemClock::new()), Stop::default()).unwrap()
}

/// Of all bytes, 0 to 255.
pub fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

/// Takes pictures and finds each in the footage, none before the one before.
pub fn places(camera: &mut RtspCamera, truth: &[Vec<u8>], count: usize) -> Vec<usize> {
    let mut places = Vec::new();
    let mut from = 0;
    for _ in 0..count {
        camera.next().unwrap().expect("a picture");
        let frame = camera.frame().unwrap();
        let near = from..(from + 15).min(truth.len());
        let off: Vec<f64> = near.map(|at| mean_difference(frame.data(), &truth[at])).collect();
        let best = (0..off.len()).min_by(|&a, &b| off[a].total_cmp(&off[b])).unwrap();
        assert!(off[best] < 3.0, "after picture {from}: {} of 255 off", off[best]);
        places.push(from + best);
        from += best;
    }
    places
}

/// Its error, after what may still be in the queue.
pub fn error_of(camera: &mut RtspCamera) -> String {
    loop {
        match camera.next() {
            Ok(picture) => assert!(picture.is_some()),
            Err(e) => return e.to_string(),
        }
    }
}
