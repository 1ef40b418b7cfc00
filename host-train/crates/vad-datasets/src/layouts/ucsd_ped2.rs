//! UCSD Ped2.
//!
//! ```text
//! labels.csv                       video,label,n_frames,first_abnormal,last_abnormal, of this project
//!
//! Train/Train001/001.tif, ...      the original: all normal
//! Test/Test001/001.tif, ...        all abnormal
//! Test/UCSDped2.m                  TestVideoFile{end+1}.gt_frame = [61:180];   in the order of the folders, frames from 1
//! Test/Test001_gt/001.bmp, ...     or masks, white where a frame is abnormal
//! ```
//!
//! The original split has no abnormal training video; weakly supervised papers draw one.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use image::ImageReader;
use vad_data::{Label, Manifest};
use vad_eval::gt::ranges_of;
use vad_video::natural_cmp;

use crate::annotation::joined;
use crate::error::Faults;
use crate::lists::{Line, Listed, Lists, Part, read_lines};
use crate::names::video_id;
use crate::{FramesFrom, ImportError, Tree};

const OWN_LABELS: &str = "labels.csv";
const RANGES: [&str; 1] = ["UCSDped2.m"];

pub(super) fn read(tree: &Tree, faults: &mut Faults) -> Result<Lists, ImportError> {
    match tree.named(&[OWN_LABELS]) {
        Some(path) => own_labels(path),
        None => original(tree, faults),
    }
}

fn own_labels(path: &Path) -> Result<Lists, ImportError> {
    let anywhere = |name: &str| Some(PathBuf::from(name));
    let manifest = Manifest::load_known(path, anywhere)
        .map_err(|error| ImportError::File { path: path.to_owned(), problem: error.to_string() })?;
    let mut lists = Lists::default();
    for (entry, line) in manifest.entries().iter().zip(2..) {
        let part = if entry.label == Label::Normal { Part::Train } else { Part::Test };
        let mut listed = Listed::new(entry.label, part, &entry.path.to_string_lossy());
        listed.frames = entry.frames_claimed.map(|frames| (frames, FramesFrom::Lists));
        listed.abnormal.clone_from(&entry.abnormal);
        lists.add(path, line, video_id(&entry.id), listed)?;
    }
    lists.read.push(path.to_owned());
    Ok(lists)
}

fn original(tree: &Tree, faults: &mut Faults) -> Result<Lists, ImportError> {
    let mut lists = Lists::default();
    let mut tests = Vec::new();
    for (id, paths) in tree.videos() {
        let Some(path) = paths.first() else { continue };
        let (label, part) = match numbered(id) {
            Some("Train") => (Label::Normal, Part::Train),
            Some("Test") => (Label::Abnormal, Part::Test),
            _ => continue,
        };
        let mut listed = Listed::new(label, part, &path.to_string_lossy());
        listed.frames = tree.images_in(path).map(|images| (images, FramesFrom::Pictures));
        lists.add(path, 1, id, listed)?;
        if part == Part::Test {
            tests.push(id.to_owned());
        }
    }
    if lists.videos.is_empty() {
        let problem =
            "neither labels.csv nor the folders Train001, Test001 and so on; name the folder of Ped2";
        return Err(ImportError::file(tree.root(), problem));
    }
    tests.sort_by(|a, b| natural_cmp(a, b));
    annotate(tree, &tests, &mut lists, faults)?;
    Ok(lists)
}

/// `Train` of `Train001`.
fn numbered(id: &str) -> Option<&str> {
    let name = id.trim_end_matches(|last: char| last.is_ascii_digit());
    (name.len() < id.len()).then_some(name)
}

fn annotate(
    tree: &Tree,
    tests: &[String],
    lists: &mut Lists,
    faults: &mut Faults,
) -> Result<(), ImportError> {
    let listed =
        tree.named(&RANGES).map(|path| Ok::<_, ImportError>((path, ranges_in(path)?))).transpose()?;
    if let Some((path, ranges)) = &listed
        && ranges.len() != tests.len()
    {
        let problem = format!("{} ranges for {} test videos; complete the folder", ranges.len(), tests.len());
        return Err(ImportError::file(path, problem));
    }
    for (index, id) in tests.iter().enumerate() {
        let found = match &listed {
            Some((_, ranges)) => ranges.get(index).cloned(),
            None => masks_of(tree, id)?,
        };
        if found.is_none() {
            faults.warn(format!("`{id}` has neither ranges in {} nor masks in {id}_gt", RANGES[0]));
        }
        if let Some(video) = lists.videos.get_mut(id) {
            video.abnormal = found;
        }
    }
    lists.read.extend(listed.map(|(path, _)| path.to_owned()));
    Ok(())
}

/// The ranges of a line such as `TestVideoFile{end+1}.gt_frame = [5:90, 140:200];`, counted from 0.
fn ranges_in(path: &Path) -> Result<Vec<Vec<RangeInclusive<u64>>>, ImportError> {
    let mut videos = Vec::new();
    for Line { number, text } in read_lines(path)? {
        let Some((_, value)) = text.split_once("gt_frame") else { continue };
        let listed =
            value.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(listed, _)| listed);
        let parsed = listed.and_then(|listed| listed.split(',').map(one_range).collect::<Option<Vec<_>>>());
        let Some(ranges) = parsed else {
            let problem = "not a list of ranges; write for example gt_frame = [5:90, 140:200];";
            return Err(ImportError::line(path, number, problem));
        };
        videos.push(joined(ranges));
    }
    Ok(videos)
}

fn one_range(text: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let frame = |text: &str| text.trim().parse::<u64>().ok()?.checked_sub(1);
    let (first, last) = (frame(first)?, frame(last)?);
    (first <= last).then_some(first..=last)
}

/// Abnormal frames by the masks of a video, if it has some.
fn masks_of(tree: &Tree, id: &str) -> Result<Option<Vec<RangeInclusive<u64>>>, ImportError> {
    let folder = format!("{id}_gt");
    let mut masks: Vec<PathBuf> = tree.within(&folder, "bmp").map(Path::to_owned).collect();
    masks.sort_by(|a, b| natural_cmp(&a.to_string_lossy(), &b.to_string_lossy()));
    let labels = masks.iter().map(|path| holds_white(path)).collect::<Result<Vec<_>, _>>()?;
    Ok((!labels.is_empty()).then(|| ranges_of(&labels)))
}

fn holds_white(path: &Path) -> Result<bool, ImportError> {
    let failed = |source| ImportError::io(path, "read the mask", source);
    let reader = ImageReader::open(path).map_err(failed)?.with_guessed_format().map_err(failed)?;
    let mask = reader.decode().map_err(|error| {
        ImportError::file(path, format!("not a readable mask: {error}; download it again"))
    })?;
    Ok(mask.into_luma8().as_raw().iter().any(|&value| value > 0))
}
