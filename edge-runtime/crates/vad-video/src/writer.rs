//! Video files from frames, through `ffmpeg` and libx264.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::sync::atomic::{AtomicU64, Ordering};

use vad_core::RgbFrame;

use crate::VideoError;
use crate::info::check_size;
use crate::program::{Running, ffmpeg, file_url};

/// Near-lossless, readable by everything, and the same bytes for the same frames and the same ffmpeg.
const ENCODING: &[&str] = &[
    "-map",
    "0:v:0",
    "-c:v",
    "libx264",
    "-preset",
    "medium",
    "-crf",
    "18",
    "-pix_fmt",
    "yuv420p",
    "-threads",
    "1",
    "-filter_threads",
    "1",
    "-sws_flags",
    "bicubic+accurate_rnd+full_chroma_int+bitexact",
    "-flags",
    "+bitexact",
    "-fflags",
    "+bitexact",
    "-movflags",
    "+faststart",
    "-f",
    "mp4",
    "-y",
];

/// Writes frames to one mp4 file (H.264, yuv420p, crf 18). The file appears under its name only when
/// [`VideoWriter::finish`] succeeds; dropping the writer before leaves nothing behind.
#[derive(Debug)]
pub struct VideoWriter {
    path: PathBuf,
    partial: PathBuf,
    width_px: u32,
    height_px: u32,
    frames: u64,
    // Declared before `running`: the pipe closes before the child is waited for.
    stdin: Option<ChildStdin>,
    running: Running,
}

impl VideoWriter {
    /// Starts writing `path` (its folder must exist; an existing file is replaced at the end).
    ///
    /// # Errors
    /// Sides that are odd, 0 or over [`crate::MAX_SIDE_PX`]; a rate that is not above 0 and at most 1000; a name
    /// that does not end in `.mp4`; `ffmpeg` not installed.
    pub fn create(
        path: &Path,
        width_px: u32,
        height_px: u32,
        frame_rate_hz: f64,
    ) -> Result<Self, VideoError> {
        check_request(path, width_px, height_px, frame_rate_hz)?;
        let partial = partial_name(path);
        let mut command = ffmpeg();
        command.args([
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-video_size",
            &format!("{width_px}x{height_px}"),
        ]);
        command.args(["-framerate", &frame_rate_hz.to_string(), "-i", "pipe:0"]);
        command.args(ENCODING).output(file_url(&partial));
        let mut running = Running::start("ffmpeg", Command::from(command), true)?;
        let stdin = running.take_stdin();
        Ok(Self { path: path.to_owned(), partial, width_px, height_px, frames: 0, stdin, running })
    }

    /// Appends one frame.
    ///
    /// # Errors
    /// A frame of another size, or `ffmpeg` gave up (for example, the disk is full).
    pub fn push(&mut self, frame: RgbFrame<'_>) -> Result<(), VideoError> {
        if (frame.width_px(), frame.height_px()) != (self.width_px, self.height_px) {
            let given = format!("{}x{}", frame.width_px(), frame.height_px());
            return Err(self.failed(format!(
                "frame {} is {given} px in a video of {}x{} px",
                self.frames, self.width_px, self.height_px
            )));
        }
        let written = match &mut self.stdin {
            Some(stdin) => stdin.write_all(frame.data()),
            None => return Err(self.failed("writing was continued after an error".to_owned())),
        };
        if let Err(error) = written {
            return Err(match self.conclude() {
                Err(reason) => reason,
                Ok(()) => {
                    self.failed(format!("ffmpeg took no more frames after frame {}: {error}", self.frames))
                }
            });
        }
        self.frames += 1;
        Ok(())
    }

    /// Ends the video, makes it durable and gives it its name.
    ///
    /// # Errors
    /// No frame was pushed, `ffmpeg` failed, or the file could not be synced or renamed.
    pub fn finish(mut self) -> Result<(), VideoError> {
        if self.frames == 0 {
            return Err(self.failed("no frame was given".to_owned()));
        }
        self.conclude()?;
        std::fs::File::open(&self.partial)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::rename(&self.partial, &self.path))
            .map_err(|source| VideoError::io(&self.path, "put the finished video in place", source))
    }

    fn conclude(&mut self) -> Result<(), VideoError> {
        self.stdin = None;
        let (status, log) =
            self.running.wait().map_err(|source| VideoError::io(&self.path, "wait for ffmpeg", source))?;
        if status.success() {
            return Ok(());
        }
        Err(self.failed(format!("ffmpeg ended with {status}: {}", log.reason())))
    }

    fn failed(&self, reason: String) -> VideoError {
        VideoError::Write { path: self.path.clone(), reason }
    }
}

impl Drop for VideoWriter {
    fn drop(&mut self) {
        self.stdin = None;
        self.running.stop();
        // Gone already after a successful finish.
        let _ = std::fs::remove_file(&self.partial);
    }
}

fn check_request(path: &Path, width_px: u32, height_px: u32, frame_rate_hz: f64) -> Result<(), VideoError> {
    check_size(path, width_px, height_px)?;
    let refuse = |reason: String| Err(VideoError::Write { path: path.to_owned(), reason });
    if width_px % 2 == 1 || height_px % 2 == 1 {
        return refuse(format!(
            "{width_px}x{height_px} px has an odd side; H.264 needs even sides: crop or pad by one pixel"
        ));
    }
    if !(frame_rate_hz > 0.0 && frame_rate_hz <= 1000.0) {
        return refuse(format!(
            "the frame rate must be above 0 and at most 1000 per second, not {frame_rate_hz}"
        ));
    }
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mp4")) {
        return refuse("only mp4 is written: let the name end in `.mp4`".to_owned());
    }
    Ok(())
}

/// A hidden name beside the final one, unique in this process.
fn partial_name(path: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}-{}.partial", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}
