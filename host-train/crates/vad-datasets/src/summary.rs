//! What an import found, beside what the data set should hold.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use vad_data::Label;
use vad_eval::{Convention, FrameCounts};

use crate::ground_truth::counts;
use crate::lists::{Lists, Part};
use crate::record::FeatureKind;
use crate::{Dataset, FramesFrom, Import, LabelCounts, Source, VideoRecord};

/// A table for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    dataset: Dataset,
    parts: Vec<PartRow>,
    features: Option<FeatureKind>,
    /// Where the lengths of test videos are known from.
    frames_from: BTreeMap<FramesFrom, usize>,
    truth: Vec<(Convention, Option<FrameCounts>)>,
    read: Vec<PathBuf>,
    warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct PartRow {
    part: Part,
    found: LabelCounts,
    original: LabelCounts,
    clips: usize,
}

impl Summary {
    pub(crate) fn of(import: &Import, lists: &Lists, mut warnings: Vec<String>) -> Self {
        let parts: Vec<PartRow> = Part::ALL.map(|part| part_row(import, lists, part)).into();
        for PartRow { part, found, original, .. } in &parts {
            if found != original {
                warnings.push(format!(
                    "{} videos: {found} (abnormal + normal), where the original has {original}; figures are comparable with published ones on all of them only",
                    part.name()
                ));
            }
        }
        let tests: Vec<(&str, &VideoRecord)> = of_part(import, lists, Part::Test).collect();
        let mut frames_from: BTreeMap<FramesFrom, usize> = BTreeMap::new();
        for (_, from) in tests.iter().filter_map(|(_, record)| record.frames) {
            *frames_from.entry(from).or_default() += 1;
        }
        let count = |convention: &Convention| (*convention, counts(convention, &tests));
        let truth: Vec<_> = import.dataset.conventions().iter().map(count).collect();
        let is_whole = parts.iter().all(|row| row.part == Part::Train || row.found == row.original);
        for (convention, found) in &truth {
            if let (Some(published), Some(found)) = (convention.published, found)
                && is_whole
                && published != *found
            {
                warnings.push(format!(
                    "{}: {} frames, {} abnormal, where the authors count {} and {}; are annotation and features theirs?",
                    convention.name, found.frames, found.abnormal, published.frames, published.abnormal
                ));
            }
        }
        Self {
            dataset: import.dataset,
            parts,
            features: import.features,
            frames_from,
            truth,
            read: lists.read.clone(),
            warnings,
        }
    }

    /// What is missing or odd, one line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn of_part<'a>(
    import: &'a Import,
    lists: &'a Lists,
    part: Part,
) -> impl Iterator<Item = (&'a str, &'a VideoRecord)> {
    let here = move |id: &str| lists.videos.get(id).is_some_and(|listed| listed.part == part);
    import.videos.iter().map(|(id, record)| (id.as_str(), record)).filter(move |(id, _)| here(id))
}

fn part_row(import: &Import, lists: &Lists, part: Part) -> PartRow {
    let mut row =
        PartRow { part, found: LabelCounts::default(), original: import.dataset.original(part), clips: 0 };
    for (_, record) in of_part(import, lists, part) {
        match record.label {
            Label::Abnormal => row.found.abnormal += 1,
            Label::Normal => row.found.normal += 1,
        }
        if let Source::Features { clips, .. } = &record.source {
            row.clips += clips;
        }
    }
    row
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.dataset.title())?;
        for path in &self.read {
            writeln!(f, "  read {}", path.display())?;
        }
        writeln!(
            f,
            "\n{:<8}{:>10}{:>10}   {:<13}{:>10}",
            "videos", "abnormal", "normal", "original", "clips"
        )?;
        for PartRow { part, found, original, clips } in &self.parts {
            let clips = if self.features.is_some() { clips.to_string() } else { "-".to_owned() };
            let original = original.to_string();
            writeln!(
                f,
                "{:<8}{:>10}{:>10}   {original:<13}{clips:>10}",
                part.name(),
                found.abnormal,
                found.normal
            )?;
        }
        match self.features {
            Some(kind) => writeln!(f, "\nfeatures: {} wide, crops {}", kind.width, kind.crops)?,
            None => writeln!(f, "\nfeatures: none yet")?,
        }
        for (from, videos) in &self.frames_from {
            writeln!(f, "length of {videos} test videos: from {from}")?;
        }
        if !self.truth.is_empty() {
            writeln!(
                f,
                "\n{:<14}{:>12}{:>12}   ground truth of the test videos",
                "counted as", "frames", "abnormal"
            )?;
        }
        for (convention, found) in &self.truth {
            let show =
                |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string());
            let (frames, abnormal) =
                (show(found.map(|found| found.frames)), show(found.map(|found| found.abnormal)));
            writeln!(f, "{:<14}{frames:>12}{abnormal:>12}   {}", convention.name, convention.about)?;
        }
        Ok(())
    }
}
