//! The result page, written by the program that measured.

use super::{DrawResult, Results, VariantResult};
use crate::atomic_file;
use crate::cmd::spread::Spread;
use crate::cmd::terminal::count;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::Path;
use vad_data::CropPlan;

/// Writes `FILE.md` and `FILE.json`, and prints the headline.
pub fn write(out: &Path, file: &str, results: &Results) -> Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let path = |ending: &str| out.join(format!("{file}.{ending}"));
    atomic_file::write(&path("json"), (serde_json::to_string_pretty(results)? + "\n").as_bytes())?;
    atomic_file::write(&path("md"), text(file, results)?.as_bytes())?;
    for result in &results.variants {
        println!(
            "{}: frame AUC {} over {}",
            name(result),
            of(result, |draw| draw.frame_auc),
            count(result.draws.len(), "draw")
        );
    }
    println!("page: {}", path("md").display());
    Ok(())
}

fn text(file: &str, results: &Results) -> Result<String> {
    let mut page = match &results.question {
        None => "# UCSD Ped2: weakly supervised, video-level labels\n\n".to_owned(),
        Some(question) => format!("# UCSD Ped2: {question}\n\n"),
    };
    writeln!(
        page,
        "Protocol of RTFM (ICCV 2021): for every seed 6 abnormal and 4 normal videos are drawn for training, the other 18 are \
         the test. Frame ROC AUC over all test frames together, without normalisation per video. There is no validation split; \
         the model of the last step is the result, and nothing was selected on test videos. Data: Mahadevan et al., CVPR 2010.\n"
    )?;
    figures(&mut page, results)?;
    if results.question.is_some() {
        differences(&mut page, results)?;
    } else {
        writeln!(
            page,
            "\nFor comparison, from other sources: RTFM prints 0.986 with ten crops and I3D-ResNet50 features, and 0.965 with TSN on \
             grey pictures."
        )?;
    }
    limits(&mut page, results)?;
    for result in &results.variants {
        every_draw(&mut page, result)?;
    }
    provenance(&mut page, results)?;
    settings(&mut page, results)?;
    writeln!(page, "\nThe same in numbers: [{file}.json]({file}.json).")?;
    Ok(page)
}

fn figures(page: &mut String, results: &Results) -> Result<()> {
    let what = if results.question.is_some() { "variant" } else { "recipe" };
    writeln!(
        page,
        "Mean ± standard deviation (range) over seeds; every row has the same draws.\n\n\
         | {what} | crops | **frame ROC AUC** | average precision | ROC AUC over videos | one training, s |\n|---|---|---|---|---|---|"
    )?;
    for result in &results.variants {
        writeln!(
            page,
            "| {} | {} | **{}** | {} | {} | {:.1} |",
            label(results, result),
            result.crops,
            of(result, |draw| draw.frame_auc),
            of(result, |draw| draw.average_precision),
            of(result, |draw| draw.video_auc),
            of(result, |draw| draw.train_s).mean
        )?;
    }
    if let Some(result) = results.variants.first() {
        let oracle = of(result, |draw| draw.labels_alone_auc);
        writeln!(page, "| an oracle that knows the video labels and nothing else | | {oracle} | | 1 | |")?;
    }
    Ok(())
}

/// Draw by draw, because a draw's difficulty is the same for both.
fn differences(page: &mut String, results: &Results) -> Result<()> {
    writeln!(
        page,
        "\n## Differences\n\nOf the frame AUC, draw by draw.\n\n| variant | crops | compared with | difference | better in |\n|---|---|---|---|---|"
    )?;
    for result in &results.variants {
        let Some(against) = &result.against else { continue };
        let other =
            results.variants.iter().find(|other| other.name == *against && other.crops == result.crops);
        let other = other.context("a variant is compared with one that there is not")?;
        let gains: Vec<f64> = result
            .draws
            .iter()
            .zip(&other.draws)
            .map(|(own, other)| own.frame_auc - other.frame_auc)
            .collect();
        let better = gains.iter().filter(|gain| **gain > 0.0).count();
        let total = gains.len();
        writeln!(
            page,
            "| {} | {} | {against} | {} | {better} of {total} |",
            result.name,
            result.crops,
            Spread::of(gains)
        )?;
    }
    Ok(())
}

fn limits(page: &mut String, results: &Results) -> Result<()> {
    writeln!(
        page,
        "\n## What limits it\n\nThe same scores with one half of the answer replaced: *labels known* puts every frame of an abnormal \
         video above every frame of a normal one and keeps the order within; *not localised* gives every frame the highest score of \
         its video. *Within* is over the frames of abnormal videos alone.\n\n\
         | | crops | frame AUC | labels known | not localised | within |\n|---|---|---|---|---|---|"
    )?;
    for result in &results.variants {
        writeln!(
            page,
            "| {} | {} | {:.4} | {:.4} | {:.4} | {:.4} |",
            result.name,
            result.crops,
            of(result, |draw| draw.frame_auc).mean,
            of(result, |draw| draw.labels_known_auc).mean,
            of(result, |draw| draw.not_localised_auc).mean,
            of(result, |draw| draw.within_abnormal_auc).mean
        )?;
    }
    writeln!(page)?;
    Ok(())
}

fn provenance(page: &mut String, results: &Results) -> Result<()> {
    writeln!(page, "\n## How it was made\n")?;
    writeln!(
        page,
        "- Encoder: I3D (Inception-v1), Kinetics-400, `Mixed_5c` averaged to 1024 values; clips of {} frames, stride {}",
        results.clip_frames, results.clip_stride
    )?;
    writeln!(page, "{}", pictures(results))?;
    writeln!(page, "- Data hash: `{}`", results.data_sha256)?;
    for (name, value) in &results.facts {
        writeln!(page, "- {name}: `{value}`")?;
    }
    Ok(())
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
        let settings = toml::to_string(&result.settings)?;
        writeln!(page, "\n```toml\nrecipe = \"{}\"\n{settings}```", result.recipe)?;
    }
    Ok(())
}

fn of(result: &VariantResult, figure: fn(&DrawResult) -> f64) -> Spread {
    Spread::of(result.draws.iter().map(figure))
}

fn label(results: &Results, result: &VariantResult) -> String {
    match &results.question {
        None => result.about.clone(),
        Some(_) if result.about.is_empty() => format!("{}: `{}`", result.name, result.recipe),
        Some(_) => format!("{}: `{}`, {}", result.name, result.recipe, result.about),
    }
}

fn name(result: &VariantResult) -> String {
    format!("{}, {}", result.name, count(result.crops.count(), "crop"))
}

/// What the encoder was shown.
fn pictures(results: &Results) -> String {
    let has = |plan| results.variants.iter().any(|result| result.crops == plan);
    let px = results.input_px;
    let mut text = Vec::new();
    if has(CropPlan::One) {
        text.push(format!("one crop is the whole frame squeezed to {px} x {px} px"));
    }
    let several = match (has(CropPlan::Five), has(CropPlan::Ten)) {
        (false, false) => None,
        (true, false) => Some("five crops"),
        (false, true) => Some("ten crops"),
        (true, true) => Some("five and ten crops"),
    };
    if let Some(several) = several {
        text.push(format!(
            "{several} are cut from frames whose short side is 8/7 of {px} px, aspect kept (corners and centre, for ten with \
             their mirror images), and a clip's score is the mean of its crops' scores"
        ));
    }
    format!("- Pictures: {}", text.join("; "))
}

fn every_draw(page: &mut String, result: &VariantResult) -> Result<()> {
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
