//! The work folder: `dataset.json`, `extraction.json`, `features/` and `runs/NAME/`.

use crate::extraction::{self, Extraction};
use crate::run::Run;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use vad_data::{FeatureCache, Manifest, SplitIds, Splits, hex};

const FORMAT: u32 = 1;

/// What `watchpost index` found out and decided, so that later steps agree on it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetFile {
    pub format: u32,
    pub videos: PathBuf,
    pub labels: PathBuf,
    /// SHA-256 of the label file; a changed file asks for a new index.
    pub labels_sha256: String,
    pub seed: u64,
    pub splits: SplitIds,
}

/// A data set with its split, ready for extraction and training.
pub struct Dataset {
    pub manifest: Manifest,
    pub splits: Splits,
    pub file: DatasetFile,
}

/// A work folder that exists.
#[derive(Debug, Clone)]
pub struct Work {
    root: PathBuf,
}

impl Work {
    pub fn create(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root)
            .with_context(|| format!("cannot create the work folder {}", root.display()))?;
        Ok(Self { root: root.to_path_buf() })
    }

    pub fn open(root: &Path) -> Result<Self> {
        ensure!(
            root.join("dataset.json").is_file(),
            "{} is not a work folder (no dataset.json)\n  remedy: watchpost index --videos DIR --labels FILE --work {}",
            root.display(),
            root.display()
        );
        Ok(Self { root: root.to_path_buf() })
    }

    pub fn dataset_path(&self) -> PathBuf {
        self.root.join("dataset.json")
    }

    pub fn features(&self) -> Result<FeatureCache> {
        Ok(FeatureCache::open(&self.root.join("features"))?)
    }

    /// What the latest extraction made.
    pub fn extraction(&self) -> Result<Extraction> {
        let found = Extraction::read(&self.root)?;
        found.with_context(|| {
            format!(
                "{} does not say what its features are of (no {})\n  remedy: watchpost extract --work {}",
                self.root.display(),
                extraction::FILE_NAME,
                self.root.display()
            )
        })
    }

    /// What a run was trained on.
    pub fn extraction_of(&self, run: &Run) -> Result<Extraction> {
        // Runs from before there were crops do not say.
        Extraction::read(run.dir())?.map_or_else(|| self.extraction(), Ok)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Folder of the run `name`, or of the only run there is.
    pub fn run(&self, name: Option<&str>) -> Result<PathBuf> {
        if let Some(name) = name {
            let run = self.runs().join(name);
            ensure!(run.is_dir(), "no run {name} in {}", self.runs().display());
            return Ok(run);
        }
        let mut runs = list_folders(&self.runs());
        match runs.len() {
            0 => bail!(
                "no run in {}\n  remedy: watchpost train --work {}",
                self.runs().display(),
                self.root.display()
            ),
            1 => Ok(runs.remove(0)),
            _ => {
                let names: Vec<_> = runs.iter().filter_map(|run| run.file_name()?.to_str()).collect();
                bail!(
                    "several runs in {}: choose one with --run ({})",
                    self.runs().display(),
                    names.join(", ")
                )
            }
        }
    }

    /// Folders of all runs, by name.
    pub fn run_folders(&self) -> Vec<PathBuf> {
        list_folders(&self.runs())
    }

    pub fn dataset(&self) -> Result<Dataset> {
        let path = self.dataset_path();
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let file: DatasetFile =
            serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        ensure!(
            file.format == FORMAT,
            "{} has format {}, this program reads {FORMAT}; run `watchpost index` again",
            path.display(),
            file.format
        );
        let manifest = Manifest::load(&file.labels, &file.videos)?;
        ensure!(
            hex(&manifest.sha256()) == file.labels_sha256,
            "{} changed since the data set was indexed\n  remedy: run `watchpost index` again",
            file.labels.display()
        );
        let splits = Splits::from_ids(&manifest, &file.splits)?;
        Ok(Dataset { manifest, splits, file })
    }

    /// Writes `dataset.json` in one step.
    pub fn save_dataset(
        &self,
        manifest: &Manifest,
        splits: &Splits,
        videos: &Path,
        labels: &Path,
        seed: u64,
    ) -> Result<()> {
        let file = DatasetFile {
            format: FORMAT,
            videos: absolute(videos)?,
            labels: absolute(labels)?,
            labels_sha256: hex(&manifest.sha256()),
            seed,
            splits: splits.ids(),
        };
        let text = serde_json::to_string_pretty(&file)?;
        crate::atomic_file::write(&self.dataset_path(), text.as_bytes())?;
        Ok(())
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("cannot find {}", path.display()))
}

fn list_folders(of: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(of) else { return Vec::new() };
    let mut folders: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}
