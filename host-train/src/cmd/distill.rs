//! `watchpost distill`: an encoder for boards that learns to see as I3D does.

use super::options::{DeviceOption, EncoderOptions, WorkOption};
use super::recipe_options::{ChangesOptions, with_seed};
use super::terminal::count;
use super::work::{Dataset, Work};
use super::{interrupt, progress, provenance};
use crate::device::DeviceChoice;
use crate::distill::beginning::{Beginning, Encoder};
use crate::distill::config::{DistillConfig, NAME, Start};
use crate::distill::imagenet::{Donor, Parts};
use crate::distill::lessons::{Footage, Lesson};
use crate::distill::student::Place;
use crate::distill::training::{self, Distilled, Fidelity};
use crate::distilled::DistilledEncoder;
use crate::recipe::settings::resolve;
use crate::run::Flow;
use crate::weights::EFFICIENTNET_LITE0;
use anyhow::{Context, Result, bail, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::path::{Path, PathBuf};
use vad_core::LiteSize;
use vad_data::{FeatureCache, VideoEntry};

pub mod teacher;

use teacher::{Shelf, Teacher};

/// Distil I3D into a light encoder that boards run frame by frame
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  watchpost distill --work work/\n  watchpost extract --work work/ --encoder lite-small\n  \
    watchpost train --work work/\n  \
    watchpost distill --work work/ --with other-cameras/ --size middle --name lite-b --set passes=60\n\n\
    The network learns from the training videos, without their labels, what I3D sees in each place of each clip. I3D looks\n\
    at them first, once, which takes about as long as `watchpost extract`. Validation videos show how well the network\n\
    sees footage that it did not learn from; test videos are not touched. Resized frames are kept in WORK/frames, 38 KB\n\
    each for the small size, and what I3D saw in WORK/features, 64 KB per clip.\n\n\
    An interrupted distillation goes on where its checkpoint stands when the same command is given again."
)]
pub struct Args {
    #[command(flatten)]
    work: WorkOption,
    /// Another work folder to learn from as well; repeat for more
    #[arg(long, value_name = "DIR")]
    with: Vec<PathBuf>,
    /// Size of the network
    #[arg(long, value_name = "SIZE", value_parser = sizes())]
    size: Option<LiteSize>,
    /// Name of the encoder [default: lite-SIZE]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    changes: ChangesOptions,
    /// What the network begins with; short for --set start=NAME
    #[arg(long, value_enum, value_name = "NAME")]
    start: Option<Start>,
    /// Weights for --start: encoder.safetensors of another `watchpost distill`, or EfficientNet-Lite0's [default for the
    /// latter: where `watchpost weights` puts them]
    #[arg(long, value_name = "FILE")]
    start_weights: Option<PathBuf>,
    /// Seed of every random draw
    #[arg(long)]
    seed: Option<u64>,
    /// Passes over the footage; short for --set passes=N
    #[arg(long, value_name = "N")]
    passes: Option<u32>,
    /// Replace an encoder of the same name
    #[arg(long)]
    overwrite: bool,
    /// How I3D is run
    #[command(flatten)]
    teacher: EncoderOptions,
    #[command(flatten)]
    compute: DeviceOption,
}

pub fn run(args: &Args) -> Result<()> {
    let (config, beginning) = with_beginning(config(args)?, args.start_weights.as_deref())?;
    let work = Work::open(&args.work.work)?;
    let name = args.name.clone().unwrap_or_else(|| format!("lite-{}", config.size));
    let sources = sources(&work, &args.with)?;
    let encoder = DistilledEncoder::create(&work.encoder_dir(&name)?, args.overwrite)?;
    let place = place(args.compute.device)?;

    let encoding = args.teacher.on(args.compute.device)?;
    let teacher = Teacher::load(config.size, &encoding, &args.teacher.weights.find()?)?;
    for source in &sources {
        let splits = &source.dataset.splits;
        let entries = [splits.train.entries(), splits.val.entries()].concat();
        println!("I3D, {}: {}", source.dataset.title(), teacher.look(&entries, &source.shelf())?);
    }
    let learning = lessons(&teacher, &sources, |dataset| dataset.splits.train.entries())?;
    let footage = Footage::new(learning, config.clips, teacher.places())?;
    let held_back = lessons(&teacher, &sources, |dataset| dataset.splits.val.entries())?;
    let held_back = footage.beside(held_back);
    println!(
        "I3D-lite, {}, {}: {} to learn from, {} to measure on",
        config.size,
        cost(config.size),
        count(footage.lessons().len(), "video"),
        count(held_back.lessons().len(), "video")
    );

    let checkpoint = encoder.checkpoint_path();
    let Some(distilled) = learn(&name, &config, [&footage, &held_back], &beginning, &checkpoint, &place)?
    else {
        bail!("interrupted; the same command goes on from {}", checkpoint.display());
    };
    let facts = provenance::facts(&[]);
    encoder.write(&config, &distilled, footage.lessons().len(), facts)?;
    report(&name, &distilled, &work);
    Ok(())
}

/// Where a student learns: on a card all windows of a step together.
pub fn place(device: DeviceChoice) -> Result<Place> {
    let at_once = if device.backend().is_card() { usize::MAX } else { 1 };
    Ok(Place { device: device.open()?, at_once })
}

/// Distils with a bar on some footage, and measures on other; nothing comes back when it was interrupted.
pub fn learn(
    name: &str,
    config: &DistillConfig,
    [footage, held_back]: [&Footage; 2],
    beginning: &Beginning,
    checkpoint: &Path,
    place: &Place,
) -> Result<Option<Distilled>> {
    let bar = progress::bar(0, "steps");
    bar.set_prefix(name.to_owned());
    let done = training::train(config, footage, held_back, beginning, checkpoint, place, &mut |report| {
        bar.set_length(report.steps);
        bar.set_position(report.train.step);
        let parts = report.train.parts.iter().map(|part| format!("{part:.3}")).collect::<Vec<_>>();
        bar.set_message(format!("features + changes + relations {}", parts.join(" + ")));
        if interrupt::asked() { Flow::Stop } else { Flow::Continue }
    });
    bar.finish_and_clear();
    Ok(done?)
}

fn report(name: &str, distilled: &Distilled, work: &Work) {
    let Fidelity { learnt, held_back } = distilled.fidelity;
    let steps = distilled.curves.train.len();
    println!("{name}: {}, {learnt:.3} of the variance of I3D's features explained", count(steps, "step"));
    match held_back {
        Some(share) => println!("on videos that were held back: {share:.3}"),
        None => println!("no validation video is long enough to measure on footage that was not learnt from"),
    }
    println!("next: watchpost extract --work {} --encoder {name}", work.root().display());
}

/// The settings that the command line asks for.
fn config(args: &Args) -> Result<DistillConfig> {
    let mut given = args.changes.given()?;
    if let Some(size) = args.size {
        given.insert("size".to_owned(), size.name().into());
    }
    if let Some(start) = args.start {
        given.insert("start".to_owned(), start.name().into());
    }
    if let Some(passes) = args.passes {
        given.insert("passes".to_owned(), i64::from(passes).into());
    }
    if let Some(seed) = args.seed {
        given = with_seed(&given, seed)?;
    }
    resolve(NAME, &given).with_context(|| args.changes.origin())
}

/// The settings with what the network begins with; `weights` is the file that was named for it.
pub fn with_beginning(
    mut config: DistillConfig,
    weights: Option<&Path>,
) -> Result<(DistillConfig, Beginning)> {
    let imagenet =
        |parts| anyhow::Ok(Beginning::Imagenet(Donor::read(&EFFICIENTNET_LITE0.find(weights)?)?, parts));
    let beginning = match config.start {
        Start::Random => Beginning::Random,
        Start::Imagenet => imagenet(Parts::All)?,
        Start::ImagenetKernels => imagenet(Parts::Kernels)?,
        Start::Encoder => Beginning::Encoder(Encoder::read(weights.context(
            "--start encoder begins with a distilled encoder\n  remedy: --start-weights WORK/encoders/NAME/encoder.safetensors",
        )?)?),
    };
    let found = beginning.sha256();
    ensure!(
        config.start_sha256.is_none() || config.start_sha256 == found,
        "the settings begin with weights of another hash than those given\n  remedy: the weights that they were made with, or settings without start_sha256"
    );
    config.start_sha256 = found;
    Ok((config, beginning))
}

/// A data set to learn from.
struct Source {
    dataset: Dataset,
    features: FeatureCache,
    frames: PathBuf,
}

impl Source {
    fn shelf(&self) -> Shelf<'_> {
        Shelf { features: &self.features, frames: &self.frames }
    }
}

fn sources(work: &Work, more: &[PathBuf]) -> Result<Vec<Source>> {
    let mut works = vec![work.clone()];
    for other in more {
        works.push(Work::open(other)?);
    }
    works.iter().map(source).collect()
}

fn source(work: &Work) -> Result<Source> {
    let dataset = work.dataset()?;
    ensure!(
        dataset.has_videos(),
        "distillation reads the videos themselves, and of {} only features were imported\n  remedy: import the videos",
        dataset.title()
    );
    Ok(Source { features: work.features()?, frames: work.root().join("frames"), dataset })
}

/// The videos of one split of every source.
fn lessons(
    teacher: &Teacher,
    sources: &[Source],
    split: fn(&Dataset) -> &[VideoEntry],
) -> Result<Vec<Lesson>> {
    let bar = progress::bar(sources.iter().map(|source| split(&source.dataset).len() as u64).sum(), "videos");
    bar.set_prefix("frames");
    let lessons = sources
        .iter()
        .flat_map(|source| split(&source.dataset).iter().map(move |entry| (source, entry)))
        .map(|(source, entry)| {
            bar.inc(1);
            teacher.lesson(entry, &source.shelf())
        })
        .collect();
    bar.finish_and_clear();
    lessons
}

/// The sizes with what they cost, for a command line.
pub fn sizes() -> impl TypedValueParser<Value = LiteSize> {
    let about = |size: LiteSize| PossibleValue::new(size.name()).help(cost(size));
    PossibleValuesParser::new(LiteSize::ALL.map(about)).try_map(|name| {
        LiteSize::ALL.into_iter().find(|size| size.name() == name).ok_or("there is no such size")
    })
}

/// What a size costs, for people.
fn cost(size: LiteSize) -> String {
    let plan = size.plan();
    let side = usize::from(plan.side_px);
    let gmac = 16.0 * plan.macs_per_frame(side, side) as f64 / 1e9;
    format!("{gmac:.2} GMAC per 16 frames of {side} x {side} px")
}
