//! Why a bundle was refused.

use std::path::PathBuf;

/// Error of reading or writing a bundle. A refusal changes nothing on disk.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The system could not read or write.
    #[error("{path}: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Reason given by the system.
        source: std::io::Error,
    },
    /// The folder holds something else than the manifest and the files it names.
    #[error("{path}: does not belong to the bundle ({reason}); copy the bundle again")]
    Stray {
        /// File or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file is larger than its limit.
    #[error("{path}: {found} bytes, at most {limit} are allowed")]
    TooLarge {
        /// File.
        path: PathBuf,
        /// Largest size allowed, in bytes.
        limit: u64,
        /// Size found, in bytes.
        found: u64,
    },
    /// A file has another length than the manifest says.
    #[error("{path}: {found} bytes, the manifest says {expected}; copy the bundle again")]
    Length {
        /// File.
        path: PathBuf,
        /// Bytes the manifest says.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A file's hash is not the manifest's.
    #[error("{path}: the content does not match its SHA-256; copy the bundle again")]
    Hash {
        /// File.
        path: PathBuf,
    },
    /// The manifest is no JSON of the expected form.
    #[error("{path}: {source}")]
    Json {
        /// The manifest.
        path: PathBuf,
        /// Reason with line and column.
        source: serde_json::Error,
    },
    /// The manifest breaks a rule of the format.
    #[error("{path}: field `{field}`: {reason}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Field at fault.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There is a bundle already.
    #[error("{path}: exists already; remove it, choose another folder or allow overwriting")]
    Exists {
        /// Folder asked for.
        path: PathBuf,
    },
}

impl BundleError {
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
