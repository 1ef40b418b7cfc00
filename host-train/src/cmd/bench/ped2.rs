//! `watchpost bench ped2`: the protocol of RTFM (ICCV 2021) on UCSD Ped2.

use crate::bag::TrainingSet;
use crate::cmd::options::EncoderOptions;
use crate::cmd::progress::{self, ExtractBars};
use crate::cmd::provenance;
use crate::cmd::recipe_options::{RecipeOptions, with_seed};
use crate::cmd::terminal::count;
use crate::evaluate;
use crate::recipe::registry::Recipe;
use crate::shared_data;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use toml::Table;
use vad_core::ModelSpec;
use vad_data::{
    ClipEncoder, CropPlan, FeatureCache, FeatureSpec, Features, Label, Manifest, Quota, SplitPlan, Splits,
    VideoEntry, extract, file_hash, hex,
};
use vad_eval::{Evaluation, roc_auc};

mod page;

/// Seed of the first draw; the others follow.
const FIRST_SEED: u64 = 1;

/// UCSD Ped2: train on 6 abnormal and 4 normal videos, test on the other 18, over several seeds
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  watchpost bench ped2 --data ped2/ --recipe all --crops 1,10 --seeds 10\n\n\
    Nothing is selected on the test videos: with ten training videos there is no validation split, and the model of the\n\
    last step is the result."
)]
pub struct Args {
    /// Folder with the 28 videos and labels.csv [default: WATCHPOST_SHARED/data/ped2, else ../shared/data/ped2]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Number of draws
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// Crops of each clip, one or several of 1, 5 and 10
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "1")]
    crops: Vec<CropPlan>,
    #[command(flatten)]
    recipe: RecipeOptions,
    /// Folder for features
    #[arg(long, value_name = "DIR", default_value = "watchpost-work/ped2")]
    work: PathBuf,
    /// Folder of the result page (ped2.md and ped2.json)
    #[arg(long, value_name = "DIR", default_value = "docs/results")]
    out: PathBuf,
    #[command(flatten)]
    encoder: EncoderOptions,
}

/// One draw and its figures.
#[derive(Debug, Serialize)]
struct SeedResult {
    seed: u64,
    /// Frame ROC AUC over the 18 test videos.
    frame_auc: f64,
    /// Average precision over the same frames.
    average_precision: f64,
    /// ROC AUC over the test videos, by their highest clip.
    video_auc: f64,
    /// Frame AUC of a score that knows every video's label and nothing else.
    video_oracle_auc: f64,
    /// Time of the training, in seconds.
    train_s: f64,
    train_videos: Vec<String>,
}

/// One recipe on one kind of features over all draws.
#[derive(Debug, Serialize)]
struct RecipeResult {
    recipe: &'static str,
    about: &'static str,
    crops: CropPlan,
    settings: Table,
    seeds: Vec<SeedResult>,
}

/// Everything on the page.
#[derive(Debug, Serialize)]
struct Results {
    clip_frames: u16,
    clip_stride: u16,
    input_px: u16,
    data_sha256: String,
    facts: Vec<(String, String)>,
    recipes: Vec<RecipeResult>,
}

pub fn run(args: &Args) -> Result<()> {
    let data = args.data.clone().unwrap_or_else(|| shared_data::folder().join("ped2"));
    let labels = data.join("labels.csv");
    ensure!(
        labels.is_file(),
        "{} is missing\n  remedy: name the folder of UCSD Ped2 with --data",
        labels.display()
    );
    let manifest = Manifest::load(&labels, &data)?;
    let (recipes, given) = args.recipe.read(None)?;
    // The tree may change while this runs.
    let facts = provenance::facts(&[]);
    let model = ModelSpec::i3d_mist("ped2");
    let encoder = args.encoder.load(&model)?;

    let mut results = Vec::new();
    for crops in plans(&args.crops) {
        let spec = FeatureSpec { crops, ..FeatureSpec::new(model.preprocess.clone(), model.clip) };
        let features = extract_all(args, &manifest, &*encoder, spec)?;
        for recipe in &recipes {
            results.push(one_recipe(args, *recipe, crops, &given, &manifest, &features)?);
        }
    }
    // A recipe's rows stand together.
    results.sort_by_key(|result| recipes.iter().position(|recipe| recipe.name() == result.recipe));
    let results = Results {
        clip_frames: model.clip.frames,
        clip_stride: model.clip.stride,
        input_px: model.preprocess.width_px,
        data_sha256: data_hash(&manifest)?,
        facts,
        recipes: results,
    };
    page::write(&args.out, &results)
}

/// Each plan once, from the fewest crops to the most.
fn plans(asked: &[CropPlan]) -> Vec<CropPlan> {
    CropPlan::ALL.into_iter().filter(|plan| asked.contains(plan)).collect()
}

fn one_recipe(
    args: &Args,
    recipe: &dyn Recipe,
    crops: CropPlan,
    given: &Table,
    manifest: &Manifest,
    features: &BTreeMap<String, Features>,
) -> Result<RecipeResult> {
    let bar = progress::bar(args.seeds, "seeds");
    let name = format!("{}, {}", recipe.name(), count(crops.count(), "crop"));
    bar.set_prefix(name.clone());
    let mut seeds = Vec::new();
    for seed in FIRST_SEED..FIRST_SEED + args.seeds {
        let result = one_seed(args, recipe, given, manifest, features, seed)
            .with_context(|| format!("{name}, seed {seed}"))?;
        bar.println(format!("{name}, seed {seed:>3}: frame AUC {:.4}", result.frame_auc));
        bar.inc(1);
        seeds.push(result);
    }
    bar.finish_and_clear();
    Ok(RecipeResult {
        recipe: recipe.name(),
        about: recipe.about(),
        crops,
        settings: recipe.settings(given)?,
        seeds,
    })
}

fn extract_all(
    args: &Args,
    manifest: &Manifest,
    encoder: &dyn ClipEncoder,
    features: FeatureSpec,
) -> Result<BTreeMap<String, Features>> {
    let spec = args.encoder.extract_spec(features);
    let cache = FeatureCache::open(&args.work.join("features"))?;
    let bars = ExtractBars::new(manifest.entries().len());
    let outcome = extract(manifest.entries(), encoder, spec, &cache, false, &bars);
    let speed = bars.finish();
    let features = outcome?.features;
    println!("{speed}");
    Ok(features)
}

fn one_seed(
    args: &Args,
    recipe: &dyn Recipe,
    given: &Table,
    manifest: &Manifest,
    features: &BTreeMap<String, Features>,
    seed: u64,
) -> Result<SeedResult> {
    let plan =
        SplitPlan { train: Quota::Videos { normal: 4, abnormal: 6 }, val: Quota::NONE, test: Quota::Rest };
    let splits = Splits::draw(manifest, &plan, seed)?;
    let data = TrainingSet::new(&splits.train, &splits.val, features)?;
    let device = args.encoder.device.open()?;
    let started = Instant::now();
    let detector = recipe.train_in_memory(&with_seed(given, seed)?, &data, &device)?;
    let train_s = started.elapsed().as_secs_f64();
    let scorer = detector.into();

    let test = splits.test.entries();
    let scores = test
        .iter()
        .map(|entry| {
            let found = features.get(&entry.id).with_context(|| format!("{} has no features", entry.id))?;
            evaluate::score(entry, found, &scorer)
        })
        .collect::<Result<Vec<_>>>()?;
    let evaluation = Evaluation::run(&scores, &ModelSpec::i3d_mist("ped2").score)?;
    let undefined = "the test videos lack normal or abnormal frames";
    Ok(SeedResult {
        seed,
        frame_auc: evaluation.frame.roc_auc.context(undefined)?,
        average_precision: evaluation.frame.average_precision.context(undefined)?,
        video_auc: evaluation.video_roc_auc.context(undefined)?,
        video_oracle_auc: video_oracle(test, features).context(undefined)?,
        train_s,
        train_videos: splits.train.ids().map(str::to_owned).collect(),
    })
}

/// Frame AUC of a score that is 1 on every frame of an abnormal video and 0 elsewhere.
fn video_oracle(test: &[VideoEntry], features: &BTreeMap<String, Features>) -> Option<f64> {
    let (mut scores, mut truth) = (Vec::new(), Vec::new());
    for entry in test {
        let frames = features.get(&entry.id)?.frames;
        let ranges = entry.abnormal.as_deref().unwrap_or_default();
        scores.extend((0..frames).map(|_| if entry.label == Label::Abnormal { 1.0_f32 } else { 0.0 }));
        truth.extend((0..frames).map(|frame| ranges.iter().any(|range| range.contains(&frame))));
    }
    roc_auc(&scores, &truth)
}

/// SHA-256 over the label file's hash and every video's, in the order of ids.
fn data_hash(manifest: &Manifest) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(manifest.sha256());
    let mut entries: Vec<&VideoEntry> = manifest.entries().iter().collect();
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    for entry in entries {
        hash.update(entry.id.as_bytes());
        hash.update(file_hash(&entry.path)?);
    }
    Ok(hex(&hash.finalize()))
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    Ok(crate::atomic_file::write(path, text.as_bytes())?)
}
