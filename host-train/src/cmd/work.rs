//! The work folder: `dataset.json`, `extraction.json` and `features/` or `import.json`, `encoders/NAME/` and `runs/NAME/`.

use crate::archive::{self, Purpose};
use crate::extraction::{self, Extraction};
use crate::feature_source::FeatureSource;
use crate::run::Run;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use vad_data::{CropPlan, FeatureCache, FeatureStore, Manifest, SplitIds, Splits, VideoEntry, hex};
use vad_datasets::Import;
use vad_eval::Convention;

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
    /// Whether `import.json` says where the videos or their features are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
}

/// A data set with its split, ready for extraction and training.
pub struct Dataset {
    pub manifest: Manifest,
    pub splits: Splits,
    pub file: DatasetFile,
    pub import: Option<Import>,
}

impl Dataset {
    /// Where its features come from: files that were imported, or the latest extraction.
    pub fn features(&self, work: &Work) -> Result<FeatureSource> {
        self.source(work, || work.extraction())
    }

    /// Where the features come from that a run was trained on, with another number of crops if asked for.
    pub fn features_of(&self, work: &Work, run: &Run, crops: Option<CropPlan>) -> Result<FeatureSource> {
        let made = || {
            let mut made = work.extraction_of(run)?;
            made.features.crops = crops.unwrap_or(made.features.crops);
            Ok(made)
        };
        self.source(work, made)
    }

    fn source(&self, work: &Work, made: impl Fn() -> Result<Extraction>) -> Result<FeatureSource> {
        match &self.import {
            Some(import) if !self.has_videos() => Ok(FeatureSource::Imported(Box::new(import.clone()))),
            _ => {
                let made = made()?;
                Ok(FeatureSource::Extracted { store: work.features_of(&made)?, made })
            }
        }
    }

    /// Whether the videos themselves are at hand, not only features that were imported.
    pub fn has_videos(&self) -> bool {
        self.import.as_ref().is_none_or(|import| import.features.is_none())
    }

    /// The ways in which papers on it count frames; none for data that were not imported.
    pub fn conventions(&self) -> &'static [Convention] {
        self.import.as_ref().map_or(&[], |import| import.dataset.conventions())
    }

    /// What to call it on a page.
    pub fn title(&self) -> Cow<'_, str> {
        match &self.import {
            Some(import) => import.dataset.title().into(),
            None => self.file.videos.file_name().unwrap_or_default().to_string_lossy(),
        }
    }

    /// A video with its annotated frames, as an evaluation may see it.
    pub fn annotated(&self, entry: &VideoEntry) -> VideoEntry {
        self.import.as_ref().map_or_else(|| entry.clone(), |import| import.annotated(entry))
    }
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
            "{} is not a work folder (no dataset.json)\n  remedy: watchpost index --videos DIR --labels FILE --work {}, or watchpost import",
            root.display(),
            root.display()
        );
        Ok(Self { root: root.to_path_buf() })
    }

    pub fn dataset_path(&self) -> PathBuf {
        self.root.join("dataset.json")
    }

    /// The features that are kept in this folder.
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

    /// Where features are kept: at an address that several machines share, or in this folder.
    pub fn store(&self, address: Option<&str>, purpose: Purpose) -> Result<Box<dyn FeatureStore>> {
        let local = self.features()?;
        Ok(match address {
            Some(address) => archive::open(address, local, purpose)?,
            None => Box::new(local),
        })
    }

    /// Where the features of an extraction are, to be read.
    pub fn features_of(&self, made: &Extraction) -> Result<Box<dyn FeatureStore>> {
        self.store(made.store.as_deref(), Purpose::Read)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Folder of the distilled encoder `name`.
    pub fn encoder_dir(&self, name: &str) -> Result<PathBuf> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        ensure!(
            name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_plain),
            "{name:?} cannot be the name of an encoder\n  remedy: letters, digits, '.', '_' and '-'"
        );
        Ok(self.root.join("encoders").join(name))
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
        let import = file.imported.then(|| self.read_import()).transpose()?;
        let manifest = match &import {
            Some(import) => {
                let paths = import.paths();
                Manifest::load_known(&file.labels, |name| paths.get(name).cloned())?
            }
            None => Manifest::load(&file.labels, &file.videos)?,
        };
        ensure!(
            hex(&manifest.sha256()) == file.labels_sha256,
            "{} changed since the data set was indexed\n  remedy: run `watchpost {}` again",
            file.labels.display(),
            if file.imported { "import" } else { "index" }
        );
        let splits = Splits::from_ids(&manifest, &file.splits)?;
        Ok(Dataset { manifest, splits, file, import })
    }

    fn import_path(&self) -> PathBuf {
        self.root.join("import.json")
    }

    fn read_import(&self) -> Result<Import> {
        let path = self.import_path();
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Import::from_json(&text, &path)?)
    }

    /// Writes `import.json` and the label file that goes with it, and gives the latter. Neither counts until
    /// [`Work::save_dataset`].
    pub fn save_import(&self, import: &Import) -> Result<PathBuf> {
        let labels = self.root.join("labels.csv");
        let unannotated: Vec<VideoEntry> = import.entries();
        crate::atomic_file::write(&labels, vad_data::render_labels(&unannotated).as_bytes())?;
        crate::atomic_file::write(&self.import_path(), import.to_json()?.as_bytes())?;
        Ok(labels)
    }

    /// Writes `dataset.json` in one step.
    pub fn save_dataset(
        &self,
        manifest: &Manifest,
        splits: &Splits,
        videos: &Path,
        labels: &Path,
        seed: u64,
        imported: bool,
    ) -> Result<()> {
        let file = DatasetFile {
            format: FORMAT,
            videos: absolute(videos)?,
            labels: absolute(labels)?,
            labels_sha256: hex(&manifest.sha256()),
            seed,
            splits: splits.ids(),
            imported,
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
