//! The ground-truth conventions of the published repositories, against their reference cases.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::ops::RangeInclusive;

use golden::{Case, assert_close};
use vad_eval::gt::ranges_of;
use vad_eval::{Alignment, GroundTruth, align};

/// Rows of start1, end1, start2, end2; -1 = absent.
fn ranges(row: &[i64]) -> Vec<RangeInclusive<u64>> {
    row.chunks(2)
        .filter(|pair| pair[0] >= 0)
        .map(|pair| pair[0].unsigned_abs()..=pair[1].unsigned_abs())
        .collect()
}

/// Length and abnormal frames of every video.
fn count(case: &Case, annotation: &str, rule: GroundTruth) -> (Vec<u64>, Vec<u64>) {
    let annotation = case.i64(annotation);
    let frames = case.usize("in.frames").data;
    let labels = |(video, &frames): (usize, &usize)| {
        let labels = rule.labels(&ranges(annotation.row(video)), frames as u64);
        (labels.len() as u64, labels.iter().filter(|&&label| label).count() as u64)
    };
    frames.iter().enumerate().map(labels).unzip()
}

fn check_ucf(case: &Case, annotation: &str, rule: GroundTruth) {
    let (lengths, abnormal) = count(case, annotation, rule);
    assert_close(&case.what("out.length"), &lengths, &case.i64("out.length").data, case.tolerance());
    assert_close(&case.what("out.positives"), &abnormal, &case.i64("out.positives").data, case.tolerance());
    assert_eq!(Some(lengths.iter().sum::<u64>() as f64), case.param_f64("total_frames"));
    assert_eq!(Some(abnormal.iter().sum::<u64>() as f64), case.param_f64("total_positive"));
}

#[test]
fn rtfm_pads_and_includes_the_end() {
    for case in golden::cases("rtfm/ucf_gt_alignment") {
        check_ucf(&case, "in.segments", GroundTruth::PaddedInclusive);
    }
}

#[test]
fn mist_and_cu_truncate_and_exclude_the_end() {
    for case in golden::cases("cu/ucf_gt_alignment") {
        check_ucf(&case, "in.annotation", GroundTruth::TruncatedExclusive);
        let (_, inclusive) = count(&case, "in.annotation", GroundTruth::TruncatedInclusive);
        let key = "alt.positives_inclusive_end";
        assert_close(&case.what(key), &inclusive, &case.i64(key).data, case.tolerance());
    }
}

/// RTFM's ShanghaiTech labels: each abnormal video's mask, stretched to whole snippets by its last value.
#[test]
fn shanghaitech_masks_are_padded_with_their_last_value() {
    for case in golden::cases("rtfm/sht_gt_alignment") {
        let total = case.param_usize("shipped_total").unwrap();
        let packed = case.u8("gt_packed").data;
        let shipped: Vec<bool> = (0..total).map(|i| packed[i / 8] >> (7 - i % 8) & 1 == 1).collect();
        let abnormal_videos = case.param_usize("abnormal_videos_matching_ceil").unwrap();

        let (mut at, mut mask_abnormal) = (0, 0);
        for &frames in &case.usize("in.frames").data[..abnormal_videos] {
            let padded = GroundTruth::PaddedInclusive.labelled_frames(frames as u64) as usize;
            let mask_ranges = ranges_of(&shipped[at..at + frames]);
            let mut labels = GroundTruth::Frames.labels(&mask_ranges, frames as u64);
            mask_abnormal += labels.iter().filter(|&&label| label).count();
            align(&mut vec![0.0_f32; padded], &mut labels, Alignment::PadLast);
            assert_eq!(labels, shipped[at..at + padded], "{}: at {at}", case.name());
            at += padded;
        }
        assert_eq!(Some(mask_abnormal), case.param_usize("mask_positive"));
        assert!(shipped[at..].iter().all(|&label| !label), "normal videos come after the abnormal ones");
        let shipped_abnormal = shipped.iter().filter(|&&label| label).count();
        assert_eq!(Some(shipped_abnormal), case.param_usize("shipped_positive"));
        let ceil: u64 = case
            .usize("in.frames")
            .data
            .iter()
            .map(|&f| GroundTruth::PaddedInclusive.labelled_frames(f as u64))
            .sum();
        assert_eq!(Some(ceil as f64), case.param_f64("ceil_total"));
    }
}
