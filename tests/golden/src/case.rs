//! One reference case: its description and its arrays, checked against each other when loaded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::array::{Array, Stored, read_npz};
use crate::close::Number;
use crate::hashed::hashed_values;
use crate::tolerance::Tolerance;

/// One reference case. Every accessor panics with the case and the key when what is asked for is not there.
#[derive(Clone, Debug)]
pub struct Case {
    name: String,
    meta: Value,
    arrays: BTreeMap<String, Stored>,
}

impl Case {
    /// Loads `<root>/<name>.json` and its npz.
    ///
    /// # Errors
    /// A text naming the file, when a file is missing or malformed, or when the npz differs from what the JSON states:
    /// size, SHA-256, and the presence, shape and element type of every array.
    pub fn load(root: &Path, name: &str) -> Result<Self, String> {
        let json_path = root.join(format!("{name}.json"));
        let text = fs::read_to_string(&json_path).map_err(|e| format!("{}: {e}", json_path.display()))?;
        let meta: Value = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", json_path.display()))?;
        let arrays = match npz_path(root, name, &meta) {
            Some(path) => load_arrays(&path, &meta).map_err(|e| format!("{}: {e}", path.display()))?,
            None if meta.get("arrays").is_some() => {
                return Err(format!("{}: no npz beside it", json_path.display()));
            }
            None => BTreeMap::new(),
        };
        Ok(Self { name: name.to_owned(), meta, arrays })
    }

    /// `<folder>/<name>`, for example `metrics/tiny`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `<folder>/<name> <key>`: what a failed comparison should be called.
    pub fn what(&self, key: &str) -> String {
        format!("{} {key}", self.name)
    }

    /// The case's JSON as a whole.
    pub fn meta(&self) -> &Value {
        &self.meta
    }

    /// Names of all arrays, sorted.
    pub fn array_names(&self) -> impl Iterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    /// Whether an array of that name exists.
    pub fn has(&self, key: &str) -> bool {
        self.arrays.contains_key(key)
    }

    /// The numpy name of the stored element type (`float32`, `int64`, ...).
    pub fn dtype(&self, key: &str) -> &'static str {
        self.stored(key).dtype()
    }

    /// The array's extents; empty for a scalar.
    pub fn shape(&self, key: &str) -> &[usize] {
        self.stored(key).shape()
    }

    /// The array as `f32`: stored as float32, or rounded from float64, or exact from a small integer type or bool.
    pub fn f32(&self, key: &str) -> Array<f32> {
        match self.stored(key) {
            Stored::F32(array) => array.clone(),
            Stored::F64(array) => array.map(|value| value as f32),
            _ => self.f64(key).map(|value| value as f32),
        }
    }

    /// The array as `f64`, from any stored element type.
    pub fn f64(&self, key: &str) -> Array<f64> {
        crate::array::with_array!(self.stored(key), array => array.map(Number::to_f64))
    }

    /// The array as `i64`, from any integer type or bool; refused for floats.
    pub fn i64(&self, key: &str) -> Array<i64> {
        match self.stored(key) {
            Stored::I64(array) => array.clone(),
            Stored::I32(array) => array.map(i64::from),
            Stored::I16(array) => array.map(i64::from),
            Stored::I8(array) => array.map(i64::from),
            Stored::U32(array) => array.map(i64::from),
            Stored::U16(array) => array.map(i64::from),
            Stored::U8(array) => array.map(i64::from),
            Stored::Bool(array) => array.map(i64::from),
            Stored::U64(array) => array.map(|value| i64::try_from(value).expect("uint64 value beyond int64")),
            Stored::F32(_) | Stored::F64(_) => self.wrong_type(key, "an integer array"),
        }
    }

    /// The array as `usize`, from any integer type; a negative element is refused.
    pub fn usize(&self, key: &str) -> Array<usize> {
        self.i64(key).map(|value| {
            usize::try_from(value)
                .unwrap_or_else(|_| panic!("{}: `{key}` holds the negative {value}", self.name))
        })
    }

    /// The array as bytes, from uint8 or bool.
    pub fn u8(&self, key: &str) -> Array<u8> {
        match self.stored(key) {
            Stored::U8(array) => array.clone(),
            Stored::Bool(array) => array.map(u8::from),
            _ => self.wrong_type(key, "a byte array"),
        }
    }

    /// The array as truth values, from bool or from integers that are 0 or 1.
    pub fn bool(&self, key: &str) -> Array<bool> {
        if let Stored::Bool(array) = self.stored(key) {
            return array.clone();
        }
        self.i64(key).map(|value| match value {
            0 => false,
            1 => true,
            other => panic!("{}: `{key}` holds {other}, not 0 or 1", self.name),
        })
    }

    /// The only element of an array, as `f64`.
    pub fn scalar_f64(&self, key: &str) -> f64 {
        let array = self.f64(key);
        assert_eq!(
            array.data.len(),
            1,
            "{}: `{key}` has shape {:?}, not one element",
            self.name,
            array.shape
        );
        array.data[0]
    }

    /// The entry `params.<key>` of the JSON.
    pub fn param(&self, key: &str) -> Option<&Value> {
        self.meta.get("params")?.get(key)
    }

    /// The entry `params.<key>` of the JSON, when it is a number.
    pub fn param_f64(&self, key: &str) -> Option<f64> {
        self.param(key)?.as_f64()
    }

    /// The entry `params.<key>` of the JSON, when it is a count.
    pub fn param_usize(&self, key: &str) -> Option<usize> {
        usize::try_from(self.param(key)?.as_u64()?).ok()
    }

    /// The free text of the JSON's `tolerance`; "exact" where it gives none.
    pub fn tolerance_text(&self) -> &str {
        self.meta.get("tolerance").and_then(Value::as_str).unwrap_or("exact")
    }

    /// The tolerance of the case: the first clause of its text.
    pub fn tolerance(&self) -> Tolerance {
        Tolerance::parse(self.tolerance_text()).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// The tolerance of the clause that contains `word` (any case), such as `Adagrad`, `f64` or `features`; the first
    /// clause when none does.
    pub fn tolerance_for(&self, word: &str) -> Tolerance {
        Tolerance::parse_for(self.tolerance_text(), word).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// Names under `params.tensors`, sorted: the tensors whose values come from the case's hash instead of a file.
    pub fn hashed_names(&self) -> Vec<&str> {
        let tensors = self.param("tensors").and_then(Value::as_object);
        tensors.map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// A tensor made by the case's hash: `params.tensors.<name>` = [shape, lo, hi]; or the input `params.<name>`, either
    /// [shape, lo, hi] or [hash name, shape, lo, hi].
    pub fn hashed(&self, name: &str) -> Array<f32> {
        let seed = self.param("case_seed").and_then(Value::as_u64);
        let entry = self
            .param("tensors")
            .and_then(|t| t.get(name))
            .or_else(|| self.param(name))
            .and_then(Value::as_array);
        let (Some(seed), Some(entry)) = (seed, entry) else {
            panic!("{}: no hashed tensor `{name}`", self.name);
        };
        let (hash_name, rest) = match entry.first().and_then(Value::as_str) {
            Some(own) => (own, &entry[1..]),
            None => (name, &entry[..]),
        };
        let shape: Vec<usize> = rest[0]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| usize::try_from(n.as_u64().unwrap()).unwrap())
            .collect();
        let (lo, hi) = (rest[1].as_f64().unwrap(), rest[2].as_f64().unwrap());
        Array { data: hashed_values(hash_name, seed, shape.iter().product(), lo, hi), shape }
    }

    fn stored(&self, key: &str) -> &Stored {
        self.arrays.get(key).unwrap_or_else(|| {
            panic!("{}: no array `{key}`; it has {:?}", self.name, self.arrays.keys().collect::<Vec<_>>())
        })
    }

    fn wrong_type(&self, key: &str, wanted: &str) -> ! {
        panic!("{}: `{key}` is stored as {}, not {wanted}", self.name, self.dtype(key))
    }
}

/// The npz beside the JSON, or else the one its `file` entry names, where either exists.
fn npz_path(root: &Path, name: &str, meta: &Value) -> Option<PathBuf> {
    let named = meta.get("file").and_then(Value::as_str).map(|file| root.join(file));
    [Some(root.join(format!("{name}.npz"))), named].into_iter().flatten().find(|path| path.is_file())
}

fn load_arrays(path: &Path, meta: &Value) -> Result<BTreeMap<String, Stored>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    if let Some(want) = meta.get("sha256").and_then(Value::as_str) {
        let got: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if got != want.to_ascii_lowercase() {
            return Err(format!(
                "SHA-256 is {got}, the JSON says {want}: damaged, or regenerated without its JSON"
            ));
        }
    }
    let arrays: BTreeMap<String, Stored> = read_npz(&bytes)?.into_iter().collect();
    if let Some(declared) = meta.get("arrays").and_then(Value::as_object) {
        for (key, entry) in declared {
            check_declared(key, entry, arrays.get(key))?;
        }
    }
    Ok(arrays)
}

fn check_declared(key: &str, entry: &Value, stored: Option<&Stored>) -> Result<(), String> {
    let stored = stored.ok_or_else(|| format!("array `{key}` is declared in the JSON but not stored"))?;
    if let Some(shape) = entry.get("shape").and_then(Value::as_array) {
        let same = shape.len() == stored.shape().len()
            && shape.iter().zip(stored.shape()).all(|(want, &got)| want.as_u64() == Some(got as u64));
        if !same {
            return Err(format!("array `{key}` has shape {:?}, the JSON says {shape:?}", stored.shape()));
        }
    }
    match entry.get("dtype").and_then(Value::as_str) {
        Some(dtype) if dtype != stored.dtype() => {
            Err(format!("array `{key}` is {}, the JSON says {dtype}", stored.dtype()))
        }
        _ => Ok(()),
    }
}
