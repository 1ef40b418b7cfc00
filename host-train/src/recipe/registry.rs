//! All recipes behind one type, for those who learn at run time which one is meant.

use std::marker::PhantomData;

use burn::tensor::Device;
use toml::{Table, Value};
use vad_core::ModelSpec;

use crate::bag::TrainingSet;
use crate::recipe::arms::ArmsSystem;
use crate::recipe::cu::Cu;
use crate::recipe::mist_stage1::MistStage1;
use crate::recipe::rtfm::RtfmSystem;
use crate::recipe::settings::{SettingsError, resolve, to_table};
use crate::recipe::sultani::SultaniSystem;
use crate::recipe::system::{Detector, System};
use crate::recipe::trainer::{StepReport, TrainError, Trainer};
use crate::run::{Flow, Run, RunError, RunOutcome};
use crate::tensors::{Arrays, TensorsError};

/// What can be done with a training system whose type is not known. `settings` are a file's content, complete or not.
pub trait Recipe: Sync {
    /// [`System::NAME`].
    fn name(&self) -> &'static str;

    /// [`System::ABOUT`].
    fn about(&self) -> &'static str;

    /// Completes and checks settings; the result names every setting.
    ///
    /// # Errors
    /// Names the first key that is unknown, of the wrong type or out of range.
    fn settings(&self, given: &Table) -> Result<Table, SettingsError>;

    /// [`System::training_segments`].
    ///
    /// # Errors
    /// As [`Recipe::settings`].
    fn training_segments(&self, given: &Table) -> Result<Option<usize>, SettingsError>;

    /// [`Run::train`].
    ///
    /// # Errors
    /// As there.
    fn train(
        &self,
        run: &Run,
        settings: &Table,
        data: &TrainingSet,
        device: &Device,
        model: &ModelSpec,
        progress: &mut dyn FnMut(&StepReport) -> Flow,
    ) -> Result<RunOutcome, RecipeError>;

    /// Trains to the last step without keeping anything but the detector.
    ///
    /// # Errors
    /// When a setting is wrong or the loss diverges.
    fn train_in_memory(
        &self,
        settings: &Table,
        data: &TrainingSet,
        device: &Device,
    ) -> Result<Box<dyn Detector>, RecipeError>;

    /// [`System::load`].
    ///
    /// # Errors
    /// When a setting is wrong or an array does not fit.
    fn load(
        &self,
        settings: &Table,
        weights: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<Box<dyn Detector>, RecipeError>;
}

/// Why a recipe cannot do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// There is no such recipe.
    #[error("there is no recipe {name}; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// Its settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The run went wrong.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The training went wrong.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The weights do not fit.
    #[error(transparent)]
    Weights(#[from] TensorsError),
}

/// Settings that say where all others begin.
pub const STARTING_POINT: [&str; 2] = ["dataset", "mode"];

/// What of `given` is for `recipe` where several recipes are given settings together: not what only others have. A setting
/// that none of them has stays, so that it is refused by name.
pub fn own_settings(recipe: &dyn Recipe, together: &[&dyn Recipe], given: &Table) -> Table {
    let has = |recipe: &dyn Recipe, key: &str| {
        recipe.settings(&Table::new()).is_ok_and(|complete| complete.contains_key(key))
    };
    let keep = |key: &str| {
        STARTING_POINT.contains(&key) || has(recipe, key) || !together.iter().any(|recipe| has(*recipe, key))
    };
    given.iter().filter(|(key, _)| keep(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Every recipe, in the order of publication.
pub const RECIPES: [&dyn Recipe; 5] = [
    &Of::<SultaniSystem>(PhantomData),
    &Of::<MistStage1>(PhantomData),
    &Of::<RtfmSystem>(PhantomData),
    &Of::<Cu>(PhantomData),
    &Of::<ArmsSystem>(PhantomData),
];

/// The recipe of this name.
///
/// # Errors
/// When there is none, with the names that there are.
pub fn by_name(name: &str) -> Result<&'static dyn Recipe, RecipeError> {
    RECIPES.into_iter().find(|recipe| recipe.name() == name).ok_or_else(|| RecipeError::Unknown {
        name: name.to_owned(),
        known: RECIPES.map(Recipe::name).join(", "),
    })
}

/// The recipe that settings name; MIST where they name none.
///
/// # Errors
/// When there is none of that name.
pub fn of(settings: &Table) -> Result<&'static dyn Recipe, RecipeError> {
    match settings.get("recipe") {
        None => by_name(MistStage1::NAME),
        Some(Value::String(name)) => by_name(name),
        Some(other) => by_name(&other.to_string()),
    }
}

struct Of<S>(PhantomData<fn() -> S>);

impl<S: System> Of<S> {
    fn config(given: &Table) -> Result<S::Config, SettingsError> {
        resolve(S::NAME, given)
    }
}

impl<S: System> Recipe for Of<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn about(&self) -> &'static str {
        S::ABOUT
    }

    fn settings(&self, given: &Table) -> Result<Table, SettingsError> {
        Ok(to_table(&Self::config(given)?).unwrap_or_default())
    }

    fn training_segments(&self, given: &Table) -> Result<Option<usize>, SettingsError> {
        Ok(S::training_segments(&Self::config(given)?))
    }

    fn train(
        &self,
        run: &Run,
        settings: &Table,
        data: &TrainingSet,
        device: &Device,
        model: &ModelSpec,
        progress: &mut dyn FnMut(&StepReport) -> Flow,
    ) -> Result<RunOutcome, RecipeError> {
        Ok(run.train::<S>(&Self::config(settings)?, data, device, model, progress)?)
    }

    fn train_in_memory(
        &self,
        settings: &Table,
        data: &TrainingSet,
        device: &Device,
    ) -> Result<Box<dyn Detector>, RecipeError> {
        let mut trainer = Trainer::<S>::new(&Self::config(settings)?, data, device)?;
        while !trainer.is_finished() {
            trainer.step()?;
        }
        Ok(Box::new(trainer.detector()))
    }

    fn load(
        &self,
        settings: &Table,
        weights: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<Box<dyn Detector>, RecipeError> {
        Ok(Box::new(S::load(&Self::config(settings)?, weights, origin, device)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_completes_empty_settings_and_takes_its_own_back() {
        for recipe in RECIPES {
            let complete = recipe.settings(&Table::new()).unwrap();
            assert!(complete.contains_key("seed"), "{}", recipe.name());
            assert_eq!(recipe.settings(&complete).unwrap(), complete);
            assert_eq!(by_name(recipe.name()).unwrap().name(), recipe.name());
        }
        let unknown = by_name("rtfn").err().unwrap().to_string();
        assert!(unknown.contains("rtfn") && unknown.contains("sultani, mist, rtfm, cu, arms"), "{unknown}");
    }
}
