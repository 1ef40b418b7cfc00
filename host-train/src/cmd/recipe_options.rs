//! Which recipe, and with which settings.

use crate::recipe::registry::{self, RECIPES, Recipe, STARTING_POINT};
use crate::recipe::settings::Published;
use crate::run::read_settings;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser};
use std::path::PathBuf;
use toml::{Table, Value};

/// Stands for every recipe.
const ALL: &str = "all";

#[derive(Debug, Clone, clap::Args)]
pub struct RecipeOptions {
    /// Training system [default: that of --config, else mist]
    #[arg(long, value_name = "NAME", value_parser = names())]
    recipe: Option<String>,
    #[command(flatten)]
    pub settings: SettingsOptions,
}

/// With which settings, where there are published ones and two readings of them.
#[derive(Debug, Clone, clap::Args)]
pub struct SettingsOptions {
    #[command(flatten)]
    own: ChangesOptions,
    /// Start from the settings published for this data set instead of those for small data
    #[arg(long, value_enum)]
    published: Option<Published>,
    /// What is computed: the paper's text, or what its released code does
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
}

/// Settings from a file and one by one.
#[derive(Debug, Clone, clap::Args)]
pub struct ChangesOptions {
    /// TOML file with settings; options take precedence
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change one setting; repeat for more
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    changes: Vec<(String, Value)>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeName {
    Paper,
    Released,
}

impl SettingsOptions {
    /// The settings of the file, changed by the options.
    pub fn given(&self) -> Result<Table> {
        let mut given = self.own.of_file()?;
        if let Some(data) = self.published {
            given.insert("dataset".to_owned(), data.name().into());
        }
        if let Some(mode) = self.mode {
            let name = match mode {
                ModeName::Paper => "paper",
                ModeName::Released => "released",
            };
            given.insert("mode".to_owned(), name.into());
        }
        given.extend(self.own.changes.iter().cloned());
        Ok(given)
    }

    /// Where the settings come from, for errors.
    pub fn origin(&self) -> String {
        self.own.origin()
    }
}

impl ChangesOptions {
    /// The settings of the file, changed by the options.
    pub fn given(&self) -> Result<Table> {
        let mut given = self.of_file()?;
        given.extend(self.changes.iter().cloned());
        Ok(given)
    }

    /// Where the settings come from, for errors.
    pub fn origin(&self) -> String {
        self.config.as_deref().map_or_else(|| "options".to_owned(), |path| path.display().to_string())
    }

    fn of_file(&self) -> Result<Table> {
        Ok(self.config.as_deref().map(read_settings).transpose()?.unwrap_or_default())
    }
}

/// A recipe and the settings given for it, which suit it.
pub struct Chosen {
    pub recipe: &'static dyn Recipe,
    pub given: Table,
}

impl RecipeOptions {
    /// The chosen recipes with the settings of the file, changed by the options and by `more`.
    ///
    /// Of all recipes, each takes the settings that it has, and those that were not published for the data set or have no such
    /// mode are left out with a word on standard error.
    pub fn read(&self, more: Option<(&str, Value)>) -> Result<Vec<Chosen>> {
        let mut given = self.settings.given()?;
        given.extend(more.map(|(key, value)| (key.to_owned(), value)));
        self.choose(given)
    }

    /// The chosen recipes with these settings, as [`RecipeOptions::read`] gives them.
    pub fn choose(&self, given: Table) -> Result<Vec<Chosen>> {
        if let (Some(asked), Some(named)) = (&self.recipe, given.get("recipe").and_then(Value::as_str)) {
            ensure!(asked == named, "--recipe is {asked}, but the settings are for {named}");
        }
        let chosen = match self.recipe.as_deref() {
            None => vec![Chosen { recipe: registry::of(&given)?, given }],
            Some(ALL) => all(&given).with_context(|| self.settings.origin())?,
            Some(name) => vec![Chosen { recipe: registry::by_name(name)?, given }],
        };
        for Chosen { recipe, given } in &chosen {
            recipe.settings(given).with_context(|| self.settings.origin())?;
        }
        Ok(chosen)
    }
}

/// Every recipe that the data set and the mode have settings for, with its part of what was given.
fn all(given: &Table) -> Result<Vec<Chosen>> {
    let mut start = given.clone();
    start.retain(|key, _| STARTING_POINT.contains(&key));
    let mut suited = Vec::new();
    let mut reasons = Vec::new();
    for recipe in RECIPES {
        match recipe.settings(&start) {
            Ok(_) => suited.push(recipe),
            Err(reason) => reasons.push(format!("{}: {reason}", recipe.name())),
        }
    }
    ensure!(!suited.is_empty(), "no recipe is left\n  {}", reasons.join("\n  "));
    for reason in reasons {
        eprintln!("left out: {reason}");
    }
    let own = |recipe: &&'static dyn Recipe| Chosen {
        recipe: *recipe,
        given: registry::own_settings(*recipe, &suited, given),
    };
    Ok(suited.iter().map(own).collect())
}

/// `given` with another seed.
pub fn with_seed(given: &Table, seed: u64) -> Result<Table> {
    let mut given = given.clone();
    given.insert("seed".to_owned(), i64::try_from(seed)?.into());
    Ok(given)
}

fn names() -> PossibleValuesParser {
    let recipes = RECIPES.into_iter().map(|recipe| PossibleValue::new(recipe.name()).help(recipe.about()));
    recipes
        .chain([PossibleValue::new(ALL).help("each of them, compared in one table")])
        .collect::<Vec<_>>()
        .into()
}

fn key_and_value(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as steps=500")?;
    let (key, value) = (key.trim(), value.trim());
    let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    Ok((key.to_owned(), parsed.unwrap_or_else(|| value.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_toml_and_words_need_no_quotes() {
        assert_eq!(key_and_value("steps=500"), Ok(("steps".into(), Value::Integer(500))));
        assert_eq!(key_and_value("margin = 0.5"), Ok(("margin".into(), Value::Float(0.5))));
        assert_eq!(key_and_value("selection=last"), Ok(("selection".into(), "last".into())));
        assert_eq!(
            key_and_value("hidden=[64, 16]"),
            Ok(("hidden".into(), Value::Array(vec![64.into(), 16.into()])))
        );
        assert!(key_and_value("steps").is_err());
    }
}
