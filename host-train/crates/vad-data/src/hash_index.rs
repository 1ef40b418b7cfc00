//! Content hashes of videos, remembered so that a large file is read for its hash once.
//!
//! A hash is taken from memory while size and time of change of the file (of each image, in a folder of images) are the
//! same. One file per video, each written in one step: processes that share a folder never damage each other's entries,
//! and an entry that does not check is as good as none.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::DataError;
use crate::hash::{file_hash, from_hex, hex, images_in};

/// A file changed so recently may change again within the same tick of its file system's clock.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// Remembered hashes, one small file per video.
#[derive(Debug, Clone)]
pub(crate) struct HashIndex {
    folder: PathBuf,
    /// Where files are written before they get their names.
    staging: PathBuf,
    partial_prefix: &'static str,
}

/// Size and time of change of a video.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    digest: [u8; 32],
    newest: SystemTime,
}

impl HashIndex {
    pub fn new(folder: PathBuf, staging: &Path, partial_prefix: &'static str) -> Self {
        Self { folder, staging: staging.to_owned(), partial_prefix }
    }

    /// [`file_hash`], from memory where it may be.
    pub fn hash_of(&self, video: &Path) -> Result<[u8; 32], DataError> {
        let before = Stamp::of(video)?;
        if let Some(hash) = self.recall(video, &before) {
            return Ok(hash);
        }
        let now = SystemTime::now();
        let hash = file_hash(video)?;
        if before.is_settled(now) && Stamp::of(video)? == before {
            // Only time is at stake: without the entry the file is hashed again.
            let _ = self.remember(video, &before, &hash);
        }
        Ok(hash)
    }

    fn recall(&self, video: &Path, stamp: &Stamp) -> Option<[u8; 32]> {
        let text = std::fs::read_to_string(self.path_of(video)).ok()?;
        let hash = from_hex(text.split_ascii_whitespace().nth(1)?)?;
        (text == line(video, stamp, &hash)).then_some(hash)
    }

    fn remember(&self, video: &Path, stamp: &Stamp, hash: &[u8; 32]) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::Builder::new().prefix(self.partial_prefix).tempfile_in(&self.staging)?;
        file.write_all(line(video, stamp, hash).as_bytes())?;
        file.persist(self.path_of(video))?;
        Ok(())
    }

    fn path_of(&self, video: &Path) -> PathBuf {
        self.folder.join(hex(&Sha256::digest(name(video).as_encoded_bytes())))
    }
}

/// An entry: stamp, hash, and a checksum over both and the video's name.
fn line(video: &Path, stamp: &Stamp, hash: &[u8; 32]) -> String {
    let mut check = Sha256::new();
    check.update(stamp.digest);
    check.update(hash);
    check.update(name(video).as_encoded_bytes());
    format!("{} {} {}\n", hex(&stamp.digest), hex(hash), hex(&check.finalize()))
}

fn name(video: &Path) -> std::ffi::OsString {
    std::path::absolute(video).unwrap_or_else(|_| video.to_owned()).into_os_string()
}

impl Stamp {
    fn of(video: &Path) -> Result<Self, DataError> {
        let files = if video.is_dir() { images_in(video)? } else { vec![(String::new(), video.to_owned())] };
        let (mut digest, mut newest) = (Sha256::new(), UNIX_EPOCH);
        for (name, path) in files {
            let failed = |source| DataError::io(&path, "read", source);
            let metadata = path.metadata().map_err(failed)?;
            let changed = metadata.modified().map_err(failed)?;
            let since_epoch = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
            digest.update((name.len() as u64).to_le_bytes());
            digest.update(name.as_bytes());
            digest.update(metadata.len().to_le_bytes());
            digest.update(since_epoch.as_nanos().to_le_bytes());
            newest = newest.max(changed);
        }
        Ok(Self { digest: digest.finalize().into(), newest })
    }

    fn is_settled(&self, now: SystemTime) -> bool {
        now.duration_since(self.newest).is_ok_and(|age| age > SETTLED_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(folder: &Path) -> HashIndex {
        HashIndex::new(folder.join("hashes"), folder, ".partial-")
    }

    fn write_aged(path: &Path, content: &str, age_s: u64) {
        std::fs::write(path, content).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age_s);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    fn entries(folder: &Path) -> usize {
        std::fs::read_dir(folder.join("hashes")).map_or(0, Iterator::count)
    }

    #[test]
    fn a_known_file_is_not_read_again_and_a_changed_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let (index, video) = (index(folder.path()), folder.path().join("a.mp4"));
        write_aged(&video, "abc", 100);
        let hash = index.hash_of(&video).unwrap();
        assert_eq!((hash, entries(folder.path())), (file_hash(&video).unwrap(), 1));
        // Same size, same time: only a reader would notice.
        let time = video.metadata().unwrap().modified().unwrap();
        std::fs::write(&video, "xyz").unwrap();
        std::fs::File::options().write(true).open(&video).unwrap().set_modified(time).unwrap();
        assert_eq!(index.hash_of(&video).unwrap(), hash);
        write_aged(&video, "xyz", 99);
        assert_eq!(index.hash_of(&video).unwrap(), file_hash(&video).unwrap());
        write_aged(&video, "xyz1", 99);
        assert_eq!(index.hash_of(&video).unwrap(), file_hash(&video).unwrap());
    }

    #[test]
    fn a_file_that_may_still_change_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let (index, video) = (index(folder.path()), folder.path().join("a.mp4"));
        write_aged(&video, "abc", 0);
        index.hash_of(&video).unwrap();
        assert_eq!(entries(folder.path()), 0);
        assert!(index.hash_of(&folder.path().join("gone.mp4")).unwrap_err().to_string().contains("gone.mp4"));
    }

    #[test]
    fn damaged_entries_are_passed_over_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (index, video) = (index(folder.path()), folder.path().join("a.mp4"));
        write_aged(&video, "abc", 100);
        let hash = index.hash_of(&video).unwrap();
        let entry = index.path_of(&video);
        let whole = std::fs::read(&entry).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&entry, damaged).unwrap();
            assert_eq!(index.hash_of(&video).unwrap(), hash, "byte {at}");
            assert_eq!(std::fs::read(&entry).unwrap(), whole, "byte {at}");
        }
    }

    #[test]
    fn an_image_of_a_folder_that_changes_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (index, video) = (index(folder.path()), folder.path().join("frames"));
        std::fs::create_dir(&video).unwrap();
        write_aged(&video.join("1.png"), "one", 100);
        write_aged(&video.join("2.png"), "two", 100);
        let before = index.hash_of(&video).unwrap();
        assert_eq!(entries(folder.path()), 1);
        assert_eq!(index.hash_of(&video).unwrap(), before);
        std::fs::rename(video.join("2.png"), video.join("3.png")).unwrap();
        assert_ne!(index.hash_of(&video).unwrap(), before);
    }
}
