//! TAD, traffic anomalies.
//!
//! ```text
//! TAD_train.txt                                       frames/abnormal/01_Accident_001.mp4 0 224 1
//! TAD_test.txt                                        frames/abnormal/01_Accident_006.mp4 266 1 75 110
//! frames/abnormal/01_Accident_001.mp4/0.jpg, ...      folders of pictures that are called like videos
//! ```
//!
//! A training line has first and last frame and the class, a test line the frames, the class and ranges whose second number
//! is the first normal frame; class 0 is normal. A line of a path alone is told by its folder, `normal` or `abnormal`, or by a
//! name that begins with `Normal`.

use std::path::Path;

use vad_data::Label;

use crate::annotation::{End, numbers, ranges};
use crate::lists::{Line, Listed, Lists, Part, read_lines};
use crate::names::feature_name;
use crate::{FramesFrom, ImportError, Tree};

const TRAIN: [&str; 2] = ["TAD_train.txt", "train.txt"];
const TEST: [&str; 3] = ["TAD_test.txt", "test.txt", "vals.txt"];

pub(super) fn read(tree: &Tree) -> Result<Lists, ImportError> {
    let mut lists = Lists::default();
    read_list(tree.require("list of training videos", &TRAIN)?, Part::Train, &mut lists)?;
    read_list(tree.require("list of test videos", &TEST)?, Part::Test, &mut lists)?;
    Ok(lists)
}

fn read_list(path: &Path, part: Part, lists: &mut Lists) -> Result<(), ImportError> {
    for Line { number, text } in read_lines(path)? {
        let (id, listed) =
            one_line(&text, part).map_err(|problem| ImportError::line(path, number, problem))?;
        lists.add(path, number, &id, listed)?;
    }
    lists.read.push(path.to_owned());
    Ok(())
}

fn one_line(text: &str, part: Part) -> Result<(String, Listed), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (name, figures) = match words.as_slice() {
        [name, figures @ ..] => (*name, numbers(figures)?),
        [] => return Err("an empty line".to_owned()),
    };
    let id = feature_name(name).id;
    let by_class = |class: i64| if class == 0 { Label::Normal } else { Label::Abnormal };
    let (label, frames, pairs) = match (part, figures.as_slice()) {
        (_, []) => (label_of(name, id)?, None, &[][..]),
        (Part::Train, &[_, _, class]) => (by_class(class), None, &[][..]),
        (Part::Test, [frames, class, pairs @ ..]) => (by_class(*class), Some(*frames), pairs),
        (Part::Train, _) => return Err("not a training line; write PATH FIRST LAST CLASS".to_owned()),
        (Part::Test, _) => return Err("not a test line; write PATH FRAMES CLASS START END".to_owned()),
    };
    let mut listed = Listed::new(label, part, name);
    let frames = frames.map(u64::try_from).transpose().map_err(|_| "the number of frames is negative")?;
    listed.frames = frames.filter(|&frames| frames > 0).map(|frames| (frames, FramesFrom::Lists));
    // A normal line has the whole video as its range.
    if label == Label::Abnormal && !pairs.is_empty() {
        listed.abnormal = Some(ranges(pairs, End::Excluded)?);
    }
    Ok((id.to_owned(), listed))
}

fn label_of(path: &str, id: &str) -> Result<Label, String> {
    let folders = |name: &str| path.split(['/', '\\']).any(|part| part.eq_ignore_ascii_case(name));
    if id.starts_with("Normal") || folders("normal") {
        Ok(Label::Normal)
    } else if folders("abnormal") || id.starts_with(|first: char| first.is_ascii_digit()) {
        Ok(Label::Abnormal)
    } else {
        Err(format!(
            "nothing says whether `{id}` is abnormal; write PATH FIRST LAST CLASS, with class 0 for normal"
        ))
    }
}
