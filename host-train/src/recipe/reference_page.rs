//! The page on recipes and the settings that there are, held against each other.

use std::collections::BTreeSet;

use crate::recipe::mist_stage2_config::Stage2Config;
use crate::recipe::registry::RECIPES;
use crate::recipe::settings::to_table;
use toml::Table;

const PAGE: &str = include_str!("../../../docs/reference/recipes.md");

/// The part of the page below a heading, up to the next one of that level.
fn section(heading: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    rest.split("\n## ").next().unwrap_or(rest)
}

/// The names in the first column of the tables whose heading begins with `key`.
fn keys(section: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_of_keys = false;
    for line in section.lines().filter(|line| !line.starts_with("|--")) {
        let Some(first) = line.strip_prefix("| ").and_then(|row| row.split(" |").next()) else {
            is_of_keys = false;
            continue;
        };
        is_of_keys |= first == "key";
        if is_of_keys {
            names.extend(first.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    names
}

fn agree(name: &str, settings: &Table) {
    let common = keys(section("What the recipes have in common"));
    let shown = keys(section(&format!("`{name}`")));
    // `mode` has a paragraph of its own, as it is no number to tune.
    let is_elsewhere = |key: &str| common.contains(key) || key == "mode" || key == "recipe";
    let missing: Vec<&String> =
        settings.keys().filter(|key| !shown.contains(*key) && !is_elsewhere(key)).collect();
    assert!(missing.is_empty(), "recipes.md, {name}: nothing is said of {missing:?}");
    let stale: Vec<&String> = shown.iter().filter(|key| !settings.contains_key(*key)).collect();
    assert!(stale.is_empty(), "recipes.md, {name}: there is no {stale:?}");
}

#[test]
fn every_setting_is_on_the_page_and_no_other() {
    for recipe in RECIPES {
        agree(recipe.name(), &recipe.settings(&Table::new()).unwrap());
    }
    agree("mist-stage2", &to_table(&Stage2Config::default()).unwrap());
}
