//! Intervals over draws of test videos.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::collection::vec;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use vad_eval::{Areas, BootstrapError, FrameMetrics, Interval, RankedVideos, Resampling};

type Video = (Vec<f32>, Vec<bool>);

fn ranked(videos: &[Video]) -> RankedVideos {
    RankedVideos::new(videos.iter().map(|(scores, labels)| (scores.as_slice(), labels.as_slice()))).unwrap()
}

/// The figures of the frames of all videos, each as often as its weight says, as plain metrics compute them.
fn counted(videos: &[Video], weights: &[u32]) -> Areas {
    let (mut scores, mut labels) = (Vec::<f32>::new(), Vec::new());
    for ((s, l), &times) in videos.iter().zip(weights) {
        for _ in 0..times {
            scores.extend(s);
            labels.extend(l);
        }
    }
    let plain = FrameMetrics::compute(&scores, &labels).unwrap();
    Areas {
        roc_auc: plain.roc_auc,
        pr_auc_trapezoid: plain.pr_auc_trapezoid,
        average_precision: plain.average_precision,
    }
}

/// Videos whose scores lie on a coarse grid, so that ties within and across videos are common.
fn videos() -> impl Strategy<Value = Vec<Video>> {
    let frame = ((0_u8..12).prop_map(|step| f32::from(step) / 8.0 - 0.25), any::<bool>());
    vec(vec(frame, 0..30).prop_map(|frames| frames.into_iter().unzip()), 1..8)
}

/// Uniform below 1.
fn uniform(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// Videos of 20 frames drawn alike. Each has a level of its own, which all of its frames share: that is why they must not
/// be drawn singly. Abnormal frames, the last five of every second video, score `lift` higher.
fn drawn(count: usize, lift: f32, rng: &mut ChaCha8Rng) -> Vec<Video> {
    let mut video = |index: usize| {
        let level = uniform(rng);
        let labels: Vec<bool> = (0..20).map(|frame| index.is_multiple_of(2) && frame >= 15).collect();
        let lift = |label: bool| if label { lift } else { 0.0 };
        let scores = labels.iter().map(|&label| level + lift(label) + 0.2 * uniform(rng)).collect();
        (scores, labels)
    };
    (0..count).map(&mut video).collect()
}

fn judge(videos: &[Video], resamples: u32) -> Interval {
    let resampling = Resampling { resamples, seed: 5 };
    resampling.judge(&[ranked(videos)]).unwrap().intervals().roc_auc.unwrap()
}

proptest! {
    #[test]
    fn a_weight_counts_a_video_as_often_as_it_says(videos in videos(), weights in vec(0_u32..4, 8)) {
        let ranked = ranked(&videos);
        let ones = vec![1; videos.len()];
        prop_assert_eq!(ranked.areas(&ones), counted(&videos, &ones), "to the last bit");
        let weights = &weights[..videos.len()];
        prop_assert_eq!(ranked.areas(weights), counted(&videos, weights));
    }

    #[test]
    fn a_run_does_not_differ_from_itself(videos in videos(), seed: u64) {
        let resampled = Resampling { resamples: 40, seed }.judge(&[ranked(&videos)]).unwrap();
        let none = resampled.minus(&resampled).unwrap();
        let of_self = [none.roc_auc, none.pr_auc_trapezoid, none.average_precision];
        for interval in of_self.into_iter().flatten() {
            prop_assert_eq!((interval.estimate, interval.low, interval.high), (0.0, 0.0, 0.0));
            prop_assert!(!interval.excludes_zero());
        }
        let several = Resampling { resamples: 40, seed }.judge(&[ranked(&videos), ranked(&videos)]).unwrap();
        prop_assert_eq!(several.intervals(), resampled.intervals(), "the mean of equal runs is one of them");
    }
}

#[test]
fn the_interval_holds_the_estimate_and_narrows_with_more_videos() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let width = |interval: Interval| interval.high - interval.low;
    for _ in 0..20 {
        let (few, many) = (judge(&drawn(16, 0.3, &mut rng), 300), judge(&drawn(160, 0.3, &mut rng), 300));
        for interval in [few, many] {
            assert!(interval.low < interval.estimate && interval.estimate < interval.high, "{interval:?}");
        }
        assert!(width(many) < width(few), "{few:?} {many:?}");
    }
}

/// What 95 % promises: about so many intervals hold the figure of the population.
#[test]
fn nearly_all_intervals_hold_the_true_figure() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let everything = drawn(4000, 0.3, &mut rng);
    let truth = ranked(&everything).areas(&vec![1; everything.len()]).roc_auc.unwrap();
    let held = (0..200).filter(|_| {
        let interval = judge(&drawn(40, 0.3, &mut rng), 200);
        (interval.low..=interval.high).contains(&truth)
    });
    let held = held.count();
    // 190 are expected, with a deviation of 3; a percentile interval over 40 videos is a little too narrow.
    assert!((178..=199).contains(&held), "{held} of 200");
}

#[test]
fn a_better_run_is_told_from_a_worse_one_on_the_same_videos() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let worse = drawn(40, 0.2, &mut rng);
    let lifted = |(scores, labels): &Video| {
        let scores = scores.iter().zip(labels).map(|(score, &label)| score + if label { 0.1 } else { 0.0 });
        (scores.collect(), labels.clone())
    };
    let better: Vec<Video> = worse.iter().map(lifted).collect();
    let resampling = Resampling { resamples: 500, seed: 1 };
    let [worse, better] = [worse, better].map(|videos| resampling.judge(&[ranked(&videos)]).unwrap());
    let gain = better.minus(&worse).unwrap().roc_auc.unwrap();
    let alone = worse.intervals().roc_auc.unwrap();
    assert!(gain.excludes_zero() && gain.estimate > 0.0, "{gain:?}");
    assert!(
        gain.high - gain.low < alone.high - alone.low,
        "pairs say more than runs apart: {gain:?} {alone:?}"
    );
    let loss = worse.minus(&better).unwrap().roc_auc.unwrap();
    // Quantiles are found from the other end, which rounds otherwise.
    assert!(
        (loss.low + gain.high).abs() < 1e-12 && (loss.high + gain.low).abs() < 1e-12,
        "{loss:?} {gain:?}"
    );
}

#[test]
fn draws_without_abnormal_frames_are_left_out() {
    let videos = [(vec![0.1, 0.2], vec![false, true]), (vec![0.3, 0.1], vec![false, false])];
    let interval = judge(&videos, 400);
    // A quarter of the draws takes the normal video twice.
    assert!((250..350).contains(&interval.resamples), "{interval:?}");
    let normal = [(vec![0.1_f32], vec![false])];
    let none = Resampling::default().judge(&[ranked(&normal)]).unwrap().intervals();
    assert_eq!((none.roc_auc, none.average_precision), (None, None));
}

#[test]
fn other_videos_other_draws_and_broken_scores_are_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let (a, b) = (ranked(&drawn(6, 0.3, &mut rng)), ranked(&drawn(7, 0.3, &mut rng)));
    let resampling = Resampling { resamples: 10, seed: 1 };
    assert_eq!(resampling.judge(&[a.clone(), b.clone()]).err(), Some(BootstrapError::OtherVideos));
    assert_eq!(resampling.judge(&[]).err(), Some(BootstrapError::NoRuns));
    let of =
        |resampling: Resampling, run: &RankedVideos| resampling.judge(std::slice::from_ref(run)).unwrap();
    assert!(of(resampling, &a).minus(&of(resampling, &b)).is_err());
    assert!(of(resampling, &a).minus(&of(Resampling { seed: 2, ..resampling }, &a)).is_err());
    let broken = RankedVideos::new([(&[0.1, f32::NAN][..], &[true, false][..])]).unwrap_err();
    assert!(broken.to_string().contains("video 0: the score of frame 1"), "{broken}");
    let ragged = RankedVideos::new([(&[0.1][..], &[][..])]).unwrap_err();
    assert!(ragged.to_string().contains("1 scores but 0 labels"), "{ragged}");
}
