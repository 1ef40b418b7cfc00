//! What can be wrong with a data set on disk: always with the file, the place and a remedy.

use std::io;
use std::path::{Path, PathBuf};

/// A data set could not be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The operating system refused a file or folder.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// A line of a list or an annotation is wrong.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line in it, from 1.
        line: u64,
        /// What is wrong, with the remedy.
        problem: String,
    },
    /// A file or folder as a whole is wrong.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, with the remedy.
        problem: String,
    },
    /// The features of one video are wrong.
    #[error("features of `{video}` ({place}): {problem}")]
    Features {
        /// The video.
        video: String,
        /// The file, or the data set within a file.
        place: String,
        /// What is wrong, with the remedy.
        problem: String,
    },
    /// Videos that are listed are not there.
    #[error("{}: {problem}", root.display())]
    Missing {
        /// Where they were looked for.
        root: PathBuf,
        /// Which, how many, and the remedy.
        problem: String,
    },
    /// An array file cannot be read.
    #[error(transparent)]
    Array(#[from] crate::arrays::ArrayError),
}

impl ImportError {
    pub(crate) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), action, source }
    }

    pub(crate) fn line(path: &Path, line: u64, problem: impl Into<String>) -> Self {
        Self::Line { path: path.to_owned(), line, problem: problem.into() }
    }

    pub(crate) fn file(path: &Path, problem: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), problem: problem.into() }
    }
}

/// What to do with faults of single videos.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    keep_going: bool,
    warnings: Vec<String>,
}

impl Faults {
    pub(crate) fn new(keep_going: bool) -> Self {
        Self { keep_going, warnings: Vec::new() }
    }

    /// A fault that one video may be left out for: an error, or a warning if the caller wants to go on.
    pub(crate) fn raise(&mut self, error: ImportError) -> Result<(), ImportError> {
        if !self.keep_going {
            return Err(error);
        }
        self.warnings.push(error.to_string());
        Ok(())
    }

    /// Something that the reader should know.
    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }
}

/// The first few of many names, and how many there are: `a, b, c and 12 more`.
pub(crate) fn some_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 5;
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
