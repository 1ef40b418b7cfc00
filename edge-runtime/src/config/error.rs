//! Errors that say where: file, line, key, and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

use super::locate;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is larger than any sensible configuration.
    #[error("{}: {bytes} bytes are more than the {max_bytes} a configuration may have", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Its size, bytes.
        bytes: u64,
        /// The limit, bytes.
        max_bytes: u64,
    },
    /// One or more keys are wrong.
    #[error("{}", render(file, problems))]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong, in the order of the file's checks; never empty.
        problems: Vec<Problem>,
    },
}

/// One wrong place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// Path of the key, such as `camera[0].source.path`; empty for the whole file.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
    /// The nearest known name, for a misspelt one.
    pub suggestion: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(name) => write!(f, "\n  did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

impl ConfigError {
    pub(super) fn syntax(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        Self::Invalid { file: file.to_owned(), problems: vec![locate::problem(text, error)] }
    }

    pub(super) fn values(file: &Path, text: &str, problems: Vec<(String, String)>) -> Self {
        let lines = locate::Lines::of(text);
        let problems = problems
            .into_iter()
            .map(|(key, message)| Problem { line: lines.of_key(&key), key, message, suggestion: None })
            .collect();
        Self::Invalid { file: file.to_owned(), problems }
    }

    /// The wrong places, for tests and tools.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid { problems, .. } => problems,
            Self::Read { .. } | Self::TooLarge { .. } => &[],
        }
    }
}

fn render(file: &Path, problems: &[Problem]) -> String {
    let line = |p: &Problem| match p.line {
        Some(line) => format!("{}:{line}: {p}", file.display()),
        None => format!("{}: {p}", file.display()),
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}
