//! Where the features of a data set come from: the cache of an extraction, or files that were imported.

use std::path::Path;

use anyhow::{Context, Result};
use vad_core::ModelSpec;
use vad_data::{FeatureStore, Features, VideoEntry};
use vad_datasets::Import;

use crate::extraction::Extraction;

/// The features of one data set.
pub enum FeatureSource {
    /// Extracted here, by an encoder that boards can run.
    Extracted {
        /// Where they are kept.
        store: Box<dyn FeatureStore>,
        /// What made them.
        made: Extraction,
    },
    /// Extracted elsewhere; they stay where they are.
    Imported(Box<Import>),
}

impl FeatureSource {
    /// Features of one video.
    ///
    /// # Errors
    /// Names the video and the remedy when there are none, or they are damaged.
    pub fn load(&self, entry: &VideoEntry) -> Result<Features> {
        match self {
            Self::Extracted { store, made } => made.cached(&**store, entry),
            Self::Imported(import) => Ok(import.load(&entry.id)?),
        }
    }

    /// Everything about a model on these features but its head.
    ///
    /// # Errors
    /// Imported videos without features.
    pub fn model(&self, name: &str) -> Result<ModelSpec> {
        match self {
            Self::Extracted { made, .. } => Ok(made.model(name)),
            Self::Imported(import) => import
                .model(name)
                .context("the import has videos and no features\n  remedy: watchpost extract"),
        }
    }

    /// Width of a clip's features.
    ///
    /// # Errors
    /// As [`FeatureSource::model`].
    pub fn width(&self) -> Result<usize> {
        Ok(self.model("features")?.encoder.feature_dim as usize)
    }

    /// Lets a run say what it was trained on.
    ///
    /// # Errors
    /// When `folder`, the run's, cannot be written.
    pub fn note_in(&self, folder: &Path) -> Result<()> {
        match self {
            Self::Extracted { made, .. } => made.write(folder),
            Self::Imported(_) => Ok(()),
        }
    }

    /// Whether they are too many, as published sets can be, to be kept in memory beside the table that is trained on.
    pub fn is_large(&self) -> bool {
        matches!(self, Self::Imported(_))
    }
}

impl std::fmt::Display for FeatureSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Extracted { made, .. } => made.fmt(f),
            Self::Imported(import) => write!(f, "imported, of {}", import.dataset.title()),
        }
    }
}
