//! Features of one video left on disk, read some clips at a time: for training on more than memory holds.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use crate::features::stored_rows;
use crate::{CacheKey, DataError, FeatureCache};

/// One entry of a [`FeatureCache`].
#[derive(Debug, Clone)]
pub struct FeatureRows {
    path: PathBuf,
    /// Where the first value lies in the file.
    first_byte: u64,
    clips: usize,
    row_len: usize,
    frames: u64,
}

impl FeatureCache {
    /// The rows of an entry. Only the header is read: whoever does not know that the file is whole asks [`FeatureCache::get`]
    /// first.
    ///
    /// # Errors
    /// There is no such entry, or its header cannot be read.
    pub fn rows(&self, key: &CacheKey) -> Result<FeatureRows, DataError> {
        let path = self.entry_path(key);
        let failed = |source| DataError::io(&path, "read the cached features", source);
        let mut file = File::open(&path).map_err(failed)?;
        let found =
            stored_rows(&mut file).map_err(|reason| DataError::Store { path: path.clone(), reason })?;
        let (first_byte, [clips, row_len], frames) = found;
        Ok(FeatureRows { path, first_byte, clips, row_len, frames })
    }
}

impl FeatureRows {
    /// Number of clips.
    #[must_use]
    pub fn clips(&self) -> usize {
        self.clips
    }

    /// Values of a clip, crops times dim.
    #[must_use]
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    /// Frames of the whole video.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The features of some clips, `[clips, crops, dim]`.
    ///
    /// # Errors
    /// The file cannot be read or has not so many clips.
    pub fn read(&self, clips: Range<usize>) -> Result<Vec<f32>, DataError> {
        let mut bytes = vec![0; clips.len() * self.row_len * size_of::<f32>()];
        let begin = self.first_byte + (clips.start * self.row_len * size_of::<f32>()) as u64;
        let mut fill = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(begin))?;
            file.read_exact(&mut bytes)
        };
        fill().map_err(|source| DataError::io(&self.path, "read the cached features", source))?;
        let (values, _) = bytes.as_chunks::<4>();
        Ok(values.iter().map(|value| f32::from_le_bytes(*value)).collect())
    }
}
