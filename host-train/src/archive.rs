//! Features that many machines share: a folder, or a bucket behind a cache on this machine.

use std::path::{Path, PathBuf};

use vad_data::{CacheKey, DataError, FeatureCache, FeatureStore, Features, Lookup, MAX_ENTRY_BYTES};

use crate::bucket::{Bucket, BucketError};

/// An object that shows that the store can be read and written before hours of work depend on it.
const MARKER: &str = "watchpost-features.json";
const MARKER_TEXT: &str = "{\"format\": 1, \"content\": \"features of watchpost extract\"}\n";
const MAX_MARKER_BYTES: u64 = 64 << 10;

/// What features are wanted from a store for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To train and evaluate: what this machine has is good enough.
    Read,
    /// To complete the store: an entry counts only when the store has it.
    Complete,
}

/// Opens a store: `s3://BUCKET/PREFIX` with `local` as its cache, or a folder.
///
/// # Errors
/// When it cannot be opened; to complete a store, also when it cannot be read and written.
pub fn open(
    address: &str,
    local: FeatureCache,
    purpose: Purpose,
) -> Result<Box<dyn FeatureStore>, DataError> {
    if !address.contains("://") {
        return Ok(Box::new(FeatureCache::open(&PathBuf::from(address))?));
    }
    let bucket = Bucket::open(address).map_err(remote)?;
    let shared = SharedStore { local, bucket, purpose };
    if purpose == Purpose::Complete {
        shared.check()?;
    }
    Ok(Box::new(shared))
}

/// The same place for every folder that a later command may be started from.
///
/// # Errors
/// When a folder is named relatively and there is no folder to start from.
pub fn absolute(address: &str) -> std::io::Result<String> {
    if address.contains("://") {
        return Ok(address.to_owned());
    }
    Ok(std::path::absolute(address)?.to_string_lossy().into_owned())
}

/// A bucket with a cache on this machine.
struct SharedStore {
    local: FeatureCache,
    bucket: Bucket,
    purpose: Purpose,
}

impl SharedStore {
    /// Reads the marker, and writes it where there is none.
    fn check(&self) -> Result<(), DataError> {
        if self.bucket.get(MARKER, MAX_MARKER_BYTES).map_err(remote)?.is_none() {
            self.bucket.put(MARKER, MARKER_TEXT.as_bytes().to_vec()).map_err(remote)?;
        }
        Ok(())
    }

    fn fetch(&self, key: &CacheKey) -> Result<Lookup, DataError> {
        let Some(bytes) = self.bucket.get(&name(key), MAX_ENTRY_BYTES).map_err(remote)? else {
            return Ok(Lookup::Absent);
        };
        match key.decode(bytes) {
            Ok(features) => {
                self.local.put(key, &features)?;
                Ok(Lookup::Found(features))
            }
            Err(reason) => Ok(Lookup::Damaged(format!("{} in {}: {reason}", name(key), self.bucket.place()))),
        }
    }

    fn send(&self, key: &CacheKey, features: &Features) -> Result<(), DataError> {
        let bytes =
            key.encode(features).map_err(|reason| DataError::Remote(format!("{}: {reason}", name(key))))?;
        self.bucket.put(&name(key), bytes).map_err(remote)
    }
}

impl FeatureStore for SharedStore {
    fn get(&self, key: &CacheKey) -> Result<Lookup, DataError> {
        let local = self.local.get(key)?;
        if self.purpose == Purpose::Read && matches!(local, Lookup::Found(_)) {
            return Ok(local);
        }
        let fetched = self.fetch(key)?;
        match (fetched, local) {
            (Lookup::Absent | Lookup::Damaged(_), Lookup::Found(features))
                if self.purpose == Purpose::Complete =>
            {
                self.send(key, &features)?;
                Ok(Lookup::Found(features))
            }
            (fetched, _) => Ok(fetched),
        }
    }

    fn put(&self, key: &CacheKey, features: &Features) -> Result<(), DataError> {
        self.local.put(key, features)?;
        self.send(key, features)
    }

    fn file_hash(&self, video: &Path) -> Result<[u8; 32], DataError> {
        self.local.file_hash(video)
    }
}

fn name(key: &CacheKey) -> String {
    format!("{}.safetensors", key.to_hex())
}

fn remote(error: BucketError) -> DataError {
    DataError::Remote(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;
    use object_store::path::Path as ObjectPath;
    use std::sync::Arc;
    use vad_core::{ClipSpan, ClipSpec, FrameIndex, PreprocessSpec};
    use vad_data::FeatureSpec;

    fn key() -> CacheKey {
        CacheKey::new([1; 32], &FeatureSpec::new(PreprocessSpec::i3d(), ClipSpec::i3d()), [2; 32])
    }

    fn features() -> Features {
        let spans = vec![ClipSpan { index: 0, first_frame: FrameIndex(0), frames: 16 }];
        Features { dim: 3, crops: 1, spans, values: vec![0.5, 1.0, -2.0], frames: 16, frame_rate_hz: 25.0 }
    }

    struct Place {
        memory: Arc<InMemory>,
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            Self { memory: Arc::new(InMemory::new()), folder: tempfile::tempdir().unwrap() }
        }

        /// The store as a machine with this cache folder sees it.
        fn seen_from(&self, machine: &str, purpose: Purpose) -> SharedStore {
            let local = FeatureCache::open(&self.folder.path().join(machine)).unwrap();
            let store = Box::new(self.memory.clone());
            let bucket = Bucket::of(store, ObjectPath::from("features"), "memory".to_owned()).unwrap();
            SharedStore { local, bucket, purpose }
        }
    }

    #[test]
    fn what_one_machine_puts_another_finds_and_keeps() {
        let place = Place::new();
        let one = place.seen_from("one", Purpose::Complete);
        one.check().unwrap();
        assert_eq!(one.get(&key()).unwrap(), Lookup::Absent);
        one.put(&key(), &features()).unwrap();
        let two = place.seen_from("two", Purpose::Read);
        assert_eq!(two.get(&key()).unwrap(), Lookup::Found(features()));
        assert_eq!(two.local.get(&key()).unwrap(), Lookup::Found(features()), "kept on this machine");
    }

    #[test]
    fn completing_a_store_sends_what_only_this_machine_has() {
        let place = Place::new();
        let one = place.seen_from("one", Purpose::Complete);
        one.local.put(&key(), &features()).unwrap();
        assert_eq!(one.get(&key()).unwrap(), Lookup::Found(features()));
        assert!(one.bucket.get(&name(&key()), 1 << 20).unwrap().is_some());
        // A damaged object is replaced by what this machine has, and told where it has nothing.
        one.bucket.put(&name(&key()), b"damaged".to_vec()).unwrap();
        let two = place.seen_from("two", Purpose::Complete);
        let told = two.get(&key()).unwrap();
        assert!(matches!(&told, Lookup::Damaged(what) if what.contains("in memory")), "{told:?}");
        assert_eq!(one.get(&key()).unwrap(), Lookup::Found(features()));
        assert_eq!(two.get(&key()).unwrap(), Lookup::Found(features()));
    }

    #[test]
    fn reading_never_changes_the_store() {
        let place = Place::new();
        let one = place.seen_from("one", Purpose::Read);
        one.local.put(&key(), &features()).unwrap();
        assert_eq!(one.get(&key()).unwrap(), Lookup::Found(features()));
        assert_eq!(one.bucket.get(&name(&key()), 1 << 20).unwrap(), None);
    }
}
