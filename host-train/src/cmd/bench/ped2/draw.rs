//! One draw: some videos to train on, the others to test on.

use super::ledger::{Ledger, Training};
use super::protocol::Protocol;
use crate::bag::TrainingSet;
use crate::cmd::recipe_options::with_seed;
use crate::evaluate;
use crate::recipe::registry::Recipe;
use anyhow::{Context, Result};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;
use toml::Table;
use vad_core::ModelSpec;
use vad_data::Features;
use vad_eval::{Evaluation, Limits};

/// One draw and its figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawResult {
    pub seed: u64,
    /// Frame ROC AUC over the test videos.
    pub frame_auc: f64,
    /// Average precision over the same frames.
    pub average_precision: f64,
    /// ROC AUC over the test videos, by their highest clip.
    pub video_auc: f64,
    /// Frame ROC AUC over the frames of abnormal test videos alone.
    pub within_abnormal_auc: f64,
    /// Frame AUC of a score that knows every video's label and nothing else.
    pub labels_alone_auc: f64,
    /// Frame AUC of a score that knows every video's label and goes by the detector within abnormal videos.
    pub labels_known_auc: f64,
    /// Frame AUC when every frame has the highest score of its video.
    pub not_localised_auc: f64,
    /// Time of the training, in seconds.
    pub train_s: f64,
    pub train_videos: Vec<String>,
}

/// What every draw on one kind of features has in common.
pub struct Bench<'a> {
    pub protocol: &'a Protocol,
    pub features: Rc<BTreeMap<String, Features>>,
    /// What a board sees of the same videos, where that differs from what detectors are trained on.
    pub on_board: Option<BTreeMap<String, Features>>,
    /// Tells features of one kind, of one data set, from others.
    pub made_from: String,
    pub device: Device,
}

#[cfg(test)]
impl DrawResult {
    /// Figures that differ from draw to draw in the frame AUC alone.
    pub fn made_up(seed: u64, frame_auc: f64) -> Self {
        Self {
            seed,
            frame_auc,
            average_precision: 0.7,
            video_auc: 0.9,
            within_abnormal_auc: 0.6,
            labels_alone_auc: 0.95,
            labels_known_auc: 0.97,
            not_localised_auc: 0.88,
            train_s: 20.125,
            train_videos: vec![format!("Test{seed:03}"), "Train001".to_owned()],
        }
    }
}

impl Bench<'_> {
    /// The figures of one draw, from the ledger where it has them.
    pub fn draw(&self, ledger: &Ledger, recipe: &dyn Recipe, given: &Table, seed: u64) -> Result<DrawResult> {
        let given = with_seed(given, seed)?;
        let training =
            Training { recipe: recipe.name(), settings: recipe.settings(&given)?, features: &self.made_from };
        if let Some(found) = ledger.find(&training)? {
            return Ok(found);
        }
        let result = self.measure(recipe, &given, seed)?;
        ledger.keep(&training, &result)?;
        Ok(result)
    }

    fn measure(&self, recipe: &dyn Recipe, given: &Table, seed: u64) -> Result<DrawResult> {
        let splits = self.protocol.draw(seed)?;
        let data = TrainingSet::new(&splits.train, &splits.val, &self.features)?;
        let started = Instant::now();
        let detector = recipe.train_in_memory(given, &data, &self.device)?;
        let train_s = started.elapsed().as_secs_f64();
        let scorer = detector.into();

        let test = splits.test.entries();
        let scores = test
            .iter()
            .map(|entry| {
                let found = self.on_board.as_ref().unwrap_or(&self.features).get(&entry.id);
                evaluate::score(
                    entry,
                    found.with_context(|| format!("{} has no features", entry.id))?,
                    &scorer,
                )
            })
            .collect::<Result<Vec<_>>>()?;
        let evaluation = Evaluation::run(&scores, &ModelSpec::i3d_mist("ped2").score)?;
        let limits = Limits::of(&evaluation);
        let undefined = "the test videos lack normal or abnormal frames";
        Ok(DrawResult {
            seed,
            frame_auc: evaluation.frame.roc_auc.context(undefined)?,
            average_precision: evaluation.frame.average_precision.context(undefined)?,
            video_auc: evaluation.video_roc_auc.context(undefined)?,
            within_abnormal_auc: evaluation.frame_abnormal_videos.roc_auc.context(undefined)?,
            labels_alone_auc: limits.labels_alone.context(undefined)?,
            labels_known_auc: limits.labels_known.context(undefined)?,
            not_localised_auc: limits.not_localised.context(undefined)?,
            train_s,
            train_videos: splits.train.ids().map(str::to_owned).collect(),
        })
    }
}
