//! The state of a training on disk: one safetensors file, replaced atomically, checked by a hash.
//!
//! Groups of arrays: `state/` (what the system keeps), `best/` and the curves; the note is a SHA-256 over itself and the
//! arrays, a blank, and a JSON object with recipe, settings (seed included), step and data hash. Random draws are functions
//! of seed and step ([`crate::rng`]), so those two are the generator's whole state. Equal states give equal bytes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::recipe::curves::{Curves, TrainPoint, ValPoint};
use crate::recipe::settings::Settings;
use crate::recipe::system::System;
use crate::recipe::trainer::TrainState;
use crate::tensors::{self, Array, Arrays, TensorsError, group, grouped};

/// Version of the layout; another one is refused.
pub const FORMAT_VERSION: u32 = 2;

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
    /// The training has gone on for longer than is asked for now, and cannot go back.
    #[error("{}: has done {done} steps, more than the {asked} asked for; start a new run instead", path.display())]
    Longer {
        /// The file.
        path: PathBuf,
        /// Steps that were done.
        done: u64,
        /// Steps of the training that is asked for.
        asked: u64,
    },
}

/// The part of a checkpoint that is not arrays.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    format_version: u32,
    recipe: String,
    config: serde_json::Value,
    data_sha256: String,
    step: u64,
    best: bool,
    /// Names of the parts of the loss.
    parts: Vec<String>,
}

/// Columns of the training curve before the parts of the loss: step, loss and norm of the gradients.
const OWN_COLUMNS: usize = 3;

/// Replaces the checkpoint at `path`.
///
/// # Errors
/// When it cannot be written; the one before is intact then.
pub fn save<S: System>(path: &Path, state: &TrainState<S::Config>) -> Result<(), CheckpointError> {
    save_of(S::NAME, path, state)
}

/// As [`save`], for a training that is no [`System`].
///
/// # Errors
/// When it cannot be written; the one before is intact then.
pub fn save_of<C: Settings>(recipe: &str, path: &Path, state: &TrainState<C>) -> Result<(), CheckpointError> {
    let arrays = to_arrays(state);
    let note = note(recipe, state)
        .map_err(|error| CheckpointError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
    let note = format!("{} {note}", content_sha256(&note, &arrays));
    Ok(tensors::save(path, &arrays, Some(&note))?)
}

fn note<C: Settings>(recipe: &str, state: &TrainState<C>) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Note {
        format_version: FORMAT_VERSION,
        recipe: recipe.to_owned(),
        config: serde_json::to_value(&state.config)?,
        data_sha256: hex(&state.data_sha256),
        step: state.step,
        best: state.best.is_some(),
        parts: state.curves.parts.clone(),
    })
}

/// Reads a checkpoint.
///
/// # Errors
/// When it cannot be read, anything in it is damaged or it belongs to another recipe, with the file's name.
pub fn load<S: System>(path: &Path) -> Result<TrainState<S::Config>, CheckpointError> {
    load_of(S::NAME, path)
}

/// As [`load`], for a training that is no [`System`].
///
/// # Errors
/// As there.
pub fn load_of<C: Settings>(recipe: &str, path: &Path) -> Result<TrainState<C>, CheckpointError> {
    let (arrays, note) = tensors::load(path)?;
    from_arrays(recipe, &arrays, note.as_deref())
        .map_err(|reason| CheckpointError::Damaged { path: path.to_owned(), reason })
}

/// Settings that may grow while a training goes on.
const LENGTHS: [&str; 2] = ["steps", "epochs"];

/// Refuses to go on with other data or settings; the number of steps or epochs alone may change.
///
/// # Errors
/// When data or settings differ, naming the first setting that does.
pub fn check_continues<C: Settings>(
    path: &Path,
    state: &TrainState<C>,
    config: &C,
    data_sha256: [u8; 32],
) -> Result<(), CheckpointError> {
    let path = path.to_owned();
    if state.data_sha256 != data_sha256 {
        let [theirs, ours] = [state.data_sha256, data_sha256].map(|hash| hex(&hash[..8]));
        return Err(CheckpointError::OtherData { path, theirs, ours });
    }
    match first_difference(&state.config, config) {
        Some((field, theirs, ours)) => Err(CheckpointError::OtherConfig { path, field, theirs, ours }),
        None => Ok(()),
    }
}

/// Refuses to call a training that has done more steps one of fewer.
///
/// # Errors
/// When more than `asked` are done.
pub fn check_length(path: &Path, done: u64, asked: u64) -> Result<(), CheckpointError> {
    if done > asked {
        return Err(CheckpointError::Longer { path: path.to_owned(), done, asked });
    }
    Ok(())
}

fn first_difference<C: Settings>(theirs: &C, ours: &C) -> Option<(String, String, String)> {
    let fields = |config| match serde_json::to_value(config) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (theirs, ours) = (fields(theirs), fields(ours));
    let field =
        theirs.keys().find(|key| !LENGTHS.contains(&key.as_str()) && theirs.get(*key) != ours.get(*key))?;
    Some((field.clone(), theirs[field].to_string(), ours.get(field)?.to_string()))
}

fn to_arrays<C>(state: &TrainState<C>) -> Arrays {
    let best_weights = state.best.iter().map(|(_, weights)| ("best/", weights.clone()));
    let mut arrays = grouped([("state/", state.snapshot.clone())].into_iter().chain(best_weights));
    let train = state.curves.train.iter().flat_map(|point| {
        [point.step as f32, point.loss, point.grad_norm].into_iter().chain(point.parts.iter().copied())
    });
    let validation = state.curves.validation.iter().flat_map(val_row);
    let best = state.best.iter().flat_map(|(point, _)| val_row(point));
    arrays.insert("curves/train".to_owned(), rows(train, OWN_COLUMNS + state.curves.parts.len()));
    arrays.insert("curves/validation".to_owned(), rows(validation, 3));
    arrays.insert("curves/best".to_owned(), rows(best, 3));
    arrays
}

/// Step numbers are exact in `f32`: the settings keep them below 2^24.
fn val_row(point: &ValPoint) -> [f32; 3] {
    [point.step as f32, point.auc, point.loss]
}

fn rows(values: impl Iterator<Item = f32>, width: usize) -> Array {
    let values: Vec<f32> = values.collect();
    Array { shape: vec![values.len() / width, width], values }
}

fn from_arrays<C: Settings>(
    recipe: &str,
    arrays: &Arrays,
    note: Option<&str>,
) -> Result<TrainState<C>, String> {
    let (sha256, note) = note.and_then(|note| note.split_once(' ')).ok_or("it carries no description")?;
    if sha256 != content_sha256(note, arrays) {
        return Err("its content does not match its hash".to_owned());
    }
    let unreadable = |error: serde_json::Error| format!("its description is unreadable: {error}");
    let note: Note = serde_json::from_str(note).map_err(unreadable)?;
    if note.format_version != FORMAT_VERSION || note.recipe != recipe {
        return Err(format!(
            "it is format {} of recipe {}, this program reads format {FORMAT_VERSION} of {recipe}",
            note.format_version, note.recipe
        ));
    }
    let curve = |name: &str, width: usize| -> Result<Vec<Vec<f32>>, String> {
        let array = arrays.get(name).ok_or_else(|| format!("array \"{name}\" is missing"))?;
        Ok(array.values.chunks_exact(width).map(<[f32]>::to_vec).collect())
    };
    let val_point = |row: &Vec<f32>| ValPoint { step: row[0] as u64, auc: row[1], loss: row[2] };
    let train_point = |row: &Vec<f32>| TrainPoint {
        step: row[0] as u64,
        loss: row[1],
        grad_norm: row[2],
        parts: row[OWN_COLUMNS..].to_vec(),
    };
    let curves = Curves {
        train: curve("curves/train", OWN_COLUMNS + note.parts.len())?.iter().map(train_point).collect(),
        validation: curve("curves/validation", 3)?.iter().map(val_point).collect(),
        parts: note.parts,
    };
    let best = curve("curves/best", 3)?.first().map(val_point).map(|point| (point, group(arrays, "best/")));
    if best.is_some() != note.best {
        return Err("the best weights do not match the description".to_owned());
    }
    Ok(TrainState {
        config: serde_json::from_value(note.config).map_err(unreadable)?,
        data_sha256: unhex(&note.data_sha256).ok_or("its data hash is unreadable")?,
        step: note.step,
        snapshot: group(arrays, "state/"),
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
