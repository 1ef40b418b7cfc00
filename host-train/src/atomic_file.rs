//! Files that are either the old ones or the new ones, whatever happens in between.
//!
//! The content goes to a temporary name in the same folder, is flushed to the disk and then renamed over
//! the old file; the folder is flushed too, so that the rename itself outlives a power cut.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file that could not be written. The file of that name, if there was one, is unchanged.
#[derive(Debug, Error)]
#[error("cannot write {}: {source} (the previous file, if any, is unchanged)", path.display())]
pub struct WriteError {
    /// The file that was to be written.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Replaces the file at `path` by `bytes`, or leaves it as it was.
///
/// # Errors
/// When the folder cannot be written or the disk is full; the old file is intact then.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    write_with(path, |file| file.write_all(bytes))
}

/// Replaces the file at `path` by what `fill` writes, or leaves it as it was.
///
/// # Errors
/// Those of `fill` and of the file system; the old file is intact then and no temporary file is left.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WriteError> {
    replace(path, fill).map_err(|source| WriteError { path: path.to_owned(), source })
}

fn replace(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Dropped on every early return, which removes the temporary file.
    let mut temporary = tempfile::Builder::new().prefix(".partial-").tempfile_in(folder)?;
    let mut buffer = BufWriter::new(temporary.as_file_mut());
    fill(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    give_usual_permissions(temporary.as_file())?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Temporary files are private to their owner; the finished file should be as readable as any other.
#[cfg(unix)]
fn give_usual_permissions(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn give_usual_permissions(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.bin");
        write(&path, b"old").unwrap();
        let error = write_with(&path, |file| {
            file.write_all(&[0; 100_000])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert!(error.to_string().contains("weights.bin"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_replaces_the_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"a long old content").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = write(&folder.path().join("absent/file"), b"x").unwrap_err();
        assert!(error.to_string().contains("absent"), "{error}");
    }
}
