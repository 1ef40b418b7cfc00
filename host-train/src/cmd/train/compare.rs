//! Several recipes or seeds on one data set, in one table.

use super::Session;
use crate::cmd::trials::training::Training;
use crate::cmd::trials::{self, Trials, Variant};
use crate::recipe::registry::Recipe;
use anyhow::Result;
use std::ops::Range;
use toml::Table;

/// Trains every recipe with every seed, compares them with the first one on the test split, and writes
/// `runs/comparison.md` and `.json`.
pub fn run(
    session: &mut Session<'_>,
    recipes: &[&'static dyn Recipe],
    given: &Table,
    seeds: Range<u64>,
) -> Result<()> {
    let variant = |recipe: &&'static dyn Recipe| Variant {
        name: recipe.name().to_owned(),
        training: Training::Recipe { recipe: *recipe, given: given.clone() },
        note: String::new(),
        against: Some(0),
    };
    let trials = Trials {
        title: "Recipes compared".to_owned(),
        introduction: "Every recipe is compared with the first one.".to_owned(),
        file: "comparison".to_owned(),
        run_prefix: String::new(),
        variants: recipes.iter().map(variant).collect(),
        seeds,
    };
    trials::run(session, &trials)
}
