//! A fine-tuned encoder: its run folder, and how it scores.
//!
//! ```text
//! config.toml               `recipe = "mist-stage2"` and its settings, as used
//! checkpoint.safetensors    to go on from
//! pseudo_labels.csv         what the clips should score
//! metrics.json              curves, selection, seed, data hash
//! encoder.safetensors       the selected encoder with its classifiers, under published names
//! encoder_last.safetensors  the encoder after the last step, where another one was selected
//! stage1_head.safetensors   stage I trained anew on features of the selected encoder
//! tuned.json                what the encoder takes, and its alarm thresholds
//! board_encoder.safetensors of I3D-lite, the selected encoder as the exporter takes it
//! board_head.safetensors    and its classifier
//! ```
//!
//! Features of I3D-lite are made as boards make them: frame by frame, in the same code, without the attention. What is
//! measured of such a run is what a board will do.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use model_export::EncoderPrecision;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vad_core::{ClipSpec, EncoderSpec, HeadKind, HeadSpec, ModelSpec, PreprocessSpec, ScoreSpec};
use vad_data::{ClipEncoder, EncodeError, FrameStream};
use vad_infer::Kernels;

use super::clips::ClipInput;
use super::error::TuneError;
use super::labels::CLIP;
use super::start::PADDING;
use crate::atomic_file;
use crate::backbone::pooling::global_average;
use crate::bag::BagSet;
use crate::checkpoint::hex;
use crate::encoder::TractEncoder;
use crate::handoff;
use crate::model::sga::encoder::{BACKBONE, SgaEncoder, TappedAttention};
use crate::model::sga::scoring_classifier;
use crate::recipe::mist_stage2_config::{EncoderChoice, NAME, Stage2Config};
use crate::recipe::settings::{Settings, to_table};
use crate::recipe::system::Detector;
use crate::recipe::trainer::TrainOutcome;
use crate::run::{Run, RunError, RunMetrics, remove_if_there};
use crate::tensors::{self, Array, Arrays, TensorsError, require_shape};

/// Version of `tuned.json`; another one is refused.
const FORMAT: u32 = 1;

/// `tuned.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TunedSpec {
    /// Version of this file.
    pub format: u32,
    /// Name of the run.
    pub name: String,
    /// Run of stage I that it goes on from, and that the pseudo labels came from unless `labels_by` names another.
    pub stage1: String,
    /// Fine-tuning whose scores became the pseudo labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels_by: Option<String>,
    /// The network.
    pub encoder: EncoderChoice,
    /// Width of its features.
    pub feature_dim: usize,
    /// What it is given of a picture.
    pub preprocess: PreprocessSpec,
    /// What it is given of a stream.
    pub clip: ClipSpec,
    /// Scores of its own classifier to alarms.
    pub score: ScoreSpec,
    /// Scores of stage I's head, trained anew, to alarms.
    pub stage1_score: ScoreSpec,
}

/// The run folder of a fine-tuning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunedRun(Run);

impl TunedRun {
    /// Makes a new run folder. With `overwrite` the files of a run already there are removed first.
    ///
    /// # Errors
    /// When there is a run already and `overwrite` is false, or the folder cannot be made.
    pub fn create(dir: &Path, overwrite: bool) -> Result<Self, TuneError> {
        let run = Self(Run::create(dir, overwrite)?);
        for path in [
            run.spec_path(),
            run.encoder_path(),
            run.last_encoder_path(),
            run.stage1_head_path(),
            run.board_encoder_path(),
            run.board_head_path(),
        ] {
            remove_if_there(&path)?;
        }
        Ok(run)
    }

    /// The fine-tuning in this run folder; `None` if the run is another recipe's.
    ///
    /// # Errors
    /// When the settings cannot be read.
    pub fn of(run: &Run) -> Result<Option<Self>, TuneError> {
        let settings = run.settings()?;
        let is_tuned = settings.get("recipe").and_then(toml::Value::as_str) == Some(NAME);
        Ok(is_tuned.then(|| Self(run.clone())))
    }

    /// The folder as any run's.
    pub fn run(&self) -> &Run {
        &self.0
    }

    /// `encoder.safetensors`.
    pub fn encoder_path(&self) -> PathBuf {
        self.0.dir().join("encoder.safetensors")
    }

    /// `encoder_last.safetensors`.
    pub fn last_encoder_path(&self) -> PathBuf {
        self.0.dir().join("encoder_last.safetensors")
    }

    /// `stage1_head.safetensors`.
    pub fn stage1_head_path(&self) -> PathBuf {
        self.0.dir().join("stage1_head.safetensors")
    }

    /// `board_encoder.safetensors`.
    pub fn board_encoder_path(&self) -> PathBuf {
        self.0.dir().join("board_encoder.safetensors")
    }

    /// `board_head.safetensors`.
    pub fn board_head_path(&self) -> PathBuf {
        self.0.dir().join("board_head.safetensors")
    }

    /// `pseudo_labels.csv`.
    pub fn labels_path(&self) -> PathBuf {
        self.0.dir().join("pseudo_labels.csv")
    }

    fn spec_path(&self) -> PathBuf {
        self.0.dir().join("tuned.json")
    }

    /// Reads `tuned.json`.
    ///
    /// # Errors
    /// When the fine-tuning is not finished, or the file cannot be read or is not sound.
    pub fn spec(&self) -> Result<TunedSpec, TuneError> {
        let path = self.spec_path();
        if !path.exists() {
            let missing = "tuned.json";
            return Err(RunError::NotARun { path: self.0.dir().to_owned(), missing }.into());
        }
        let malformed = |reason: String| TuneError::Malformed { path: path.clone(), reason };
        let text = fs::read_to_string(&path).map_err(|error| malformed(error.to_string()))?;
        let spec: TunedSpec = serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        if spec.format != FORMAT {
            return Err(malformed(format!("it is format {}, this program reads {FORMAT}", spec.format)));
        }
        spec.preprocess.validate().map_err(|error| malformed(error.to_string()))?;
        spec.score.validate().map_err(|error| malformed(error.to_string()))?;
        spec.stage1_score.validate().map_err(|error| malformed(error.to_string()))?;
        Ok(spec)
    }

    /// Writes `tuned.json`. It comes last: where it is, the encoder is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_spec(&self, spec: &TunedSpec) -> Result<(), TuneError> {
        let path = self.spec_path();
        let text = serde_json::to_string_pretty(spec)
            .map_err(|error| TuneError::Malformed { path: path.clone(), reason: error.to_string() })?;
        Ok(atomic_file::write(&path, format!("{text}\n").as_bytes())?)
    }

    pub(super) fn write_config(&self, config: &Stage2Config) -> Result<(), TuneError> {
        let path = self.0.config_path();
        let text = to_table(config)
            .and_then(|table| toml::to_string_pretty(&table))
            .map_err(|error| TuneError::Malformed { path: path.clone(), reason: error.to_string() })?;
        Ok(atomic_file::write(&path, format!("recipe = \"{NAME}\"\n{text}").as_bytes())?)
    }

    pub(super) fn write_results(
        &self,
        config: &Stage2Config,
        outcome: &TrainOutcome,
        data_sha256: [u8; 32],
        step_ms: f64,
    ) -> Result<(), TuneError> {
        handoff::write_head(&self.encoder_path(), &outcome.selected)?;
        if outcome.selection.is_last_of(&outcome.curves) {
            // Of a training that went on since.
            remove_if_there(&self.last_encoder_path())?;
        } else {
            handoff::write_head(&self.last_encoder_path(), &outcome.last)?;
        }
        if config.encoder.lite().is_some() {
            let classifier =
                OwnClassifier::from_arrays(&outcome.selected, &self.encoder_path().display().to_string())?;
            handoff::write_head(&self.board_encoder_path(), &tensors::group(&outcome.selected, BACKBONE))?;
            handoff::write_head(&self.board_head_path(), &classifier.to_arrays())?;
        }
        let metrics = RunMetrics {
            recipe: NAME.to_owned(),
            seed: config.seed(),
            data_sha256: hex(&data_sha256),
            selection: outcome.selection.clone(),
            skipped_videos: Vec::new(),
            step_ms,
            curves: outcome.curves.clone(),
        };
        let path = self.0.metrics_path();
        let text = serde_json::to_string(&metrics)
            .map_err(|error| TuneError::Malformed { path: path.clone(), reason: error.to_string() })?;
        Ok(atomic_file::write(&path, text.as_bytes())?)
    }
}

impl TunedSpec {
    /// The spec of a fresh encoder, with thresholds still to be chosen.
    pub fn new(name: &str, stage1: &str, config: &Stage2Config, weights: &Arrays) -> Result<Self, TuneError> {
        let classifier = OwnClassifier::from_arrays(weights, name)?;
        let input = ClipInput::new(config.encoder, config.width_px, config.height_px);
        Ok(Self {
            format: FORMAT,
            name: name.to_owned(),
            stage1: stage1.to_owned(),
            labels_by: None,
            encoder: config.encoder,
            feature_dim: classifier.feature_dim(),
            preprocess: input.preprocess,
            clip: CLIP,
            score: ScoreSpec::default(),
            stage1_score: ScoreSpec::default(),
        })
    }

    /// What the encoder is given.
    pub fn input(&self) -> ClipInput {
        ClipInput::new(self.encoder, self.preprocess.width_px, self.preprocess.height_px)
    }

    /// The model that boards run; nothing of encoders that only the host runs.
    pub fn board_model(&self) -> Option<ModelSpec> {
        let encoder = EncoderSpec::lite(self.encoder.lite()?);
        Some(ModelSpec {
            preprocess: self.preprocess.clone(),
            clip: self.clip,
            head: linear_head(self.feature_dim),
            score: self.score.clone(),
            ..ModelSpec::mist(&self.name, encoder)
        })
    }
}

/// The encoder as extraction sees it: a clip's feature is the mean of the attended map `M_A`, of which the classifier H_c is
/// a linear function; of I3D-lite it is the plain mean, which the plain classifier sees.
#[derive(Debug)]
pub struct TunedEncoder {
    network: SgaEncoder,
    /// Of I3D-lite, which is a stream.
    board: Option<TractEncoder>,
    spec: TunedSpec,
    device: Device,
    hash: [u8; 32],
}

impl TunedEncoder {
    /// Loads the selected encoder of a run onto a plain device.
    ///
    /// # Errors
    /// When the fine-tuning is not finished or its files are damaged.
    pub fn load(run: &TunedRun, device: &Device) -> Result<Self, TuneError> {
        Self::read(run, &run.encoder_path(), device)
    }

    /// Loads the encoder after the last step; `None` if it is the selected one.
    ///
    /// # Errors
    /// As [`TunedEncoder::load`].
    pub fn load_last(run: &TunedRun, device: &Device) -> Result<Option<Self>, TuneError> {
        let metrics = run.run().metrics()?;
        if metrics.selection.is_last_of(&metrics.curves) {
            return Ok(None);
        }
        Self::read(run, &run.last_encoder_path(), device).map(Some)
    }

    fn read(run: &TunedRun, path: &Path, device: &Device) -> Result<Self, TuneError> {
        let spec = run.spec()?;
        let bytes = fs::read(path).map_err(|source| TensorsError::Read { path: path.to_owned(), source })?;
        let (arrays, _) = tensors::decode(&bytes, path)?;
        let origin = path.display().to_string();
        let network = SgaEncoder::from_arrays(spec.encoder.kind(), &arrays, &origin, PADDING, device)?;
        let board = spec.board_model().map(|model| board_encoder(&arrays, path, &model)).transpose()?;
        let mut hash = Sha256::new();
        hash.update(b"watchpost tuned encoder 1\0");
        hash.update(Sha256::digest(&bytes));
        Ok(Self { network, board, spec, device: device.clone(), hash: hash.finalize().into() })
    }

    /// The network.
    pub fn network(&self) -> &SgaEncoder {
        &self.network
    }

    /// What it takes, and its thresholds.
    pub fn spec(&self) -> &TunedSpec {
        &self.spec
    }

    /// What its attention makes of one clip, `[frames, height, width, 3]` as [`ClipInput::clip_at`] gives it; nothing of encoders
    /// that boards do not run.
    ///
    /// # Errors
    /// When the clip has another length, and without attention.
    pub fn tapped_attention(&self, pixels: &[u8]) -> Result<Option<TappedAttention>, TuneError> {
        let clip = self.spec.input().tensor(&[pixels], &self.device)?;
        Ok(self.network.tapped_attention(clip)?)
    }

    /// Its classifier H_c, which scores its features.
    ///
    /// # Errors
    /// When the weights are not those of an encoder.
    pub fn classifier(&self) -> Result<OwnClassifier, TensorsError> {
        OwnClassifier::from_arrays(&self.network.head().to_arrays(), &self.spec.name)
    }

    fn feature(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        let PreprocessSpec { width_px, height_px, .. } = self.spec.preprocess;
        let [frames, height, width] = [CLIP.frames, height_px, width_px].map(usize::from);
        let want = 3 * frames * height * width;
        if clip.len() != want {
            let got = clip.len();
            return Err(EncodeError::new(format!("the clip has {got} values, the encoder takes {want}")));
        }
        let input = self.spec.input();
        let planes: Vec<&[f32]> = clip.chunks_exact(height * width).collect();
        let seen: Vec<f32> =
            planes.chunks_exact(frames).flat_map(|colour| input.thin(colour).concat()).collect();
        let shape = [1, 3, input.frames(), height, width];
        let clip = Tensor::from_data(burn::tensor::TensorData::new(seen, shape), &self.device);
        let scored = self.network.forward(clip).map_err(EncodeError::new)?;
        let values: Result<Vec<f32>, _> = global_average(scored.attended).try_into_vec_as::<f32>();
        values.map_err(|error| EncodeError::new(format!("the device failed: {error:?}")))
    }
}

impl ClipEncoder for TunedEncoder {
    fn feature_dim(&self) -> usize {
        self.spec.feature_dim
    }

    fn hash(&self) -> [u8; 32] {
        self.hash
    }

    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        match &self.board {
            Some(board) => board.encode(clip),
            None => self.feature(clip),
        }
    }

    fn stream(&self) -> Result<Option<Box<dyn FrameStream>>, EncodeError> {
        self.board.as_ref().map_or(Ok(None), TractEncoder::stream)
    }
}

/// The network alone, as boards run it.
fn board_encoder(arrays: &Arrays, path: &Path, model: &ModelSpec) -> Result<TractEncoder, TuneError> {
    let weights = tensors::encode(&tensors::group(arrays, BACKBONE), None)
        .map_err(|reason| TensorsError::Encode { path: path.to_owned(), reason })?;
    Ok(TractEncoder::new(&weights, model, &EncoderPrecision::F32, Kernels::Best)?)
}

/// A classifier that is a linear function of a feature of so many values.
fn linear_head(feature_dim: usize) -> HeadSpec {
    // At most the channels of a map.
    HeadSpec::per_clip(HeadKind::Mlp, vec![feature_dim as u32, 1])
}

/// The classifier by which clips are scored, on features. Of two classes, softmax is the logistic function of the difference
/// of both logits.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnClassifier {
    weight: Vec<f32>,
    bias: f32,
}

impl OwnClassifier {
    /// From the arrays of an encoder; `origin` says where they came from.
    ///
    /// # Errors
    /// When an array is missing or of another shape.
    pub fn from_arrays(arrays: &Arrays, origin: &str) -> Result<Self, TensorsError> {
        let classifier = scoring_classifier(arrays);
        let bias = require_shape(arrays, origin, &format!("{classifier}.bias"), &[2])?;
        let name = format!("{classifier}.weight");
        let width = tensors::require(arrays, origin, &name)?.shape.last().copied().unwrap_or(0);
        let weight = &require_shape(arrays, origin, &name, &[2, width])?.values;
        let (normal, abnormal) = weight.split_at(width);
        Ok(Self {
            weight: abnormal.iter().zip(normal).map(|(abnormal, normal)| abnormal - normal).collect(),
            bias: bias.values[1] - bias.values[0],
        })
    }

    /// As the exporter takes a head of one layer.
    fn to_arrays(&self) -> Arrays {
        let weight = Array { shape: vec![1, self.weight.len()], values: self.weight.clone() };
        let bias = Array { shape: vec![1], values: vec![self.bias] };
        Arrays::from([("regressor.0.weight".to_owned(), weight), ("regressor.0.bias".to_owned(), bias)])
    }

    fn score_clip(&self, feature: &[f32]) -> f32 {
        let logit: f64 =
            feature.iter().zip(&self.weight).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum::<f64>()
                + f64::from(self.bias);
        (1.0 / (1.0 + (-logit).exp())) as f32
    }
}

impl Detector for OwnClassifier {
    fn feature_dim(&self) -> usize {
        self.weight.len()
    }

    fn head(&self) -> HeadSpec {
        linear_head(self.weight.len())
    }

    fn score(&self, bags: &BagSet) -> Vec<Vec<f32>> {
        let clip = |crops: &[f32]| {
            let scores: Vec<f32> =
                crops.chunks_exact(bags.dim.max(1)).map(|feature| self.score_clip(feature)).collect();
            scores.iter().sum::<f32>() / scores.len().max(1) as f32
        };
        let width = (bags.crops * bags.dim).max(1);
        bags.bags.iter().map(|bag| bags.clips_of(bag).chunks_exact(width).map(clip).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::curves::{Curves, Selection, TrainPoint, ValPoint};
    use crate::tensors::Array;

    #[test]
    fn the_encoder_after_the_last_step_is_kept_where_it_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let run = TunedRun::create(folder.path(), false).unwrap();
        let arrays =
            |value: f32| Arrays::from([("weight".to_owned(), Array { shape: vec![1], values: vec![value] })]);
        let point = |step| TrainPoint { step, loss: 1.0, parts: Vec::new(), grad_norm: 1.0 };
        let write = |selected: u64| {
            let outcome = TrainOutcome {
                selected: arrays(selected as f32),
                last: arrays(2.0),
                selection: Selection::Validation(ValPoint { step: selected, auc: 1.0, loss: 0.5 }),
                curves: Curves { train: vec![point(1), point(2)], ..Curves::default() },
            };
            run.write_results(&Stage2Config::default(), &outcome, [0; 32], 1.0).unwrap();
        };
        let kept = |path: PathBuf| tensors::load(&path).map(|(arrays, _)| arrays);
        write(1);
        assert_eq!(kept(run.encoder_path()).unwrap(), arrays(1.0));
        assert_eq!(kept(run.last_encoder_path()).unwrap(), arrays(2.0));
        write(2);
        assert_eq!(kept(run.encoder_path()).unwrap(), arrays(2.0));
        assert!(kept(run.last_encoder_path()).is_err());
    }
}
