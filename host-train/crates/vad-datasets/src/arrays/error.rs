//! Why an array cannot be read.

use std::io;
use std::path::{Path, PathBuf};

/// An array file is missing, damaged or of a kind that is not read here.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    /// The operating system refused the file.
    #[error("{}: cannot read the array: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not what its name says, cut off, or holds something else than numbers.
    #[error("{}{}: {problem}", path.display(), dataset.as_ref().map(|name| format!(" [{name}]")).unwrap_or_default())]
    Content {
        /// The file.
        path: PathBuf,
        /// The data set within an HDF5 file.
        dataset: Option<String>,
        /// What is wrong, with the remedy.
        problem: String,
    },
}

impl ArrayError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn content(path: &Path, problem: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), dataset: None, problem: problem.into() }
    }

    pub(super) fn dataset(path: &Path, dataset: &str, problem: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), dataset: Some(dataset.to_owned()), problem: problem.into() }
    }
}
