//! Finished trainings of a benchmark of hours, so that an interruption costs one of them.
//!
//! One small file each, named after everything that the figures depend on: features, settings with their seed, and this very
//! program. A program that was changed measures everything anew.

use super::draw::DrawResult;
use crate::atomic_file;
use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::Table;
use vad_data::{file_hash, hex};

/// What is trained, and on what.
#[derive(Debug, Serialize)]
pub struct Training<'a> {
    pub recipe: &'a str,
    /// Complete, with the seed.
    pub settings: Table,
    /// Tells features of one kind, of one data set, from others.
    pub features: &'a str,
}

/// A folder of results.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    program: String,
}

impl Ledger {
    /// Opens the folder, or makes it.
    pub fn open(folder: &Path) -> Result<Self> {
        let program = std::env::current_exe().context("this program cannot find its own file")?;
        Self::of_program(folder, hex(&file_hash(&program)?))
    }

    fn of_program(folder: &Path, program: String) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self { folder: folder.to_path_buf(), program })
    }

    /// The figures of a training that was finished before.
    pub fn find(&self, training: &Training<'_>) -> Result<Option<DrawResult>> {
        let path = self.path(training)?;
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map(Some).with_context(|| {
                format!("{} is damaged\n  remedy: remove it; its training is repeated", path.display())
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Keeps the figures of a finished training.
    pub fn keep(&self, training: &Training<'_>, result: &DrawResult) -> Result<()> {
        Ok(atomic_file::write(&self.path(training)?, &serde_json::to_vec_pretty(result)?)?)
    }

    fn path(&self, training: &Training<'_>) -> Result<PathBuf> {
        let facts = serde_json::to_vec(&(&self.program, training))?;
        Ok(self.folder.join(format!("{}.json", hex(&Sha256::digest(&facts)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(seed: i64) -> Training<'static> {
        let settings = Table::from_iter([("seed".to_owned(), seed.into())]);
        Training { recipe: "mist", settings, features: "ten crops" }
    }

    fn result() -> DrawResult {
        DrawResult::made_up(3, 0.8673)
    }

    #[test]
    fn a_training_is_found_again_by_the_same_program_with_the_same_settings_only() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = |program: &str| Ledger::of_program(folder.path(), program.to_owned()).unwrap();
        assert_eq!(ledger("a").find(&training(3)).unwrap(), None);
        ledger("a").keep(&training(3), &result()).unwrap();
        assert_eq!(ledger("a").find(&training(3)).unwrap(), Some(result()));
        assert_eq!(ledger("b").find(&training(3)).unwrap(), None);
        assert_eq!(ledger("a").find(&training(4)).unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::of_program(folder.path(), "a".to_owned()).unwrap();
        ledger.keep(&training(3), &result()).unwrap();
        let path = ledger.path(&training(3)).unwrap();
        std::fs::write(&path, "{\"seed\": 3").unwrap();
        let error = format!("{:#}", ledger.find(&training(3)).unwrap_err());
        assert!(error.contains(path.to_str().unwrap()) && error.contains("remove it"), "{error}");
    }
}
