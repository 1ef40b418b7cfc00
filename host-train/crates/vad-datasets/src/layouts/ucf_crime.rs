//! UCF-Crime.
//!
//! ```text
//! Anomaly_Train.txt, Anomaly_Test.txt               Abuse/Abuse001_x264.mp4, one per line
//! ucf-i3d.list, ucf-i3d-test.list                   /any/path/Abuse001_x264_i3d.npy, of RTFM
//! Temporal_Anomaly_Annotation*.txt                  Abuse028_x264.mp4  Abuse  165  240  -1  -1
//! Temporal_Anomaly_Annotation_New.txt               the same with the number of frames, of MIST
//! ```
//!
//! Labels come from names: normal videos begin with `Normal`, the others with their class. Frames count from 0, as all
//! evaluation scripts take them.

use std::path::Path;

use vad_data::Label;

use crate::annotation::{End, numbers, ranges};
use crate::error::Faults;
use crate::lists::{Line, Listed, Lists, Part, read_lines};
use crate::names::video_id;
use crate::{FramesFrom, ImportError, Tree};

const CLASSES: [&str; 13] = [
    "Abuse",
    "Arrest",
    "Arson",
    "Assault",
    "Burglary",
    "Explosion",
    "Fighting",
    "RoadAccidents",
    "Robbery",
    "Shooting",
    "Shoplifting",
    "Stealing",
    "Vandalism",
];
const TRAIN: [&str; 3] = ["Anomaly_Train.txt", "ucf-i3d.list", "ucf-i3d-train-10crop.list"];
const TEST: [&str; 3] = ["ucf-i3d-test.list", "ucf-i3d-test-10crop.list", "Anomaly_Test.txt"];
/// Those with numbers of frames first.
const ANNOTATION: [&str; 4] = [
    "Temporal_Anomaly_Annotation_New.txt",
    "temporal_annotation_with_frame_counts.txt",
    "Temporal_Anomaly_Annotation_for_Testing_Videos.txt",
    "Temporal_Anomaly_Annotation.txt",
];

pub(super) fn read(tree: &Tree, faults: &mut Faults) -> Result<Lists, ImportError> {
    let mut lists = Lists::default();
    lists.read_paths(tree.require("list of training videos", &TRAIN)?, Part::Train, label_of)?;
    let annotation = tree.named(&ANNOTATION);
    match (tree.named(&TEST), annotation) {
        (Some(test), _) => lists.read_paths(test, Part::Test, label_of)?,
        (None, Some(annotation)) => names_of(annotation, &mut lists)?,
        (None, None) => {
            tree.require("list of test videos", &[&TEST[..], &ANNOTATION[..]].concat()).map(drop)?
        }
    }
    match annotation {
        Some(path) => annotate(path, &mut lists, faults)?,
        None => faults.warn(format!(
            "no annotation of the test videos ({}): evaluation will lack frame-level figures",
            ANNOTATION.join(", ")
        )),
    }
    Ok(lists)
}

fn label_of(_: &str, id: &str) -> Result<Label, String> {
    if id.starts_with("Normal") {
        Ok(Label::Normal)
    } else if CLASSES.iter().any(|class| id.starts_with(class)) {
        Ok(Label::Abnormal)
    } else {
        Err(format!("`{id}` begins neither with `Normal` nor with a class of UCF-Crime; correct the name"))
    }
}

/// The annotation names every test video.
fn names_of(path: &Path, lists: &mut Lists) -> Result<(), ImportError> {
    for Line { number, text } in read_lines(path)? {
        let id = video_id(text.split_whitespace().next().unwrap_or_default());
        let label = label_of(&text, id).map_err(|problem| ImportError::line(path, number, problem))?;
        lists.add(path, number, id, Listed::new(label, Part::Test, id))?;
    }
    Ok(())
}

fn annotate(path: &Path, lists: &mut Lists, faults: &mut Faults) -> Result<(), ImportError> {
    for Line { number, text } in read_lines(path)? {
        let fault = |problem: String| ImportError::line(path, number, problem);
        let words: Vec<&str> = text.split_whitespace().collect();
        let (name, figures) = match words.as_slice() {
            [name, _class, figures @ ..] if [4, 5].contains(&figures.len()) => (*name, figures),
            _ => {
                let problem = "not an annotation; write NAME CLASS FIRST LAST FIRST LAST, with -1 -1 for no range, and \
                               the number of frames after it if you know it";
                return Err(fault(problem.to_owned()));
            }
        };
        let id = video_id(name);
        let figures = numbers(figures).map_err(fault)?;
        let found = ranges(&figures[..4], End::Included).map_err(fault)?;
        let frames =
            figures.get(4).and_then(|&frames| u64::try_from(frames).ok()).filter(|&frames| frames > 0);
        let Some(video) = lists.videos.get_mut(id).filter(|video| video.part == Part::Test) else {
            faults.raise(fault(format!(
                "`{id}` is annotated, but no list of test videos names it; remove the line"
            )))?;
            continue;
        };
        if (video.label == Label::Normal) != found.is_empty() {
            let is = if found.is_empty() { "has no range" } else { "has a range" };
            return Err(fault(format!("`{id}` is {} by its name, but {is}; correct the line", video.label)));
        }
        video.abnormal = Some(found);
        video.frames = frames.map(|frames| (frames, FramesFrom::Lists));
    }
    lists.read.push(path.to_owned());
    Ok(())
}
