//! `watchpost bench scenes-stages`: both stages of MIST through I3D-lite beside I3D's beginning, on several sets of scenes.

use super::result_page;
use crate::cmd::distill::{self, sizes};
use crate::cmd::finetune::{self, Comparison, DETECTORS};
use crate::cmd::options::{DeviceOption, WeightsOption};
use crate::cmd::spread::Spread;
use crate::cmd::step::{arg, option, step};
use crate::cmd::terminal::{count, figure};
use crate::cmd::{extract, index, provenance, scenes, train};
use crate::distill::config::DistillConfig;
use crate::distilled::DistilledEncoder;
use crate::recipe::mist_stage2_config::{self, EncoderChoice, Stage2Config};
use crate::recipe::settings::to_table;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use vad_core::LiteSize;

/// Made-up scenes with both stages of MIST: I3D-lite beside I3D's beginning, on several sets
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watchpost bench scenes-stages --size middle --scenes-seeds 9,10,11\n\n\
    Every set has a camera of its own; half of each label's scenes is to train on, the others are the test. For each set an\n\
    I3D-lite is distilled from I3D without labels, and MIST's two stages are trained with it and with I3D's beginning\n\
    (`watchpost finetune --encoder small`), from the same settings. Each step is shown as a user would type it. What is\n\
    finished is kept in the work folder; an interrupted benchmark goes on from there when the same command is given again.")]
pub struct Args {
    /// Seeds of the sets, which decide everything about their scenes
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "9,10,11")]
    scenes_seeds: Vec<u64>,
    /// Number of scenes of a set, half of them abnormal
    #[arg(long, value_name = "N", default_value_t = 48)]
    videos: u32,
    /// Frames of each
    #[arg(long, value_name = "N", default_value_t = 240)]
    frames: u64,
    /// Number of trainings on each set
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Size of the light network
    #[arg(long, value_name = "SIZE", value_parser = sizes(), default_value = "middle")]
    size: LiteSize,
    /// Passes over a set's training videos in distillation [default: that of `watchpost distill`]
    #[arg(long, value_name = "N")]
    passes: Option<u64>,
    /// Passes over them in fine-tuning [default: that of `watchpost finetune`]
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Folder for scenes, features, encoders and trainings
    #[arg(long, value_name = "DIR", default_value = "watchpost-work/scenes-stages")]
    work: PathBuf,
    /// Folder of the result page (scenes-stages-SIZE.md and .json)
    #[arg(long, value_name = "DIR", default_value = "docs/results")]
    out: PathBuf,
    #[command(flatten)]
    weights: WeightsOption,
    #[command(flatten)]
    compute: DeviceOption,
}

/// One set of scenes.
#[derive(Debug, Serialize)]
struct SetResult {
    scenes_seed: u64,
    /// Through I3D's beginning; the first stage through the whole of I3D.
    i3d: Comparison,
    lite: Comparison,
}

/// Everything on the page.
#[derive(Debug, Serialize)]
struct Results {
    videos: u32,
    frames: u64,
    distillation: DistillConfig,
    /// Of I3D's beginning, then of I3D-lite.
    stage2: [Stage2Config; 2],
    facts: Vec<(String, String)>,
    sets: Vec<SetResult>,
}

/// Frame ROC AUC of a detector, each a mean over the trainings on one set, in the order of the sets.
struct Column {
    i3d: Vec<f64>,
    lite: Vec<f64>,
}

pub fn run(args: &Args) -> Result<()> {
    let different: BTreeSet<u64> = args.scenes_seeds.iter().copied().collect();
    ensure!(
        different.len() == args.scenes_seeds.len(),
        "--scenes-seeds names a set twice\n  remedy: name each once"
    );
    // The tree may change while this runs.
    let facts = provenance::facts(&[]);
    let weights = args.weights.find()?;
    let sets =
        args.scenes_seeds.iter().map(|seed| measure(args, *seed, &weights)).collect::<Result<Vec<_>>>()?;
    let fresh = DistillConfig::new(args.size);
    let stage2 = [EncoderChoice::Small, args.size.into()].map(|encoder| {
        let own = Stage2Config::small(encoder);
        Stage2Config { epochs: args.epochs.unwrap_or(own.epochs), ..own }
    });
    let results = Results {
        videos: args.videos,
        frames: args.frames,
        distillation: DistillConfig { passes: args.passes.unwrap_or(fresh.passes), ..fresh },
        stage2,
        facts,
        sets,
    };
    let file = format!("scenes-stages-{}", args.size);
    result_page::save(&args.out, &file, &page(&file, &results)?, &results)
}

/// Both encoders on one set, or what is still to be done of it.
fn measure(args: &Args, scenes_seed: u64, weights: &Path) -> Result<SetResult> {
    let Args { videos, frames, size, .. } = args;
    let folder = args.work.join(format!("set-{scenes_seed}-{videos}-{frames}"));
    let footage = folder.join("footage");
    let labels = footage.join("labels.csv");
    if !labels.is_file() {
        let words = [
            option("--out", &footage),
            option("--seed", scenes_seed.to_string()),
            option("--videos", videos.to_string()),
            option("--frames", frames.to_string()),
        ];
        step::<scenes::Args, _>("scenes", &words, |parsed| scenes::run(&parsed))?;
    }
    let passes = args.passes.unwrap_or(DistillConfig::new(*size).passes);
    let i3d = Trial { args, weights, work: folder.join("i3d") };
    let lite = Trial { args, weights, work: folder.join(format!("lite-{size}-{passes}")) };

    i3d.index(&footage, &labels)?;
    i3d.extract(&[option("--weights", weights)])?;
    let i3d =
        i3d.both_stages(&[option("--encoder", EncoderChoice::Small.name()), option("--weights", weights)])?;

    lite.index(&footage, &labels)?;
    let name = format!("lite-{size}");
    lite.distill(&name, passes)?;
    lite.extract(&[option("--encoder", &name)])?;
    let lite = lite.both_stages(&[])?;
    Ok(SetResult { scenes_seed, i3d, lite })
}

/// One encoder on one set, in a work folder of its own.
struct Trial<'a> {
    args: &'a Args,
    weights: &'a Path,
    work: PathBuf,
}

impl Trial<'_> {
    fn index(&self, footage: &Path, labels: &Path) -> Result<()> {
        let words = [
            option("--videos", footage),
            option("--labels", labels),
            self.work(),
            arg("--train=0.5"),
            arg("--val=0"),
        ];
        step::<index::Args, _>("index", &words, |parsed| index::run(&parsed))
    }

    /// Unless that is done.
    fn distill(&self, name: &str, passes: u64) -> Result<()> {
        if DistilledEncoder::open(&self.work.join("encoders").join(name)).is_ok() {
            return Ok(());
        }
        let words = [
            self.work(),
            option("--size", self.args.size.name()),
            option("--passes", passes.to_string()),
            option("--weights", self.weights),
            self.device(),
        ];
        step::<distill::Args, _>("distill", &words, |parsed| distill::run(&parsed))
    }

    fn extract(&self, more: &[OsString]) -> Result<()> {
        let words = [&[self.work(), self.device()], more].concat();
        step::<extract::Args, _>("extract", &words, |parsed| extract::run(&parsed))
    }

    fn both_stages(&self, more: &[OsString]) -> Result<Comparison> {
        let seeds = option("--seeds", self.args.seeds.to_string());
        let words = [self.work(), arg("--recipe=mist"), seeds.clone(), self.device()];
        step::<train::Args, _>("train", &words, |parsed| train::run(&parsed))?;
        let mut words = [&[self.work(), seeds, self.device()], more].concat();
        words.extend(self.args.epochs.map(|epochs| option("--epochs", epochs.to_string())));
        let compared = step::<finetune::Args, _>("finetune", &words, |parsed| finetune::run(&parsed))?;
        compared.context("several seeds were asked for, and are compared")
    }

    fn work(&self) -> OsString {
        option("--work", &self.work)
    }

    fn device(&self) -> OsString {
        option("--device", self.args.compute.device.to_string())
    }
}

impl Column {
    /// Of the detector with this place among [`DETECTORS`].
    fn of(sets: &[SetResult], detector: usize) -> Result<Self> {
        let mean = |compared: &Comparison| {
            let areas: Option<Vec<f64>> = compared.rows.iter().map(|row| row.frame_auc[detector]).collect();
            let areas = areas.context("a test split has frames of one kind only\n  remedy: more --videos")?;
            anyhow::Ok(Spread::of(areas).mean)
        };
        Ok(Self {
            i3d: sets.iter().map(|set| mean(&set.i3d)).collect::<Result<_>>()?,
            lite: sets.iter().map(|set| mean(&set.lite)).collect::<Result<_>>()?,
        })
    }

    /// I3D-lite less I3D, set by set.
    fn gains(&self) -> Vec<f64> {
        self.lite.iter().zip(&self.i3d).map(|(lite, i3d)| lite - i3d).collect()
    }
}

fn page(file: &str, results: &Results) -> Result<String> {
    let Results { videos, frames, distillation, stage2, facts, sets } = results;
    let size = distillation.size;
    let mut page = format!(
        "# Made-up scenes: both stages of MIST through I3D-lite, {size}, and through I3D's beginning\n\n\
         {} of {videos} scenes of {frames} frames, half of them abnormal, each set with a camera of its own. Half of each label's \
         scenes is for training, the others are the test. Frame ROC AUC over all test frames of a set together, without \
         normalisation per video. There is no validation split; the model of the last step is the result, and nothing was \
         selected on test videos of these sets.\n\n\
         Each set has an I3D-lite of its own, distilled from I3D on the set's training videos without their labels in {} passes. I3D's \
         beginning (`watchpost finetune --encoder small`), which no board runs, starts from Kinetics; its first stage looks through \
         the whole of I3D.\n\n",
        count(sets.len(), "set"),
        distillation.passes,
    );
    writeln!(
        page,
        "Mean ± standard deviation (range) over the sets, each with the mean of its trainings.\n\n\
         | detector | through I3D | through I3D-lite, {size} | difference, set by set | better in |\n|---|---|---|---|---|"
    )?;
    for (at, detector) in DETECTORS.into_iter().enumerate() {
        let column = Column::of(sets, at)?;
        let gains = column.gains();
        let better = gains.iter().filter(|gain| **gain > 0.0).count();
        let [i3d, lite, difference] = [column.i3d, column.lite, gains].map(Spread::of);
        writeln!(
            page,
            "| {detector} | **{i3d}** | **{lite}** | {difference} | {better} of {} |",
            sets.len()
        )?;
    }
    every_set(&mut page, sets)?;
    writeln!(page, "\n## How it was made\n")?;
    page.push_str(&provenance::list(facts));
    result_page::settings(&mut page, crate::distill::config::NAME, &to_table(distillation)?)?;
    for config in stage2 {
        result_page::settings(&mut page, mist_stage2_config::NAME, &to_table(config)?)?;
    }
    writeln!(page, "\nThe same in numbers: [{file}.json]({file}.json).")?;
    Ok(page)
}

fn every_set(page: &mut String, sets: &[SetResult]) -> Result<()> {
    writeln!(
        page,
        "\n## Every training\n\n| scenes | seed | encoder | {} |\n|---|---|---|---|---|---|",
        DETECTORS.join(" | ")
    )?;
    for set in sets {
        for (encoder, compared) in [("I3D", &set.i3d), ("I3D-lite", &set.lite)] {
            for row in &compared.rows {
                let areas = row.frame_auc.map(figure).join(" | ");
                writeln!(page, "| {} | {} | {encoder} | {areas} |", set.scenes_seed, row.seed)?;
            }
        }
    }
    Ok(())
}
