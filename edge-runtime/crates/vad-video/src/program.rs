//! Starting the programs of the ffmpeg suite, and ending them: killed and reaped when dropped.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use ffmpeg_sidecar::command::FfmpegCommand;
use ffmpeg_sidecar::ffprobe::ffprobe_path;

use crate::log::Log;
use crate::{MAX_SIDE_PX, VideoError};

/// Containers that are opened. Playlists, scripts, text art and devices are left out on purpose: they can name other
/// files or hosts.
const CONTAINERS: &str =
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,h264,hevc,ivf,mjpeg,gif,nut,mxf,dv,rm,yuv4mpegpipe";

/// Ready to take arguments for `ffmpeg`; nothing is asked of a terminal, and only errors are logged.
pub(crate) fn ffmpeg() -> FfmpegCommand {
    let mut command = FfmpegCommand::new();
    command.args(["-nostdin", "-hide_banner", "-loglevel", "level+error"]);
    command
}

/// Ready to take arguments for `ffprobe`.
pub(crate) fn ffprobe() -> Command {
    let mut command = Command::new(ffprobe_path());
    command.args(["-hide_banner", "-loglevel", "level+error"]);
    command
}

/// What may be opened and how large its frames may be; stands before `-i` of either program.
pub(crate) fn input_limits() -> [String; 6] {
    let max_pixels = u64::from(MAX_SIDE_PX) * u64::from(MAX_SIDE_PX);
    ["-protocol_whitelist", "file", "-format_whitelist", CONTAINERS, "-max_pixels", &max_pixels.to_string()]
        .map(str::to_owned)
}

/// The path as ffmpeg must be given it: a leading `-` or a `:` would otherwise read as an option or a protocol.
pub(crate) fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

/// Version of the installed `ffmpeg`, for example `5.1.9-0+deb12u1`.
///
/// # Errors
/// [`VideoError::ProgramMissing`] with the remedy when `ffmpeg` or `ffprobe` is not installed.
pub fn ffmpeg_version() -> Result<String, VideoError> {
    for (program, mut command) in [("ffprobe", ffprobe()), ("ffmpeg", Command::from(FfmpegCommand::new()))] {
        command.arg("-version").stdin(Stdio::null());
        let output = command.output().map_err(|source| spawn_error(program, source))?;
        if program == "ffmpeg" {
            let text = String::from_utf8_lossy(&output.stdout);
            return Ok(text.split_whitespace().nth(2).unwrap_or("unknown").to_owned());
        }
    }
    Ok("unknown".to_owned())
}

fn spawn_error(program: &'static str, source: io::Error) -> VideoError {
    if source.kind() == io::ErrorKind::NotFound {
        return VideoError::ProgramMissing { program };
    }
    VideoError::io(Path::new(program), "start the program", source)
}

/// A running child. Its standard error is drained by a thread; dropping it kills and reaps it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    log: Option<JoinHandle<Log>>,
}

impl Running {
    /// Starts the program. With `fed`, its standard input is a pipe, else it is empty.
    pub(crate) fn start(program: &'static str, mut command: Command, fed: bool) -> Result<Self, VideoError> {
        command.stdin(if fed { Stdio::piped() } else { Stdio::null() });
        command.stdout(if fed { Stdio::null() } else { Stdio::piped() });
        command.stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| spawn_error(program, source))?;
        let log = child.stderr.take().map(|stderr| std::thread::spawn(move || Log::drain(stderr)));
        Ok(Self { child, log })
    }

    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits for the end. The caller has read the output to its end or dropped its side of the pipes.
    pub(crate) fn wait(&mut self) -> io::Result<(ExitStatus, Log)> {
        let status = self.child.wait()?;
        let log = self.log.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        Ok((status, log))
    }

    /// Kills and reaps the child; harmless if it has ended.
    pub(crate) fn stop(&mut self) {
        // Both fail only for a child that is already gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
