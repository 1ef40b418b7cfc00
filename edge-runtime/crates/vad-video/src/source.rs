//! The one door to frames: a video file or a folder of images.

use std::path::Path;

use crate::decode::Decoder;
use crate::images::ImageFolder;
use crate::{FrameBuf, VideoError, VideoInfo};

/// Frame rate taken for a folder of images, in frames per second, unless another is given.
pub const DEFAULT_IMAGE_RATE_HZ: f64 = 10.0;

/// Frames of a video file or of a folder of images, in order. Dropping it ends the decoder at once.
#[derive(Debug)]
pub struct FrameSource(Kind);

#[derive(Debug)]
enum Kind {
    Video(Box<Decoder>),
    Images(ImageFolder),
}

impl FrameSource {
    /// Opens a video file (any common container; its first video stream, rotated as the
    /// container asks, and scaled to its first frame's size should the size change midway) or a folder
    /// of png and jpeg files, with the feature `tiff` also of tiff files (natural order of names, at [`DEFAULT_IMAGE_RATE_HZ`]; other and hidden files are
    /// passed over, but image formats that are not read here are refused).
    ///
    /// # Errors
    /// Missing or empty file, not a video, no video stream, no frames ([`VideoError::NoFrames`]), frames too large,
    /// unknown frame rate, or `ffmpeg` not installed.
    pub fn open(path: &Path) -> Result<Self, VideoError> {
        Self::open_with_image_rate(path, DEFAULT_IMAGE_RATE_HZ)
    }

    /// As [`FrameSource::open`], with the frame rate of an image folder given, in frames per second. A video file's
    /// own rate is not touched.
    ///
    /// # Errors
    /// As [`FrameSource::open`]; and [`VideoError::FrameRate`] unless the rate is above 0 and at most 1000.
    pub fn open_with_image_rate(path: &Path, image_rate_hz: f64) -> Result<Self, VideoError> {
        let metadata = std::fs::metadata(path).map_err(|source| VideoError::io(path, "open", source))?;
        if metadata.is_dir() {
            if !(image_rate_hz > 0.0 && image_rate_hz <= 1000.0) {
                return Err(VideoError::FrameRate {
                    path: path.to_owned(),
                    given: format!("{image_rate_hz} was asked for"),
                });
            }
            return ImageFolder::open(path, image_rate_hz).map(|folder| Self(Kind::Images(folder)));
        }
        let unfit = if !metadata.is_file() {
            "neither a regular file nor a folder"
        } else if metadata.len() == 0 {
            "the file is empty (0 bytes)"
        } else {
            return Decoder::open(path).map(|decoder| Self(Kind::Video(Box::new(decoder))));
        };
        Err(VideoError::NotAVideo { path: path.to_owned(), reason: unfit.to_owned() })
    }

    /// Size, frame rate and claimed length.
    #[must_use]
    pub fn info(&self) -> &VideoInfo {
        match &self.0 {
            Kind::Video(decoder) => decoder.info(),
            Kind::Images(folder) => folder.info(),
        }
    }

    /// Reads the next frame into `buf`; `false` at the clean end, and from then on.
    ///
    /// # Errors
    /// [`VideoError::Damaged`] or [`VideoError::Truncated`] if the file is corrupt or shorter than it claims,
    /// [`VideoError::SizeChanged`] or [`VideoError::Image`] in a folder of images. `buf` is then unspecified.
    pub fn next_frame(&mut self, buf: &mut FrameBuf) -> Result<bool, VideoError> {
        match &mut self.0 {
            Kind::Video(decoder) => decoder.next_frame(buf),
            Kind::Images(folder) => folder.next_frame(buf),
        }
    }
}

/// True for the names that a folder of images is read from: `.png`, `.jpg`, `.jpeg`, with the feature `tiff` also `.tif` and
/// `.tiff`, in any case.
#[must_use]
pub fn is_image_file(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    let is_one_of = |known: &[&str]| known.iter().any(|known| extension.eq_ignore_ascii_case(known));
    is_one_of(&["png", "jpg", "jpeg"]) || (cfg!(feature = "tiff") && is_one_of(&["tif", "tiff"]))
}
