//! The ablations: named variants of recipes, as data.
//!
//! A variant is a recipe and the settings that make it what it is; the runner knows nothing else. An ablation of a recipe
//! that comes later is a few more rows. MIST's second stage has two in its paper (the guided head, and self-guided
//! attention): once it is a recipe of the registry they belong here, as `mist-guided-head` and `mist-attention`, and beside
//! its first stage in `self-training`.

use crate::cmd::trials;
use crate::recipe::registry;
use anyhow::{Context, Result};
use toml::Table;

/// One question and the variants that answer it.
pub struct Ablation {
    pub name: &'static str,
    /// The question, as a sentence.
    pub about: &'static str,
    variants: &'static [Variant],
}

/// One way to train.
struct Variant {
    name: &'static str,
    recipe: &'static str,
    /// The variant's settings as TOML: they override what the user sets.
    settings: &'static str,
    against: Against,
}

/// What a variant is compared with.
#[derive(Clone, Copy)]
enum Against {
    Nothing,
    /// The variant of this name, which stands before it.
    Variant(&'static str),
}

/// Settings of every variant, unless the user says otherwise: choosing a step would blur what a part does.
const COMMON: &str = "selection = 'last'";

/// Every ablation.
pub const ABLATIONS: &[Ablation] = &[
    Ablation {
        name: "self-training",
        about: "Does training on a system's own pseudo labels improve on its first stage?",
        variants: &[
            first("cu-generator", "cu", "iterations = 0"),
            against("cu-generator", "cu-classifier", "cu", ""),
            first("arms-first-iteration", "arms", "iterations = 1"),
            against("arms-first-iteration", "arms-last-iteration", "arms", ""),
            first("ranking-first-iteration", "arms", "objective = 'ranking'\niterations = 1"),
            against("ranking-first-iteration", "ranking-last-iteration", "arms", "objective = 'ranking'"),
        ],
    },
    Ablation {
        name: "mist-sampling",
        about: "Do runs of consecutive clips (sparse continuous sampling) beat single clips, and does the way they are shifted matter?",
        variants: &[
            first("sparse-continuous", "mist", "shift = 'uniform'"),
            against("sparse-continuous", "sparse-continuous-random", "mist", "shift = 'random'"),
            against(
                "sparse-continuous",
                "single-uniform",
                "mist",
                "clips_per_segment = 1\nshift = 'uniform'",
            ),
            against("sparse-continuous", "single-random", "mist", "clips_per_segment = 1\nshift = 'random'"),
        ],
    },
    Ablation {
        name: "rtfm-parts",
        about: "What do the temporal network and the magnitude loss of RTFM add?",
        variants: &[
            first("full", "rtfm", ""),
            against("full", "without-magnitude", "rtfm", "magnitude = 0.0"),
            against("full", "without-temporal", "rtfm", "temporal = 'none'"),
            against("full", "without-regularisers", "rtfm", "sparsity = 0.0\nsmoothness = 0.0"),
        ],
    },
    Ablation {
        name: "cu-completeness",
        about: "Do several heads that must differ make CU's pseudo labels better?",
        variants: &[
            first("full", "cu", ""),
            against("full", "without-diversity", "cu", "alpha = 0.0"),
            against("full", "single-head", "cu", "heads = 1\nalpha = 0.0"),
        ],
    },
    Ablation {
        name: "cu-uncertainty",
        about: "Does it help CU to learn from the certain pseudo labels only?",
        variants: &[
            first("full", "cu", ""),
            against("full", "all-labels", "cu", "reliable_share = 1.0"),
            against("full", "one-pass", "cu", "reliable_share = 1.0\nfirst_passes = 1\nlater_passes = 1"),
        ],
    },
    Ablation {
        name: "arms-phases",
        about: "What do the three phases of ARMS add?",
        variants: &[
            first("all-phases", "arms", "phases = 'all'"),
            against("all-phases", "bootstrapping-only", "arms", "phases = 'bootstrapping'"),
            against("all-phases", "without-hard-mining", "arms", "phases = 'without-hard-mining'"),
            against("all-phases", "without-adaptive", "arms", "phases = 'without-adaptive'"),
        ],
    },
    Ablation {
        name: "arms-pseudo-labels",
        about: "Do pseudo labels of the highest and lowest quarter help ARMS?",
        variants: &[
            first("with", "arms", ""),
            against("with", "without", "arms", "pseudo_label_weight = 0.0"),
        ],
    },
    Ablation {
        name: "arms-objective",
        about: "Does a least share of abnormal snippets (AR-MIL) beat ranking the highest ones (MS-MIL)?",
        variants: &[
            first("ranking-top-1", "arms", "objective = 'ranking'\ntopk = 1"),
            against("ranking-top-1", "ranking-top-3", "arms", "objective = 'ranking'\ntopk = 3"),
            against("ranking-top-1", "abnormal-ratio", "arms", "objective = 'abnormal-ratio'"),
        ],
    },
];

const fn first(name: &'static str, recipe: &'static str, settings: &'static str) -> Variant {
    Variant { name, recipe, settings, against: Against::Nothing }
}

const fn against(
    other: &'static str,
    name: &'static str,
    recipe: &'static str,
    settings: &'static str,
) -> Variant {
    Variant { name, recipe, settings, against: Against::Variant(other) }
}

/// The ablation of this name.
pub fn by_name(name: &str) -> Result<&'static Ablation> {
    let known = || ABLATIONS.iter().map(|ablation| ablation.name).collect::<Vec<_>>().join(", ");
    let found = ABLATIONS.iter().find(|ablation| ablation.name == name);
    found.with_context(|| format!("there is no ablation {name}; there are {}", known()))
}

impl Ablation {
    /// The variants, with the settings that the user gave for all of them.
    pub fn variants(&self, given: &Table) -> Result<Vec<trials::Variant>> {
        self.variants.iter().map(|variant| self.variant(variant, given)).collect()
    }

    fn variant(&self, variant: &Variant, given: &Table) -> Result<trials::Variant> {
        let recipe = registry::by_name(variant.recipe)?;
        let mut settings: Table = COMMON.parse()?;
        settings.extend(given.clone());
        settings.extend(variant.settings.parse::<Table>()?);
        recipe.settings(&settings).with_context(|| format!("{}: {}", self.name, variant.name))?;
        let against = match variant.against {
            Against::Nothing => None,
            Against::Variant(other) => self.variants.iter().position(|variant| variant.name == other),
        };
        Ok(trials::Variant {
            name: variant.name.to_owned(),
            recipe,
            given: settings,
            note: variant.settings.replace('\n', ", "),
            against,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_variant_has_settings_of_its_own_that_its_recipe_takes() {
        let names: BTreeSet<&str> = ABLATIONS.iter().map(|ablation| ablation.name).collect();
        assert_eq!(names.len(), ABLATIONS.len());
        for ablation in ABLATIONS {
            let variants = ablation.variants(&Table::new()).unwrap();
            let complete: Vec<(&str, Table)> = variants
                .iter()
                .map(|variant| (variant.recipe.name(), variant.recipe.settings(&variant.given).unwrap()))
                .collect();
            for (index, (variant, settings)) in variants.iter().zip(&complete).enumerate() {
                let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                assert!(variant.name.chars().all(is_plain), "{}", variant.name);
                let before = &complete[..index];
                assert!(!before.contains(settings), "{} {} changes nothing", ablation.name, variant.name);
                assert!(variants[..index].iter().all(|other| other.name != variant.name));
                assert_eq!(settings.1["selection"].as_str(), Some("last"));
            }
        }
    }

    #[test]
    fn variants_are_compared_with_one_of_the_same_recipe_that_stands_before_them() {
        for ablation in ABLATIONS {
            let variants = ablation.variants(&Table::new()).unwrap();
            for (index, variant) in variants.iter().enumerate() {
                match (ablation.variants[index].against, variant.against) {
                    (Against::Nothing, None) => {}
                    (Against::Variant(name), Some(other)) => {
                        assert!(other < index && variants[other].name == name);
                        assert_eq!(variants[other].recipe.name(), variant.recipe.name());
                    }
                    _ => panic!(
                        "{} {} is compared with a variant that there is not",
                        ablation.name, variant.name
                    ),
                }
            }
        }
    }

    #[test]
    fn the_users_settings_hold_but_for_what_a_variant_is_about() {
        let ablation = by_name("mist-sampling").unwrap();
        let given = "steps = 7\nclips_per_segment = 4\nselection = 'validation'".parse().unwrap();
        let variants = ablation.variants(&given).unwrap();
        let of = |index: usize, key: &str| {
            variants[index].recipe.settings(&variants[index].given).unwrap()[key].clone()
        };
        assert_eq!((of(0, "steps"), of(2, "steps")), (7.into(), 7.into()));
        assert_eq!((of(0, "clips_per_segment"), of(2, "clips_per_segment")), (4.into(), 1.into()));
        assert_eq!(of(0, "selection"), "validation".into());
        let error = ablation.variants(&"stepz = 7".parse().unwrap()).err().unwrap();
        assert!(format!("{error:#}").contains("stepz"), "{error:#}");
    }
}
