//! Which axis of an array is which.

use serde::{Deserialize, Serialize};

/// Numbers of crops that are in use; they tell the crops of an array from its clips.
const USUAL_CROPS: [usize; 3] = [1, 5, 10];

/// Order of the axes of arrays with three of them; the last one is always the width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axes {
    /// `[clips, crops, width]`.
    ClipsCrops,
    /// `[crops, clips, width]`.
    CropsClips,
}

/// What the features of one video consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureShape {
    /// Clips of 16 frames.
    pub clips: usize,
    /// Crops of each clip.
    pub crops: usize,
    /// Values of one feature.
    pub width: usize,
}

impl Axes {
    /// Both orders.
    pub const ALL: [Self; 2] = [Self::ClipsCrops, Self::CropsClips];

    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClipsCrops => "clips-crops",
            Self::CropsClips => "crops-clips",
        }
    }

    /// The order that the arrays of a whole data set have: the one in which crops are a usual number. `None` where that does
    /// not decide.
    pub(crate) fn of_all<'a>(shapes: impl IntoIterator<Item = &'a [usize]>) -> Option<Self> {
        let (mut clips_first, mut crops_first) = (0, 0);
        for shape in shapes {
            if let [first, second, _] = shape {
                match (USUAL_CROPS.contains(first), USUAL_CROPS.contains(second)) {
                    (false, true) => clips_first += 1,
                    (true, false) => crops_first += 1,
                    // A video of ten clips with ten crops says nothing.
                    _ => {}
                }
            }
        }
        match clips_first.cmp(&crops_first) {
            std::cmp::Ordering::Greater => Some(Self::ClipsCrops),
            std::cmp::Ordering::Less => Some(Self::CropsClips),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// What an array of this shape holds. One of two axes has no crops.
    pub(crate) fn read(self, shape: &[usize]) -> Option<FeatureShape> {
        match (self, shape) {
            (_, &[clips, width]) => Some(FeatureShape { clips, crops: 1, width }),
            (Self::ClipsCrops, &[clips, crops, width]) | (Self::CropsClips, &[crops, clips, width]) => {
                Some(FeatureShape { clips, crops, width })
            }
            _ => None,
        }
    }
}

/// `[crops, clips, width]` as `[clips, crops, width]`.
pub(super) fn clips_first(values: &[f32], shape: FeatureShape) -> Vec<f32> {
    let FeatureShape { clips, crops, width } = shape;
    let mut turned = Vec::with_capacity(values.len());
    for clip in 0..clips {
        for crop in 0..crops {
            let at = (crop * clips + clip) * width;
            turned.extend_from_slice(&values[at..at + width]);
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_shows_in_the_whole_set_and_not_in_one_array() {
        let of = |shapes: &[&[usize]]| Axes::of_all(shapes.iter().copied());
        assert_eq!(of(&[&[10, 10, 8], &[7, 10, 8]]), Some(Axes::ClipsCrops));
        assert_eq!(of(&[&[10, 10, 8], &[10, 7, 8]]), Some(Axes::CropsClips));
        assert_eq!(of(&[&[1, 10, 8], &[5, 10, 8], &[30, 10, 8]]), Some(Axes::ClipsCrops));
        assert_eq!(of(&[&[5, 77, 8]]), Some(Axes::CropsClips));
        assert_eq!(of(&[&[10, 10, 8]]), None);
        assert_eq!(of(&[&[20, 30, 8]]), None);
        assert_eq!(of(&[&[20, 8]]), None);
    }

    #[test]
    fn crops_come_after_clips() {
        let shape = Axes::CropsClips.read(&[2, 3, 1]).unwrap();
        assert_eq!(shape, FeatureShape { clips: 3, crops: 2, width: 1 });
        assert_eq!(clips_first(&[1.0, 2.0, 3.0, 10.0, 20.0, 30.0], shape), [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
        assert_eq!(Axes::ClipsCrops.read(&[4, 9]), Some(FeatureShape { clips: 4, crops: 1, width: 9 }));
        assert_eq!(Axes::ClipsCrops.read(&[4]), None);
    }
}
