//! The page of joined tables.

use super::super::VariantResult;
use super::super::protocol::PED2;
use super::super::tables::{self, name};
use super::{Joined, Row};
use crate::cmd::bench::result_page;
use anyhow::Result;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use vad_data::CropPlan;

/// The page in numbers.
#[derive(Serialize)]
struct Numbers<'a> {
    #[serde(flatten)]
    joined: &'a Joined,
    facts: &'a [(String, String)],
}

/// Writes `FILE.md` and `FILE.json`. `facts` tell how they were made, not how their rows were.
pub fn write(out: &Path, file: &str, joined: &Joined, facts: &[(String, String)]) -> Result<()> {
    result_page::save(out, file, &text(out, file, joined, facts)?, &Numbers { joined, facts })
}

fn text(out: &Path, file: &str, joined: &Joined, facts: &[(String, String)]) -> Result<String> {
    let results = || joined.rows.iter().map(|row| &row.result);
    let mut page = format!("# UCSD Ped2: every recipe, one crop and several\n\n{PED2}\n\n");
    let rows: Vec<_> = results().map(|result| (result.about.clone(), result)).collect();
    tables::figures(&mut page, "recipe", &rows)?;
    printed(&mut page, joined)?;
    if !joined.differences.is_empty() {
        tables::differences(&mut page, "recipe", &joined.differences)?;
    }
    tables::limits(&mut page, results())?;
    every_draw(&mut page, &results().collect::<Vec<_>>())?;
    let crops: Vec<CropPlan> = results().map(|result| result.crops).collect();
    tables::provenance(&mut page, &joined.setup, &crops, facts)?;
    origins(&mut page, out, &joined.rows)?;
    settings(&mut page, joined)?;
    writeln!(page, "\nThe same in numbers: [{file}.json]({file}.json).")?;
    Ok(page)
}

/// Goes on with the main table.
fn printed(page: &mut String, joined: &Joined) -> Result<()> {
    for figure in &joined.printed {
        let crops = figure.crops.map_or_else(String::new, |crops| crops.to_string());
        writeln!(
            page,
            "| printed for RTFM, {} | {crops} | {:.3} | | | |",
            figure.features, figure.frame_auc
        )?;
    }
    Ok(())
}

fn every_draw(page: &mut String, results: &[&VariantResult]) -> Result<()> {
    let headings: Vec<String> = results.iter().map(|result| name(result)).collect();
    writeln!(
        page,
        "## Every draw\n\nFrame AUC; the tables below name the training videos and the other figures.\n\n| seed | {} | oracle |\n{}",
        headings.join(" | "),
        "|---".repeat(results.len() + 2) + "|"
    )?;
    let Some(first) = results.first() else { return Ok(()) };
    for (index, draw) in first.draws.iter().enumerate() {
        let areas = results.iter().filter_map(|result| result.draws.get(index));
        let areas: Vec<String> = areas.map(|draw| format!("{:.4}", draw.frame_auc)).collect();
        writeln!(page, "| {} | {} | {:.4} |", draw.seed, areas.join(" | "), draw.labels_alone_auc)?;
    }
    Ok(())
}

fn origins(page: &mut String, out: &Path, rows: &[Row]) -> Result<()> {
    writeln!(
        page,
        "\nThe rows come from finished tables:\n\n| recipe | crops | table | commit | command |\n|---|---|---|---|---|"
    )?;
    for row in rows {
        let fact = |name: &str| row.facts.iter().find(|(found, _)| found == name);
        let said =
            |name: &str| fact(name).map_or_else(|| "not said".to_owned(), |(_, value)| format!("`{value}`"));
        writeln!(
            page,
            "| {} | {} | {} | {} | {} |",
            row.result.name,
            row.result.crops,
            link(out, &row.file),
            said("Commit"),
            said("Command")
        )?;
    }
    Ok(())
}

fn settings(page: &mut String, joined: &Joined) -> Result<()> {
    let mut shown = "";
    for Row { result, .. } in &joined.rows {
        // Settings are the same for any number of crops.
        if result.name != shown {
            result_page::settings(page, &result.recipe, &result.settings)?;
        }
        shown = &result.name;
    }
    Ok(())
}

/// A link to a table that lies below the page's folder; the path of another.
fn link(out: &Path, file: &Path) -> String {
    let below = || Some(file.canonicalize().ok()?.strip_prefix(out.canonicalize().ok()?).ok()?.to_path_buf());
    let Some(below) = below() else { return format!("`{}`", file.display()) };
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    let place = parts.join("/");
    format!("[{place}]({place})")
}
