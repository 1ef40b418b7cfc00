//! Small videos made for the tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test program uses its own part, and fails by panicking"
)]

use std::path::Path;
use std::process::Command;

use vad_core::RgbFrame;
use vad_video::{FrameBuf, FrameSource, VideoError, VideoWriter};

pub const WIDTH_PX: u32 = 64;
pub const HEIGHT_PX: u32 = 48;

/// A smooth moving picture, so that compression hardly changes it; `index` can be read off the brightness.
pub fn picture(index: u32) -> Vec<u8> {
    let mut pixels = Vec::with_capacity((WIDTH_PX * HEIGHT_PX * 3) as usize);
    for y in 0..HEIGHT_PX {
        for x in 0..WIDTH_PX {
            pixels.extend(
                [40 + 2 * index + x, 60 + index + y, 120 + (x + y) / 2].map(|value| value.min(255) as u8),
            );
        }
    }
    pixels
}

pub fn write_video(path: &Path, frames: u32, frame_rate_hz: f64) -> Result<(), VideoError> {
    let mut writer = VideoWriter::create(path, WIDTH_PX, HEIGHT_PX, frame_rate_hz)?;
    for index in 0..frames {
        writer.push(RgbFrame::new(WIDTH_PX, HEIGHT_PX, &picture(index)).unwrap())?;
    }
    writer.finish()
}

/// Runs `ffmpeg` for what the writer cannot make.
pub fn ffmpeg(arguments: &[&str]) {
    let status =
        Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(arguments).status().unwrap();
    assert!(status.success(), "ffmpeg {arguments:?}");
}

/// Counts frames up to the end or the first error.
pub fn count_frames(path: &Path) -> (u64, Result<(), VideoError>) {
    let mut frames = 0;
    let mut buf = FrameBuf::new();
    let mut source = match FrameSource::open(path) {
        Ok(source) => source,
        Err(error) => return (0, Err(error)),
    };
    loop {
        match source.next_frame(&mut buf) {
            Ok(true) => frames += 1,
            Ok(false) => return (frames, Ok(())),
            Err(error) => return (frames, Err(error)),
        }
    }
}

pub fn error_of(path: &Path) -> VideoError {
    match count_frames(path) {
        (_, Err(error)) => error,
        (frames, Ok(())) => panic!("{} was read as {frames} good frames", path.display()),
    }
}
