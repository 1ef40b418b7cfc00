//! A video file, decoded by `ffmpeg`.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command};

use crate::info::check_size;
use crate::probe::probe;
use crate::program::{Running, ffmpeg, file_url, input_limits};
use crate::{FrameBuf, VideoError, VideoInfo, mp4, ppm};

/// Every frame once, none doubled or dropped, converted to RGB in the same way on every machine.
const CONVERSION: &[&str] = &[
    "-map",
    "0:V:0",
    "-fps_mode",
    "passthrough",
    "-filter_threads",
    "1",
    "-sws_flags",
    "bicubic+accurate_rnd+full_chroma_int+bitexact",
    "-f",
    "image2pipe",
    "-c:v",
    "ppm",
    "-pix_fmt",
    "rgb24",
];
/// Any error ends the decoding. One thread, so that a damaged file always fails at the same frame.
const STRICTNESS: &[&str] = &["-xerror", "-err_detect", "explode", "-threads", "1", "-flags:v", "+bitexact"];

#[derive(Debug)]
enum State {
    /// A header was read, its pixels were not.
    AtPixels,
    Between,
    Ended,
    Failed,
}

/// Frames of one video file.
#[derive(Debug)]
pub(crate) struct Decoder {
    path: PathBuf,
    info: VideoInfo,
    // Declared before `running`: the pipe closes before the child is waited for.
    stdout: BufReader<ChildStdout>,
    running: Running,
    frames: u64,
    state: State,
}

impl Decoder {
    /// Opens the file and reads up to the first frame's header, so the size is the one that will be delivered.
    pub(crate) fn open(path: &Path) -> Result<Self, VideoError> {
        let probe = probe(path)?;
        let mut command = ffmpeg();
        command.args(input_limits()).args(STRICTNESS);
        command.input(file_url(path)).args(CONVERSION).output("pipe:1");
        let mut running = Running::start("ffmpeg", Command::from(command), false)?;
        let Some(stdout) = running.take_stdout() else {
            return Err(VideoError::NoFrames { path: path.to_owned() });
        };
        let info = VideoInfo {
            width_px: 0,
            height_px: 0,
            frame_rate_hz: probe.frame_rate_hz,
            frames_hint: probe.frames_claimed,
        };
        let stdout = BufReader::with_capacity(64 * 1024, stdout);
        let mut decoder =
            Self { path: path.to_owned(), info, stdout, running, frames: 0, state: State::Between };
        let Some((width_px, height_px)) = decoder.read_header()? else {
            decoder.conclude()?;
            return Err(VideoError::NoFrames { path: decoder.path });
        };
        check_size(path, width_px, height_px)?;
        decoder.info.width_px = width_px;
        decoder.info.height_px = height_px;
        decoder.state = State::AtPixels;
        Ok(decoder)
    }

    pub(crate) fn info(&self) -> &VideoInfo {
        &self.info
    }

    pub(crate) fn next_frame(&mut self, buf: &mut FrameBuf) -> Result<bool, VideoError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::AtPixels => {}
            State::Between => match self.read_header()? {
                Some(size) => self.check_same_size(size)?,
                None => {
                    self.conclude()?;
                    self.state = State::Ended;
                    return Ok(false);
                }
            },
            State::Ended => {
                self.state = State::Ended;
                return Ok(false);
            }
            State::Failed => {
                return Err(self.damaged("reading was continued after an error".to_owned()));
            }
        }
        let pixels = buf.reset(self.info.width_px, self.info.height_px);
        if let Err(error) = self.stdout.read_exact(pixels) {
            return Err(self.broken_off(&error));
        }
        self.frames += 1;
        self.state = State::Between;
        Ok(true)
    }

    fn read_header(&mut self) -> Result<Option<(u32, u32)>, VideoError> {
        ppm::read_header(&mut self.stdout).map_err(|error| self.broken_off(&error))
    }

    fn check_same_size(&self, (width_px, height_px): (u32, u32)) -> Result<(), VideoError> {
        let VideoInfo { width_px: first_width_px, height_px: first_height_px, .. } = self.info;
        if (width_px, height_px) == (first_width_px, first_height_px) {
            return Ok(());
        }
        Err(VideoError::SizeChanged {
            path: self.path.clone(),
            frame: self.frames,
            width_px,
            height_px,
            first_width_px,
            first_height_px,
        })
    }

    /// The output ended between two frames: was that the end of the video?
    fn conclude(&mut self) -> Result<(), VideoError> {
        let (status, log) =
            self.running.wait().map_err(|source| VideoError::io(&self.path, "wait for ffmpeg", source))?;
        if !log.is_empty() {
            return Err(self.damaged(log.reason()));
        }
        if !status.success() {
            return Err(self.damaged(format!("ffmpeg ended with {status}")));
        }
        if let Some(claimed) = self.info.frames_hint.filter(|&claimed| self.frames < claimed) {
            return Err(VideoError::Truncated { path: self.path.clone(), frames: self.frames, claimed });
        }
        match mp4::missing_bytes(&self.path) {
            Ok(None) => Ok(()),
            Ok(Some((name, missing))) => {
                Err(self
                    .damaged(format!("the file is cut off: its last box, `{name}`, lacks {missing} bytes")))
            }
            Err(source) => Err(VideoError::io(&self.path, "check the end of the file", source)),
        }
    }

    /// The output ended, or turned into something else, inside a frame.
    fn broken_off(&mut self, error: &io::Error) -> VideoError {
        if error.kind() != io::ErrorKind::UnexpectedEof {
            // The child may be waiting for a reader: nothing would end it.
            self.running.stop();
            return self.damaged(format!("ffmpeg's output cannot be used: {error}"));
        }
        match self.conclude() {
            Err(error) => error,
            Ok(()) => self.damaged("ffmpeg's output broke off inside a frame".to_owned()),
        }
    }

    fn damaged(&self, reason: String) -> VideoError {
        VideoError::Damaged { path: self.path.clone(), frames: self.frames, reason }
    }
}
