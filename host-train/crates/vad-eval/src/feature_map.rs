//! A picture of clip features: what the encoder sees as alike.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use vad_core::ClipSpan;

use crate::evaluation::VideoTruth;
use crate::tsne::{MOST_POINTS, Tsne, tsne};

/// What is known about a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClipKind {
    /// Of a normal video.
    NormalVideo,
    /// A normal clip of an abnormal video.
    NormalClip,
    /// Half of its frames or more are abnormal.
    AbnormalClip,
    /// Of an abnormal video whose ranges nobody noted.
    Unknown,
}

/// One clip of the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapClip {
    /// Name of its video.
    pub video: String,
    /// Which clip of the video, from 0.
    pub clip: usize,
    /// What is known about it.
    pub kind: ClipKind,
    /// Its score, 0 to 1.
    pub score: f32,
}

/// A clip and where it lies, in no unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapPoint {
    /// The clip.
    pub clip: MapClip,
    /// To the right, and downwards.
    pub place: [f64; 2],
}

/// Where clips lie when those with like features lie together ([`mod@crate::tsne`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureMap {
    /// The clips drawn.
    pub points: Vec<MapPoint>,
    /// Clips that there were to draw from.
    pub clips: usize,
    /// Seed of the draw and of the picture.
    pub seed: u64,
}

impl ClipKind {
    /// What `truth` says about the frames that a clip shows.
    pub fn of(truth: &VideoTruth, span: ClipSpan) -> Self {
        let ranges = match truth {
            VideoTruth::Normal => return Self::NormalVideo,
            VideoTruth::Abnormal(None) => return Self::Unknown,
            VideoTruth::Abnormal(Some(ranges)) => ranges,
        };
        let frames = span.first_frame.0..span.first_frame.0 + u64::from(span.frames);
        let abnormal = frames.filter(|frame| ranges.iter().any(|range| range.contains(frame))).count();
        if 2 * abnormal >= usize::from(span.frames) { Self::AbnormalClip } else { Self::NormalClip }
    }
}

impl FeatureMap {
    /// Which of `count` clips to draw: all, or [`MOST_POINTS`] of them, each choice equally likely. Ascending.
    pub fn choose(count: usize, seed: u64) -> Vec<usize> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1);
        let mut positions: Vec<usize> = (0..count).collect();
        let keep = count.min(MOST_POINTS);
        for place in 0..keep {
            let left = (count - place) as u128;
            let step = (u128::from(rng.next_u64()) * left) >> 64;
            positions.swap(place, place + step as usize);
        }
        positions.truncate(keep);
        positions.sort_unstable();
        positions
    }

    /// Draws clips, chosen of `clips`, given their features `[chosen, dim]`. `None` where [`tsne`] gives none, or
    /// their numbers differ.
    pub fn draw(chosen: Vec<MapClip>, features: &[f32], dim: usize, clips: usize, how: Tsne) -> Option<Self> {
        let places = tsne(features, dim, how).filter(|places| places.len() == chosen.len())?;
        let points = chosen.into_iter().zip(places).map(|(clip, place)| MapPoint { clip, place });
        Some(Self { points: points.collect(), clips, seed: how.seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vad_core::FrameIndex;

    #[test]
    fn a_clip_is_abnormal_when_half_of_it_is() {
        let span = |first| ClipSpan { index: 0, first_frame: FrameIndex(first), frames: 16 };
        let truth = VideoTruth::Abnormal(Some(vec![8..=20]));
        let kinds = [0, 1, 13, 30].map(|first| ClipKind::of(&truth, span(first)));
        use ClipKind::{AbnormalClip, NormalClip};
        assert_eq!(kinds, [AbnormalClip, AbnormalClip, AbnormalClip, NormalClip]);
        assert_eq!(ClipKind::of(&truth, span(14)), NormalClip);
        assert_eq!(ClipKind::of(&VideoTruth::Normal, span(0)), ClipKind::NormalVideo);
        assert_eq!(ClipKind::of(&VideoTruth::Abnormal(None), span(0)), ClipKind::Unknown);
    }

    #[test]
    fn too_many_clips_are_thinned_the_same_way_for_the_same_seed() {
        let few = FeatureMap::choose(4000, 7);
        assert_eq!(few.len(), MOST_POINTS);
        assert!(few.is_sorted_by(|a, b| a < b) && few[MOST_POINTS - 1] < 4000);
        assert_eq!(few, FeatureMap::choose(4000, 7));
        assert_ne!(few, FeatureMap::choose(4000, 8));
        assert_eq!(FeatureMap::choose(5, 7), [0, 1, 2, 3, 4]);
    }
}
