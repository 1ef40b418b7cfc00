//! The state of a training on disk: one safetensors file, replaced atomically, checked by a hash.
//!
//! Groups of arrays: `weights/`, `accumulators/`, `best/` and the curves; the note is a SHA-256 over itself and the arrays,
//! a blank, and a JSON object with settings (seed included), step and data hash. Random draws are functions of seed and step ([`crate::rng`]), so those two
//! are the generator's whole state. Equal states give equal bytes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::recipe::curves::{Curves, TrainPoint, ValPoint};
use crate::recipe::mist_config::MistConfig;
use crate::recipe::mist_stage1::{RECIPE, TrainState};
use crate::tensors::{self, Array, Arrays, TensorsError};

/// Version of the layout; another one is refused.
pub const FORMAT_VERSION: u32 = 1;

/// Why a checkpoint cannot be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file cannot be read, written, or is not a safetensors file.
    #[error("checkpoint: {0}")]
    File(#[from] TensorsError),
    /// The file is damaged or was not written by this program.
    #[error("{}: damaged checkpoint: {reason}; restore it from a copy or start the training anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The data are not those that the training began with.
    #[error("{}: belongs to other data (its hash is {theirs}, these data have {ours}); start a new run instead", path.display())]
    OtherData {
        /// The file.
        path: PathBuf,
        /// Start of the hash in the file.
        theirs: String,
        /// Start of the hash of the given data.
        ours: String,
    },
    /// The settings are not those that the training began with.
    #[error("{}: belongs to other settings: {field} was {theirs}, now {ours}; start a new run instead", path.display())]
    OtherConfig {
        /// The file.
        path: PathBuf,
        /// First setting that differs.
        field: String,
        /// Its value in the file.
        theirs: String,
        /// Its value now.
        ours: String,
    },
}

/// The part of a checkpoint that is not arrays.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    format_version: u32,
    recipe: String,
    config: MistConfig,
    data_sha256: String,
    step: u64,
    best: bool,
}

/// Replaces the checkpoint at `path`.
///
/// # Errors
/// When it cannot be written; the one before is intact then.
pub fn save(path: &Path, state: &TrainState) -> Result<(), CheckpointError> {
    let arrays = to_arrays(state);
    let note = Note {
        format_version: FORMAT_VERSION,
        recipe: RECIPE.to_owned(),
        config: state.config.clone(),
        data_sha256: hex(&state.data_sha256),
        step: state.step,
        best: state.best.is_some(),
    };
    let note = serde_json::to_string(&note)
        .map_err(|error| CheckpointError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
    let note = format!("{} {note}", content_sha256(&note, &arrays));
    Ok(tensors::save(path, &arrays, Some(&note))?)
}

/// Reads a checkpoint.
///
/// # Errors
/// When it cannot be read or anything in it is damaged, with the file's name.
pub fn load(path: &Path) -> Result<TrainState, CheckpointError> {
    let (arrays, note) = tensors::load(path)?;
    from_arrays(arrays, note.as_deref())
        .map_err(|reason| CheckpointError::Damaged { path: path.to_owned(), reason })
}

/// Refuses to go on with other data or settings; the number of steps alone may change.
///
/// # Errors
/// When data or settings differ, naming the first setting that does.
pub fn check_continues(
    path: &Path,
    state: &TrainState,
    config: &MistConfig,
    data_sha256: [u8; 32],
) -> Result<(), CheckpointError> {
    let path = path.to_owned();
    if state.data_sha256 != data_sha256 {
        let [theirs, ours] = [state.data_sha256, data_sha256].map(|hash| hex(&hash[..8]));
        return Err(CheckpointError::OtherData { path, theirs, ours });
    }
    let same_steps = MistConfig { steps: config.steps, ..state.config.clone() };
    match first_difference(&same_steps, config) {
        Some((field, theirs, ours)) => Err(CheckpointError::OtherConfig { path, field, theirs, ours }),
        None => Ok(()),
    }
}

fn first_difference(theirs: &MistConfig, ours: &MistConfig) -> Option<(String, String, String)> {
    if theirs == ours {
        return None;
    }
    let fields = |config| match serde_json::to_value(config) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (theirs, ours) = (fields(theirs), fields(ours));
    let field = theirs.keys().find(|key| theirs.get(*key) != ours.get(*key))?;
    Some((field.clone(), theirs[field].to_string(), ours.get(field)?.to_string()))
}

fn to_arrays(state: &TrainState) -> Arrays {
    let mut arrays = Arrays::new();
    let mut put = |group: &str, members: &Arrays| {
        for (name, array) in members {
            arrays.insert(format!("{group}/{name}"), array.clone());
        }
    };
    put("weights", &state.weights);
    put("accumulators", &state.accumulators);
    if let Some((_, weights)) = &state.best {
        put("best", weights);
    }
    let train = state.curves.train.iter().map(|p| [p.step as f32, p.loss, p.rank, p.sparse, p.grad_norm]);
    let validation = state.curves.validation.iter();
    let best = state.best.iter().map(|(point, _)| point);
    arrays.insert("curves/train".to_owned(), rows(train));
    arrays.insert("curves/validation".to_owned(), rows(validation.map(val_row)));
    arrays.insert("curves/best".to_owned(), rows(best.map(val_row)));
    arrays
}

/// Step numbers are exact in `f32`: the settings keep them below 2^24.
fn val_row(point: &ValPoint) -> [f32; 3] {
    [point.step as f32, point.auc, point.loss]
}

fn rows<const N: usize>(points: impl Iterator<Item = [f32; N]>) -> Array {
    let values: Vec<f32> = points.flatten().collect();
    Array { shape: vec![values.len() / N, N], values }
}

fn from_arrays(arrays: Arrays, note: Option<&str>) -> Result<TrainState, String> {
    let (sha256, note) = note.and_then(|note| note.split_once(' ')).ok_or("it carries no description")?;
    if sha256 != content_sha256(note, &arrays) {
        return Err("its content does not match its hash".to_owned());
    }
    let note: Note =
        serde_json::from_str(note).map_err(|error| format!("its description is unreadable: {error}"))?;
    if note.format_version != FORMAT_VERSION || note.recipe != RECIPE {
        return Err(format!(
            "it is format {} of recipe {}, this program reads format {FORMAT_VERSION} of {RECIPE}",
            note.format_version, note.recipe
        ));
    }
    let group = |prefix: &str| -> Arrays {
        let member =
            |(name, array): (&String, &Array)| Some((name.strip_prefix(prefix)?.to_owned(), array.clone()));
        arrays.iter().filter_map(member).collect()
    };
    let curve = |name: &str, width: usize| -> Result<Vec<Vec<f32>>, String> {
        let array = arrays.get(name).ok_or_else(|| format!("array \"{name}\" is missing"))?;
        Ok(array.values.chunks_exact(width).map(<[f32]>::to_vec).collect())
    };
    let val_point = |row: &Vec<f32>| ValPoint { step: row[0] as u64, auc: row[1], loss: row[2] };
    let train = curve("curves/train", 5)?;
    let train = train.iter().map(|row| TrainPoint {
        step: row[0] as u64,
        loss: row[1],
        rank: row[2],
        sparse: row[3],
        grad_norm: row[4],
    });
    let curves = Curves {
        train: train.collect(),
        validation: curve("curves/validation", 3)?.iter().map(val_point).collect(),
    };
    let best = curve("curves/best", 3)?.first().map(val_point).map(|point| (point, group("best/")));
    if best.is_some() != note.best {
        return Err("the best weights do not match the description".to_owned());
    }
    Ok(TrainState {
        config: note.config,
        data_sha256: unhex(&note.data_sha256).ok_or("its data hash is unreadable")?,
        step: note.step,
        weights: group("weights/"),
        accumulators: group("accumulators/"),
        best,
        curves,
    })
}

fn content_sha256(note: &str, arrays: &Arrays) -> String {
    let mut hash = Sha256::new();
    hash.update((note.len() as u64).to_le_bytes());
    hash.update(note.as_bytes());
    for (name, array) in arrays {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        for extent in &array.shape {
            hash.update((*extent as u64).to_le_bytes());
        }
        for value in &array.values {
            hash.update(value.to_le_bytes());
        }
    }
    hex(&hash.finalize())
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}
