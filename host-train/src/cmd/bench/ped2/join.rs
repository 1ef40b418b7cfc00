//! `watchpost bench ped2-join`: finished tables of `watchpost bench ped2` as one.
//!
//! Recipes and crops are often measured by commands of their own, for days. Their rows stand beside each other only where
//! everything else is the same, which is checked here.

use super::tables::{self, Difference};
use super::{DrawResult, Results, Setup, VariantResult, file_name};
use crate::cmd::provenance;
use crate::cmd::spread::Spread;
use crate::published::{PrintedOnPed2, RTFM_ON_PED2};
use crate::recipe::registry::RECIPES;
use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use std::path::{Path, PathBuf};

mod page;

/// One page out of finished tables of UCSD Ped2: every recipe with every number of crops
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  watchpost bench ped2-join docs/results/ped2.json docs/results/ten-crops/*/ped2.json\n\n\
    Needs neither videos nor weights. Tables that do not belong together are refused: other videos, draws, clips or settings."
)]
pub struct Args {
    /// JSON files that `watchpost bench ped2` wrote
    #[arg(value_name = "FILE", required = true)]
    tables: Vec<PathBuf>,
    /// Folder of the page (ped2-all.md and .json, with the stride in their names where it is not the default)
    #[arg(long, value_name = "DIR", default_value = "docs/results")]
    out: PathBuf,
}

/// A finished table and its file.
struct Finished {
    file: PathBuf,
    results: Results,
}

/// A row and the table that it stood in.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    result: VariantResult,
    frame_auc: Spread,
    file: PathBuf,
    /// How that table was made.
    facts: Vec<(String, String)>,
}

/// Everything on the page.
#[derive(Debug, Serialize)]
struct Joined {
    #[serde(flatten)]
    setup: Setup,
    rows: Vec<Row>,
    /// More crops against the fewest of the same recipe.
    differences: Vec<Difference>,
    printed: [PrintedOnPed2; 2],
}

pub fn run(args: &Args) -> Result<()> {
    let tables = args.tables.iter().map(|file| Finished::read(file)).collect::<Result<Vec<_>>>()?;
    let joined = Joined::of(tables)?;
    page::write(
        &args.out,
        &file_name(Some("all"), joined.setup.clip_stride),
        &joined,
        &provenance::facts(&[]),
    )
}

impl Finished {
    fn read(file: &Path) -> Result<Self> {
        let shown = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        let results: Results = serde_json::from_str(&text).with_context(|| {
            format!(
                "{shown} is no table of `watchpost bench ped2`\n  remedy: name the .json file that it wrote"
            )
        })?;
        Ok(Self { file: file.to_path_buf(), results })
    }
}

impl Joined {
    /// The rows of all tables, recipe by recipe.
    ///
    /// # Errors
    /// Names the first table that does not belong to those before it.
    fn of(tables: Vec<Finished>) -> Result<Self> {
        let setup = tables.first().context("there is no table to join")?.results.setup.clone();
        let mut rows: Vec<Row> = Vec::new();
        for Finished { file, results } in tables {
            let Results { question, setup: own, facts, variants } = results;
            let shown = file.display().to_string();
            if let Some(question) = question {
                bail!(
                    "{shown} is of an ablation (\"{question}\")\n  remedy: leave it out; only whole recipes are joined"
                );
            }
            ensure!(!variants.is_empty(), "{shown} has no rows\n  remedy: leave it out");
            own.check_against(&setup).with_context(|| shown.clone())?;
            for result in variants {
                check_row(&result, &rows).with_context(|| shown.clone())?;
                let frame_auc = tables::of(&result, |draw| draw.frame_auc);
                rows.push(Row { result, frame_auc, file: file.clone(), facts: facts.clone() });
            }
        }
        let published = |row: &Row| RECIPES.iter().position(|recipe| recipe.name() == row.result.recipe);
        rows.sort_by_key(|row| (published(row).unwrap_or(RECIPES.len()), row.result.crops));
        let differences = rows.iter().filter_map(|row| row.difference(&rows)).collect();
        Ok(Self { setup, rows, differences, printed: RTFM_ON_PED2 })
    }
}

impl Row {
    /// Against the fewest crops of its recipe; nothing for that row itself.
    fn difference(&self, rows: &[Self]) -> Option<Difference> {
        let own = &self.result;
        let fewest = rows.iter().map(|row| &row.result).find(|other| other.name == own.name)?;
        (fewest.crops != own.crops).then(|| Difference::between(own, fewest, tables::name(fewest)))
    }
}

impl Setup {
    fn check_against(&self, first: &Self) -> Result<()> {
        let Self { clip_frames, clip_stride, input_px, data_sha256 } = self;
        ensure!(
            *data_sha256 == first.data_sha256,
            "made from other videos or labels: data hash {data_sha256}, not {}\n  remedy: repeat it with the --data of the others",
            first.data_sha256
        );
        for (what, own, other, remedy) in [
            ("stride", clip_stride, &first.clip_stride, "repeat it with the --stride of the others"),
            ("frames of a clip", clip_frames, &first.clip_frames, "repeat it with this program"),
            ("side of a picture in pixels", input_px, &first.input_px, "repeat it with this program"),
        ] {
            ensure!(
                own == other,
                "{what}: {own}, not {other} as before\n  remedy: {remedy}, or leave it out"
            );
        }
        Ok(())
    }
}

/// Whether a row can stand beside those before it.
fn check_row(result: &VariantResult, before: &[Row]) -> Result<()> {
    let name = tables::name(result);
    ensure!(!result.draws.is_empty(), "{name} has no draws\n  remedy: repeat it with --seeds above 0");
    if let Some(twice) = before.iter().find(|row| tables::name(&row.result) == name) {
        bail!("{name} stands in {} too\n  remedy: leave one of the two out", twice.file.display());
    }
    if let Some(first) = before.first() {
        check_draws(&result.draws, &first.result.draws)
            .with_context(|| format!("{name} beside those of {}", first.file.display()))?;
    }
    if let Some(other) = before.iter().find(|row| row.result.name == result.name) {
        let changed = changed_settings(result, &other.result);
        ensure!(
            changed.is_empty(),
            "{name} was trained with other settings than {} in {}: {}\n  remedy: repeat one of the two with the settings of the other",
            tables::name(&other.result),
            other.file.display(),
            changed.join(", ")
        );
    }
    Ok(())
}

fn check_draws(own: &[DrawResult], first: &[DrawResult]) -> Result<()> {
    let seeds = |draws: &[DrawResult]| draws.iter().map(|draw| draw.seed).collect::<Vec<_>>();
    let (own_seeds, first_seeds) = (seeds(own), seeds(first));
    ensure!(
        own_seeds == first_seeds,
        "other draws: seeds {own_seeds:?}, not {first_seeds:?}\n  remedy: repeat it with the --seeds of the others"
    );
    for (own, first) in own.iter().zip(first) {
        ensure!(
            own.train_videos == first.train_videos,
            "other draws: seed {} trains on {}, not on {}\n  remedy: repeat both with this program",
            own.seed,
            own.train_videos.join(", "),
            first.train_videos.join(", ")
        );
    }
    Ok(())
}

/// Names of the settings in which two rows differ.
fn changed_settings(one: &VariantResult, other: &VariantResult) -> Vec<String> {
    let keys =
        one.settings.keys().chain(other.settings.keys().filter(|key| !one.settings.contains_key(*key)));
    keys.filter(|key| one.settings.get(*key) != other.settings.get(*key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Table;
    use vad_data::CropPlan;

    fn row(name: &str, crops: CropPlan, areas: [f64; 2]) -> VariantResult {
        VariantResult {
            name: name.to_owned(),
            about: format!("{name}, as published"),
            recipe: name.to_owned(),
            crops,
            settings: Table::from_iter([("steps".to_owned(), 300.into())]),
            against: None,
            draws: vec![DrawResult::made_up(1, areas[0]), DrawResult::made_up(2, areas[1])],
        }
    }

    fn table(file: &str, variants: Vec<VariantResult>) -> Finished {
        let setup = Setup { clip_frames: 16, clip_stride: 16, input_px: 224, data_sha256: "4cd3".to_owned() };
        let facts = [("Commit", "abc of"), ("Command", "watchpost bench ped2 of")];
        let facts = facts.map(|(name, value)| (name.to_owned(), format!("{value} {file}")));
        let results = Results { question: None, setup, facts: facts.to_vec(), variants };
        Finished { file: PathBuf::from(file), results }
    }

    fn one_crop() -> Finished {
        table(
            "one.json",
            vec![row("rtfm", CropPlan::One, [0.8, 0.9]), row("mist", CropPlan::One, [0.7, 0.8])],
        )
    }

    fn ten_crops() -> Finished {
        table("ten.json", vec![row("mist", CropPlan::Ten, [0.75, 0.9])])
    }

    /// The error of joining one crop with a changed table of ten.
    fn refused(change: impl FnOnce(&mut Results)) -> String {
        let mut ten = ten_crops();
        change(&mut ten.results);
        let error = format!("{:#}", Joined::of(vec![one_crop(), ten]).unwrap_err());
        assert!(error.starts_with("ten.json") && error.contains("remedy: "), "{error}");
        error
    }

    #[test]
    fn rows_stand_recipe_by_recipe_and_more_crops_are_compared_with_fewer() {
        let joined = Joined::of(vec![ten_crops(), one_crop()]).unwrap();
        let names: Vec<String> = joined.rows.iter().map(|row| tables::name(&row.result)).collect();
        assert_eq!(names, ["mist, 1 crop", "mist, 10 crops", "rtfm, 1 crop"]);
        let gain = Difference::between(
            &row("mist", CropPlan::Ten, [0.75, 0.9]),
            &row("mist", CropPlan::One, [0.7, 0.8]),
            "mist, 1 crop".to_owned(),
        );
        assert_eq!(joined.differences, [gain]);
    }

    #[test]
    fn the_page_names_the_origin_of_each_row_and_printed_figures() {
        let folder = tempfile::tempdir().unwrap();
        let write = |mut finished: Finished| {
            finished.file = folder.path().join(finished.file);
            std::fs::write(&finished.file, serde_json::to_vec(&finished.results).unwrap()).unwrap();
            finished.file
        };
        let tables = [one_crop(), ten_crops()].map(write).to_vec();
        run(&Args { tables, out: folder.path().to_path_buf() }).unwrap();

        let page = std::fs::read_to_string(folder.path().join("ped2-all.md")).unwrap();
        for line in [
            "| mist | 10 | mist, 1 crop | 0.0750 ± 0.0354 (0.0500 to 0.1000) | 2 of 2 |",
            "| mist | 10 | [ten.json](ten.json) | `abc of ten.json` | `watchpost bench ped2 of ten.json` |",
            "| mist | 10 | 0.8250 | 0.9700 | 0.8800 | 0.6000 |",
            "| 2 | 0.8000 | 0.9000 | 0.9000 | 0.9500 |",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
        assert!(page.contains("| 0.986 |") && page.contains("| 0.965 |"), "{page}");
        let numbers = std::fs::read_to_string(folder.path().join("ped2-all.json")).unwrap();
        let numbers: serde_json::Value = serde_json::from_str(&numbers).unwrap();
        assert_eq!(numbers["rows"][1]["crops"], 10);
        assert_eq!(numbers["rows"][1]["facts"][0][1], "abc of ten.json");
        assert_eq!(numbers["rows"][0]["frame_auc"]["mean"], 0.75);
    }

    #[test]
    fn tables_of_other_videos_clips_or_pictures_are_refused() {
        assert!(
            refused(|table| table.setup.data_sha256 = "9abc".to_owned()).contains("data hash 9abc, not 4cd3")
        );
        assert!(refused(|table| table.setup.clip_stride = 4).contains("stride: 4, not 16"));
        assert!(refused(|table| table.setup.clip_frames = 32).contains("frames of a clip: 32"));
        assert!(refused(|table| table.setup.input_px = 112).contains("pixels: 112"));
        assert!(refused(|table| table.question = Some("Does it?".to_owned())).contains("Does it?"));
    }

    #[test]
    fn other_draws_are_refused() {
        assert!(refused(|table| drop(table.variants[0].draws.pop())).contains("seeds [1], not [1, 2]"));
        assert!(refused(|table| table.variants[0].draws.clear()).contains("no draws"));
        assert!(refused(|table| table.variants.clear()).contains("no rows"));
        let other = refused(|table| table.variants[0].draws[1].train_videos.truncate(1));
        assert!(other.contains("seed 2 trains on Test002, not on Test002, Train001"), "{other}");
    }

    #[test]
    fn a_row_that_stands_twice_or_has_other_settings_is_refused() {
        let twice = refused(|table| table.variants[0].crops = CropPlan::One);
        assert!(twice.contains("mist, 1 crop stands in one.json too"), "{twice}");
        let other = refused(|table| drop(table.variants[0].settings.insert("steps".to_owned(), 9.into())));
        assert!(other.contains("mist, 10 crops") && other.contains("one.json: steps"), "{other}");
    }

    #[test]
    fn a_file_that_is_no_table_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"variants\": []}").unwrap();
        let error = format!("{:#}", Finished::read(file.path()).err().unwrap());
        assert!(error.contains(file.path().to_str().unwrap()) && error.contains("remedy: "), "{error}");
    }
}
