//! A detector as a board runs it: clip after clip, each from what was there when it ended.
//!
//! Most detectors score a clip alike in a stream and in a whole video. Those that look at whole videos
//! ([`HeadKind::Rtfm`], [`HeadKind::Arms`]) see a window of the last clips on a board: each clip is the last one of a video
//! that consists of the window, and near the beginning the first clip stands for those before it
//! ([`HeadContext::Window`]).

use thiserror::Error;
use vad_core::{HeadContext, HeadKind, HeadSpec};

use crate::bag::{Bag, BagSet};
use crate::recipe::system::Detector;

/// Windows that are scored together; bounds memory on long videos.
const WINDOWS_AT_ONCE: usize = 64;

/// Why a detector has no form for boards.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OnBoardError {
    /// Only the host runs it.
    #[error(
        "only the host runs this detector\n  remedy: train arms with score_correction none, cu with a window of at most 1024 clips"
    )]
    HostOnly,
    /// It has no window to choose.
    #[error(
        "this detector looks at {looks_at}, so there is no window to choose\n  remedy: leave --window out; it is for rtfm and arms"
    )]
    NoWindow {
        /// In words.
        looks_at: &'static str,
    },
}

/// The form of a detector that boards run. `window` is the number of clips that it looks at, where it looks at whole videos;
/// by default as many as its training had segments.
///
/// # Errors
/// When there is none, or no window to choose.
pub fn on_board(detector: Box<dyn Detector>, window: Option<u16>) -> Result<Box<dyn Detector>, OnBoardError> {
    let head = detector.head();
    let looks_at = match (head.kind, head.context) {
        (HeadKind::Temporal, _) => return Err(OnBoardError::HostOnly),
        (HeadKind::Rtfm | HeadKind::Arms, HeadContext::Window { clips }) => {
            return Ok(Box::new(Windowed { detector, clips: window.unwrap_or(clips) }));
        }
        (_, HeadContext::Window { .. }) => "a fixed number of clips",
        (_, HeadContext::Memory { .. }) => "a clip and its memory",
        (_, HeadContext::Clip) => "each clip by itself",
    };
    if window.is_some() { Err(OnBoardError::NoWindow { looks_at }) } else { Ok(detector) }
}

/// A detector of whole videos, through a window.
struct Windowed {
    detector: Box<dyn Detector>,
    /// Clips of the window, the scored one included.
    clips: u16,
}

impl Detector for Windowed {
    fn feature_dim(&self) -> usize {
        self.detector.feature_dim()
    }

    fn head(&self) -> HeadSpec {
        HeadSpec { context: HeadContext::Window { clips: self.clips }, ..self.detector.head() }
    }

    fn score(&self, bags: &BagSet) -> Vec<Vec<f32>> {
        bags.bags.iter().map(|bag| self.score_bag(bags, bag)).collect()
    }
}

impl Windowed {
    fn score_bag(&self, bags: &BagSet, bag: &Bag) -> Vec<f32> {
        let ends: Vec<usize> = (0..bag.clips).collect();
        let newest = |ends: &[usize]| {
            let scores = self.detector.score(&self.windows(bags, bag, ends));
            scores.into_iter().filter_map(|window| window.last().copied()).collect::<Vec<_>>()
        };
        ends.chunks(WINDOWS_AT_ONCE).flat_map(newest).collect()
    }

    /// The windows that end with these clips, each a video.
    fn windows(&self, bags: &BagSet, bag: &Bag, ends: &[usize]) -> BagSet {
        let (clips, width) = (usize::from(self.clips), bags.crops * bags.dim);
        let video = bags.clips_of(bag);
        let mut windows = BagSet { dim: bags.dim, ..BagSet::with_crops(bags.crops) };
        for (index, end) in ends.iter().enumerate() {
            for place in 0..clips {
                let clip = (end + 1 + place).saturating_sub(clips);
                windows.values.extend_from_slice(&video[clip * width..(clip + 1) * width]);
            }
            let (id, label) = (bag.id.clone(), bag.label);
            windows.bags.push(Bag { id, label, first_row: index * clips, clips });
        }
        windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vad_data::Label;

    /// The score of a clip is the sum of its video so far, and 100 for every clip that follows it.
    struct Sums(HeadSpec);

    impl Detector for Sums {
        fn feature_dim(&self) -> usize {
            1
        }

        fn head(&self) -> HeadSpec {
            self.0.clone()
        }

        fn score(&self, bags: &BagSet) -> Vec<Vec<f32>> {
            let one = |bag: &Bag| {
                let video = bags.clips_of(bag);
                let so_far = |clip: usize| video[..=clip].iter().sum::<f32>();
                let behind = |clip: usize| 100.0 * (video.len() - 1 - clip) as f32;
                (0..video.len()).map(|clip| so_far(clip) + behind(clip)).collect()
            };
            bags.bags.iter().map(one).collect()
        }
    }

    fn of(kind: HeadKind, context: HeadContext) -> Box<dyn Detector> {
        Box::new(Sums(HeadSpec { context, ..HeadSpec::per_clip(kind, vec![1, 1]) }))
    }

    fn video(clips: usize) -> BagSet {
        let mut bags = BagSet::default();
        bags.push("other", Label::Normal, 1, &[50.0]).unwrap();
        let values: Vec<f32> = (1..=clips).map(|clip| clip as f32).collect();
        bags.push("video", Label::Normal, 1, &values).unwrap();
        bags
    }

    #[test]
    fn every_clip_is_the_last_of_its_window_and_the_first_stands_for_those_before() {
        let arms = of(HeadKind::Arms, HeadContext::Window { clips: 3 });
        assert_eq!(on_board(arms, None).unwrap().score(&video(4))[1], [3.0, 4.0, 6.0, 9.0]);
        let arms = of(HeadKind::Arms, HeadContext::Window { clips: 3 });
        let two = on_board(arms, Some(2)).unwrap();
        assert_eq!(two.score(&video(4))[1], [2.0, 3.0, 5.0, 7.0]);
        assert_eq!(two.head().context, HeadContext::Window { clips: 2 });
        let long = two.score(&video(3 * WINDOWS_AT_ONCE + 1));
        assert_eq!(long[1].len(), 3 * WINDOWS_AT_ONCE + 1);
        assert_eq!(long[1].last(), Some(&(6.0 * WINDOWS_AT_ONCE as f32 + 1.0)));
    }

    #[test]
    fn others_stay_as_they_are_and_have_no_window_to_choose() {
        for (kind, context) in [
            (HeadKind::Mlp, HeadContext::Clip),
            (HeadKind::CuClassifier, HeadContext::Memory { clips: 5 }),
            (HeadKind::RtfmCausal, HeadContext::Window { clips: 18 }),
        ] {
            let kept = on_board(of(kind, context), None).unwrap();
            assert_eq!(kept.score(&video(2))[1], [101.0, 3.0], "{kind:?}");
            let error = on_board(of(kind, context), Some(4)).err().unwrap();
            assert!(matches!(error, OnBoardError::NoWindow { .. }), "{error}");
        }
        let host = on_board(of(HeadKind::Temporal, HeadContext::Clip), None);
        assert_eq!(host.err(), Some(OnBoardError::HostOnly));
    }
}
