//! Text files with one video per line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use vad_data::Label;

use crate::names::feature_name;
use crate::{FramesFrom, ImportError};

const MAX_LIST_BYTES: u64 = 64 * 1024 * 1024;
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Which side of the official split a video is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// To learn and to choose from.
    Train,
    /// To report on.
    Test,
}

impl Part {
    pub(crate) const ALL: [Self; 2] = [Self::Train, Self::Test];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// What lists and annotations say of one video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) label: Label,
    pub(crate) part: Part,
    /// The path that a list gives: it tells files of one name apart.
    pub(crate) hint: String,
    pub(crate) frames: Option<(u64, FramesFrom)>,
    /// Frames from 0, both ends inclusive, ascending; an end may lie past the video. `None`: not annotated.
    pub(crate) abnormal: Option<Vec<RangeInclusive<u64>>>,
}

/// Everything that a layout knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    /// By id.
    pub(crate) videos: BTreeMap<String, Listed>,
    /// Where each was named.
    origins: BTreeMap<String, (PathBuf, u64)>,
    /// Files that were read, in order.
    pub(crate) read: Vec<PathBuf>,
    /// The test videos in the order of a list, and that list: the order of the authors' ground truth.
    pub(crate) test_order: Option<(PathBuf, Vec<String>)>,
}

/// One line that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    /// Trimmed.
    pub(crate) text: String,
}

impl Listed {
    pub(crate) fn new(label: Label, part: Part, hint: &str) -> Self {
        let abnormal = (label == Label::Normal).then(Vec::new);
        Self { label, part, hint: hint.to_owned(), frames: None, abnormal }
    }
}

impl Lists {
    /// Adds a video that a line names.
    pub(crate) fn add(
        &mut self,
        path: &Path,
        line: u64,
        id: &str,
        listed: Listed,
    ) -> Result<(), ImportError> {
        if let Some((before, at)) = self.origins.insert(id.to_owned(), (path.to_owned(), line)) {
            let problem = format!(
                "`{id}` is named again, after {}:{at}; a video belongs to one list, once: remove one of the lines",
                before.display()
            );
            return Err(ImportError::line(path, line, problem));
        }
        self.videos.insert(id.to_owned(), listed);
        Ok(())
    }

    /// Reads a list of paths, one video per line, or one crop of a video per line.
    pub(crate) fn read_paths(
        &mut self,
        path: &Path,
        part: Part,
        label_of: impl Fn(&str, &str) -> Result<Label, String>,
    ) -> Result<(), ImportError> {
        let mut crops: BTreeMap<String, Vec<Option<usize>>> = BTreeMap::new();
        let mut order = Vec::new();
        for Line { number, text } in read_lines(path)? {
            let name = feature_name(&text);
            let seen = crops.entry(name.id.to_owned()).or_default();
            let is_another_crop = name.crop.is_some() && !seen.is_empty() && !seen.contains(&name.crop);
            seen.push(name.crop);
            if is_another_crop {
                continue;
            }
            let label =
                label_of(&text, name.id).map_err(|problem| ImportError::line(path, number, problem))?;
            self.add(path, number, name.id, Listed::new(label, part, &text))?;
            order.push(name.id.to_owned());
        }
        if part == Part::Test {
            self.test_order = Some((path.to_owned(), order));
        }
        self.read.push(path.to_owned());
        Ok(())
    }

    /// Where a video was named.
    pub(crate) fn origin(&self, id: &str) -> Option<(&Path, u64)> {
        self.origins.get(id).map(|(path, line)| (path.as_path(), *line))
    }
}

/// The lines of a text file that are not empty.
pub(crate) fn read_lines(path: &Path) -> Result<Vec<Line>, ImportError> {
    let failed = |source| ImportError::io(path, "read the list", source);
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(MAX_LIST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_LIST_BYTES {
        return Err(ImportError::file(
            path,
            format!("over {MAX_LIST_BYTES} bytes: this is no list of videos"),
        ));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| ImportError::file(path, "not UTF-8 text; save the list in UTF-8"))?;
    let lines = text.trim_start_matches(BYTE_ORDER_MARK).lines().zip(1..);
    Ok(lines
        .map(|(text, number)| Line { number, text: text.trim().to_owned() })
        .filter(|line| !line.text.is_empty())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Lists, ImportError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.list");
        std::fs::write(&path, text).unwrap();
        let mut lists = Lists::default();
        lists.read_paths(&path, Part::Test, |_, id| {
            if id.starts_with('n') { Ok(Label::Normal) } else { Ok(Label::Abnormal) }
        })?;
        Ok(lists)
    }

    #[test]
    fn crops_of_one_video_are_one_video_and_the_order_is_kept() {
        let lists = read("\u{feff}/a/z__0.npy\r\n/a/z__1.npy\r\n\n/a/n__0.npy\n/a/n__1.npy\n").unwrap();
        assert_eq!(lists.videos.keys().collect::<Vec<_>>(), ["n", "z"]);
        assert_eq!(lists.test_order.as_ref().unwrap().1, ["z", "n"]);
        assert_eq!(lists.origin("n").unwrap().1, 4);
        assert_eq!(lists.videos["n"].abnormal, Some(vec![]));
        assert_eq!(lists.videos["z"].abnormal, None);
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_with_both_lines() {
        for text in ["a.npy\nb.npy\na.npy\n", "a__0.npy\na__1.npy\na__0.npy\n", "a.npy\na__1.npy\na.mp4\n"] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("x.list:3: `a` is named again") && error.contains("x.list:1;"), "{error}");
        }
    }
}
