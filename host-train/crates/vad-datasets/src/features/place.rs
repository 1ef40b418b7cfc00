//! Where the features of one video lie, and how they are read.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::axes::clips_first;
use super::{Axes, FeatureShape};
use crate::ImportError;
use crate::arrays::{H5File, NpyFile};

/// Files or a data set within one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Place {
    /// One `.npy` file for all crops, or one for each, in order.
    Npy {
        /// The files.
        files: Vec<PathBuf>,
    },
    /// A data set of an HDF5 file.
    H5 {
        /// The file.
        file: PathBuf,
        /// Its full name.
        dataset: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Npy { files } => {
                write!(f, "{}", files.first().map(|file| file.display().to_string()).unwrap_or_default())
            }
            Self::H5 { file, dataset } => write!(f, "{} [{dataset}]", file.display()),
        }
    }
}

impl Place {
    /// Shapes of the arrays, without reading them.
    pub(crate) fn shapes(&self) -> Result<Vec<Vec<usize>>, ImportError> {
        match self {
            Self::Npy { files } => {
                files.iter().map(|file| Ok(NpyFile::open(file)?.shape().to_vec())).collect()
            }
            Self::H5 { file, dataset } => Ok(vec![H5File::open(file)?.shape(dataset)?]),
        }
    }

    /// Joins the shapes of [`Place::shapes`]; the reason for a refusal says what to do.
    pub(crate) fn joined(&self, shapes: &[Vec<usize>], axes: Axes) -> Result<FeatureShape, String> {
        let odd = |shape: &[usize]| {
            format!(
                "an array of shape {shape:?} is none of features; [clips, width] and [clips, crops, width] are read"
            )
        };
        let [first, others @ ..] = shapes else { return Err("no file".to_owned()) };
        let mut joined = axes.read(first).ok_or_else(|| odd(first))?;
        for (crop, shape) in (1..).zip(others) {
            let other = axes.read(shape).ok_or_else(|| odd(shape))?;
            if other != joined {
                return Err(format!(
                    "crop {crop} is {} x {} and crop 0 {} x {}; the crops of a video have equally many clips: copy or download them again",
                    other.clips, other.width, joined.clips, joined.width
                ));
            }
        }
        if joined.clips == 0 || joined.crops == 0 || joined.width == 0 {
            return Err(format!("an array of shape {first:?} is empty; extract the features again"));
        }
        if !others.is_empty() {
            if joined.crops != 1 {
                return Err(format!(
                    "{} files, and {} crops in each; one of the two",
                    shapes.len(),
                    joined.crops
                ));
            }
            joined.crops = shapes.len();
        }
        Ok(joined)
    }

    /// Reads the features, `[clips, crops, width]`.
    ///
    /// # Errors
    /// They cannot be read, are of another shape than `want`, or not finite.
    pub(crate) fn load(&self, video: &str, axes: Axes, want: FeatureShape) -> Result<Vec<f32>, ImportError> {
        let fault = |problem: String| ImportError::Features {
            video: video.to_owned(),
            place: self.to_string(),
            problem,
        };
        let arrays = match self {
            Self::Npy { files } => {
                files.iter().map(|file| NpyFile::open(file)?.read()).collect::<Result<Vec<_>, _>>()?
            }
            Self::H5 { file, dataset } => vec![H5File::open(file)?.read(dataset)?],
        };
        let shapes: Vec<Vec<usize>> = arrays.iter().map(|array| array.shape.clone()).collect();
        let found = self.joined(&shapes, axes).map_err(fault)?;
        if found != want {
            return Err(fault(format!(
                "{} x {} x {} values, and {} x {} x {} when it was imported; run `watchpost import` again",
                found.clips, found.crops, found.width, want.clips, want.crops, want.width
            )));
        }
        let crops_lie_apart = arrays.len() > 1 || axes == Axes::CropsClips;
        let mut values = arrays.into_iter().map(|array| array.values).reduce(|mut all, mut more| {
            all.append(&mut more);
            all
        });
        let mut values = values.take().unwrap_or_default();
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(fault(not_finite(&values, at, want, crops_lie_apart)));
        }
        if crops_lie_apart && want.crops > 1 {
            values = clips_first(&values, want);
        }
        Ok(values)
    }
}

fn not_finite(values: &[f32], at: usize, shape: FeatureShape, crops_lie_apart: bool) -> String {
    let (row, column) = (at / shape.width, at % shape.width);
    let (clip, crop) = if crops_lie_apart {
        (row % shape.clips, row / shape.clips)
    } else {
        (row / shape.crops, row % shape.crops)
    };
    let value = values.get(at).copied().unwrap_or(f32::NAN);
    format!("clip {clip}, crop {crop}, value {column} is {value}; extract or download these features again")
}
