//! `watchpost explain`: pictures of where a fine-tuned encoder looks.

use super::held_back::SplitName;
use super::options::{DeviceOption, PaceOptions, WorkOption};
use super::tuned::{self, Head};
use super::work::{Dataset, Work};
use crate::explain::sheet::{Row, Sheet, write_png};
use crate::explain::{Explainer, Layer, frames_at};
use crate::finetune::tuned::{TunedEncoder, TunedRun};
use crate::run::Run;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::PathBuf;
use vad_core::ClipSpan;
use vad_data::{Replicas, VideoEntry};

/// Show where a fine-tuned encoder looks: attention and Grad-CAM over the frames
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  watchpost explain --work work/ --run mist-seed1-tuned\n  \
    watchpost explain --work work/ --run mist-seed1-tuned --video gate-0412 --clips 6\n\n\
    Without --video it shows the clips of the split with the highest scores. Each line of a sheet is one clip: its middle\n\
    frame, the attention, and Grad-CAM of the abnormal class. The scales below hold for the whole sheet.")]
pub struct Args {
    #[command(flatten)]
    work: WorkOption,
    /// Which run of `watchpost finetune` [default: the only one]
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// A sheet for this video; repeat for more
    #[arg(long, value_name = "ID")]
    video: Vec<String>,
    /// Videos to look for the highest scores in
    #[arg(long, value_enum, default_value_t = SplitName::Test, conflicts_with = "video")]
    split: SplitName,
    /// Clips on a sheet: those with the highest scores
    #[arg(long, value_name = "N", default_value_t = 4)]
    clips: usize,
    /// Map that Grad-CAM is taken on: the last one, or the one before, which is twice as fine
    #[arg(long, value_enum, default_value_t = Layer::Block5)]
    layer: Layer,
    /// Width of each picture, in pixels
    #[arg(long, value_name = "PX", default_value_t = 320, value_parser = clap::value_parser!(u32).range(32..=2048))]
    picture_px: u32,
    /// Folder for the sheets [default: explain/ in the run's folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pace: PaceOptions,
    #[command(flatten)]
    compute: DeviceOption,
}

/// A clip and its score.
#[derive(Clone, Copy)]
struct Scored<'a> {
    entry: &'a VideoEntry,
    /// Frames of the whole video.
    frames: u64,
    span: ClipSpan,
    score: f32,
}

pub fn run(args: &Args) -> Result<()> {
    let work = Work::open(&args.work.work)?;
    let dataset = work.dataset()?;
    let run = find_run(args, &work)?;
    let encoder = tuned::encoder(&run, &args.compute.device.into())?;
    ensure!(
        encoder.first().network().attends(),
        "{} was fine-tuned without attention, so there is none to show\n  remedy: choose a run with `attention = true`",
        encoder.first().spec().name
    );
    ensure!(
        args.layer == Layer::Block5 || encoder.first().spec().encoder.lite().is_none(),
        "of the map before the last one, I3D-lite hands on means over frames, from which Grad-CAM cannot be taken\n  remedy: --layer 5"
    );
    let entries = entries(args, &dataset)?;
    let scored = scores(args, &work, &run, &encoder, &entries)?;
    let studio = Studio::open(args, &run, encoder.first())?;
    if args.video.is_empty() {
        let title = format!("{}: highest scores of the {} split", studio.name, args.split.name());
        return studio.sheet("highest", title, highest(scored, args.clips));
    }
    for entry in &entries {
        let own = scored.iter().copied().filter(|clip| clip.entry.id == entry.id).collect();
        let mut chosen = highest(own, args.clips);
        chosen.sort_by_key(|clip| clip.span.index);
        let title = format!("{}: {}, labelled {}", studio.name, entry.id, entry.label);
        studio.sheet(&entry.id, title, chosen)?;
    }
    Ok(())
}

fn find_run(args: &Args, work: &Work) -> Result<TunedRun> {
    let dir = match &args.run {
        Some(name) => work.run(Some(name))?,
        None => only_tuned(work)?,
    };
    TunedRun::of(&Run::open(&dir)?)?.with_context(|| {
        format!(
            "{} is no run of `watchpost finetune`; only its encoders have attention\n  remedy: watchpost finetune --work {}",
            dir.display(),
            args.work.work.display()
        )
    })
}

fn only_tuned(work: &Work) -> Result<PathBuf> {
    let is_tuned =
        |dir: &PathBuf| Run::open(dir).is_ok_and(|run| TunedRun::of(&run).is_ok_and(|tuned| tuned.is_some()));
    let mut runs: Vec<PathBuf> = work.run_folders().into_iter().filter(is_tuned).collect();
    ensure!(
        runs.len() == 1,
        "there are {} runs of `watchpost finetune` in {}; name one with --run",
        runs.len(),
        work.runs().display()
    );
    Ok(runs.remove(0))
}

/// The videos asked for, or those of the split.
fn entries(args: &Args, dataset: &Dataset) -> Result<Vec<VideoEntry>> {
    if args.video.is_empty() {
        let entries = args.split.entries(dataset);
        ensure!(!entries.is_empty(), "the {} split is empty", args.split.name());
        return Ok(entries);
    }
    let find = |id: &String| {
        let found = dataset.manifest.entries().iter().find(|entry| entry.id == *id);
        found.cloned().with_context(|| format!("there is no video {id} in {}", dataset.file.labels.display()))
    };
    args.video.iter().map(find).collect()
}

fn scores<'a>(
    args: &Args,
    work: &Work,
    run: &TunedRun,
    encoder: &Replicas<TunedEncoder>,
    entries: &'a [VideoEntry],
) -> Result<Vec<Scored<'a>>> {
    let features = tuned::features(work, encoder, entries, &args.pace.in_burn(args.compute.device)?)?;
    let scorer = Head::Own.scorer(run, encoder.first(), args.compute.device)?;
    let videos = tuned::score(entries, &features, &scorer)?;
    let clips = entries.iter().zip(videos).flat_map(|(entry, video)| {
        let (frames, clips) = (video.frames, video.spans.into_iter().zip(video.raw));
        clips.map(move |(span, score)| Scored { entry, frames, span, score })
    });
    Ok(clips.collect())
}

fn highest(mut clips: Vec<Scored<'_>>, count: usize) -> Vec<Scored<'_>> {
    clips.sort_by(|a, b| b.score.total_cmp(&a.score));
    clips.truncate(count.max(1));
    clips
}

/// Makes sheets.
struct Studio<'a> {
    args: &'a Args,
    name: String,
    explainer: Explainer,
    out: PathBuf,
}

impl<'a> Studio<'a> {
    fn open(args: &'a Args, run: &TunedRun, encoder: &TunedEncoder) -> Result<Self> {
        let device = args.compute.device.open()?.autodiff();
        let name = encoder.spec().name.clone();
        let own = TunedEncoder::load(run, &device)?;
        let input = own.spec().input();
        let explainer = Explainer::new(own.network().clone(), input, args.layer, device);
        let out = args.out.clone().unwrap_or_else(|| run.run().dir().join("explain"));
        std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
        Ok(Self { args, name, explainer, out })
    }

    fn sheet(&self, file: &str, title: String, clips: Vec<Scored<'_>>) -> Result<()> {
        let rows = clips.iter().map(|clip| self.row(clip)).collect::<Result<Vec<_>>>()?;
        let preprocess = &self.explainer.input().preprocess;
        let sheet = Sheet {
            title,
            rows,
            layer: self.args.layer,
            input_px: [preprocess.width_px, preprocess.height_px],
            picture_px: self.args.picture_px,
        };
        let path = self.out.join(format!("{}.png", file.replace(['/', '\\'], "_")));
        write_png(&path, &sheet.draw())?;
        println!("{}", path.display());
        Ok(())
    }

    fn row(&self, clip: &Scored<'_>) -> Result<Row> {
        let range = clip.span.frame_range();
        let shown = range.start + (range.end - range.start) / 2;
        let mut frames: BTreeMap<u64, _> = frames_at(clip.entry, &[shown])?;
        let frame = frames.remove(&shown).context("the frame to be shown is gone")?;
        let pixels = self.explainer.clip(clip.entry, clip.frames, range.start)?;
        let explanation = self.explainer.explain(&pixels)?;
        let caption = format!(
            "{}, frames {} to {} ({shown} shown), score {:.2}",
            clip.entry.id,
            range.start,
            range.end.saturating_sub(1),
            clip.score
        );
        Ok(Row { caption, frame, explanation })
    }
}
