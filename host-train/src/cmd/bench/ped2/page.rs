//! The result page, written by the program that measured.

use super::{Results, SeedResult, write_file};
use anyhow::Result;
use std::fmt::Write as _;
use std::path::Path;

/// Writes `ped2.md` and `ped2.json`, and prints the headline.
pub fn write(out: &Path, results: &Results) -> Result<()> {
    let summary = Summary::of(results.seeds.iter().map(|seed| seed.frame_auc));
    let text = text(results, &summary)?;
    write_file(&out.join("ped2.json"), &(serde_json::to_string_pretty(results)? + "\n"))?;
    write_file(&out.join("ped2.md"), &text)?;
    println!("frame AUC {summary} over {} seeds", results.seeds.len());
    println!("page: {}", out.join("ped2.md").display());
    Ok(())
}

/// Mean, sample standard deviation and range.
struct Summary {
    mean: f64,
    deviation: f64,
    min: f64,
    max: f64,
}

impl Summary {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            deviation: if values.len() > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 },
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.4} ± {:.4} ({:.4} to {:.4})", self.mean, self.deviation, self.min, self.max)
    }
}

fn text(results: &Results, summary: &Summary) -> Result<String> {
    let of = |figure: fn(&SeedResult) -> f64| Summary::of(results.seeds.iter().map(figure));
    let mut page = String::from("# UCSD Ped2: weakly supervised, video-level labels\n\n");
    writeln!(
        page,
        "Protocol of RTFM (ICCV 2021): for every seed 6 abnormal and 4 normal videos are drawn for training, the other 18 are \
         the test. Frame ROC AUC over all test frames together, without normalisation per video. There is no validation split; \
         the model of the last step is the result, and nothing was selected on test videos. Data: Mahadevan et al., CVPR 2010.\n"
    )?;
    writeln!(page, "| figure | mean ± standard deviation (range) over {} seeds |", results.seeds.len())?;
    writeln!(page, "|---|---|")?;
    writeln!(page, "| **frame ROC AUC**, {} | **{summary}** |", results.recipe)?;
    writeln!(page, "| average precision | {} |", of(|seed| seed.average_precision))?;
    writeln!(page, "| ROC AUC over videos | {} |", of(|seed| seed.video_auc))?;
    writeln!(
        page,
        "| frame ROC AUC of an oracle that knows the video labels and nothing else | {} |",
        of(|seed| seed.video_oracle_auc)
    )?;
    writeln!(page, "| time of one training, s | {} |\n", of(|seed| seed.train_s))?;
    writeln!(
        page,
        "For comparison, from other sources: RTFM prints 0.986 with ten crops and I3D-ResNet50 features, and 0.965 with TSN on grey pictures.\n"
    )?;
    writeln!(
        page,
        "## Every seed\n\n| seed | frame AUC | average precision | video AUC | oracle | training videos |\n|---|---|---|---|---|---|"
    )?;
    for seed in &results.seeds {
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
    writeln!(page, "\n## How it was made\n")?;
    writeln!(
        page,
        "- Encoder: I3D (Inception-v1), Kinetics-400, `Mixed_5c` averaged to 1024 values; whole frame squeezed to {0} x {0} px, clips of {1} frames, stride {2}, one crop",
        results.input_px, results.clip_frames, results.clip_stride
    )?;
    writeln!(page, "- Data hash: `{}`", results.data_sha256)?;
    for (name, value) in &results.facts {
        writeln!(page, "- {name}: `{value}`")?;
    }
    writeln!(page, "\n```toml\n{}```\n", toml::to_string(&results.config)?)?;
    writeln!(page, "The same in numbers: [ped2.json](ped2.json).")?;
    Ok(page)
}
