//! A bundle that was read and verified.

use std::path::{Path, PathBuf};

use vad_core::ModelSpec;

use crate::digest::{sha256, sha256_hex};
use crate::files::{check_listing, read_bounded};
use crate::manifest::{Artefact, ArtefactRole, Manifest};
use crate::{BundleError, MANIFEST_FILE, MAX_MANIFEST_BYTES};

/// A verified bundle in memory. The files may change or vanish afterwards without effect.
#[derive(Clone)]
pub struct Bundle {
    dir: PathBuf,
    manifest: Manifest,
    id: [u8; 32],
    encoder: Vec<u8>,
    head: Vec<u8>,
    attention: Option<Vec<u8>>,
}

impl Bundle {
    /// Reads the folder and verifies every byte of it.
    ///
    /// # Errors
    /// Any [`BundleError`] but `Exists`: the whole folder is refused for one wrong bit, one extra
    /// file or one missing field.
    pub fn open(dir: &Path) -> Result<Self, BundleError> {
        let manifest_bytes = read_bounded(&dir.join(MANIFEST_FILE), MAX_MANIFEST_BYTES)?;
        let manifest = Manifest::parse(&manifest_bytes, dir)?;
        let names = manifest.artefacts.iter().map(|a| a.path.as_str());
        let allowed: Vec<&str> = names.chain([MANIFEST_FILE]).collect();
        check_listing(dir, &allowed)?;
        let read = |role| {
            let artefact = manifest.artefact(role).ok_or_else(|| missing(dir))?;
            read_artefact(dir, artefact)
        };
        let (encoder, head) = (read(ArtefactRole::Encoder)?, read(ArtefactRole::Head)?);
        let attends = manifest.model.attention.is_some();
        let attention = attends.then(|| read(ArtefactRole::Attention)).transpose()?;
        Ok(Self { dir: dir.to_owned(), id: sha256(&manifest_bytes), manifest, encoder, head, attention })
    }

    /// Folder it was read from.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The verified manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How the graphs are used.
    pub fn model(&self) -> &ModelSpec {
        &self.manifest.model
    }

    /// The verified bytes of the encoder graph.
    pub fn encoder(&self) -> &[u8] {
        &self.encoder
    }

    /// The verified bytes of the head graph.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The verified bytes of the attention graph, where [`ModelSpec::attention`] describes one.
    pub fn attention(&self) -> Option<&[u8]> {
        self.attention.as_deref()
    }

    /// SHA-256 of the manifest, which names every byte of the bundle.
    pub fn id(&self) -> [u8; 32] {
        self.id
    }

    /// First eight bytes of [`Self::id`], as alarms and heartbeats carry it.
    pub fn short_id(&self) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = self.id;
        [a, b, c, d, e, f, g, h]
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, version) = (&self.manifest.name, self.manifest.version);
        write!(f, "Bundle({name} {version} in {})", self.dir.display())
    }
}

fn read_artefact(dir: &Path, artefact: &Artefact) -> Result<Vec<u8>, BundleError> {
    let path = dir.join(&artefact.path);
    let bytes = read_bounded(&path, artefact.role.max_bytes())?;
    let found = bytes.len() as u64;
    if found != artefact.bytes {
        return Err(BundleError::Length { path, expected: artefact.bytes, found });
    }
    if sha256_hex(&bytes) != artefact.sha256 {
        return Err(BundleError::Hash { path });
    }
    Ok(bytes)
}

fn missing(dir: &Path) -> BundleError {
    BundleError::Manifest {
        path: dir.join(MANIFEST_FILE),
        field: "artefacts",
        reason: "a role is missing".to_owned(),
    }
}
