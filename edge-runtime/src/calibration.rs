//! Thresholds that `watchpostd calibrate` found for the cameras of this board, and what they hold for.
//!
//! They stand between the bundle and the configuration: a threshold that somebody wrote down wins.

use std::fmt;
use std::path::{Path, PathBuf};

use alarm_proto::CameraId;
use serde::{Deserialize, Serialize};
use vad_core::ScoreSpec;
use vad_threshold::ThresholdChoice;

use crate::config::{CameraConfig, Config, ScoreOverride};
use crate::kept::{self, Unread};
use crate::model::{Model, ModelError};
use crate::pipeline::Thresholds;

/// Name of the file, beside the outbox.
pub const CALIBRATION_FILE: &str = "calibration.toml";

/// Largest file that is read, bytes.
const MAX_BYTES: u64 = 64 * 1024;

const HEAD: &str =
    "# Written by `watchpostd calibrate`. Without this file the thresholds are those of the bundle.\n\n";

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// One for each camera that was calibrated.
    #[serde(default)]
    camera: Vec<Entry>,
}

/// One camera's thresholds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    id: String,
    /// The model that scored; with another one the thresholds say nothing.
    model: String,
    #[serde(flatten)]
    choice: ThresholdChoice,
}

/// Where a camera's threshold comes from.
#[derive(Debug)]
pub enum Calibrated {
    /// Nobody calibrated it.
    Never,
    /// The configuration has a threshold for it.
    Configured,
    /// The file.
    Stored(ThresholdChoice),
    /// The bundle, in spite of the file.
    Unused(PathBuf, Unused),
}

/// Why what is stored is not used.
#[derive(Debug, thiserror::Error)]
pub enum Unused {
    /// The file cannot be read.
    #[error("cannot be read ({0})")]
    Read(std::io::Error),
    /// It is not what `watchpostd calibrate` writes.
    #[error("is damaged ({0})")]
    Damaged(String),
    /// Another model scored.
    #[error("was calibrated with the model {0}")]
    Model(String),
}

impl From<Unread> for Unused {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Read(e) => Self::Read(e),
            Unread::Damaged(reason) => Self::Damaged(reason),
        }
    }
}

impl Calibration {
    /// What is stored in `file`; nothing where there is none.
    ///
    /// # Errors
    /// [`Unused::Read`], [`Unused::Damaged`].
    pub fn read(file: &Path) -> Result<Self, Unused> {
        Ok(kept::read(file, MAX_BYTES)?.unwrap_or_default())
    }

    /// Notes a camera's thresholds, in place of earlier ones.
    pub fn set(&mut self, camera: &CameraId, model: &str, choice: ThresholdChoice) {
        self.camera.retain(|entry| entry.id != camera.as_str());
        self.camera.push(Entry { id: camera.as_str().to_owned(), model: model.to_owned(), choice });
        self.camera.sort_by(|a, b| a.id.cmp(&b.id));
    }

    /// Writes it whole or not at all.
    ///
    /// # Errors
    /// Those of the system.
    pub fn write(&self, file: &Path) -> std::io::Result<()> {
        kept::write(file, HEAD, self)
    }

    fn choice(&self, camera: &CameraId, model: &str) -> Result<Option<ThresholdChoice>, Unused> {
        let Some(entry) = self.camera.iter().find(|entry| entry.id == camera.as_str()) else {
            return Ok(None);
        };
        let ThresholdChoice { raise_threshold: raise, clear_threshold: clear, .. } = entry.choice;
        if entry.model != model {
            return Err(Unused::Model(entry.model.clone()));
        }
        if !(0.0..=1.0).contains(&raise) || !(0.0..=raise).contains(&clear) {
            return Err(Unused::Damaged(format!("thresholds of {raise} and {clear}")));
        }
        Ok(Some(entry.choice.clone()))
    }
}

impl Calibrated {
    /// What holds for a camera whose scores come from `model`, with the configuration's overrides.
    #[must_use]
    pub fn find(file: &Path, camera: &CameraId, model: &str, overrides: &[&ScoreOverride]) -> Self {
        if is_configured(overrides) {
            return Self::Configured;
        }
        match Calibration::read(file).and_then(|stored| stored.choice(camera, model)) {
            Ok(None) => Self::Never,
            Ok(Some(choice)) => Self::Stored(choice),
            Err(reason) => Self::Unused(file.to_owned(), reason),
        }
    }

    /// The thresholds, as an override of the bundle's.
    #[must_use]
    pub fn score(&self) -> ScoreOverride {
        let Self::Stored(choice) = self else { return ScoreOverride::default() };
        ScoreOverride {
            raise_threshold: Some(choice.raise_threshold),
            clear_threshold: Some(choice.clear_threshold),
            ..ScoreOverride::default()
        }
    }

    /// Whether something is stored that does not hold.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Unused(..))
    }
}

impl fmt::Display for Calibrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => {
                write!(f, "never calibrated; the bundle's threshold holds (`watchpostd calibrate`)")
            }
            Self::Configured => write!(f, "the configuration's threshold holds"),
            Self::Stored(choice) => write!(f, "{}", choice.explain()),
            Self::Unused(file, reason) => {
                write!(
                    f,
                    "{} {reason}; the bundle's threshold holds: run `watchpostd calibrate` again",
                    file.display()
                )
            }
        }
    }
}

/// Whether the configuration has a threshold of its own.
pub(crate) fn is_configured(overrides: &[&ScoreOverride]) -> bool {
    overrides.iter().any(|over| over.raise_threshold.is_some() || over.clear_threshold.is_some())
}

/// What holds for a camera: the bundle's settings, what was calibrated, and the configuration, each over the one before.
pub(crate) struct InForce {
    pub(crate) calibrated: Calibrated,
    pub(crate) score: ScoreSpec,
    pub(crate) thresholds: Thresholds,
}

impl InForce {
    /// For a camera of a configuration.
    pub(crate) fn of(config: &Config, camera: &CameraConfig, model: &Model) -> Result<Self, ModelError> {
        let configured = [&config.score, &camera.score];
        let calibrated =
            Calibrated::find(&config.calibration_file(), &camera.id, &model.hex_id(), &configured);
        let over = calibrated.score();
        let overrides = [&over, &config.score, &camera.score];
        let score = model.score_spec(&overrides)?;
        Ok(Self { thresholds: Thresholds::new(&score, &overrides), calibrated, score })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(name: &str) -> CameraId {
        CameraId::try_from(name).unwrap()
    }

    fn choice(raise_threshold: f32) -> ThresholdChoice {
        ThresholdChoice {
            raise_threshold,
            clear_threshold: raise_threshold / 2.0,
            goal_per_camera_day: 1.0,
            false_alarms: 0,
            normal_camera_days: 2.0,
            upper95_per_camera_day: 1.5,
        }
    }

    #[test]
    fn each_camera_has_its_own_threshold_for_the_model_that_scored() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(CALIBRATION_FILE);
        let find = |name: &str, model: &str, over: &ScoreOverride| {
            Calibrated::find(&file, &camera(name), model, &[over])
        };
        let none = ScoreOverride::default();
        assert!(matches!(find("north", "m1", &none), Calibrated::Never));
        let mut stored = Calibration::default();
        stored.set(&camera("south"), "m1", choice(0.25));
        stored.set(&camera("north"), "m0", choice(0.5));
        stored.set(&camera("north"), "m1", choice(0.75));
        stored.write(&file).unwrap();
        assert_eq!(find("north", "m1", &none).score().raise_threshold, Some(0.75));
        assert_eq!(find("south", "m1", &none).score().clear_threshold, Some(0.125));
        assert!(matches!(find("west", "m1", &none), Calibrated::Never));
        let other = find("north", "m2", &none);
        assert!(
            other.is_stale() && other.to_string().contains("was calibrated with the model m1"),
            "{other}"
        );
        assert_eq!(other.score(), none);
        let written_down = ScoreOverride { clear_threshold: Some(0.1), ..ScoreOverride::default() };
        assert!(matches!(find("north", "m1", &written_down), Calibrated::Configured));
    }

    #[test]
    fn what_is_damaged_is_not_used_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(CALIBRATION_FILE);
        let mut stored = Calibration::default();
        stored.set(&camera("north"), "m1", choice(1.5));
        let text = toml::to_string(&stored).unwrap();
        let long = "#".repeat(usize::try_from(MAX_BYTES).unwrap() + 1);
        for bad in [text.as_str(), "camera = 3", "[[camera]]\nid = \"north\"\n", &long] {
            std::fs::write(&file, bad).unwrap();
            let found = Calibrated::find(&file, &camera("north"), "m1", &[]);
            assert!(found.is_stale() && found.to_string().contains("is damaged"), "{found}");
        }
    }
}
