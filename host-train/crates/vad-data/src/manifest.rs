//! The label file and the folder of videos, joined and checked.

mod listing;
mod rows;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use self::listing::Listing;
pub use self::listing::is_video_file;
pub use self::rows::render_labels;
use self::rows::{Row, RowFault};
use crate::{DataError, Label, VideoEntry};

const MAX_LABEL_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Labelled videos, in the order of the label file.
///
/// # Format
/// Comma-separated values with a header line. Columns, in any order:
///
/// | column | value |
/// |---|---|
/// | `video` | name of the video inside its folder, with or without the extension; `/` for sub-folders |
/// | `label` | `normal` or `abnormal` |
/// | `n_frames` | optional: number of frames, checked when the video is decoded |
/// | `first_abnormal`, `last_abnormal` | optional: one range of frames, from 0, both ends inclusive |
/// | `abnormal_frames` | optional: several ranges, `10-20;40-55` |
/// | `class` | optional: what kind of anomaly an abnormal video holds, one word or several |
///
/// Empty lines and lines that begin with `#` are passed over. Unknown columns are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    labels_csv: PathBuf,
    entries: Vec<VideoEntry>,
    unlabelled: Vec<String>,
    sha256: [u8; 32],
}

impl Manifest {
    /// Reads the label file and finds each of its videos in the folder (sub-folders included).
    ///
    /// # Errors
    /// With file, line and column: an unknown or missing column, an unknown or missing label, a wrong number or range,
    /// a video named twice, not found, or found more than once. The whole file is refused, never a part of it.
    pub fn load(labels_csv: &Path, videos_dir: &Path) -> Result<Self, DataError> {
        let (rows, sha256) = read_rows(labels_csv)?;
        let mut listing = Listing::of(videos_dir)?;
        let entries = resolve_all(labels_csv, rows, |name| listing.claim(name))?;
        let unlabelled = listing.into_unclaimed();
        Ok(Self { labels_csv: labels_csv.to_owned(), entries, unlabelled, sha256 })
    }

    /// Reads a label file whose videos are known by name: `find` says where a video, or what stands for it, lies. The name
    /// is the id.
    ///
    /// # Errors
    /// As [`Manifest::load`], for a video that `find` does not know instead of one that is not in a folder.
    pub fn load_known(labels_csv: &Path, find: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, DataError> {
        let (rows, sha256) = read_rows(labels_csv)?;
        let place = |name: &str| match find(name) {
            Some(path) => Ok((name.to_owned(), path)),
            None => Err(format!("no video `{name}` is known here; import the data set again")),
        };
        let entries = resolve_all(labels_csv, rows, place)?;
        Ok(Self { labels_csv: labels_csv.to_owned(), entries, unlabelled: Vec::new(), sha256 })
    }

    /// The videos, in the order of the label file.
    #[must_use]
    pub fn entries(&self) -> &[VideoEntry] {
        &self.entries
    }

    /// The video of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&VideoEntry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Videos of the folder that the label file does not name, sorted: worth a warning, since they go unused.
    #[must_use]
    pub fn unlabelled(&self) -> &[String] {
        &self.unlabelled
    }

    /// The label file.
    #[must_use]
    pub fn labels_csv(&self) -> &Path {
        &self.labels_csv
    }

    /// SHA-256 of the label file's bytes, as `sha256sum` gives it.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// How many videos have this label.
    #[must_use]
    pub fn count(&self, label: Label) -> usize {
        self.entries.iter().filter(|entry| entry.label == label).count()
    }
}

/// The lines of a label file, at least one, and the hash of its bytes.
fn read_rows(labels_csv: &Path) -> Result<(Vec<Row>, [u8; 32]), DataError> {
    let bytes = read_bounded(labels_csv)?;
    let rows = rows::parse(&bytes).map_err(|fault| fault.at(labels_csv))?;
    if rows.is_empty() {
        let problem = "no videos are listed; add a line per video, for example `clip1,normal`".to_owned();
        return Err(DataError::LabelFile { path: labels_csv.to_owned(), problem });
    }
    Ok((rows, Sha256::digest(&bytes).into()))
}

/// `find` gives the id and the path of a video by its name, or says why there is none.
fn resolve_all(
    labels_csv: &Path,
    rows: Vec<Row>,
    mut find: impl FnMut(&str) -> Result<(String, PathBuf), String>,
) -> Result<Vec<VideoEntry>, DataError> {
    let mut seen = BTreeMap::new();
    rows.into_iter()
        .map(|row| resolve(row, &mut find, &mut seen).map_err(|fault| fault.at(labels_csv)))
        .collect()
}

fn resolve(
    row: Row,
    find: &mut impl FnMut(&str) -> Result<(String, PathBuf), String>,
    seen: &mut BTreeMap<String, u64>,
) -> Result<VideoEntry, RowFault> {
    let fault = |problem: String| RowFault { line: row.line, column: "video".to_owned(), problem };
    let (id, path) = find(&row.video).map_err(fault)?;
    if let Some(before) = seen.insert(id.clone(), row.line) {
        return Err(fault(format!(
            "`{}` names the video `{id}` again, after line {before}; keep one of the two lines",
            row.video
        )));
    }
    Ok(VideoEntry {
        id,
        path,
        label: row.label,
        abnormal: row.abnormal,
        class: row.class,
        frames_claimed: row.frames,
    })
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, DataError> {
    let failed = |source| DataError::io(path, "read the label file", source);
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(MAX_LABEL_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_LABEL_FILE_BYTES {
        let problem = format!(
            "over {MAX_LABEL_FILE_BYTES} bytes: this is no label file; give the CSV with the columns `video,label`"
        );
        return Err(DataError::LabelFile { path: path.to_owned(), problem });
    }
    Ok(bytes)
}
