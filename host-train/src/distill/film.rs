//! Frames as the student sees them, on disk, so that a window of them can be read at any place.
//!
//! One file per video, `[frames, H, W, 3]` bytes and nothing else, named after what it is made of. A pass over footage
//! would otherwise decode every video from its beginning for each window.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use vad_core::{PreprocessSpec, Preprocessor};
use vad_data::VideoEntry;
use vad_video::{FrameBuf, FrameSource};

use super::error::DistillError;
use crate::checkpoint::hex;

/// The frames of one video.
#[derive(Clone, Debug)]
pub struct Reel {
    path: PathBuf,
    frame_len: usize,
    frames: u64,
}

impl Reel {
    /// Finds the frames of a video in `folder`, or decodes it and writes them; a file that is there is whole.
    ///
    /// `video_sha256` is the fingerprint of the video's file.
    ///
    /// # Errors
    /// When the video cannot be decoded, or the file cannot be written: there is none then.
    pub fn develop(
        folder: &Path,
        entry: &VideoEntry,
        video_sha256: [u8; 32],
        preprocess: &PreprocessSpec,
    ) -> Result<Self, DistillError> {
        let path = folder.join(format!("{}.frames", name(video_sha256, preprocess)));
        if !path.is_file() {
            write(&path, entry, preprocess)?;
        }
        Self::open(path, preprocess)
    }

    /// Takes a file of frames as they are after resizing.
    ///
    /// # Errors
    /// When there is no such file.
    pub(crate) fn open(path: PathBuf, preprocess: &PreprocessSpec) -> Result<Self, DistillError> {
        let frame_len = preprocess.resized_len();
        let length = fs::metadata(&path).map_err(|source| film(&path, source))?.len();
        Ok(Self { frames: length / frame_len as u64, path, frame_len })
    }

    /// Number of frames.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Reads `count` frames from `first` on.
    ///
    /// # Errors
    /// When the file cannot be read or has not so many.
    pub fn read(&self, first: u64, count: usize) -> Result<Vec<u8>, DistillError> {
        let mut frames = vec![0; count * self.frame_len];
        let mut read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(first * self.frame_len as u64))?;
            file.read_exact(&mut frames)
        };
        read().map_err(|source| film(&self.path, source))?;
        Ok(frames)
    }
}

fn film(path: &Path, source: std::io::Error) -> DistillError {
    DistillError::Film { path: path.to_owned(), source }
}

fn name(video_sha256: [u8; 32], preprocess: &PreprocessSpec) -> String {
    let mut hash = Sha256::new();
    hash.update(b"watchpost frames 1\0");
    hash.update(video_sha256);
    // Values are scaled later: only the size and what happens to the aspect ratio matter.
    hash.update(preprocess.width_px.to_le_bytes());
    hash.update(preprocess.height_px.to_le_bytes());
    hash.update(format!("{:?}", preprocess.fit));
    hex(&hash.finalize()[..16])
}

/// Under another name first, which is the file's own only once it is whole.
fn write(path: &Path, entry: &VideoEntry, preprocess: &PreprocessSpec) -> Result<(), DistillError> {
    let part = path.with_extension("part");
    let failed = |source| film(&part, source);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let written = decode_into(&part, entry, preprocess)
        .and_then(|()| fs::rename(&part, path).map_err(|source| film(path, source)));
    if written.is_err() {
        // The part is worthless; the error to report is the first one.
        let _ = fs::remove_file(&part);
    }
    written
}

fn decode_into(part: &Path, entry: &VideoEntry, preprocess: &PreprocessSpec) -> Result<(), DistillError> {
    let failed = |source| film(part, source);
    let unreadable = |source| DistillError::Video { id: entry.id.clone(), source };
    let mut file = BufWriter::new(File::create(part).map_err(failed)?);
    let mut preprocessor = Preprocessor::new(preprocess.clone())?;
    let mut source = FrameSource::open(&entry.path).map_err(unreadable)?;
    let (mut buf, mut resized) = (FrameBuf::new(), vec![0; preprocess.resized_len()]);
    while source.next_frame(&mut buf).map_err(unreadable)? {
        preprocessor
            .resize_into(buf.as_frame(), &mut resized)
            .map_err(|source| DistillError::Frame { id: entry.id.clone(), source })?;
        file.write_all(&resized).map_err(failed)?;
    }
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)
}
