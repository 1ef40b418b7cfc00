//! Encoders that were distilled in a work folder: `encoders/NAME/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use vad_core::EncoderSpec;

use crate::atomic_file;
use crate::distill::config::{DistillConfig, NAME};
use crate::distill::training::{Distilled, Fidelity};
use crate::recipe::settings::to_table;
use crate::tensors;

const FORMAT: u32 = 1;

/// `encoder.json`: what the encoder is and how well it learnt. It is written last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    format: u32,
    /// The network.
    pub encoder: EncoderSpec,
    /// How much of its teacher's features it explains.
    pub fidelity: Fidelity,
    /// Videos that it learnt from.
    pub videos: usize,
    /// Where it comes from.
    pub facts: Vec<(String, String)>,
}

/// The folder of one encoder.
#[derive(Clone, Debug)]
pub struct DistilledEncoder {
    dir: PathBuf,
}

impl DistilledEncoder {
    /// A folder to distil in: a new one, or that of a distillation that was interrupted. With `overwrite` what is there
    /// goes.
    ///
    /// # Errors
    /// When a finished encoder is there and `overwrite` is false, or the folder cannot be made.
    pub fn create(dir: &Path, overwrite: bool) -> Result<Self> {
        let own = Self { dir: dir.to_owned() };
        if overwrite {
            for path in [own.about_path(), own.weights_path(), own.curves_path(), own.checkpoint_path()] {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                    }
                    _ => {}
                }
            }
        }
        ensure!(
            !own.about_path().exists(),
            "{} holds a finished encoder\n  remedy: another --name, or --overwrite",
            dir.display()
        );
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(own)
    }

    /// A finished encoder.
    ///
    /// # Errors
    /// When there is none, naming the remedy, or its description is damaged.
    pub fn open(dir: &Path) -> Result<(Self, About)> {
        let own = Self { dir: dir.to_owned() };
        let path = own.about_path();
        if !path.is_file() {
            bail!("no finished encoder in {}\n  remedy: watchpost distill", dir.display());
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let remedy = || format!("{} is damaged\n  remedy: watchpost distill --overwrite", path.display());
        let about: About = serde_json::from_str(&text).with_context(remedy)?;
        ensure!(
            about.format == FORMAT,
            "{} has format {}, this program reads {FORMAT}\n  remedy: watchpost distill --overwrite",
            path.display(),
            about.format
        );
        about.encoder.validate().with_context(remedy)?;
        Ok((own, about))
    }

    /// `checkpoint.safetensors`.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.dir.join("checkpoint.safetensors")
    }

    /// `encoder.safetensors`, the weights.
    pub fn weights_path(&self) -> PathBuf {
        self.dir.join("encoder.safetensors")
    }

    /// `curves.csv`, the losses of every step.
    pub fn curves_path(&self) -> PathBuf {
        self.dir.join("curves.csv")
    }

    fn about_path(&self) -> PathBuf {
        self.dir.join("encoder.json")
    }

    /// Writes settings, curves, weights and, last, the description.
    ///
    /// # Errors
    /// When a file cannot be written; there is no finished encoder then.
    pub fn write(
        &self,
        config: &DistillConfig,
        distilled: &Distilled,
        videos: usize,
        facts: Vec<(String, String)>,
    ) -> Result<()> {
        let settings = format!("recipe = \"{NAME}\"\n{}", to_table(config)?);
        atomic_file::write(&self.dir.join("config.toml"), settings.as_bytes())?;
        atomic_file::write(&self.curves_path(), curves(distilled).as_bytes())?;
        tensors::save(&self.weights_path(), &distilled.weights, None)?;
        let about = About {
            format: FORMAT,
            encoder: EncoderSpec::lite(config.size),
            fidelity: distilled.fidelity,
            videos,
            facts,
        };
        let text = serde_json::to_string_pretty(&about)? + "\n";
        Ok(atomic_file::write(&self.about_path(), text.as_bytes())?)
    }
}

fn curves(distilled: &Distilled) -> String {
    let curves = &distilled.curves;
    let mut text = format!("step,loss,{},grad_norm\n", curves.parts.join(","));
    for point in &curves.train {
        let parts: Vec<String> = point.parts.iter().map(f32::to_string).collect();
        text += &format!("{},{},{},{}\n", point.step, point.loss, parts.join(","), point.grad_norm);
    }
    text
}
