//! What the settings of all systems have in common, and how a file of them is read.
//!
//! A file names a recipe and, if the published values for some data set are wanted, that data set; every other key
//! overrides one setting. Keys that the recipe does not have are refused.
//!
//! ```toml
//! recipe = "rtfm"
//! mode = "paper"
//! dataset = "shanghaitech"
//! seed = 3
//! ```

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::{Table, Value};

/// Which reading of a system is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// What the text says.
    Paper,
    /// What the public code computes.
    #[default]
    Released,
}

/// What is done to features before the first layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureScaling {
    /// Nothing, as published.
    #[default]
    None,
    /// Each dimension to zero mean and unit deviation over the training clips. The scaling is folded into the first
    /// layer of the exported detector, which therefore still takes raw features.
    Standardise,
}

/// Which step's weights become the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelectionRule {
    /// The step with the highest video-level ROC AUC on the validation split, ties by the lower validation loss. Without
    /// both labels in that split, the last step.
    #[default]
    Validation,
    /// The last step.
    Last,
}

/// Data sets for which papers print settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Published {
    /// UCF-Crime, I3D features.
    UcfCrime,
    /// UCF-Crime, C3D features.
    UcfCrimeC3d,
    /// ShanghaiTech, weakly supervised split.
    #[serde(rename = "shanghaitech")]
    #[value(name = "shanghaitech")]
    ShanghaiTech,
    /// XD-Violence, pictures without sound.
    XdViolence,
    /// TAD, traffic.
    Tad,
}

/// Training videos of the more frequent label: where videos of both labels are drawn side by side, papers' epochs are taken
/// as passes over these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LargerHalf(u64);

impl LargerHalf {
    /// UCF-Crime's abnormal videos.
    pub(crate) const UCF_CRIME: Self = Self(810);
    /// Normal ones of ShanghaiTech's weakly supervised split.
    pub(crate) const SHANGHAI_TECH: Self = Self(175);
    /// XD-Violence's normal ones.
    pub(crate) const XD_VIOLENCE: Self = Self(2049);

    /// Steps of that many passes, `pairs` videos of each label in a step.
    pub(crate) fn steps(self, passes: u64, pairs: usize) -> u64 {
        passes * self.0.div_ceil(pairs.max(1) as u64)
    }
}

/// When a training looks at the validation split, and what it does with what it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Steps between two looks.
    pub eval_every: u64,
    /// Clips whose mean is a video's score.
    pub topk: usize,
    /// Which step's weights become the model.
    pub selection: SelectionRule,
}

/// The settings of one training system.
pub trait Settings: Clone + Debug + PartialEq + Serialize + DeserializeOwned {
    /// Where a file of settings begins: the published values for a data set, or those for tens of short videos.
    ///
    /// # Errors
    /// When there are none for that data set, or the system has no such mode.
    fn starting_point(mode: Option<Mode>, data: Option<Published>) -> Result<Self, ConfigError>;

    /// Seed of every random draw.
    fn seed(&self) -> u64;

    /// How the training is watched.
    fn watch(&self) -> Watch;

    /// Checks every field.
    ///
    /// # Errors
    /// The first field outside its range, with what it must be.
    fn validate(&self) -> Result<(), ConfigError>;
}

/// A setting outside its range.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("setting {field} is {value}, must be {must}")]
pub struct ConfigError {
    /// The field.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub must: &'static str,
}

/// Why settings cannot be read.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum SettingsError {
    /// The recipe has no such setting.
    #[error("there is no setting {key}; {recipe} has {known}")]
    Unknown {
        /// The recipe.
        recipe: &'static str,
        /// The odd key.
        key: String,
        /// The keys that there are.
        known: String,
    },
    /// A value of the wrong type.
    #[error("setting {key} is {value}: {reason}")]
    Malformed {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value outside its range.
    #[error(transparent)]
    Range(#[from] ConfigError),
}

impl Published {
    /// As it is written in a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::UcfCrime => "ucf-crime",
            Self::UcfCrimeC3d => "ucf-crime-c3d",
            Self::ShanghaiTech => "shanghaitech",
            Self::XdViolence => "xd-violence",
            Self::Tad => "tad",
        }
    }
}

impl ConfigError {
    pub(crate) fn new(field: &'static str, value: impl ToString, must: &'static str) -> Self {
        Self { field, value: value.to_string(), must }
    }
}

/// The first of `reals` that is not finite, is negative, or is 0 though it must be positive (`true`).
pub(crate) fn check_reals(reals: &[(&'static str, f32, bool)]) -> Result<(), ConfigError> {
    for (field, value, positive) in reals {
        if !value.is_finite() || *value < 0.0 || (*positive && *value == 0.0) {
            let must = if *positive { "a finite number above 0" } else { "a finite number of at least 0" };
            return Err(ConfigError::new(field, value, must));
        }
    }
    Ok(())
}

/// The first of `counts` that is 0 or above its bound.
pub(crate) fn check_counts(counts: &[(&'static str, u64, u64)]) -> Result<(), ConfigError> {
    match counts.iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
        Some((field, value, _)) => Err(ConfigError::new(field, value, "at least 1 and not absurdly large")),
        None => Ok(()),
    }
}

/// A share of units to drop, in 0..1.
pub(crate) fn check_dropout(field: &'static str, rate: f64) -> Result<(), ConfigError> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(ConfigError::new(field, rate, "at least 0 and below 1"))
}

/// Most steps of a training: step numbers are exact in `f32`, as which curves are stored.
pub(crate) const MOST_STEPS: u64 = 16_000_000;

/// Completes `given` to the settings of `recipe`: from the published values if it names a `dataset`, else from those for
/// small data, both in its `mode`.
///
/// # Errors
/// Names the first key that is unknown, of the wrong type or out of range.
pub fn resolve<S: Settings>(recipe: &'static str, given: &Table) -> Result<S, SettingsError> {
    let mode = read::<Mode>(given, "mode")?;
    let base = S::starting_point(mode, read::<Published>(given, "dataset")?)?;
    let settings = overlay(recipe, &base, given)?;
    settings.validate()?;
    Ok(settings)
}

pub(crate) fn read<T: DeserializeOwned>(given: &Table, key: &str) -> Result<Option<T>, SettingsError> {
    let parse = |value: &Value| {
        value.clone().try_into().map_err(|error: toml::de::Error| malformed(key, value, &error))
    };
    given.get(key).map(parse).transpose()
}

/// One key at a time, so that a value of the wrong type is blamed on its own key.
pub(crate) fn overlay<S: Settings>(
    recipe: &'static str,
    base: &S,
    given: &Table,
) -> Result<S, SettingsError> {
    let mut settings = base.clone();
    let mut table = Table::try_from(base).unwrap_or_default();
    for (key, value) in given.iter().filter(|(key, _)| !["recipe", "mode", "dataset"].contains(&key.as_str()))
    {
        if !table.contains_key(key) {
            let known = table.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(SettingsError::Unknown { recipe, key: key.clone(), known });
        }
        table.insert(key.clone(), value.clone());
        settings = table.clone().try_into().map_err(|error| malformed(key, value, &error))?;
    }
    Ok(settings)
}

/// Complete settings as a table. Reals of single precision are written as short as that precision reads them back: 0.1, not
/// 0.10000000149011612.
pub(crate) fn to_table<T: Serialize>(settings: &T) -> Result<Table, toml::ser::Error> {
    let table = Table::try_from(settings)?;
    Ok(table.into_iter().map(|(key, value)| (key, shortened(value))).collect())
}

fn shortened(value: Value) -> Value {
    match value {
        Value::Float(real) if f64::from(real as f32) == real => {
            Value::Float((real as f32).to_string().parse().unwrap_or(real))
        }
        Value::Array(values) => Value::Array(values.into_iter().map(shortened).collect()),
        other => other,
    }
}

fn malformed(key: &str, value: &Value, error: &toml::de::Error) -> SettingsError {
    let reason = error.message().to_owned();
    SettingsError::Malformed { key: key.to_owned(), value: value.to_string(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::mist_config::MistConfig;
    use crate::recipe::rtfm_config::RtfmConfig;

    fn rtfm(text: &str) -> Result<RtfmConfig, SettingsError> {
        resolve("rtfm", &text.parse().unwrap())
    }

    #[test]
    fn a_data_set_gives_its_published_settings_and_every_key_overrides_one() {
        let config =
            rtfm("recipe = 'rtfm'\nmode = 'paper'\ndataset = 'shanghaitech'\nmargin = 2\nseed = 4").unwrap();
        let published = RtfmConfig::published(Mode::Paper, Published::ShanghaiTech).unwrap();
        assert_eq!(config, RtfmConfig { margin: 2.0, seed: 4, ..published });
        assert_eq!(rtfm("").unwrap(), RtfmConfig::small());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let config = MistConfig { mode: Mode::Paper, seed: 7, dropout: 0.25, ..MistConfig::small() };
        let text = to_table(&config).unwrap().to_string();
        assert!(text.contains("learning_rate = 0.001\n"), "{text}");
        assert_eq!(resolve::<MistConfig>("mist", &text.parse().unwrap()).unwrap(), config);
    }

    #[test]
    fn errors_name_the_key_and_the_remedy() {
        let message = |text: &str| rtfm(text).unwrap_err().to_string();
        let unknown = message("learning_rat = 0.1");
        assert!(
            unknown.contains("no setting learning_rat;") && unknown.contains("learning_rate"),
            "{unknown}"
        );
        let wrong = message("steps = 'many'");
        assert!(wrong.contains("setting steps is \"many\""), "{wrong}");
        assert!(message("dataset = 'ucf'").contains("setting dataset is \"ucf\""));
        assert!(message("topk = 0").contains("setting topk is 0"));
    }
}
