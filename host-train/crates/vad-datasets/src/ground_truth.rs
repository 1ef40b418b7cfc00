//! The authors' ground truth against the one that is made here.
//!
//! Repositories ship one long array, the labels of all test videos in the order of a list. Its order is the only thing that is
//! taken from that list.

use std::fmt;
use std::path::Path;

use vad_data::Label;
use vad_eval::{Convention, FrameCounts, GroundTruth};

use crate::arrays::NpyFile;
use crate::lists::Lists;
use crate::record::frames_of_clips;
use crate::{Import, ImportError, Source, VideoRecord};

/// What the comparison came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Frames and abnormal frames of the given array.
    given: FrameCounts,
    /// The convention whose lengths fit, and the videos that differ by it: name and number of frames.
    fitting: Option<(&'static str, Vec<(String, u64)>)>,
    /// Every convention with its own counts.
    ours: Vec<(&'static str, FrameCounts)>,
}

impl Comparison {
    /// Whether every frame is the same by one of the conventions.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.fitting.as_ref().is_some_and(|(_, differing)| differing.is_empty())
    }
}

/// Labels by one convention: frames of a video and clips of its features decide their number.
pub(crate) fn labels(convention: &Convention, record: &VideoRecord) -> Option<Vec<bool>> {
    let ranges = match record.label {
        Label::Normal => Vec::new(),
        Label::Abnormal => record.ranges()?,
    };
    let (clips, known) = match &record.source {
        Source::Features { clips, .. } => (*clips, record.frames.map(|(frames, _)| frames)),
        Source::Video { .. } => {
            let frames = record.frames?.0;
            (usize::try_from(frames.div_ceil(16)).ok()?, Some(frames))
        }
    };
    let frames = known.unwrap_or_else(|| frames_of_clips(clips));
    Some(convention.labels(&ranges, frames, clips))
}

/// Frames and abnormal frames of all test videos by one convention; `None` if one of them cannot be counted.
pub(crate) fn counts(convention: &Convention, tests: &[(&str, &VideoRecord)]) -> Option<FrameCounts> {
    let count =
        |(_, record): &(&str, &VideoRecord)| labels(convention, record).map(|found| FrameCounts::of(&found));
    tests.iter().map(count).try_fold(FrameCounts::default(), |sum, found| Some(sum.plus(found?)))
}

/// Compares a file of labels with each convention of the data set.
pub(crate) fn compare(import: &Import, lists: &Lists, path: &Path) -> Result<Comparison, ImportError> {
    let array = NpyFile::open(path)?.read()?;
    if !array.values.iter().all(|&value| value == 0.0 || value == 1.0) {
        return Err(ImportError::file(path, "not a ground truth: it holds something else than 0 and 1"));
    }
    let given: Vec<bool> = array.values.iter().map(|&value| value == 1.0).collect();
    let Some((list, order)) = &lists.test_order else {
        let problem = "its order is that of a list of test features, which is missing here; put the list that it was made \
                       with (such as ucf-i3d-test.list) beside the others";
        return Err(ImportError::file(path, problem));
    };
    let mut tests = Vec::new();
    for id in order {
        let Some(record) = import.videos.get(id) else {
            let problem =
                format!("`{id}` of {} was not imported, so that nothing can be compared", list.display());
            return Err(ImportError::file(path, problem));
        };
        tests.push((id.as_str(), record));
    }
    let mut comparison = Comparison { given: FrameCounts::of(&given), fitting: None, ours: Vec::new() };
    for convention in conventions(import) {
        let Some(ours) = counts(&convention, &tests) else { continue };
        comparison.ours.push((convention.name, ours));
        if ours.frames == comparison.given.frames {
            let differing = differences(&convention, &tests, &given);
            let frames =
                |differing: &[(String, u64)]| differing.iter().map(|(_, frames)| frames).sum::<u64>();
            if comparison.fitting.as_ref().is_none_or(|(_, before)| frames(&differing) < frames(before)) {
                comparison.fitting = Some((convention.name, differing));
            }
        }
    }
    Ok(comparison)
}

/// Those of the data set, and that of this project.
fn conventions(import: &Import) -> Vec<Convention> {
    let own = Convention {
        name: "every frame once",
        about: "",
        truth: GroundTruth::Frames,
        alignment: vad_eval::Alignment::Truncate,
        published: None,
    };
    [import.dataset.conventions(), &[own]].concat()
}

fn differences(
    convention: &Convention,
    tests: &[(&str, &VideoRecord)],
    given: &[bool],
) -> Vec<(String, u64)> {
    let mut rest = given;
    let mut differing = Vec::new();
    for (id, record) in tests {
        let ours = labels(convention, record).unwrap_or_default();
        let (theirs, after) = rest.split_at(ours.len().min(rest.len()));
        let count = ours.iter().zip(theirs).filter(|(a, b)| a != b).count() as u64;
        if count > 0 {
            differing.push(((*id).to_owned(), count));
        }
        rest = after;
    }
    differing
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "given ground truth: {} frames, {} abnormal", self.given.frames, self.given.abnormal)?;
        match &self.fitting {
            None => {
                write!(f, "\n  no convention gives as many frames:")?;
                for (name, ours) in &self.ours {
                    write!(f, "\n  {name}: {} frames, {} abnormal", ours.frames, ours.abnormal)?;
                }
                write!(f, "\n  is it of the same features, with the same number of clips?")
            }
            Some((name, differing)) if differing.is_empty() => {
                write!(f, "\n  {name}: every frame is the same")
            }
            Some((name, differing)) => {
                write!(f, "\n  {name}: {} videos differ", differing.len())?;
                for (id, frames) in differing.iter().take(10) {
                    write!(f, "\n    {id}: {frames} frames")?;
                }
                if differing.len() > 10 {
                    write!(f, "\n    and {} more", differing.len() - 10)?;
                }
                Ok(())
            }
        }
    }
}
