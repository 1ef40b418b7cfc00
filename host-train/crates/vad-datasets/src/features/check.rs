//! The features of all videos against each other.

use std::collections::BTreeMap;

use super::Shaped;
use crate::ImportError;

/// Checks that all videos have features of one width and of equally many crops, and gives both.
///
/// # Errors
/// Names the first video that differs from the majority.
pub(crate) fn agree(videos: &Shaped) -> Result<(usize, usize), ImportError> {
    let width = most_common(videos.values().map(|(_, shape)| shape.width));
    let crops = most_common(videos.values().map(|(_, shape)| shape.crops));
    for (video, (place, shape)) in videos {
        let problem = if shape.width != width {
            format!(
                "they are {} wide and most others {width}; give the features of one encoder only",
                shape.width
            )
        } else if shape.crops != crops {
            format!(
                "they have {} crops and most others {crops}; give features of equally many crops",
                shape.crops
            )
        } else {
            continue;
        };
        return Err(ImportError::Features { video: video.clone(), place: place.to_string(), problem });
    }
    Ok((width, crops))
}

fn most_common(values: impl Iterator<Item = usize>) -> usize {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(0, |(value, _)| value)
}
