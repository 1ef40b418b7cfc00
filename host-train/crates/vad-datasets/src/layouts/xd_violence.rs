//! XD-Violence, pictures.
//!
//! ```text
//! rgb.list, rgb_test.list     /any/path/Bad.Boys.1995__#00-26-51_00-27-53_label_B2-0-0__0.npy, five crops per video
//! annotations.txt             Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6 157 180 185 244
//! ```
//!
//! A name carries the classes of its video after `_label_`; `A` alone is normal. The second number of a pair is the first
//! frame that is normal again, as the authors' script reads it.

use std::path::Path;

use vad_data::Label;

use crate::annotation::{End, numbers, ranges};
use crate::error::{Faults, some_of};
use crate::lists::{Line, Listed, Lists, Part, read_lines};
use crate::names::video_id;
use crate::{ImportError, Tree};

const TRAIN: [&str; 4] = ["rgb.list", "xd-i3d.list", "xd-i3d-train.list", "XD_Train.list"];
const TEST: [&str; 5] =
    ["rgb_test.list", "rgbtest.list", "rgb-test.list", "xd-i3d-test.list", "XD_Test.list"];
const ANNOTATION: [&str; 1] = ["annotations.txt"];

pub(super) fn read(tree: &Tree, faults: &mut Faults) -> Result<Lists, ImportError> {
    let mut lists = Lists::default();
    lists.read_paths(tree.require("list of training videos", &TRAIN)?, Part::Train, label_of)?;
    lists.read_paths(tree.require("list of test videos", &TEST)?, Part::Test, label_of)?;
    match tree.named(&ANNOTATION) {
        Some(path) => annotate(path, &mut lists, faults)?,
        None => faults.warn("no annotations.txt: evaluation will lack frame-level figures"),
    }
    Ok(lists)
}

fn label_of(_: &str, id: &str) -> Result<Label, String> {
    match id.rsplit_once("_label_") {
        Some((_, "A")) => Ok(Label::Normal),
        Some((_, classes)) if !classes.is_empty() => Ok(Label::Abnormal),
        _ => Err(format!("`{id}` has no classes, such as `_label_A` or `_label_B2-0-0`; correct the name")),
    }
}

fn annotate(path: &Path, lists: &mut Lists, faults: &mut Faults) -> Result<(), ImportError> {
    for Line { number, text } in read_lines(path)? {
        let fault = |problem: String| ImportError::line(path, number, problem);
        let words: Vec<&str> = text.split_whitespace().collect();
        let [name, figures @ ..] = words.as_slice() else { continue };
        let id = video_id(name);
        let found = numbers(figures)
            .and_then(|figures| ranges(&figures, End::Excluded))
            .map_err(|problem| fault(format!("{problem}; write NAME START END START END, in frames")))?;
        let Some(video) = lists.videos.get_mut(id).filter(|video| video.part == Part::Test) else {
            faults.raise(fault(format!(
                "`{id}` is annotated, but no list of test videos names it; remove the line"
            )))?;
            continue;
        };
        if video.label == Label::Normal && !found.is_empty() {
            return Err(fault(format!("`{id}` is normal by its name, but has a range; correct the line")));
        }
        video.abnormal = Some(found);
    }
    let is_open = |(_, video): &(&String, &Listed)| {
        let unmarked = video.abnormal.as_ref().is_none_or(Vec::is_empty);
        video.part == Part::Test && video.label == Label::Abnormal && unmarked
    };
    let open: Vec<&str> = lists.videos.iter().filter(is_open).map(|(id, _)| id.as_str()).collect();
    if !open.is_empty() {
        faults.warn(format!(
            "{} abnormal test videos are not annotated in {} ({})",
            open.len(),
            path.display(),
            some_of(open.iter().copied())
        ));
    }
    lists.read.push(path.to_owned());
    Ok(())
}
