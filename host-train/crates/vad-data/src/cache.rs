//! Extracted features on disk: one file per video, never half-written, never silently wrong.

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::hash::hex;
use crate::hash_index::HashIndex;
use crate::{DataError, FeatureSpec, Features};

/// Raised when decoding changes the pixels it gives, so that features of before are not taken for those of after.
const DECODE_VERSION: u32 = 1;
const PARTIAL_PREFIX: &str = ".partial-";
/// What a killed run left half-written is removed once it is this old; a younger file may be another run's work.
const PARTIAL_MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// The largest file of features that is read.
pub const MAX_ENTRY_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// What features depend on: the encoder, the preprocessing, the clips, the crops and the video's contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey {
    facts: Vec<(String, String)>,
    digest: [u8; 32],
}

impl CacheKey {
    /// The key for features of the file with `file_hash`.
    #[must_use]
    pub fn new(encoder_hash: [u8; 32], spec: &FeatureSpec, file_hash: [u8; 32]) -> Self {
        let facts: Vec<(String, String)> =
            [("decode", DECODE_VERSION.to_string()), ("encoder", hex(&encoder_hash))]
                .into_iter()
                .chain(spec.facts())
                .chain([("file", hex(&file_hash))])
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
        let mut hasher = Sha256::new();
        for part in facts.iter().flat_map(|(name, value)| [name, value]) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Self { facts, digest: hasher.finalize().into() }
    }

    /// A file of these features, which says what they were made from. Equal features make equal bytes.
    ///
    /// # Errors
    /// The features are inconsistent or not finite.
    pub fn encode(&self, features: &Features) -> Result<Vec<u8>, String> {
        features.to_bytes(&self.facts)
    }

    /// The features in a file, after checking that it is whole and of this key.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn decode(&self, bytes: Vec<u8>) -> Result<Features, String> {
        Features::from_bytes(bytes, &self.facts)
    }

    /// The key as 64 hexadecimal digits: the entry's file name without its extension.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex(&self.digest)
    }
}

/// What the cache holds under a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// Features, verified.
    Found(Features),
    /// Nothing.
    Absent,
    /// A file that is damaged or of other features; the next [`FeatureCache::put`] replaces it.
    Damaged(String),
}

/// A folder of features, and in its sub-folder `hashes` the content hashes of the videos.
#[derive(Debug, Clone)]
pub struct FeatureCache {
    folder: PathBuf,
    hashes: HashIndex,
}

impl FeatureCache {
    /// Opens the folder, creating it if needed, and removes what runs killed long ago left half-written.
    ///
    /// # Errors
    /// The folder cannot be created or listed.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| DataError::io(folder, "create the feature cache", source))?;
        let entries = std::fs::read_dir(folder)
            .map_err(|source| DataError::io(folder, "list the feature cache", source))?;
        for entry in entries.filter_map(Result::ok) {
            let age = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
                .and_then(|time| time.elapsed().ok());
            if entry.file_name().to_string_lossy().starts_with(PARTIAL_PREFIX)
                && age.is_some_and(|age| age > PARTIAL_MAX_AGE)
            {
                // Only disk space is at stake.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        let hashes = HashIndex::new(folder.join("hashes"), folder, PARTIAL_PREFIX);
        Ok(Self { folder: folder.to_owned(), hashes })
    }

    /// [`crate::file_hash`] of a video, which is read only if its size or its time of change differ from when it was read
    /// last.
    ///
    /// # Errors
    /// The video cannot be read.
    pub fn file_hash(&self, video: &Path) -> Result<[u8; 32], DataError> {
        self.hashes.hash_of(video)
    }

    /// The file of an entry, whether it exists or not.
    #[must_use]
    pub fn entry_path(&self, key: &CacheKey) -> PathBuf {
        self.folder.join(key.to_hex()).with_extension("safetensors")
    }

    /// Looks an entry up and verifies it.
    ///
    /// # Errors
    /// The file exists but cannot be read. Damaged contents are not an error but [`Lookup::Damaged`].
    pub fn get(&self, key: &CacheKey) -> Result<Lookup, DataError> {
        let path = self.entry_path(key);
        let failed = |source| DataError::io(&path, "read the cached features", source);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Lookup::Absent),
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_ENTRY_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        Ok(match key.decode(bytes) {
            Ok(features) => Lookup::Found(features),
            Err(reason) => Lookup::Damaged(format!("{}: {reason}", path.display())),
        })
    }

    /// Stores features durably: written beside, synced, renamed. Whenever it is interrupted, the entry is the old one
    /// or the new one.
    ///
    /// # Errors
    /// The features are inconsistent or not finite, or the folder cannot be written (a full disk, for example).
    pub fn put(&self, key: &CacheKey, features: &Features) -> Result<(), DataError> {
        let path = self.entry_path(key);
        let bytes = key.encode(features).map_err(|reason| DataError::Store { path: path.clone(), reason })?;
        let failed = |source| DataError::io(&path, "store the features", source);
        let mut builder = tempfile::Builder::new();
        builder.prefix(PARTIAL_PREFIX);
        #[cfg(unix)]
        builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        let mut partial = builder.tempfile_in(&self.folder).map_err(failed)?;
        partial.write_all(&bytes).map_err(failed)?;
        partial.as_file().sync_all().map_err(failed)?;
        partial.persist(&path).map_err(|error| failed(error.error))?;
        // The rename itself lasts only once the folder is synced.
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}
