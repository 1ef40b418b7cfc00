//! Fingerprints of files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use vad_video::{is_image_file, natural_cmp};

use crate::DataError;

const CHUNK_BYTES: usize = 256 * 1024;

/// SHA-256 of a file, read as a stream. For a folder of images: of the names and hashes of its images, in their order
/// as frames, so that renaming an image counts as a change.
///
/// # Errors
/// The file or folder cannot be read.
pub fn file_hash(path: &Path) -> Result<[u8; 32], DataError> {
    if path.is_dir() { folder_hash(path) } else { stream_hash(path) }
}

fn stream_hash(path: &Path) -> Result<[u8; 32], DataError> {
    let failed = |source| DataError::io(path, "read", source);
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(count) => hasher.update(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// The images of a folder with their names, in their order as frames.
pub(crate) fn images_in(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let failed = |source| DataError::io(folder, "list the folder", source);
    let mut images = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_image_file(&path) && path.is_file() && !name.starts_with('.') {
            images.push((name, path));
        }
    }
    images.sort_by(|a, b| natural_cmp(&a.0, &b.0));
    Ok(images)
}

fn folder_hash(folder: &Path) -> Result<[u8; 32], DataError> {
    let mut hasher = Sha256::new();
    for (name, path) in images_in(folder)? {
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(stream_hash(&path)?);
    }
    Ok(hasher.finalize().into())
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The reverse of [`hex`] for a SHA-256; nothing if it is not one.
#[must_use]
pub fn from_hex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).filter(|_| !pair[at].is_ascii_uppercase());
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_and_the_standard_vector() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(
            hex(&file_hash(file.path()).unwrap()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        std::fs::write(file.path(), "abc").unwrap();
        assert_eq!(
            hex(&file_hash(file.path()).unwrap()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn digits_are_read_back() {
        let hash: [u8; 32] = std::array::from_fn(|at| (at * 37) as u8);
        assert_eq!(from_hex(&hex(&hash)), Some(hash));
        for wrong in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g0".repeat(32), &"A0".repeat(32)] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn large_files_are_hashed_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut bytes = vec![5; CHUNK_BYTES * 2 + 17];
        std::fs::write(file.path(), &bytes).unwrap();
        let before = file_hash(file.path()).unwrap();
        assert_eq!(before, <[u8; 32]>::from(Sha256::digest(&bytes)));
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(file.path(), &bytes).unwrap();
        assert_ne!(file_hash(file.path()).unwrap(), before);
    }

    #[test]
    fn folders_change_with_names_and_contents_of_images_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("1.png"), "a").unwrap();
        std::fs::write(at("2.png"), "b").unwrap();
        let before = file_hash(folder.path()).unwrap();
        std::fs::write(at("notes.txt"), "c").unwrap();
        assert_eq!(file_hash(folder.path()).unwrap(), before);
        std::fs::rename(at("2.png"), at("0.png")).unwrap();
        assert_ne!(file_hash(folder.path()).unwrap(), before);
    }
}
