//! What an extraction asks of the place where features are kept.

use std::path::Path;

use crate::{CacheKey, DataError, FeatureCache, Features, Lookup};

/// A place where features are kept: a folder, or one that many machines share. Called from several threads at once.
pub trait FeatureStore: Sync {
    /// Looks an entry up and verifies it.
    ///
    /// # Errors
    /// The place cannot be read. Damaged contents are not an error but [`Lookup::Damaged`].
    fn get(&self, key: &CacheKey) -> Result<Lookup, DataError>;

    /// Stores features. Whenever it is interrupted, the entry is the old one or the new one.
    ///
    /// # Errors
    /// The features are inconsistent or not finite, or the place cannot be written.
    fn put(&self, key: &CacheKey, features: &Features) -> Result<(), DataError>;

    /// [`crate::file_hash`] of a video, from memory where it may be.
    ///
    /// # Errors
    /// The video cannot be read.
    fn file_hash(&self, video: &Path) -> Result<[u8; 32], DataError>;
}

impl FeatureStore for FeatureCache {
    fn get(&self, key: &CacheKey) -> Result<Lookup, DataError> {
        self.get(key)
    }

    fn put(&self, key: &CacheKey, features: &Features) -> Result<(), DataError> {
        self.put(key, features)
    }

    fn file_hash(&self, video: &Path) -> Result<[u8; 32], DataError> {
        self.file_hash(video)
    }
}
