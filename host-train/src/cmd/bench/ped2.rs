//! `watchpost bench ped2`: the protocol of RTFM (ICCV 2021) on UCSD Ped2.

use crate::cmd::ablate;
use crate::cmd::interrupt;
use crate::cmd::options::{DevicesOption, EncoderOptions, Encoding};
use crate::cmd::progress::{self, ExtractBars};
use crate::cmd::provenance;
use crate::cmd::recipe_options::{Chosen, RecipeOptions};
use crate::cmd::terminal::count;
use crate::cmd::trials::Variant;
use crate::cmd::trials::training::Training;
use crate::recipe::registry::Recipe;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::Table;
use vad_core::{ClipSpec, ModelSpec};
use vad_data::{ClipEncoder, CropPlan, FeatureCache, FeatureSpec, Features, Manifest, extract, hex};

mod draw;
pub mod join;
mod ledger;
pub mod lite;
mod page;
mod protocol;
mod tables;

use draw::{Bench, DrawResult};
use ledger::Ledger;
use protocol::Protocol;

/// Seed of the first draw; the others follow.
const FIRST_SEED: u64 = 1;

/// UCSD Ped2: train on 6 abnormal and 4 normal videos, test on the other 18, over several seeds
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  watchpost bench ped2 --data ped2/ --recipe all --crops 1,10 --seeds 10\n  \
    watchpost bench ped2 --data ped2/ --ablation self-training\n\n\
    Nothing is selected on the test videos: with ten training videos there is no validation split, and the model of the\n\
    last step is the result. Every finished training is kept in the work folder; an interrupted benchmark goes on from\n\
    there when the same program is given the same command again."
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
    /// Frames from the beginning of a clip to that of the next; below 16 clips overlap
    #[arg(long, value_name = "FRAMES", default_value_t = ClipSpec::i3d().stride)]
    stride: u16,
    /// Compare the variants of an ablation instead of whole recipes
    #[arg(long, value_name = "NAME", value_parser = ablate::names(), conflicts_with_all = ["recipe", "config"])]
    ablation: Option<String>,
    #[command(flatten)]
    recipe: RecipeOptions,
    /// Folder for features and finished trainings
    #[arg(long, value_name = "DIR", default_value = "watchpost-work/ped2")]
    work: PathBuf,
    /// Folder of the result page (ped2.md and .json, with the ablation and the stride in their names)
    #[arg(long, value_name = "DIR", default_value = "docs/results")]
    out: PathBuf,
    #[command(flatten)]
    encoder: EncoderOptions,
    #[command(flatten)]
    compute: DevicesOption,
}

/// One way to train.
#[derive(Clone)]
struct Contender {
    /// Recipe, or variant of an ablation.
    name: String,
    recipe: &'static dyn Recipe,
    /// Settings without a seed.
    given: Table,
    about: String,
    /// Name of the one that it is compared with, draw by draw.
    against: Option<String>,
}

/// One way to train on one kind of features, over all draws.
#[derive(Debug, Serialize, Deserialize)]
struct VariantResult {
    /// Recipe, or variant of an ablation.
    name: String,
    about: String,
    recipe: String,
    crops: CropPlan,
    settings: Table,
    /// Name of the variant that it is compared with, draw by draw.
    against: Option<String>,
    draws: Vec<DrawResult>,
}

/// What all rows of a page were made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Setup {
    clip_frames: u16,
    clip_stride: u16,
    input_px: u16,
    data_sha256: String,
}

/// Everything on the page.
#[derive(Debug, Serialize, Deserialize)]
struct Results {
    /// What is compared, where it is not whole recipes.
    question: Option<String>,
    #[serde(flatten)]
    setup: Setup,
    facts: Vec<(String, String)>,
    variants: Vec<VariantResult>,
}

pub fn run(args: &Args) -> Result<()> {
    let protocol = Protocol::ped2(args.data.as_deref())?;
    let (question, contenders) = contenders(args)?;
    // The tree may change while this runs.
    let facts = provenance::facts(&[]);
    let data_sha256 = protocol.data_sha256.clone();
    let model = ModelSpec::i3d_mist("ped2");
    let clip = ClipSpec { stride: args.stride, ..model.clip };
    clip.validate()?;
    let encoding = args.encoder.on(args.compute.devices.clone())?;
    let encoder = encoding.load(&args.encoder.weights.find()?, &model)?;
    let ledger = Ledger::open(&args.work.join("trainings"))?;
    let cache = FeatureCache::open(&args.work.join("features"))?;

    let mut results = Vec::new();
    for crops in plans(&args.crops) {
        let spec = FeatureSpec { crops, ..FeatureSpec::new(model.preprocess.clone(), clip) };
        let features = extract_all(&cache, &encoding, &protocol.manifest, &*encoder, spec.clone())?;
        let made_from = serde_json::to_string(&(&data_sha256, hex(&encoder.hash()), &spec))?;
        let device = args.compute.devices.first().open()?;
        let bench =
            Bench { protocol: &protocol, features: features.into(), on_board: None, made_from, device };
        for contender in &contenders {
            let draws = all_draws(args.seeds, |_| &bench, &ledger, contender, crops)?;
            results.push(contender.result(crops, draws)?);
        }
    }
    // A variant's rows stand together.
    results.sort_by_key(|result| contenders.iter().position(|contender| contender.name == result.name));
    let setup = Setup {
        clip_frames: clip.frames,
        clip_stride: clip.stride,
        input_px: model.preprocess.width_px,
        data_sha256,
    };
    let results = Results { question, setup, facts, variants: results };
    page::write(&args.out, &file_name(args.ablation.as_deref(), args.stride), &results)
}

/// Name of a page, without ending: what is not the default is in it.
fn file_name(about: Option<&str>, stride: u16) -> String {
    let mut name = "ped2".to_owned();
    if let Some(about) = about {
        name += &format!("-{about}");
    }
    if stride != ClipSpec::i3d().stride {
        name += &format!("-stride-{stride}");
    }
    name
}

/// What is trained: the variants of an ablation with its question, or whole recipes.
fn contenders(args: &Args) -> Result<(Option<String>, Vec<Contender>)> {
    if let Some(name) = &args.ablation {
        let (question, variants) = ablate::on_features(name, args.recipe.settings.given()?)?;
        let contenders = variants.iter().filter_map(|variant| Contender::of(variant, &variants)).collect();
        return Ok((Some(question.to_owned()), contenders));
    }
    Ok((None, whole_recipes(&args.recipe)?))
}

fn whole_recipes(options: &RecipeOptions) -> Result<Vec<Contender>> {
    let whole = |Chosen { recipe, given }: Chosen| Contender {
        name: recipe.name().to_owned(),
        recipe,
        given,
        about: recipe.about().to_owned(),
        against: None,
    };
    Ok(options.read(None)?.into_iter().map(whole).collect())
}

impl Contender {
    /// Its row.
    fn result(&self, crops: CropPlan, draws: Vec<DrawResult>) -> Result<VariantResult> {
        Ok(VariantResult {
            name: self.name.clone(),
            about: self.about.clone(),
            recipe: self.recipe.name().to_owned(),
            crops,
            settings: self.recipe.settings(&self.given)?,
            against: self.against.clone(),
            draws,
        })
    }

    /// Nothing for a variant that learns from videos.
    fn of(variant: &Variant, all: &[Variant]) -> Option<Self> {
        let Training::Recipe { recipe, given } = &variant.training else { return None };
        Some(Self {
            name: variant.name.clone(),
            recipe: *recipe,
            given: given.clone(),
            about: variant.note.clone(),
            against: variant.against.and_then(|other| all.get(other)).map(|other| other.name.clone()),
        })
    }
}

/// Each plan once, from the fewest crops to the most.
fn plans(asked: &[CropPlan]) -> Vec<CropPlan> {
    CropPlan::ALL.into_iter().filter(|plan| asked.contains(plan)).collect()
}

fn all_draws<'a>(
    seeds: u64,
    bench: impl Fn(u64) -> &'a Bench<'a>,
    ledger: &Ledger,
    contender: &Contender,
    crops: CropPlan,
) -> Result<Vec<DrawResult>> {
    let bar = progress::bar(seeds, "draws");
    let name = format!("{}, {}", contender.name, count(crops.count(), "crop"));
    bar.set_prefix(name.clone());
    let mut draws = Vec::new();
    for seed in FIRST_SEED..FIRST_SEED.saturating_add(seeds) {
        ensure!(
            !interrupt::asked(),
            "interrupted: {name}, seed {seed} is next\n  remedy: the same command goes on there"
        );
        let result = bench(seed)
            .draw(ledger, contender.recipe, &contender.given, seed)
            .with_context(|| format!("{name}, seed {seed}"))?;
        progress::say(&bar, &format!("{name}, seed {seed:>3}: frame AUC {:.4}", result.frame_auc));
        bar.inc(1);
        draws.push(result);
    }
    bar.finish_and_clear();
    Ok(draws)
}

fn extract_all(
    cache: &FeatureCache,
    encoding: &Encoding,
    manifest: &Manifest,
    encoder: &dyn ClipEncoder,
    features: FeatureSpec,
) -> Result<BTreeMap<String, Features>> {
    let spec = encoding.extract_spec(features);
    let bars = ExtractBars::new(manifest.entries().len());
    let outcome = extract(manifest.entries(), encoder, spec, cache, false, &bars);
    let speed = bars.finish();
    let features = outcome?.features;
    println!("{speed}");
    Ok(features)
}
