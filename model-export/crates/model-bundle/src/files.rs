//! Bounded reading of regular files.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::BundleError;

/// Reads a regular file of at most `limit` bytes; symbolic links and devices are refused.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, BundleError> {
    let before = fs::symlink_metadata(path).map_err(|e| BundleError::io(path, e))?;
    if !before.is_file() {
        return Err(stray(path, "not a regular file"));
    }
    let file = File::open(path).map_err(|e| BundleError::io(path, e))?;
    let meta = file.metadata().map_err(|e| BundleError::io(path, e))?;
    if !meta.is_file() || !same_file(&before, &meta) {
        return Err(stray(path, "it was exchanged while being read"));
    }
    let too_large = |found| BundleError::TooLarge { path: path.to_owned(), limit, found };
    if meta.len() > limit {
        return Err(too_large(meta.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    // One byte over the limit tells a file that grows from one that fits.
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|e| BundleError::io(path, e))?;
    match bytes.len() as u64 {
        found if found > limit => Err(too_large(found)),
        _ => Ok(bytes),
    }
}

/// Refuses anything in `dir` that is not one of `allowed`.
pub(crate) fn check_listing(dir: &Path, allowed: &[&str]) -> Result<(), BundleError> {
    let entries = fs::read_dir(dir).map_err(|e| BundleError::io(dir, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| BundleError::io(dir, e))?;
        let name = entry.file_name();
        if !allowed.iter().any(|&a| name == a) {
            return Err(stray(&entry.path(), "the manifest does not name it"));
        }
    }
    Ok(())
}

fn stray(path: &Path, reason: &'static str) -> BundleError {
    BundleError::Stray { path: path.to_owned(), reason }
}

#[cfg(unix)]
fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same_file(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}
