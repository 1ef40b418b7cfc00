//! The result page, written by the program that measured.

use super::{RecipeResult, Results, SeedResult, write_file};
use crate::cmd::spread::Spread;
use crate::cmd::terminal::count;
use anyhow::Result;
use std::fmt::Write as _;
use std::path::Path;
use vad_data::CropPlan;

/// Writes `ped2.md` and `ped2.json`, and prints the headline.
pub fn write(out: &Path, results: &Results) -> Result<()> {
    let text = text(results)?;
    write_file(&out.join("ped2.json"), &(serde_json::to_string_pretty(results)? + "\n"))?;
    write_file(&out.join("ped2.md"), &text)?;
    for result in &results.recipes {
        let frame_auc = Spread::of(result.seeds.iter().map(|seed| seed.frame_auc));
        println!("{}: frame AUC {frame_auc} over {} seeds", name(result), result.seeds.len());
    }
    println!("page: {}", out.join("ped2.md").display());
    Ok(())
}

fn text(results: &Results) -> Result<String> {
    let mut page = String::from("# UCSD Ped2: weakly supervised, video-level labels\n\n");
    writeln!(
        page,
        "Protocol of RTFM (ICCV 2021): for every seed 6 abnormal and 4 normal videos are drawn for training, the other 18 are \
         the test. Frame ROC AUC over all test frames together, without normalisation per video. There is no validation split; \
         the model of the last step is the result, and nothing was selected on test videos. Data: Mahadevan et al., CVPR 2010.\n"
    )?;
    writeln!(page, "Mean ± standard deviation (range) over seeds; every row has the same draws.\n")?;
    writeln!(
        page,
        "| recipe | crops | **frame ROC AUC** | average precision | ROC AUC over videos | one training, s |\n|---|---|---|---|---|---|"
    )?;
    for result in &results.recipes {
        let of = |figure: fn(&SeedResult) -> f64| Spread::of(result.seeds.iter().map(figure));
        writeln!(
            page,
            "| {} | {} | **{}** | {} | {} | {:.1} |",
            result.about,
            result.crops,
            of(|seed| seed.frame_auc),
            of(|seed| seed.average_precision),
            of(|seed| seed.video_auc),
            of(|seed| seed.train_s).mean
        )?;
    }
    if let Some(result) = results.recipes.first() {
        let oracle = Spread::of(result.seeds.iter().map(|seed| seed.video_oracle_auc));
        writeln!(page, "| an oracle that knows the video labels and nothing else | | {oracle} | | 1 | |")?;
    }
    writeln!(
        page,
        "\nFor comparison, from other sources: RTFM prints 0.986 with ten crops and I3D-ResNet50 features, and 0.965 with TSN on grey pictures.\n"
    )?;
    for result in &results.recipes {
        every_seed(&mut page, result)?;
    }
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
    let mut shown = Vec::new();
    for result in &results.recipes {
        // Settings are the same for any number of crops.
        if shown.contains(&result.recipe) {
            continue;
        }
        shown.push(result.recipe);
        writeln!(
            page,
            "\n```toml\nrecipe = \"{}\"\n{}```",
            result.recipe,
            toml::to_string(&result.settings)?
        )?;
    }
    writeln!(page, "\nThe same in numbers: [ped2.json](ped2.json).")?;
    Ok(page)
}

fn name(result: &RecipeResult) -> String {
    format!("{}, {}", result.recipe, count(result.crops.count(), "crop"))
}

/// What the encoder was shown.
fn pictures(results: &Results) -> String {
    let has = |plan| results.recipes.iter().any(|result| result.crops == plan);
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

fn every_seed(page: &mut String, result: &RecipeResult) -> Result<()> {
    writeln!(
        page,
        "## Every seed: {}\n\n| seed | frame AUC | average precision | video AUC | oracle | training videos |\n|---|---|---|---|---|---|",
        name(result)
    )?;
    for seed in &result.seeds {
        writeln!(
            page,
            "| {} | {:.4} | {:.4} | {:.4} | {:.4} | {} |",
            seed.seed,
            seed.frame_auc,
            seed.average_precision,
            seed.video_auc,
            seed.video_oracle_auc,
            seed.train_videos.join(", ")
        )?;
    }
    writeln!(page)?;
    Ok(())
}
