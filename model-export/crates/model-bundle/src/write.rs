//! Writing a bundle so that a crash leaves it whole or absent.
//!
//! The files go to a staging folder beside the target, each is flushed to disk, the result is read
//! back and verified, and one rename publishes it. With `overwrite` the old bundle is moved aside
//! first and removed last; a crash between the two renames leaves both folders beside the target,
//! named `.<target>.old-<process>` and `.<target>.new-<process>`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use vad_core::ModelSpec;

use crate::digest::sha256_hex;
use crate::manifest::{Artefact, ArtefactRole, FORMAT_VERSION, Manifest};
use crate::{Bundle, BundleError, MANIFEST_FILE};

/// Everything a bundle is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleDraft {
    /// Model name: 1 to 64 of ASCII letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Version of the model.
    pub version: u64,
    /// Lowest version a board may return to; at most `version`.
    pub rollback_index: u64,
    /// Boards allowed to load it, in any order; empty means any.
    pub boards: Vec<String>,
    /// How the graphs are used.
    pub model: ModelSpec,
    /// Encoder graph, ONNX.
    pub encoder: Vec<u8>,
    /// Head graph, ONNX.
    pub head: Vec<u8>,
    /// Attention graph, ONNX; where the model describes one.
    pub attention: Option<Vec<u8>>,
    /// Replace a bundle that is already there.
    pub overwrite: bool,
}

/// Writes a bundle to the folder `dir`, which must not exist unless the draft says so.
///
/// # Errors
/// [`BundleError::Exists`]; a draft that breaks a rule of the format; a failed write. The target is
/// then as it was.
pub fn write(dir: &Path, draft: BundleDraft) -> Result<Bundle, BundleError> {
    let exists = fs::symlink_metadata(dir).is_ok();
    if exists && !draft.overwrite {
        return Err(BundleError::Exists { path: dir.to_owned() });
    }
    if exists {
        // Only a bundle may be replaced, never a folder that was named by mistake.
        Bundle::open(dir)?;
    }
    let (manifest, graphs) = finish(draft, dir)?;
    let json = |source| BundleError::Json { path: dir.join(MANIFEST_FILE), source };
    let manifest_bytes = manifest.canonical().map_err(json)?;
    let staging = Staging::create(sibling(dir, "new")?)?;
    for (artefact, bytes) in manifest.artefacts.iter().zip(&graphs) {
        write_durably(&staging.0.join(&artefact.path), bytes)?;
    }
    write_durably(&staging.0.join(MANIFEST_FILE), &manifest_bytes)?;
    sync_dir(&staging.0)?;
    Bundle::open(&staging.0)?;
    publish(&staging.0, dir, exists)?;
    Bundle::open(dir)
}

/// Checks the draft and computes the manifest; with it the graphs in its order.
fn finish(draft: BundleDraft, dir: &Path) -> Result<(Manifest, Vec<Vec<u8>>), BundleError> {
    let named = [
        (ArtefactRole::Encoder, "encoder.onnx", Some(draft.encoder)),
        (ArtefactRole::Head, "head.onnx", Some(draft.head)),
        (ArtefactRole::Attention, "attention.onnx", draft.attention),
    ];
    let artefact = |(role, path, bytes): (ArtefactRole, &str, Option<Vec<u8>>)| {
        let bytes = bytes?;
        let (length, sha256) = (bytes.len() as u64, sha256_hex(&bytes));
        Some((Artefact { role, path: path.to_owned(), bytes: length, sha256 }, bytes))
    };
    let (artefacts, graphs): (Vec<Artefact>, Vec<Vec<u8>>) = named.into_iter().filter_map(artefact).unzip();
    let mut boards = draft.boards;
    boards.sort();
    let mut manifest = Manifest {
        format_version: FORMAT_VERSION,
        name: draft.name,
        version: draft.version,
        rollback_index: draft.rollback_index,
        boards,
        model: draft.model,
        total_bytes: artefacts.iter().map(|a| a.bytes).sum(),
        artefacts,
        signature: None,
        checksum: String::new(),
    };
    let path = dir.join(MANIFEST_FILE);
    manifest.check().map_err(|(field, reason)| BundleError::Manifest {
        path: path.clone(),
        field,
        reason,
    })?;
    manifest.checksum = manifest.expected_checksum().map_err(|source| BundleError::Json { path, source })?;
    Ok((manifest, graphs))
}

/// The staging folder; what is left of it is removed when it goes out of scope.
struct Staging(PathBuf);

impl Staging {
    fn create(path: PathBuf) -> Result<Self, BundleError> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| BundleError::io(parent, e))?;
        }
        fs::create_dir(&path).map_err(|e| BundleError::io(&path, e))?;
        Ok(Self(path))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Nothing is left after a successful publication.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn publish(staging: &Path, dir: &Path, exists: bool) -> Result<(), BundleError> {
    let rename = |from: &Path, to: &Path| fs::rename(from, to).map_err(|e| BundleError::io(to, e));
    if exists {
        let old = sibling(dir, "old")?;
        rename(dir, &old)?;
        if let Err(error) = rename(staging, dir) {
            rename(&old, dir)?;
            return Err(error);
        }
        sync_parent(dir)?;
        fs::remove_dir_all(&old).map_err(|e| BundleError::io(&old, e))?;
    } else {
        rename(staging, dir)?;
    }
    sync_parent(dir)
}

/// `.<name of dir>.<what>-<process>` beside `dir`.
fn sibling(dir: &Path, what: &str) -> Result<PathBuf, BundleError> {
    let Some(name) = dir.file_name() else {
        let source = std::io::Error::other("not a folder name; give the bundle a name of its own");
        return Err(BundleError::io(dir, source));
    };
    let mut sibling = OsString::from(".");
    sibling.push(name);
    sibling.push(format!(".{what}-{}", std::process::id()));
    Ok(dir.with_file_name(sibling))
}

fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|e| BundleError::io(path, e))
}

fn sync_dir(dir: &Path) -> Result<(), BundleError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| BundleError::io(dir, e))
}

fn sync_parent(dir: &Path) -> Result<(), BundleError> {
    match dir.parent() {
        Some(parent) if parent != Path::new("") => sync_dir(parent),
        _ => sync_dir(Path::new(".")),
    }
}
