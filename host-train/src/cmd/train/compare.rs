//! Several recipes or seeds on one data set, in one table.

use super::Session;
use crate::cmd::recipe_options::Chosen;
use crate::cmd::trials::training::Training;
use crate::cmd::trials::{self, Trials, Variant};
use anyhow::Result;
use std::ops::Range;

/// Trains every recipe with every seed, compares them with the first one on the test split, and writes
/// `runs/comparison.md` and `.json`.
pub fn run(session: &mut Session<'_>, chosen: &[Chosen], seeds: Range<u64>) -> Result<()> {
    let variant = |Chosen { recipe, given }: &Chosen| Variant {
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
        variants: chosen.iter().map(variant).collect(),
        seeds,
    };
    trials::run(session, &trials)
}
