//! The manifest: its fields, rules and canonical bytes.

use std::path::Path;

use serde::{Deserialize, Serialize};
use vad_core::ModelSpec;

use crate::digest::sha256_hex;
use crate::{BundleError, MANIFEST_FILE};

/// The only format version there is.
pub const FORMAT_VERSION: u32 = 1;
/// Most board names in a manifest.
const MAX_BOARDS: usize = 64;
/// Longest model name and file name, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// Longest board name, in bytes.
const MAX_BOARD_NAME_BYTES: usize = 32;

/// What an artefact is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArtefactRole {
    /// The encoder graph, ONNX.
    Encoder,
    /// The head graph, ONNX.
    Head,
    /// The attention graph, ONNX; only in bundles whose model describes one.
    Attention,
}

impl ArtefactRole {
    /// Roles of a model in the order of the manifest.
    pub fn of(model: &ModelSpec) -> impl Iterator<Item = Self> + use<> {
        let attention = model.attention.is_some().then_some(Self::Attention);
        [Self::Encoder, Self::Head].into_iter().chain(attention)
    }

    /// Largest file of this role, in bytes.
    pub const fn max_bytes(self) -> u64 {
        match self {
            Self::Encoder => 256 * 1024 * 1024,
            Self::Head | Self::Attention => 64 * 1024 * 1024,
        }
    }
}

/// One file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artefact {
    /// What it is for.
    pub role: ArtefactRole,
    /// Plain file name inside the folder.
    pub path: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, lower-case hex.
    pub sha256: String,
}

/// Place of the signature. It has no values yet, so the field can only be `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signature {}

/// What a bundle says about itself. The order of the fields is the order of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format, [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Model name.
    pub name: String,
    /// Version of the model, growing with each release of the name.
    pub version: u64,
    /// Lowest version a board may return to once this bundle passed its trial.
    pub rollback_index: u64,
    /// Boards allowed to load it; empty means any.
    pub boards: Vec<String>,
    /// How the graphs are used.
    pub model: ModelSpec,
    /// The graphs.
    pub artefacts: Vec<Artefact>,
    /// Sum of the artefacts' lengths, in bytes.
    pub total_bytes: u64,
    /// Reserved; `None` in this version.
    // `deserialize_with` makes serde ask for the field even though it is an `Option`.
    #[serde(deserialize_with = "Option::deserialize")]
    pub signature: Option<Signature>,
    /// SHA-256 of the canonical manifest with this field empty, lower-case hex.
    pub checksum: String,
}

impl Manifest {
    /// The artefact of a role.
    pub fn artefact(&self, role: ArtefactRole) -> Option<&Artefact> {
        self.artefacts.iter().find(|a| a.role == role)
    }

    /// Whether `board` may load this bundle.
    pub fn allows_board(&self, board: &str) -> bool {
        self.boards.is_empty() || self.boards.iter().any(|b| b == board)
    }

    /// Parses and checks the bytes of `<dir>/manifest.json`.
    pub(crate) fn parse(bytes: &[u8], dir: &Path) -> Result<Self, BundleError> {
        let path = dir.join(MANIFEST_FILE);
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|source| BundleError::Json { path: path.clone(), source })?;
        let refuse = |(field, reason)| BundleError::Manifest { path: path.clone(), field, reason };
        manifest.check().map_err(refuse)?;
        let canonical =
            manifest.canonical().map_err(|source| BundleError::Json { path: path.clone(), source })?;
        if canonical != bytes {
            return Err(refuse(("(file)", "not in canonical form".to_owned())));
        }
        let expected = manifest
            .expected_checksum()
            .map_err(|source| BundleError::Json { path: path.clone(), source })?;
        if manifest.checksum != expected {
            return Err(refuse(("checksum", "does not match the manifest".to_owned())));
        }
        Ok(manifest)
    }

    /// The bytes of the file.
    pub(crate) fn canonical(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// What `checksum` must be.
    pub(crate) fn expected_checksum(&self) -> Result<String, serde_json::Error> {
        let blank = Self { checksum: String::new(), ..self.clone() };
        Ok(sha256_hex(&blank.canonical()?))
    }

    /// Rules that the types do not express: the field at fault and why.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.format_version != FORMAT_VERSION {
            let reason = format!("{}, this reader knows {FORMAT_VERSION}", self.format_version);
            return Err(("format_version", reason));
        }
        if !is_model_name(&self.name) {
            return Err((
                "name",
                format!("{:?}, expected 1 to 64 of letters, digits, '.', '_', '-'", self.name),
            ));
        }
        if self.rollback_index > self.version {
            return Err(("rollback_index", "larger than `version`".to_owned()));
        }
        check_boards(&self.boards)?;
        self.model.validate().map_err(|e| ("model", e.to_string()))?;
        check_artefacts(&self.artefacts, &self.model)?;
        let total = self.artefacts.iter().try_fold(0u64, |sum, a| sum.checked_add(a.bytes));
        if total != Some(self.total_bytes) {
            return Err(("total_bytes", "not the sum of the artefacts' bytes".to_owned()));
        }
        Ok(())
    }
}

fn check_boards(boards: &[String]) -> Result<(), (&'static str, String)> {
    if boards.len() > MAX_BOARDS {
        return Err(("boards", format!("{} names, at most {MAX_BOARDS}", boards.len())));
    }
    if let Some(bad) = boards.iter().find(|b| !is_board_name(b)) {
        return Err(("boards", format!("{bad:?}, expected [a-z0-9_-]{{1,32}}")));
    }
    if !boards.is_sorted_by(|a, b| a < b) {
        return Err(("boards", "not sorted, or a name occurs twice".to_owned()));
    }
    Ok(())
}

fn check_artefacts(artefacts: &[Artefact], model: &ModelSpec) -> Result<(), (&'static str, String)> {
    if !artefacts.iter().map(|a| a.role).eq(ArtefactRole::of(model)) {
        let expected = match model.attention {
            None => "expected one encoder, then one head",
            Some(_) => "expected one encoder, then one head, then the attention that `model` describes",
        };
        return Err(("artefacts", expected.to_owned()));
    }
    for artefact in artefacts {
        let Artefact { role, path, bytes, sha256 } = artefact;
        if !is_file_name(path) {
            return Err(("path", format!("{path:?} is not a plain file name")));
        }
        if *bytes == 0 || *bytes > role.max_bytes() {
            return Err(("bytes", format!("{bytes}, allowed are 1 to {}", role.max_bytes())));
        }
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if sha256.len() != 64 || !sha256.bytes().all(is_hex) {
            return Err(("sha256", format!("{sha256:?} is not 64 lower-case hex digits")));
        }
    }
    let shared = |(at, artefact): (usize, &Artefact)| artefacts[..at].iter().any(|a| a.path == artefact.path);
    if artefacts.iter().enumerate().any(shared) {
        return Err(("path", "two artefacts share a file".to_owned()));
    }
    Ok(())
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
}

/// The rule of `ModelSpec::name`.
fn is_model_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_board_name(name: &str) -> bool {
    (1..=MAX_BOARD_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_plain)
}

fn is_file_name(path: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=MAX_NAME_BYTES).contains(&path.len())
        && path.bytes().all(|b| is_plain(b) || b == b'.')
        && path.as_bytes().first().is_some_and(alphanumeric)
        && path != MANIFEST_FILE
}
