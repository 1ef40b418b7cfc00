//! What a trial changed, as a page and in numbers.

use super::super::super::provenance;
use super::super::super::terminal::count;
use super::Exported;
use super::int8::Learnt;
use super::trial::{Judged, Trial};
use crate::atomic_file;
use crate::quantise::calibration::LayerError;
use crate::quantise::gate::Change;
use anyhow::Result;
use serde::Serialize;
use std::path::PathBuf;
use vad_eval::{ComparedRun, ComparisonReport, Evaluation, PlainTable, Resampling};

/// What is particular to a variant.
pub(super) struct About<'a> {
    /// What it is, in words.
    pub(super) what: String,
    /// How far features are off, a share of their deviation.
    pub(super) feature_error: f64,
    /// What learning changed, where layers learnt.
    pub(super) learnt: Option<Learnt>,
    pub(super) facts: Vec<(&'static str, String)>,
    /// Layers in int8.
    pub(super) int8: Vec<&'a str>,
    /// What each layer that can be in int8 costs by itself.
    pub(super) layers: &'a [LayerError],
    pub(super) tables: Vec<PlainTable>,
}

/// The report in numbers.
#[derive(Serialize)]
struct Numbers<'a> {
    facts: &'a [(String, String)],
    int8: &'a [&'a str],
    feature_error: f64,
    quantisation_aware_training: Option<Learnt>,
    layers: &'a [LayerError],
    change: &'a Change,
    refused: Option<String>,
}

impl About<'_> {
    pub(super) fn f16(feature_error: f64) -> Self {
        Self {
            what: "weights and arithmetic in f16".to_owned(),
            feature_error,
            learnt: None,
            facts: vec![("Features off by", format!("{:.3} % of their deviation", 100.0 * feature_error))],
            int8: Vec::new(),
            layers: &[],
            tables: Vec::new(),
        }
    }
}

impl Exported<'_> {
    /// Writes the page and its numbers; the path of the page.
    pub(super) fn report(&self, judged: &Judged, trial: &Trial, about: &About<'_>) -> Result<PathBuf> {
        let resampling = Resampling::default();
        let variant = trial.change.variant;
        let run = |name: String, about: String, of: &Evaluation| (name, about, of.clone());
        let runs = vec![
            run(
                "trainer".to_owned(),
                "the head as it was trained, features in f32".to_owned(),
                &judged.trainer,
            ),
            run("board, f32".to_owned(), "the exported graphs".to_owned(), &judged.whole),
            run(format!("board, {variant}"), about.what.clone(), &trial.evaluation),
        ];
        let refused = trial.change.refusal();
        let verdict = refused.as_ref().map_or_else(|| "passed".to_owned(), |why| format!("refused: {why}"));
        let between = format!("Between f32 and {variant}");
        let mut facts = vec![("Verdict", verdict), (between.as_str(), trial.change.to_string())];
        facts.extend(about.facts.iter().cloned());
        let facts = provenance::facts(&facts);
        let numbers = Numbers {
            facts: &facts,
            int8: &about.int8,
            feature_error: about.feature_error,
            quantisation_aware_training: about.learnt,
            layers: about.layers,
            change: &trial.change,
            refused,
        };
        let path = self.run.join("report-precision.html");
        atomic_file::write(&path.with_extension("json"), &serde_json::to_vec_pretty(&numbers)?)?;
        let videos = count(judged.entries.len(), "validation video");
        let report = ComparisonReport {
            title: format!("Watchpost: {} in {variant}", self.spec.name),
            subtitle: format!("{videos} of {}", self.work.dataset()?.title()),
            runs: ComparedRun::all(runs, resampling)?,
            resampling,
            tables: about.tables.clone(),
            facts,
        };
        report.write(&path)?;
        Ok(path)
    }
}
