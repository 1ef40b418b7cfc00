//! The result page, written by the program that measured.

use super::protocol::PED2;
use super::tables::{self, Difference, name, of};
use super::{Results, VariantResult};
use crate::cmd::bench::result_page;
use crate::cmd::terminal::count;
use crate::published::RTFM_ON_PED2;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::Path;
use vad_data::CropPlan;

/// Writes `FILE.md` and `FILE.json`, and prints the headline.
pub fn write(out: &Path, file: &str, results: &Results) -> Result<()> {
    for result in &results.variants {
        println!(
            "{}: frame AUC {} over {}",
            name(result),
            of(result, |draw| draw.frame_auc),
            count(result.draws.len(), "draw")
        );
    }
    result_page::save(out, file, &text(file, results)?, results)
}

fn text(file: &str, results: &Results) -> Result<String> {
    let mut page = match &results.question {
        None => "# UCSD Ped2: weakly supervised, video-level labels\n\n".to_owned(),
        Some(question) => format!("# UCSD Ped2: {question}\n\n"),
    };
    writeln!(page, "{PED2}\n")?;
    let what = if results.question.is_some() { "variant" } else { "recipe" };
    let rows: Vec<_> = results.variants.iter().map(|result| (label(results, result), result)).collect();
    tables::figures(&mut page, what, &rows)?;
    if results.question.is_some() {
        tables::differences(&mut page, what, &differences(results)?)?;
    } else {
        let printed = RTFM_ON_PED2
            .map(|figure| format!("{:.3} with {}", figure.frame_auc, figure.features))
            .join(", and ");
        writeln!(page, "\nFor comparison, from other sources: RTFM prints {printed}.")?;
    }
    tables::limits(&mut page, &results.variants)?;
    for result in &results.variants {
        every_draw(&mut page, result)?;
    }
    let crops: Vec<CropPlan> = results.variants.iter().map(|result| result.crops).collect();
    tables::provenance(&mut page, &results.setup, &crops, &results.facts)?;
    settings(&mut page, results)?;
    writeln!(page, "\nThe same in numbers: [{file}.json]({file}.json).")?;
    Ok(page)
}

fn differences(results: &Results) -> Result<Vec<Difference>> {
    let of = |result: &VariantResult, against: &String| {
        let is_other = |other: &&VariantResult| other.name == *against && other.crops == result.crops;
        let other = results.variants.iter().find(is_other);
        let other = other.context("a variant is compared with one that there is not")?;
        Ok(Difference::between(result, other, against.clone()))
    };
    results.variants.iter().filter_map(|result| Some(of(result, result.against.as_ref()?))).collect()
}

fn settings(page: &mut String, results: &Results) -> Result<()> {
    let mut shown = Vec::new();
    for result in &results.variants {
        // Settings are the same for any number of crops.
        if shown.contains(&&result.name) {
            continue;
        }
        shown.push(&result.name);
        if results.question.is_some() {
            writeln!(page, "\n{}:", result.name)?;
        }
        result_page::settings(page, &result.recipe, &result.settings)?;
    }
    Ok(())
}

fn label(results: &Results, result: &VariantResult) -> String {
    match &results.question {
        None => result.about.clone(),
        Some(_) if result.about.is_empty() => format!("{}: `{}`", result.name, result.recipe),
        Some(_) => format!("{}: `{}`, {}", result.name, result.recipe, result.about),
    }
}

pub fn every_draw(page: &mut String, result: &VariantResult) -> Result<()> {
    writeln!(
        page,
        "## Every seed: {}\n\n| seed | frame AUC | average precision | video AUC | within | oracle | training videos |\n|---|---|---|---|---|---|---|",
        name(result)
    )?;
    for draw in &result.draws {
        writeln!(
            page,
            "| {} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} | {} |",
            draw.seed,
            draw.frame_auc,
            draw.average_precision,
            draw.video_auc,
            draw.within_abnormal_auc,
            draw.labels_alone_auc,
            draw.train_videos.join(", ")
        )?;
    }
    writeln!(page)?;
    Ok(())
}
