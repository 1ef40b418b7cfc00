//! One machine's part of a set of videos.

use std::cmp::Reverse;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::hash::images_in;
use crate::{DataError, VideoEntry};

/// Part `index`, counted from 0, of `of` parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

/// Not a part of anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Not of the form `I/N`.
    #[error("`{0}` is not a part; write I/N, such as 0/8 for the first of eight")]
    Form(String),
    /// The index is outside its range.
    #[error(
        "there is no part {index} of {of}: parts are counted from 0, the last is {}; let the array begin at 0", of.saturating_sub(1)
    )]
    Range {
        /// The index given.
        index: usize,
        /// The number of parts given.
        of: usize,
    },
}

impl Shard {
    /// # Errors
    /// An index that is not below the number of parts.
    pub fn new(index: usize, of: usize) -> Result<Self, ShardError> {
        if index < of { Ok(Self { index, of }) } else { Err(ShardError::Range { index, of }) }
    }

    /// The videos of this part, in the order of `entries`. Every video is in exactly one part; which one depends on the ids
    /// and sizes of all videos and on the number of parts alone, and not on paths or on the order of `entries`. Parts are
    /// about equal in frames, where the label file gives them for every video, and in bytes otherwise.
    ///
    /// # Errors
    /// A video's size cannot be read.
    pub fn select(self, entries: &[VideoEntry]) -> Result<Vec<VideoEntry>, DataError> {
        let frames: Option<Vec<u64>> = entries.iter().map(|entry| entry.frames_claimed).collect();
        let sizes = match frames {
            Some(frames) => frames,
            None => entries.iter().map(|entry| size_bytes(&entry.path)).collect::<Result<_, _>>()?,
        };
        let parts = partition(entries, &sizes, self.of);
        let own = entries.iter().zip(parts).filter(|(_, part)| *part == self.index);
        Ok(own.map(|(entry, _)| entry.clone()).collect())
    }
}

/// The part of each video: the largest video first, each to the part that has least so far.
fn partition(entries: &[VideoEntry], sizes: &[u64], of: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&video| (Reverse(sizes[video]), &entries[video].id));
    let mut loads = vec![(0_u64, 0_usize); of];
    let mut parts = vec![0; entries.len()];
    for video in order {
        // Videos without a size are spread by number.
        let least = (0..of).min_by_key(|&part| (loads[part], part)).unwrap_or(0);
        loads[least] = (loads[least].0.saturating_add(sizes[video]), loads[least].1 + 1);
        parts[video] = least;
    }
    parts
}

fn size_bytes(video: &Path) -> Result<u64, DataError> {
    let file_bytes = |path: &Path| {
        path.metadata().map(|metadata| metadata.len()).map_err(|source| DataError::io(path, "read", source))
    };
    if video.is_dir() {
        images_in(video)?.iter().map(|(_, image)| file_bytes(image)).sum()
    } else {
        file_bytes(video)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let numbers =
            text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        let (index, of) = numbers.ok_or_else(|| ShardError::Form(text.to_owned()))?;
        Self::new(index, of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Label;
    use proptest::prelude::*;

    fn entries(frames: &[u64]) -> Vec<VideoEntry> {
        let entry = |(index, frames): (usize, &u64)| {
            let entry = VideoEntry::new(format!("v{index}"), format!("/gone/v{index}.mp4"), Label::Normal);
            VideoEntry { frames_claimed: Some(*frames), ..entry }
        };
        frames.iter().enumerate().map(entry).collect()
    }

    #[test]
    fn parts_are_written_as_index_and_number_from_0() {
        assert_eq!("0/8".parse(), Shard::new(0, 8));
        assert_eq!("7/8".parse::<Shard>().unwrap().to_string(), "7/8");
        let beyond = "8/8".parse::<Shard>().unwrap_err().to_string();
        assert!(beyond.contains("counted from 0") && beyond.contains("the last is 7"), "{beyond}");
        for wrong in ["", "1", "1/", "/8", "-1/8", "1/8/2", "a/b", "0/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_come_from_the_files_where_the_labels_lack_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut entries = entries(&[0, 0, 0]);
        for (entry, bytes) in entries.iter_mut().zip([10, 300, 20]) {
            entry.frames_claimed = None;
            entry.path = folder.path().join(&entry.id);
            std::fs::write(&entry.path, vec![0; bytes]).unwrap();
        }
        let ids = |shard: &str| -> Vec<String> {
            let part = shard.parse::<Shard>().unwrap().select(&entries).unwrap();
            part.into_iter().map(|entry| entry.id).collect()
        };
        assert_eq!((ids("0/2"), ids("1/2")), (vec!["v1".to_owned()], vec!["v0".to_owned(), "v2".to_owned()]));
        std::fs::remove_file(&entries[1].path).unwrap();
        assert!(Shard::new(0, 2).unwrap().select(&entries).is_err());
    }

    proptest! {
        #[test]
        fn parts_are_disjoint_complete_stable_and_balanced(
            frames in prop::collection::vec(0_u64..1000, 0..40),
            of in 1_usize..9,
            rotation in 0_usize..40,
        ) {
            let entries = entries(&frames);
            let parts: Vec<Vec<VideoEntry>> =
                (0..of).map(|index| Shard::new(index, of).unwrap().select(&entries).unwrap()).collect();
            let mut all: Vec<VideoEntry> = parts.concat();
            all.sort_by_key(|entry| entries.iter().position(|other| other.id == entry.id));
            prop_assert_eq!(&all, &entries);

            let mut moved = entries.clone();
            moved.rotate_left(rotation % entries.len().max(1));
            moved.iter_mut().for_each(|entry| entry.path = "/elsewhere".into());
            for (index, part) in parts.iter().enumerate() {
                let again = Shard::new(index, of).unwrap().select(&moved).unwrap();
                let sorted = |part: &[VideoEntry]| {
                    let mut ids: Vec<String> = part.iter().map(|entry| entry.id.clone()).collect();
                    ids.sort();
                    ids
                };
                prop_assert_eq!(sorted(part), sorted(&again));
            }

            let loads: Vec<u64> =
                parts.iter().map(|part| part.iter().filter_map(|entry| entry.frames_claimed).sum()).collect();
            let largest = frames.iter().copied().max().unwrap_or(0);
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= largest);
        }
    }
}
