//! The report of a run: one HTML file that needs nothing else.
//!
//! No script, no font, no image and no address outside the file; a content policy in its head says so to the browser.
//! Colours follow the reader's light or dark setting, plots stretch to any width. The same evaluation gives the same
//! bytes: nothing in it comes from the clock or the machine.

pub mod comparison;
mod curves;
mod explain;
mod map;
mod page;
mod plots;
mod svg;
mod tables;
mod text;
mod tiles;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::evaluation::Evaluation;
use crate::feature_map::FeatureMap;
use vad_threshold::ThresholdChoice;

/// The report could not be written.
#[derive(Debug, Error)]
#[error("cannot write the report {}: {source}; is the folder there, writable and not full?", path.display())]
pub struct ReportError {
    /// The report, or the temporary file beside it.
    path: PathBuf,
    /// What the system said.
    source: io::Error,
}

/// Headline figures of one of several runs that differ only in their seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedFigures {
    /// The seed.
    pub seed: u64,
    /// Frame-level ROC AUC.
    pub roc_auc: Option<f64>,
    /// Area under the PR curve, trapezoidal.
    pub pr_auc_trapezoid: Option<f64>,
    /// Step-wise average precision.
    pub average_precision: Option<f64>,
}

/// Everything a report shows. All texts are plain; markup in them is shown, not obeyed.
#[derive(Clone, Debug)]
pub struct Report {
    /// Heading of the page, such as the name of the model.
    pub title: String,
    /// One line below it, such as data set and recipe.
    pub subtitle: String,
    /// What was run: recipe, configuration, seed, data hash, commit, command. A value of several lines keeps them.
    pub facts: Vec<(String, String)>,
    /// The figures.
    pub evaluation: Evaluation,
    /// How the raise threshold was chosen, where it was.
    pub threshold: Option<ThresholdChoice>,
    /// The same figures for several seeds; empty when only one was run.
    pub seeds: Vec<SeedFigures>,
    /// Where the clips lie, where that was asked for.
    pub map: Option<FeatureMap>,
}

impl Report {
    /// A report without threshold choice, seeds and map.
    pub fn new(
        title: impl Into<String>,
        subtitle: impl Into<String>,
        facts: Vec<(String, String)>,
        evaluation: Evaluation,
    ) -> Self {
        Self {
            title: title.into(),
            subtitle: subtitle.into(),
            facts,
            evaluation,
            threshold: None,
            seeds: Vec::new(),
            map: None,
        }
    }

    /// The page.
    pub fn to_html(&self) -> String {
        page::render(self)
    }

    /// Writes the page to `path`, whole or not at all: to a temporary file beside it, synced, then renamed.
    ///
    /// # Errors
    /// [`ReportError`], naming the file; an earlier report is then still there.
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        write_page(path, &self.to_html())
    }
}

fn write_page(path: &Path, html: &str) -> Result<(), ReportError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.part", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = write_synced(&temporary, html.as_bytes())
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|source| ReportError { path: path.to_owned(), source });
    if written.is_err() {
        // Best effort: the error that is reported is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
