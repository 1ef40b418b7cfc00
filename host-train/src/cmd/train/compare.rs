//! Several recipes or seeds on one data set, in one table.

use super::Session;
use crate::cmd::recipe_options::Chosen;
use crate::cmd::trials::{self, Trials, Variant};
use anyhow::Result;
use std::ops::Range;

/// Trains every recipe with every seed, compares them with the first one on the test split, and writes
/// `runs/comparison.md` and `.json`.
pub fn run(session: &mut Session<'_>, chosen: Vec<Chosen>, seeds: Range<u64>) -> Result<()> {
    let trials = Trials {
        title: "Recipes compared".to_owned(),
        introduction: "Every recipe is compared with the first one.".to_owned(),
        file: "comparison".to_owned(),
        run_prefix: String::new(),
        variants: chosen.into_iter().map(Variant::from).collect(),
        seeds,
    };
    trials::run(session, &trials)
}
