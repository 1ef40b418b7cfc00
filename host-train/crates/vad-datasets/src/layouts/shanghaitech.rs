//! ShanghaiTech Campus, weakly supervised split.
//!
//! ```text
//! SH_Train_new.txt                        01_0014,1            name and label
//! SH_Test_NEW.txt                         01_001,0,764         name, label, and of normal videos the frames
//! SH_Train.txt, SH_Test.txt               01_0014              names alone
//! shanghai-i3d-train-10crop.list, ...     /any/path/01_0014_i3d.npy, of RTFM
//! test_frame_mask/01_0015.npy             a 0 or a 1 for every frame
//! ```
//!
//! Without a label beside it a name is told by its digits: four after the scene where the original calls a video a test, all
//! of which hold an anomaly, and three where it calls it normal. Counts of frames beside abnormal videos are stale in the
//! lists that are in use and not read.

use std::collections::BTreeMap;
use std::path::Path;

use vad_data::Label;

use crate::annotation::numbers;
use crate::arrays::NpyFile;
use crate::error::{Faults, some_of};
use crate::lists::{Line, Listed, Lists, Part, read_lines};
use crate::names::feature_name;
use crate::{FramesFrom, ImportError, Tree};

const MASKS: &str = "test_frame_mask";

/// Lists with labels first.
fn lists_of(part: Part) -> [&'static str; 4] {
    match part {
        Part::Train => {
            ["SH_Train_new.txt", "SH_Train.txt", "shanghai-i3d-train-10crop.list", "shanghai-i3d-train.list"]
        }
        Part::Test => {
            ["SH_Test_NEW.txt", "SH_Test.txt", "shanghai-i3d-test-10crop.list", "shanghai-i3d-test.list"]
        }
    }
}

/// Lists whose order is that of `gt-sh.npy`.
const TEST_ORDER: [&str; 2] = ["shanghai-i3d-test-10crop.list", "shanghai-i3d-test.list"];

pub(super) fn read(tree: &Tree, faults: &mut Faults) -> Result<Lists, ImportError> {
    let mut lists = Lists::default();
    for part in Part::ALL {
        let what = format!("list of {} videos", part.name());
        read_list(tree.require(&what, &lists_of(part))?, part, &mut lists)?;
    }
    if let Some(path) = tree.named(&TEST_ORDER) {
        let lines = read_lines(path)?;
        let order = lines.iter().map(|line| feature_name(&line.text).id.to_owned()).collect();
        lists.test_order = Some((path.to_owned(), order));
    }
    annotate(tree, &mut lists, faults)?;
    Ok(lists)
}

fn read_list(path: &Path, part: Part, lists: &mut Lists) -> Result<(), ImportError> {
    for Line { number, text } in read_lines(path)? {
        let fault = |problem: String| ImportError::line(path, number, problem);
        let mut fields = text.split(',').map(str::trim);
        let name = fields.next().unwrap_or_default();
        let rest: Vec<&str> = fields.collect();
        let figures = numbers(&rest).map_err(fault)?;
        let id = feature_name(name).id;
        let label = match figures.first() {
            Some(0) => Label::Normal,
            Some(1) => Label::Abnormal,
            Some(other) => return Err(fault(format!("the label of `{id}` is {other}; write 0 or 1"))),
            None => label_of(id).map_err(fault)?,
        };
        let mut listed = Listed::new(label, part, name);
        let frames =
            figures.get(1).and_then(|&frames| u64::try_from(frames).ok()).filter(|&frames| frames > 0);
        listed.frames = frames.filter(|_| label == Label::Normal).map(|frames| (frames, FramesFrom::Lists));
        lists.add(path, number, id, listed)?;
    }
    lists.read.push(path.to_owned());
    Ok(())
}

fn label_of(id: &str) -> Result<Label, String> {
    let number = id.split_once('_').map(|(_, number)| number).unwrap_or_default();
    match (number.len(), number.bytes().all(|byte| byte.is_ascii_digit())) {
        (3, true) => Ok(Label::Normal),
        (4, true) => Ok(Label::Abnormal),
        _ => Err(format!(
            "`{id}` is no name of ShanghaiTech, such as 01_001 or 01_0014; add a label: `{id},0` or `{id},1`"
        )),
    }
}

/// Takes the abnormal frames of test videos from their masks.
fn annotate(tree: &Tree, lists: &mut Lists, faults: &mut Faults) -> Result<(), ImportError> {
    let masks: BTreeMap<&str, &Path> = tree
        .within(MASKS, "npy")
        .filter_map(|path| Some((feature_name(path.file_name()?.to_str()?).id, path)))
        .collect();
    let mut missing = Vec::new();
    let abnormal_tests = lists
        .videos
        .iter_mut()
        .filter(|(_, video)| video.part == Part::Test && video.label == Label::Abnormal);
    for (id, video) in abnormal_tests {
        let Some(path) = masks.get(id.as_str()) else {
            missing.push(id.as_str());
            continue;
        };
        let labels = mask(path)?;
        video.frames = Some((labels.len() as u64, FramesFrom::Mask));
        video.abnormal = Some(vad_eval::gt::ranges_of(&labels));
    }
    if !missing.is_empty() {
        faults.warn(format!(
            "{} abnormal test videos have no mask in a folder {MASKS} ({}): they will be left out of frame-level figures",
            missing.len(),
            some_of(missing.iter().copied())
        ));
    }
    Ok(())
}

fn mask(path: &Path) -> Result<Vec<bool>, ImportError> {
    let array = NpyFile::open(path)?.read()?;
    let is_mask = array.shape.len() == 1 && array.values.iter().all(|&value| value == 0.0 || value == 1.0);
    if !is_mask || array.values.is_empty() {
        let problem = "not a mask: one 0 or 1 per frame in one axis; download it again";
        return Err(ImportError::file(path, problem));
    }
    Ok(array.values.iter().map(|&value| value == 1.0).collect())
}
