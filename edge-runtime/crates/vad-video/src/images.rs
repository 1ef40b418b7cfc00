//! A folder of images as a video.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use crate::info::check_size;
use crate::source::is_image_file;
use crate::{FrameBuf, VideoError, VideoInfo, jpeg, natural_cmp};

const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// Frame formats that people do keep in folders but that are not decoded here, tiff at least not without its feature;
/// skipping them would lose frames.
const UNREAD_EXTENSIONS: [&str; 6] = ["tif", "tiff", "bmp", "webp", "gif", "pgm"];

/// Frames of one folder, in natural order of their names.
#[derive(Debug)]
pub(crate) struct ImageFolder {
    files: Vec<PathBuf>,
    info: VideoInfo,
    next: usize,
}

impl ImageFolder {
    /// Lists the folder and decodes the first image to learn the size.
    pub(crate) fn open(folder: &Path, frame_rate_hz: f64) -> Result<Self, VideoError> {
        let files = list(folder)?;
        let Some(first) = files.first() else {
            return Err(VideoError::NoFrames { path: folder.to_owned() });
        };
        let image = decode(first, 0)?;
        let info = VideoInfo {
            width_px: image.width(),
            height_px: image.height(),
            frame_rate_hz,
            frames_hint: Some(files.len() as u64),
        };
        Ok(Self { files, info, next: 0 })
    }

    pub(crate) fn info(&self) -> &VideoInfo {
        &self.info
    }

    pub(crate) fn next_frame(&mut self, buf: &mut FrameBuf) -> Result<bool, VideoError> {
        let Some(path) = self.files.get(self.next) else {
            return Ok(false);
        };
        let frame = self.next as u64;
        let image = decode(path, frame)?.into_rgb8();
        let (width_px, height_px) = image.dimensions();
        let VideoInfo { width_px: first_width_px, height_px: first_height_px, .. } = self.info;
        if (width_px, height_px) != (first_width_px, first_height_px) {
            return Err(VideoError::SizeChanged {
                path: path.clone(),
                frame,
                width_px,
                height_px,
                first_width_px,
                first_height_px,
            });
        }
        buf.reset(width_px, height_px).copy_from_slice(&image);
        self.next += 1;
        Ok(true)
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, VideoError> {
    let failed = |source| VideoError::io(folder, "list the folder", source);
    let mut named = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || !path.is_file() {
            continue;
        }
        refuse_unread(&path)?;
        if is_image_file(&path) {
            named.push((name, path));
        }
    }
    named.sort_by(|a, b| natural_cmp(&a.0, &b.0));
    Ok(named.into_iter().map(|(_, path)| path).collect())
}

fn refuse_unread(path: &Path) -> Result<(), VideoError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if is_image_file(path) || !UNREAD_EXTENSIONS.contains(&extension.as_str()) {
        return Ok(());
    }
    let reason =
        format!("`.{extension}` images are not read here: convert the folder to png, or move the file away");
    Err(VideoError::Image { path: path.to_owned(), frame: 0, reason })
}

fn decode(path: &Path, frame: u64) -> Result<DynamicImage, VideoError> {
    let bytes = read_bounded(path, frame)?;
    let image_error = |reason: String| VideoError::Image { path: path.to_owned(), frame, reason };
    let mut reader = ImageReader::new(Cursor::new(&bytes));
    let format = image::guess_format(&bytes)
        .map_err(|_| image_error("not a picture of a kind that is read here".to_owned()))?;
    if format == ImageFormat::Jpeg && !jpeg::is_complete(&bytes) {
        return Err(image_error("the file is cut off".to_owned()));
    }
    reader.set_format(format);
    let mut decoder = reader.into_decoder().map_err(|error| image_error(error.to_string()))?;
    let (width_px, height_px) = decoder.dimensions();
    check_size(path, width_px, height_px)?;
    let orientation = decoder.orientation().map_err(|error| image_error(error.to_string()))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| image_error(error.to_string()))?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn read_bounded(path: &Path, frame: u64) -> Result<Vec<u8>, VideoError> {
    let failed = |source| VideoError::io(path, "read the image", source);
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let reason = format!("over {MAX_FILE_BYTES} bytes");
        return Err(VideoError::Image { path: path.to_owned(), frame, reason });
    }
    Ok(bytes)
}
