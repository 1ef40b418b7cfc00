//! `watchpost bench ped2-lite` and `scenes-lite`: what I3D-lite loses against I3D, with the same recipe on the same draws.
//!
//! Every draw has a student of its own, which saw the draw's training videos and no other.

use super::draw::Bench;
use super::ledger::Ledger;
use super::protocol::Protocol;
use super::tables::{self, Difference};
use super::{Contender, FIRST_SEED, Setup, VariantResult, extract_all};
use crate::cmd::bench::result_page;
use crate::cmd::distill::teacher::{Shelf, Teacher};
use crate::cmd::distill::{learn, place, sizes, with_beginning};
use crate::cmd::options::{DeviceOption, EncoderOptions, Encoding};
use crate::cmd::recipe_options::RecipeOptions;
use crate::cmd::spread::Spread;
use crate::cmd::terminal::count;
use crate::cmd::{interrupt, provenance, qat};
use crate::distill::beginning::Beginning;
use crate::distill::config::{DistillConfig, Start};
use crate::distill::lessons::Footage;
use crate::distill::student::Place;
use crate::distilled::{About, DistilledEncoder};
use crate::encoder;
use crate::quantise::calibration::Calibration;
use crate::quantise::footage::{self, Films};
use crate::quantise::range::RangeMethod;
use crate::recipe::settings::to_table;
use crate::tensors;
use anyhow::{Context, Result, bail, ensure};
use burn::tensor::Device;
use model_export::{EncoderPrecision, Int8Plan};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use vad_core::{EncoderSpec, LiteSize, ModelSpec};
use vad_data::{CropPlan, FeatureCache, FeatureSpec, Label, VideoEntry, hex};
use vad_infer::Kernels;
use vad_scenes::SetSpec;

/// UCSD Ped2 with I3D-lite: distilled for every draw from its training videos, beside I3D itself
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watchpost bench ped2-lite --data ped2/ --size middle --recipe mist\n\n\
    The recipes of `watchpost bench ped2` on the features of both encoders, one crop. A student learns from the ten training\n\
    videos of its draw without their labels; the other 18 are touched only to be tested. Everything finished is kept in\n\
    the work folder; an interrupted benchmark goes on from there when the same program is given the same command again, and\n\
    students are not distilled again by a later one.")]
pub struct Args {
    /// Folder with the 28 videos and labels.csv [default: WATCHPOST_SHARED/data/ped2, else ../shared/data/ped2]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder for frames, features, encoders and finished trainings
    #[arg(long, value_name = "DIR", default_value = "watchpost-work/ped2")]
    work: PathBuf,
    #[command(flatten)]
    options: Options,
}

/// Made-up scenes with I3D-lite: distilled for every draw from its training videos, beside I3D itself
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watchpost bench scenes-lite --size middle --recipe arms --seeds 3\n\n\
    As `watchpost bench ped2-lite`, on street scenes that are made up where the work folder has none: half of them to train\n\
    on, the others to test on.")]
pub struct ScenesArgs {
    /// Decides everything about the scenes
    #[arg(long, value_name = "N", default_value_t = 7)]
    scenes_seed: u64,
    /// Number of scenes, half of them abnormal
    #[arg(long, value_name = "N", default_value_t = 48)]
    videos: u32,
    /// Frames of each
    #[arg(long, value_name = "N", default_value_t = 240)]
    frames: u64,
    /// Folder for scenes, frames, features, encoders and finished trainings
    #[arg(long, value_name = "DIR", default_value = "watchpost-work/scenes")]
    work: PathBuf,
    #[command(flatten)]
    options: Options,
}

/// What both have.
#[derive(Debug, clap::Args)]
struct Options {
    /// Number of draws
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// Size of the network
    #[arg(long, value_name = "SIZE", value_parser = sizes(), default_value = "middle")]
    size: LiteSize,
    /// Passes over a draw's videos [default: that of `watchpost distill`]
    #[arg(long, value_name = "N")]
    passes: Option<u64>,
    /// Weights of an encoder that was distilled on other footage, for students to begin with [default: at random]
    #[arg(long, value_name = "FILE")]
    start_weights: Option<PathBuf>,
    /// Steps of quantisation-aware training of the layers in int8, taken again by every run of the benchmark; 0 for none
    #[arg(long, value_name = "N", default_value_t = 0)]
    qat_steps: u32,
    #[command(flatten)]
    recipe: RecipeOptions,
    /// Folder of the result page (DATA-lite-SIZE.md and .json)
    #[arg(long, value_name = "DIR", default_value = "docs/results")]
    out: PathBuf,
    #[command(flatten)]
    encoder: EncoderOptions,
    #[command(flatten)]
    compute: DeviceOption,
}

/// The student of one draw.
#[derive(Debug, Serialize)]
struct Student {
    seed: u64,
    /// Share of the variance of I3D's clip features explained on the draw's training videos.
    learnt: f32,
    /// And on its test videos, which it did not learn from.
    on_test_videos: Option<f32>,
    /// Commit of the program that distilled it, which may be an earlier one.
    commit: String,
}

/// Everything on the page.
#[derive(Debug, Serialize)]
struct Results {
    #[serde(flatten)]
    setup: Setup,
    size: LiteSize,
    distillation: DistillConfig,
    /// Steps of quantisation-aware training of the layers in int8.
    qat_steps: u32,
    students: Vec<Student>,
    facts: Vec<(String, String)>,
    variants: Vec<VariantResult>,
}

pub fn run(args: &Args) -> Result<()> {
    measure("ped2", &args.options, &args.work, || Protocol::ped2(args.data.as_deref()))
}

pub fn run_on_scenes(args: &ScenesArgs) -> Result<()> {
    let ScenesArgs { scenes_seed: seed, videos, frames, .. } = *args;
    let spec = SetSpec { seed, videos, abnormal: videos / 2, frames, ..SetSpec::default() };
    let folder = args.work.join(format!("footage-{seed}-{videos}-{frames}"));
    measure("scenes", &args.options, &args.work, || Protocol::scenes(&folder, &spec))
}

fn measure(
    data: &str,
    args: &Options,
    work: &Path,
    protocol: impl FnOnce() -> Result<Protocol>,
) -> Result<()> {
    let contenders = super::whole_recipes(&args.recipe)?;
    // The tree may change while this runs.
    let facts = provenance::facts(&[]);
    let protocol = protocol()?;
    let school = School::open(args, work, &protocol)?;
    let ledger = Ledger::open(&work.join("trainings"))?;

    let whole = school.bench(EncoderSpec::i3d(), &school.weights)?;
    let (mut students, mut benches, mut in_int8) = (Vec::new(), Vec::new(), Vec::new());
    for seed in FIRST_SEED..FIRST_SEED.saturating_add(args.seeds) {
        let (about, weights) = school.student(seed)?;
        let student = Student::new(seed, &about);
        println!("draw {seed:>2}: {}", explained(&student));
        let bench = school.bench(about.encoder.clone(), &weights)?;
        in_int8.push(school.bench_int8(seed, &bench, about.encoder, &weights)?);
        benches.push(bench);
        students.push(student);
    }

    let mut variants = Vec::new();
    for contender in &contenders {
        let on_whole = super::all_draws(args.seeds, |_| &whole, &ledger, contender, CropPlan::One)?;
        variants.push(contender.result(CropPlan::One, on_whole)?);
        let mut against = contender.name.clone();
        for (precision, benches) in [("", &benches), (", int8", &in_int8)] {
            let name = format!("{}, i3d-lite {}{precision}", contender.name, args.size);
            let own = Contender { name: name.clone(), against: Some(against), ..contender.clone() };
            let of_seed = |seed: u64| &benches[(seed - FIRST_SEED) as usize];
            let draws = super::all_draws(args.seeds, of_seed, &ledger, &own, CropPlan::One)?;
            variants.push(own.result(CropPlan::One, draws)?);
            against = name;
        }
    }
    let model = ModelSpec::i3d_mist("ped2");
    let setup = Setup {
        clip_frames: model.clip.frames,
        clip_stride: model.clip.stride,
        input_px: model.preprocess.width_px,
        data_sha256: protocol.data_sha256.clone(),
    };
    let results = Results {
        setup,
        size: args.size,
        distillation: school.config,
        qat_steps: args.qat_steps,
        students,
        facts,
        variants,
    };
    let file = format!("{data}-lite-{}", args.size);
    result_page::save(&args.out, &file, &page(&file, protocol.title, &protocol.about, &results)?, &results)
}

impl Student {
    fn new(seed: u64, about: &About) -> Self {
        let commit = about.facts.iter().find(|(name, _)| name == provenance::COMMIT);
        Self {
            seed,
            learnt: about.fidelity.learnt,
            on_test_videos: about.fidelity.held_back,
            commit: commit.map_or("unknown", |(_, commit)| commit).to_owned(),
        }
    }
}

fn explained(Student { learnt, on_test_videos, .. }: &Student) -> String {
    let test = on_test_videos.map_or("nothing".to_owned(), |share| format!("{share:.3}"));
    format!(
        "{learnt:.3} of the variance of I3D's clip features explained on its training videos, {test} on the others"
    )
}

/// Where students are taught and their features extracted.
struct School<'a> {
    work: &'a Path,
    protocol: &'a Protocol,
    config: DistillConfig,
    beginning: Beginning,
    encoding: Encoding,
    weights: PathBuf,
    teacher: Teacher,
    features: FeatureCache,
    frames: PathBuf,
    place: Place,
    qat_steps: u32,
}

impl<'a> School<'a> {
    fn open(args: &Options, work: &'a Path, protocol: &'a Protocol) -> Result<Self> {
        let fresh = DistillConfig::new(args.size);
        let start = if args.start_weights.is_some() { Start::Encoder } else { fresh.start };
        let config = DistillConfig { passes: args.passes.unwrap_or(fresh.passes), start, ..fresh };
        let (config, beginning) = with_beginning(config, args.start_weights.as_deref())?;
        let encoding = args.encoder.on(args.compute.device)?;
        let weights = args.encoder.weights.find()?;
        let teacher = Teacher::load(args.size, &encoding, &weights)?;
        let school = Self {
            config,
            beginning,
            teacher,
            weights,
            encoding,
            features: FeatureCache::open(&work.join("features"))?,
            frames: work.join("frames"),
            place: place(args.compute.device)?,
            qat_steps: args.qat_steps,
            work,
            protocol,
        };
        println!(
            "I3D, place by place: {}",
            school.teacher.look(protocol.manifest.entries(), &school.shelf())?
        );
        Ok(school)
    }

    fn shelf(&self) -> Shelf<'_> {
        Shelf { features: &self.features, frames: &self.frames }
    }

    /// The encoder of a draw, distilled unless that has been done with the same settings from the same videos, and its weights.
    fn student(&self, seed: u64) -> Result<(About, PathBuf)> {
        ensure!(
            !interrupt::asked(),
            "interrupted: draw {seed} is next\n  remedy: the same command goes on there"
        );
        let splits = self.protocol.draw(seed)?;
        let lessons = |entries: &[VideoEntry]| {
            entries.iter().map(|entry| self.teacher.lesson(entry, &self.shelf())).collect::<Result<Vec<_>>>()
        };
        let learning = lessons(splits.train.entries())?;
        let footage = Footage::new(learning, self.config.clips, self.teacher.places())?;
        let config = DistillConfig { seed, ..self.config.clone() };
        let settings = to_table(&config)?.to_string();
        let own = Sha256::digest([settings.as_bytes(), &footage.sha256()].concat());
        let name = format!("draw-{seed}-{}-{}", config.size, hex(&own[..4]));
        let dir = self.work.join("encoders").join(&name);
        if let Ok((encoder, about)) = DistilledEncoder::open(&dir) {
            return Ok((about, encoder.weights_path()));
        }
        let encoder = DistilledEncoder::create(&dir, false)?;
        let tested = footage.beside(lessons(splits.test.entries())?);
        let checkpoint = encoder.checkpoint_path();
        let Some(distilled) =
            learn(&name, &config, [&footage, &tested], &self.beginning, &checkpoint, &self.place)?
        else {
            bail!("interrupted: draw {seed}\n  remedy: the same command goes on there");
        };
        encoder.write(&config, &distilled, footage.lessons().len(), provenance::facts(&[]))?;
        let (encoder, about) = DistilledEncoder::open(&dir)?;
        Ok((about, encoder.weights_path()))
    }

    /// All videos as an encoder sees them.
    fn bench(&self, encoder: EncoderSpec, weights: &Path) -> Result<Bench<'_>> {
        let model = ModelSpec::mist("ped2", encoder);
        let loaded = self.encoding.load(weights, &model)?;
        let spec = FeatureSpec::new(model.preprocess, model.clip);
        let made_from = serde_json::to_string(&(&self.protocol.data_sha256, hex(&loaded.hash()), &spec))?;
        let features = extract_all(&self.features, &self.encoding, &self.protocol.manifest, &*loaded, spec)?;
        let device = self.place.device.clone();
        Ok(Bench { protocol: self.protocol, features: features.into(), on_board: None, made_from, device })
    }

    /// The same for a student of a draw, tested as it sees in int8: every layer that can be, calibrated on the normal videos of
    /// the draw's training, and taught on all of them where that was asked for.
    fn bench_int8(
        &self,
        seed: u64,
        plain: &Bench<'_>,
        encoder: EncoderSpec,
        weights: &Path,
    ) -> Result<Bench<'_>> {
        let model = ModelSpec::mist("ped2", encoder);
        let precision = EncoderPrecision::Int8(self.int8(seed, weights, &model)?);
        let loaded = encoder::load_in(weights, &model, &precision, Kernels::Best)?;
        let spec = FeatureSpec::new(model.preprocess, model.clip);
        let made_from = format!("{}, tested as {}", plain.made_from, hex(&loaded.hash()));
        let seen = extract_all(&self.features, &self.encoding, &self.protocol.manifest, &*loaded, spec)?;
        let (features, device) = (Rc::clone(&plain.features), plain.device.clone());
        Ok(Bench { protocol: self.protocol, features, on_board: Some(seen), made_from, device })
    }

    fn int8(&self, seed: u64, weights: &Path, model: &ModelSpec) -> Result<Int8Plan> {
        let splits = self.protocol.draw(seed)?;
        let lesson =
            |entry: &VideoEntry| anyhow::Ok((entry.label, self.teacher.lesson(entry, &self.shelf())?.reel));
        let reels = splits.train.entries().iter().map(lesson).collect::<Result<Vec<_>>>()?;
        let normal = reels.iter().filter(|(label, _)| *label == Label::Normal).map(|(_, reel)| reel.clone());
        let normal = Films::of(normal, &model.preprocess).with_context(|| {
            format!(
                "draw {seed}: no normal training video has {} frames to calibrate int8 on\n  remedy: longer videos",
                footage::FRAMES
            )
        })?;
        // Calibration is the same on every device, and small.
        let device = Device::flex();
        let (arrays, _) = tensors::load(weights)?;
        let origin = weights.display().to_string();
        let calibration =
            Calibration::new(self.config.size, &arrays, &origin, normal.spread(&device)?, &device)?;
        let planned = calibration.plan(RangeMethod::default(), |_| true);
        if self.qat_steps == 0 {
            println!("draw {seed:>2}: int8, features off by {:.2} %", 100.0 * planned.error);
            return Ok(planned.plan);
        }
        let all = reels.into_iter().map(|(_, reel)| reel);
        let films = Films::of(all, &model.preprocess).context("the normal videos are among them")?;
        let Some(learnt) = qat::learn(&calibration, &planned, &films, self.qat_steps, seed)? else {
            bail!(
                "interrupted: draw {seed}\n  remedy: the same command goes on there; what layers learnt is learnt again"
            );
        };
        println!(
            "draw {seed:>2}: int8, features off by {:.2} % as calibrated, {:.2} % after {}",
            100.0 * planned.error,
            100.0 * learnt.error,
            count(self.qat_steps as usize, "step")
        );
        Ok(learnt.plan)
    }
}

fn page(file: &str, title: &str, about: &str, results: &Results) -> Result<String> {
    let Results { size, qat_steps, students, variants, .. } = results;
    let learnt = match qat_steps {
        0 => String::new(),
        steps => format!(
            ", and taught to be rounded for {} on all of them (quantisation-aware training)",
            count(*steps as usize, "step")
        ),
    };
    let mut page = format!("# {title}: what I3D-lite, {size}, loses against I3D\n\n{about}\n\n");
    writeln!(
        page,
        "Each draw has an I3D-lite of its own, distilled from I3D on the training videos of that draw without their labels. It \
         runs as on a board: frame by frame, each once. One crop. In int8 every layer that can be is in 8-bit integers, \
         calibrated on the normal ones of these videos{learnt}; the detector is the one that was trained on the features in f32.\n"
    )?;
    let rows: Vec<_> = variants.iter().map(|result| (result.name.clone(), result)).collect();
    tables::figures(&mut page, "recipe", &rows)?;
    let by_name = |name: &String| variants.iter().find(|of| of.name == *name);
    let differences = variants.iter().filter_map(|own| {
        let against = own.against.as_ref().and_then(by_name)?;
        Some(Difference::between(own, against, against.name.clone()))
    });
    tables::differences(&mut page, "recipe", &differences.collect::<Vec<_>>())?;
    writeln!(
        page,
        "\n## Students\n\nShare of the variance of I3D's clip features that a student explains.\n"
    )?;
    writeln!(
        page,
        "| draw | on its training videos | on its test videos | distilled by |\n|---|---|---|---|"
    )?;
    for Student { seed, learnt, on_test_videos, commit } in students {
        writeln!(page, "| {seed} | {learnt:.3} | {:.3} | `{commit}` |", on_test_videos.unwrap_or(f32::NAN))?;
    }
    let spread = |of: fn(&Student) -> f64| Spread::of(students.iter().map(of));
    let learnt = spread(|student| student.learnt.into());
    let tested = spread(|student| student.on_test_videos.unwrap_or(f32::NAN).into());
    writeln!(page, "| {} | {learnt} | {tested} | |", count(students.len(), "draw"))?;
    tables::limits(&mut page, variants)?;
    for result in variants {
        super::page::every_draw(&mut page, result)?;
    }
    tables::provenance(&mut page, &results.setup, &[CropPlan::One], &results.facts)?;
    result_page::settings(&mut page, crate::distill::config::NAME, &to_table(&results.distillation)?)?;
    for result in variants.iter().filter(|result| result.against.is_none()) {
        result_page::settings(&mut page, &result.recipe, &result.settings)?;
    }
    writeln!(page, "\nThe same in numbers: [{file}.json]({file}.json).")?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::super::draw::DrawResult;
    use super::*;
    use toml::Table;

    fn row(name: &str, against: Option<&str>, areas: [f64; 2]) -> VariantResult {
        VariantResult {
            name: name.to_owned(),
            about: String::new(),
            recipe: "mist".to_owned(),
            crops: CropPlan::One,
            settings: Table::from_iter([("steps".to_owned(), 300.into())]),
            against: against.map(str::to_owned),
            draws: vec![DrawResult::made_up(1, areas[0]), DrawResult::made_up(2, areas[1])],
        }
    }

    #[test]
    fn the_page_says_what_the_light_encoder_loses_draw_by_draw() {
        let student = |seed, share| Student {
            seed,
            learnt: 0.9,
            on_test_videos: Some(share),
            commit: "abc".to_owned(),
        };
        let results = Results {
            setup: Setup { clip_frames: 16, clip_stride: 16, input_px: 224, data_sha256: "4cd3".to_owned() },
            size: LiteSize::Middle,
            distillation: DistillConfig::new(LiteSize::Middle),
            qat_steps: 150,
            students: vec![student(1, 0.5), student(2, 0.625)],
            facts: Vec::new(),
            variants: vec![row("mist", None, [0.75, 0.875]), row("mist, lite", Some("mist"), [0.625, 1.0])],
        };
        let page = page("ped2-lite-middle", "UCSD Ped2", "Ten draws.", &results).unwrap();
        assert!(page.contains("taught to be rounded for 150 steps on all of them"), "{page}");
        let lost = "| mist, lite | 1 | mist | 0.0000 ± 0.1768 (-0.1250 to 0.1250) | 1 of 2 |";
        assert!(page.contains(lost), "{page}");
        assert!(page.contains("| 2 | 0.900 | 0.625 | `abc` |"), "{page}");
        assert!(page.contains("recipe = \"i3d-lite\"") && page.contains("size = \"middle\""), "{page}");
    }
}
