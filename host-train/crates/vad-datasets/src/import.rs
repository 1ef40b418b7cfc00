//! Lists, videos and features, joined and checked.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::annotation::numbers;
use crate::error::{Faults, some_of};
use crate::features::Axes;
use crate::ground_truth::{self, Comparison};
use crate::layouts;
use crate::lists::{Line, Lists, Part, read_lines};
use crate::names::video_id;
use crate::record::frames_of_clips;
use crate::sources::{features, videos};
use crate::summary::Summary;
use crate::{Dataset, FramesFrom, Import, ImportError, Source, SplitRule, Tree, VideoRecord};

/// What is to be imported.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which data set.
    pub dataset: Dataset,
    /// Folder of its lists and annotations, and of its videos.
    pub root: PathBuf,
    /// Folders or HDF5 files of features; none to extract features from the videos later.
    pub features: Vec<PathBuf>,
    /// Order of the axes of arrays with three of them; `None` to find out.
    pub axes: Option<Axes>,
    /// A list of `NAME FRAMES`, for videos whose length the data set does not say.
    pub frames: Option<PathBuf>,
    /// The authors' own ground truth (`.npy`), to compare with.
    pub ground_truth: Option<PathBuf>,
    /// Frames per second, if not those of [`Dataset::frame_rate_hz`].
    pub frame_rate_hz: Option<f64>,
    /// Leave out videos that are missing or wrong, with a warning, instead of stopping at the first.
    pub keep_going: bool,
}

/// A data set, and what is to be said of it.
#[derive(Debug, Clone)]
pub struct Imported {
    /// What was found.
    pub import: Import,
    /// The table for people.
    pub summary: Summary,
    /// The authors' ground truth against the one made here, where that was asked for.
    pub comparison: Option<Comparison>,
}

/// Reads and checks a data set. Features are read from end to end; `progress` is told how many videos of how many are done.
///
/// # Errors
/// The first list, video or file of features that is missing or wrong, with its place and a remedy.
pub fn import(request: &Request, progress: &mut dyn FnMut(usize, usize)) -> Result<Imported, ImportError> {
    let request = &request.located()?;
    let tree = Tree::walk(&request.root)?;
    let mut faults = Faults::new(request.keep_going);
    let mut lists = layouts::read(request.dataset, &tree, &mut faults)?;
    if let Some(path) = &request.frames {
        take_frames(path, &mut lists)?;
    }
    let (kind, sources) = if request.features.is_empty() {
        (None, videos(&tree, &lists, &mut faults)?)
    } else {
        let (kind, sources) = features(request, &lists, &mut faults, progress)?;
        (Some(kind), sources)
    };
    let videos = records(&lists, sources, &mut faults);
    let split = split_rule(request.dataset, &lists, &videos);
    let rate = request.frame_rate_hz.unwrap_or_else(|| request.dataset.frame_rate_hz());
    let import = Import::new(request.dataset, &request.root, kind, rate, split, videos);
    let comparison = match &request.ground_truth {
        Some(path) => Some(ground_truth::compare(&import, &lists, path)?),
        None => None,
    };
    let summary = Summary::of(&import, &lists, faults.into_warnings());
    Ok(Imported { import, summary, comparison })
}

impl Request {
    /// With paths that mean the same from every folder, since they are kept.
    fn located(&self) -> Result<Self, ImportError> {
        let located = |path: &PathBuf| {
            path.canonicalize().map_err(|source| ImportError::io(path, "find the folder", source))
        };
        let features = self.features.iter().map(located).collect::<Result<_, _>>()?;
        Ok(Self { root: located(&self.root)?, features, ..self.clone() })
    }
}

/// Numbers of frames from a list of the caller's.
fn take_frames(path: &Path, lists: &mut Lists) -> Result<(), ImportError> {
    for Line { number, text } in read_lines(path)? {
        let fault = |problem: String| ImportError::line(path, number, problem);
        let words: Vec<&str> = text.split([',', ' ', '\t']).filter(|word| !word.is_empty()).collect();
        let [name, frames] = words.as_slice() else {
            return Err(fault("not a number of frames; write NAME,FRAMES".to_owned()));
        };
        let frames = match numbers(&[frames]) {
            Ok(frames) => {
                frames.first().and_then(|&frames| u64::try_from(frames).ok()).filter(|&frames| frames > 0)
            }
            // The names of the columns.
            Err(_) if number == 1 => continue,
            Err(problem) => return Err(fault(problem)),
        };
        let Some(frames) = frames else {
            return Err(fault("a video has at least one frame".to_owned()));
        };
        let Some(video) = lists.videos.get_mut(video_id(name)) else {
            return Err(fault(format!("no list names a video `{}`; remove the line", video_id(name))));
        };
        video.frames = Some((frames, FramesFrom::Given));
    }
    lists.read.push(path.to_owned());
    Ok(())
}

/// Joins what lists say with where things lie.
fn records(
    lists: &Lists,
    sources: BTreeMap<String, Source>,
    faults: &mut Faults,
) -> BTreeMap<String, VideoRecord> {
    let mut longer = Vec::new();
    let mut shorter = Vec::new();
    let mut records = BTreeMap::new();
    for (id, source) in sources {
        let Some(listed) = lists.videos.get(&id) else { continue };
        let frames = match &source {
            Source::Video { .. } => listed.frames,
            Source::Features { clips, .. } => {
                let (frames, fit) = frames_and_clips(listed.frames, *clips);
                match fit {
                    Fit::Agree => {}
                    Fit::ClipsLonger => longer.push(id.clone()),
                    Fit::ClipsShorter => shorter.push(id.clone()),
                }
                Some(frames)
            }
        };
        let pair = |range: &RangeInclusive<u64>| (*range.start(), *range.end());
        let abnormal = listed.abnormal.as_ref().filter(|_| listed.part == Part::Test);
        let abnormal = abnormal.map(|ranges| ranges.iter().map(pair).collect());
        records.insert(id, VideoRecord { source, label: listed.label, frames, abnormal });
    }
    let names = |ids: &[String]| some_of(ids.iter().map(String::as_str));
    if !longer.is_empty() {
        faults.warn(format!(
            "{} videos have more clips than their frames fill; 16 x clips is taken for their length. Is a clip 16 frames? ({})",
            longer.len(),
            names(&longer)
        ));
    }
    if !shorter.is_empty() {
        faults.warn(format!(
            "{} videos go on for more than a clip after their features end; the last score is held ({})",
            shorter.len(),
            names(&shorter)
        ));
    }
    records
}

/// How the number of clips fits the number of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Agree,
    ClipsLonger,
    ClipsShorter,
}

/// Frames of a video with so many clips: those that are known, unless the clips do not fit into them.
fn frames_and_clips(known: Option<(u64, FramesFrom)>, clips: usize) -> ((u64, FramesFrom), Fit) {
    let shown = frames_of_clips(clips);
    let clip = frames_of_clips(1);
    match known {
        None => ((shown, FramesFrom::Clips), Fit::Agree),
        Some((frames, _)) if shown >= frames + clip => ((shown, FramesFrom::Clips), Fit::ClipsLonger),
        // One frame or two more than a clip are dropped by extractors that need a frame's successor.
        Some((frames, from)) if frames > shown + clip => ((frames, from), Fit::ClipsShorter),
        Some(known) => (known, Fit::Agree),
    }
}

fn split_rule(dataset: Dataset, lists: &Lists, videos: &BTreeMap<String, VideoRecord>) -> SplitRule {
    if dataset == Dataset::UcsdPed2 {
        return SplitRule::Drawn { abnormal: 6, normal: 4 };
    }
    let ids = |part: Part| {
        let here = |id: &&String| lists.videos.get(*id).is_some_and(|listed| listed.part == part);
        videos.keys().filter(here).cloned().collect()
    };
    SplitRule::Official { train: ids(Part::Train), test: ids(Part::Test) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_that_do_not_fit_the_frames_decide() {
        let known = |frames| Some((frames, FramesFrom::Lists));
        assert_eq!(frames_and_clips(None, 3), ((48, FramesFrom::Clips), Fit::Agree));
        // Features that pad the last clip, and such that drop it.
        assert_eq!(frames_and_clips(known(40), 3), ((40, FramesFrom::Lists), Fit::Agree));
        assert_eq!(frames_and_clips(known(40), 2), ((40, FramesFrom::Lists), Fit::Agree));
        assert_eq!(frames_and_clips(known(48), 2), ((48, FramesFrom::Lists), Fit::Agree));
        assert_eq!(frames_and_clips(known(32), 3), ((48, FramesFrom::Clips), Fit::ClipsLonger));
        assert_eq!(frames_and_clips(known(49), 2), ((49, FramesFrom::Lists), Fit::ClipsShorter));
    }
}
