//! The videos that lie in a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use vad_video::is_image_file;

use crate::DataError;
use crate::suggest::did_you_mean;

const VIDEO_EXTENSIONS: [&str; 24] = [
    "mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mts", "m2ts", "flv", "wmv", "asf",
    "ogv", "3gp", "mjpeg", "mjpg", "h264", "264", "h265", "hevc", "y4m", "gif",
];
const MAX_DEPTH: usize = 8;

/// Videos by their name inside the folder (`sub/clip.mp4`), and which of them a label file has named.
#[derive(Debug)]
pub(super) struct Listing {
    folder: PathBuf,
    videos: BTreeMap<String, PathBuf>,
    /// Names by id, the name without its extension.
    names: BTreeMap<String, Vec<String>>,
    claimed: BTreeSet<String>,
}

impl Listing {
    /// Lists video files and folders of images; hidden ones are passed over.
    pub(super) fn of(folder: &Path) -> Result<Self, DataError> {
        let mut listing = Self {
            folder: folder.to_owned(),
            videos: BTreeMap::new(),
            names: BTreeMap::new(),
            claimed: BTreeSet::new(),
        };
        listing.walk(folder, "", 0)?;
        for name in listing.videos.keys() {
            listing.names.entry(id_of(name).to_owned()).or_default().push(name.clone());
        }
        Ok(listing)
    }

    fn walk(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), DataError> {
        let failed = |source| DataError::io(folder, "list the folder of videos", source);
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            // A name that is not UTF-8 cannot stand in a label file.
            let Some(name) =
                path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.'))
            else {
                continue;
            };
            let name = format!("{prefix}{name}");
            if path.is_dir() {
                if holds_images(&path) {
                    self.videos.insert(name, path);
                } else if depth < MAX_DEPTH {
                    self.walk(&path, &format!("{name}/"), depth + 1)?;
                }
            } else if is_video_name(&name) && path.is_file() {
                self.videos.insert(name, path);
            }
        }
        Ok(())
    }

    /// Finds the video that a label file names, and its id. The reason for a refusal says what to do.
    pub(super) fn claim(&mut self, name: &str) -> Result<(String, PathBuf), String> {
        let name = self.full_name(name)?;
        let path = self.videos.get(&name).cloned().unwrap_or_else(|| self.folder.join(&name));
        let id = id_of(&name).to_owned();
        self.claimed.insert(name);
        Ok((id, path))
    }

    fn full_name(&self, name: &str) -> Result<String, String> {
        if self.videos.contains_key(name) {
            return Ok(name.to_owned());
        }
        match self.names.get(name).map(Vec::as_slice) {
            Some([only]) => return Ok(only.clone()),
            Some(several) => {
                return Err(format!(
                    "`{name}` may be any of `{}`; write the name with its extension",
                    several.join("`, `")
                ));
            }
            None => {}
        }
        if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!(
                "`{name}` leads out of the folder of videos; write names relative to {}",
                self.folder.display()
            ));
        }
        // Any extension is taken if the file is named in full.
        if self.folder.join(name).is_file() {
            return Ok(name.to_owned());
        }
        let known = self.names.keys().chain(self.videos.keys()).map(String::as_str);
        let hint = did_you_mean(name, known);
        Err(format!(
            "no video `{name}` in {}{hint} (correct the name, add the file, or remove the line)",
            self.folder.display()
        ))
    }

    /// Names that were not claimed, sorted.
    pub(super) fn into_unclaimed(self) -> Vec<String> {
        self.videos.into_keys().filter(|name| !self.claimed.contains(name)).collect()
    }
}

fn holds_images(folder: &Path) -> bool {
    let Ok(mut entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.any(|entry| {
        entry.is_ok_and(|entry| {
            is_image_file(&entry.path()) && !entry.file_name().to_string_lossy().starts_with('.')
        })
    })
}

fn is_video_name(name: &str) -> bool {
    is_video_file(Path::new(name))
}

/// True for names with the extension of a usual video container, such as `.mp4`, in any case.
#[must_use]
pub fn is_video_file(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    VIDEO_EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// The name without the extension of a video file.
fn id_of(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension)) if is_video_name(name) && !extension.contains('/') => stem,
        _ => name,
    }
}
