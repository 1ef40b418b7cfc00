//! What an ablation is: variants, each a recipe on features, or MIST's second stage on the videos, and the settings that make
//! it what it is. The runner knows nothing else.

use super::given::Given;
use crate::cmd::finetune::TuningOptions;
use crate::cmd::trials;
use crate::cmd::trials::training::{Stage1Variant, Training};
use crate::recipe::mist_stage1::MistStage1;
use crate::recipe::mist_stage2_config::Stage2Config;
use crate::recipe::registry::{self, Recipe};
use crate::recipe::system::System;
use anyhow::{Context, Result};
use toml::Table;

/// One question and the variants that answer it.
pub struct Ablation {
    pub name: &'static str,
    /// The question, as a sentence.
    pub about: &'static str,
    pub variants: &'static [Variant],
}

/// One way to train.
pub struct Variant {
    name: &'static str,
    learns: Learns,
    /// The variant's settings as TOML: they override what the user sets.
    settings: &'static str,
    against: Against,
}

/// What a variant learns from.
#[derive(Clone, Copy)]
enum Learns {
    /// Features, by the recipe of this name.
    Features(&'static str),
    /// The videos, by MIST's second stage from a run of its first, which is called [`STAGE1`].
    Videos,
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

/// Name of MIST's first stage where its second starts from it: as a variant, and in the names of its runs.
pub const STAGE1: &str = "mist-stage1";

/// A variant on features that is compared with nothing.
pub const fn first(name: &'static str, recipe: &'static str, settings: &'static str) -> Variant {
    Variant { name, learns: Learns::Features(recipe), settings, against: Against::Nothing }
}

/// A variant on features that is compared with the one called `other`.
pub const fn against(
    other: &'static str,
    name: &'static str,
    recipe: &'static str,
    settings: &'static str,
) -> Variant {
    Variant { name, learns: Learns::Features(recipe), settings, against: Against::Variant(other) }
}

/// A variant of MIST's second stage that is compared with nothing.
pub const fn tuned(name: &'static str, settings: &'static str) -> Variant {
    Variant { name, learns: Learns::Videos, settings, against: Against::Nothing }
}

/// A variant of MIST's second stage that is compared with the one called `other`.
pub const fn tuned_against(other: &'static str, name: &'static str, settings: &'static str) -> Variant {
    Variant { name, learns: Learns::Videos, settings, against: Against::Variant(other) }
}

impl Ablation {
    /// The variants that need the videos themselves, and what is there for their sake.
    pub fn on_videos(&self) -> Vec<&'static str> {
        self.variants
            .iter()
            .filter(|variant| self.needs_videos(variant))
            .map(|variant| variant.name)
            .collect()
    }

    fn needs_videos(&self, variant: &Variant) -> bool {
        let learns_from_videos = |variant: &Variant| matches!(variant.learns, Learns::Videos);
        learns_from_videos(variant)
            || (variant.name == STAGE1 && self.variants.iter().any(learns_from_videos))
    }

    /// The variants, with the settings that the user gave for all of them; where there are no videos, without those that
    /// need them.
    pub fn variants(&self, given: &Given, videos: Option<&TuningOptions>) -> Result<Vec<trials::Variant>> {
        let chosen: Vec<&Variant> =
            self.variants.iter().filter(|variant| videos.is_some() || !self.needs_videos(variant)).collect();
        let complete = |variant: &&Variant| {
            let against = match variant.against {
                Against::Nothing => None,
                Against::Variant(other) => chosen.iter().position(|variant| variant.name == other),
            };
            let training = self.training(variant, given, videos);
            Ok(trials::Variant {
                name: variant.name.to_owned(),
                training: training.with_context(|| format!("{}: {}", self.name, variant.name))?,
                note: variant.settings.replace('\n', ", "),
                against,
            })
        };
        chosen.iter().map(complete).collect()
    }

    fn training(&self, variant: &Variant, given: &Given, videos: Option<&TuningOptions>) -> Result<Training> {
        match variant.learns {
            Learns::Features(recipe) => {
                let given = self.on_features(recipe, &given.features, variant.settings)?;
                Ok(Training::Recipe { recipe: registry::by_name(recipe)?, given })
            }
            Learns::Videos => {
                let stage1_given = self
                    .on_features(MistStage1::NAME, &given.features, "")
                    .context("stage I (settings of stage II are written stage2.KEY)")?;
                let stage1 = Stage1Variant { name: STAGE1.to_owned(), given: stage1_given };
                let given = settings(&given.stage2, variant.settings)?;
                Stage2Config::resolve(&given)?;
                let options = Box::new(videos.context("there are no videos to learn from")?.clone());
                Ok(Training::Stage2 { given, stage1, options })
            }
        }
    }

    /// The settings of a recipe on features, checked. What is another recipe's of this ablation alone is not its concern.
    fn on_features(&self, recipe: &str, given: &Table, own: &str) -> Result<Table> {
        let recipe = registry::by_name(recipe)?;
        let together: Vec<&dyn Recipe> = self
            .variants
            .iter()
            .map(|variant| registry::by_name(variant.learns.recipe_on_features()))
            .collect::<Result<_, _>>()?;
        let settings = settings(&registry::own_settings(recipe, &together, given), own)?;
        recipe.settings(&settings)?;
        Ok(settings)
    }
}

impl Learns {
    fn recipe_on_features(self) -> &'static str {
        match self {
            Self::Features(recipe) => recipe,
            Self::Videos => MistStage1::NAME,
        }
    }
}

/// What the user gave between what all variants have and what one variant is about.
fn settings(given: &Table, own: &str) -> Result<Table> {
    let mut settings: Table = COMMON.parse()?;
    settings.extend(given.clone());
    settings.extend(own.parse::<Table>()?);
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::super::table::{ABLATIONS, by_name};
    use super::*;
    use std::collections::BTreeSet;

    fn given(features: &str, stage2: &str) -> Given {
        Given { features: features.parse().unwrap(), stage2: stage2.parse().unwrap() }
    }

    fn tuning() -> TuningOptions {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            options: TuningOptions,
        }
        <Line as clap::Parser>::parse_from(["test"]).options
    }

    fn variants(ablation: &Ablation, given: &Given) -> Vec<trials::Variant> {
        ablation.variants(given, Some(&tuning())).unwrap()
    }

    /// All settings, as the recipe completes them.
    fn complete(variant: &trials::Variant) -> Table {
        match &variant.training {
            Training::Recipe { recipe, given } => recipe.settings(given).unwrap(),
            Training::Stage2 { given, .. } => Table::try_from(Stage2Config::resolve(given).unwrap()).unwrap(),
        }
    }

    #[test]
    fn every_variant_has_settings_of_its_own_that_its_recipe_takes() {
        let names: BTreeSet<&str> = ABLATIONS.iter().map(|ablation| ablation.name).collect();
        assert_eq!(names.len(), ABLATIONS.len());
        for ablation in ABLATIONS {
            let variants = variants(ablation, &given("", ""));
            let complete: Vec<(&str, Table)> =
                variants.iter().map(|variant| (variant.training.recipe(), complete(variant))).collect();
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
    fn variants_are_compared_with_one_of_the_same_system_that_stands_before_them() {
        for ablation in ABLATIONS {
            let variants = variants(ablation, &given("", ""));
            let system = |index: usize| variants[index].training.recipe().split('-').next();
            for (index, variant) in variants.iter().enumerate() {
                match (ablation.variants[index].against, variant.against) {
                    (Against::Nothing, None) => {}
                    (Against::Variant(name), Some(other)) => {
                        assert!(other < index && variants[other].name == name);
                        assert_eq!(system(other), system(index));
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
    fn the_second_stage_starts_from_the_run_of_the_first_that_is_compared_with_it() {
        for name in ["self-training", "mist-pseudo-labels"] {
            let variants = variants(by_name(name).unwrap(), &given("steps = 7", "epochs = 2"));
            let first = variants.iter().find(|variant| variant.name == STAGE1).unwrap();
            let Training::Recipe { recipe, given: first } = &first.training else { panic!("{name}") };
            assert_eq!(recipe.name(), MistStage1::NAME);
            let mut tuned = 0;
            for variant in &variants {
                if let Training::Stage2 { given, stage1, .. } = &variant.training {
                    assert_eq!((stage1.name.as_str(), &stage1.given), (STAGE1, first));
                    assert_eq!((given["epochs"].clone(), given.get("steps")), (2.into(), None));
                    tuned += 1;
                }
            }
            assert!(tuned > 0, "{name}");
        }
    }

    #[test]
    fn without_videos_what_needs_them_is_left_out_and_the_rest_is_compared_as_before() {
        let names = |variants: &[trials::Variant]| -> Vec<(String, Option<String>)> {
            let against =
                |variant: &trials::Variant| variant.against.map(|other| variants[other].name.clone());
            variants.iter().map(|variant| (variant.name.clone(), against(variant))).collect()
        };
        for ablation in ABLATIONS {
            let (with, without) =
                (variants(ablation, &given("", "")), ablation.variants(&given("", ""), None).unwrap());
            let on_videos = ablation.on_videos();
            let mut kept = names(&with);
            kept.retain(|(name, _)| !on_videos.contains(&name.as_str()));
            assert_eq!(names(&without), kept);
        }
        let of = |name: &str| by_name(name).unwrap();
        assert_eq!(of("self-training").on_videos(), [STAGE1, "mist-stage2"]);
        assert!(of("mist-pseudo-labels").variants(&given("", ""), None).unwrap().is_empty());
        assert!(of("mist-sampling").on_videos().is_empty());
    }

    #[test]
    fn the_users_settings_hold_but_for_what_a_variant_is_about() {
        let ablation = by_name("mist-sampling").unwrap();
        let settings = given("steps = 7\nclips_per_segment = 4\nselection = 'validation'", "");
        let variants = variants(ablation, &settings);
        let of = |index: usize, key: &str| complete(&variants[index])[key].clone();
        assert_eq!((of(0, "steps"), of(2, "steps")), (7.into(), 7.into()));
        assert_eq!((of(0, "clips_per_segment"), of(2, "clips_per_segment")), (4.into(), 1.into()));
        assert_eq!(of(0, "selection"), "validation".into());
        let error = ablation.variants(&given("stepz = 7", ""), None).err().unwrap();
        assert!(format!("{error:#}").contains("stepz"), "{error:#}");

        // CU and ARMS have iterations, MIST has none.
        let several = by_name("self-training").unwrap();
        let variants = self::variants(several, &given("iterations = 2", ""));
        let of = |index: usize| complete(&variants[index]).get("iterations").cloned();
        assert_eq!([of(0), of(1), of(6)], [Some(0.into()), Some(2.into()), None]);

        let attention = by_name("mist-attention").unwrap();
        let variants = self::variants(attention, &given("", "attention = true\nepochs = 3"));
        let of = |index: usize, key: &str| complete(&variants[index])[key].clone();
        assert_eq!((of(0, "attention"), of(1, "attention")), (true.into(), false.into()));
        assert_eq!((of(0, "epochs"), of(1, "epochs")), (3.into(), 3.into()));
    }
}
