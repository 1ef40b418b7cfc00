//! Which files hold the features of which video.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Place;
use crate::arrays::H5File;
use crate::error::some_of;
use crate::names::{FeatureName, feature_name};
use crate::{ImportError, Tree};

/// Feature files by the id of their video.
#[derive(Debug, Default)]
pub(crate) struct FeatureIndex {
    found: BTreeMap<String, Found>,
    /// Data sets that hold no numbers.
    pub(crate) others: Vec<String>,
}

#[derive(Debug)]
enum Found {
    Whole(Place),
    Crops(BTreeMap<usize, PathBuf>),
}

impl FeatureIndex {
    /// Looks through folders, and into HDF5 files.
    ///
    /// # Errors
    /// Two files for one video, or a folder or file that cannot be read.
    pub(crate) fn of(sources: &[PathBuf]) -> Result<Self, ImportError> {
        let mut index = Self::default();
        for source in sources {
            if source.is_dir() {
                for path in Tree::walk(source)?.files() {
                    index.add_file(path)?;
                }
            } else if !index.add_file(source)? {
                let problem = "neither a folder nor a .npy or .h5 file; give the folder of the features";
                return Err(ImportError::file(source, problem));
            }
        }
        Ok(index)
    }

    /// False if the file is none of features.
    fn add_file(&mut self, path: &Path) -> Result<bool, ImportError> {
        let has = |known: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(known));
        if has("npy") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            self.add(feature_name(&name), Place::Npy { files: vec![path.to_owned()] })?;
        } else if has("h5") || has("hdf5") {
            let (arrays, others) = H5File::open(path)?.arrays()?;
            for array in arrays {
                let place = Place::H5 { file: path.to_owned(), dataset: array.name.clone() };
                self.add(feature_name(&array.name), place)?;
            }
            self.others.extend(others);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn add(&mut self, FeatureName { id, crop }: FeatureName<'_>, place: Place) -> Result<(), ImportError> {
        let twice = |before: String, place: &Place| {
            let problem = format!(
                "two files hold features of `{id}`, here and in {before}; give the folder of one kind of features only"
            );
            Err(ImportError::Features { video: id.to_owned(), place: place.to_string(), problem })
        };
        match (crop, place) {
            (Some(crop), Place::Npy { files }) => {
                let place = Place::Npy { files: files.clone() };
                let Some(file) = files.into_iter().next() else { return Ok(()) };
                let found = self.found.entry(id.to_owned()).or_insert_with(|| Found::Crops(BTreeMap::new()));
                match found {
                    Found::Whole(before) => twice(before.to_string(), &place),
                    Found::Crops(crops) => match crops.insert(crop, file) {
                        Some(before) => twice(before.display().to_string(), &place),
                        None => Ok(()),
                    },
                }
            }
            (_, place) => match self.found.insert(id.to_owned(), Found::Whole(place.clone())) {
                Some(Found::Whole(before)) => twice(before.to_string(), &place),
                Some(Found::Crops(crops)) => twice(
                    crops.values().next().map(|path| path.display().to_string()).unwrap_or_default(),
                    &place,
                ),
                None => Ok(()),
            },
        }
    }

    /// Takes the features of a video out.
    ///
    /// # Errors
    /// A crop is missing between others.
    pub(crate) fn take(&mut self, id: &str) -> Result<Option<Place>, ImportError> {
        // Some sets of UCF-Crime leave out the end of its names.
        let short = id.strip_suffix("_x264").filter(|_| !self.found.contains_key(id));
        let Some(found) = self.found.remove(short.unwrap_or(id)) else { return Ok(None) };
        let crops = match found {
            Found::Whole(place) => return Ok(Some(place)),
            Found::Crops(crops) => crops,
        };
        if let Some((missing, (_, beside))) = (0..).zip(&crops).find(|(want, (found, _))| want != *found) {
            let problem = format!(
                "crop {missing} is missing (`{id}__{missing}.npy`); copy or download the features again"
            );
            let place = beside.display().to_string();
            return Err(ImportError::Features { video: id.to_owned(), place, problem });
        }
        Ok(Some(Place::Npy { files: crops.into_values().collect() }))
    }

    /// Videos whose features nobody took, in a few words.
    pub(crate) fn left(&self) -> Option<String> {
        let names = self.found.keys().map(String::as_str);
        (!self.found.is_empty()).then(|| format!("{} ({})", self.found.len(), some_of(names)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }
}
