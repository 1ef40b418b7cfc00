//! Frame metrics and alignment against every reference case under `metrics/`.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use golden::{Case, assert_close};
use vad_eval::{Alignment, FrameMetrics, align, far, repeat_scores, roc_auc};

/// `out.<prefix><name>` of every figure; an undefined figure is NaN in the references.
fn check(case: &Case, prefix: &str, scores: &[f64], labels: &[bool]) {
    let metrics = FrameMetrics::compute(scores, labels).unwrap();
    let one_class = metrics.abnormal_frames == 0 || metrics.normal_frames() == 0;
    let figures = [
        ("roc_auc", metrics.roc_auc),
        ("roc_auc_rank", metrics.roc_auc),
        ("pr_auc_trapezoid", metrics.pr_auc_trapezoid),
        ("average_precision", metrics.average_precision),
        ("far_05", metrics.far_05),
        ("score_gap", metrics.score_gap),
        ("rmse", metrics.rmse),
    ];
    for (name, got) in figures {
        let key = format!("out.{prefix}{name}");
        // The reference library gives its own values where a figure is undefined.
        if !case.has(&key) || (one_class && got.is_none()) {
            continue;
        }
        assert_close(&case.what(&key), &[got.unwrap_or(f64::NAN)], &case.f64(&key).data, case.tolerance());
    }
}

fn check_flat(case: &Case) {
    let (scores, labels) = (case.f64("in.scores").data, case.bool("in.labels").data);
    assert!(case.has("out.roc_auc"), "{}: no figure to compare", case.name());
    check(case, "", &scores, &labels);
}

fn check_videos(case: &Case) {
    for (name, rule) in
        [("trunc", Alignment::Truncate), ("pad0", Alignment::PadNormal), ("padlast", Alignment::PadLast)]
    {
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        let mut normal_video_scores = Vec::new();
        for video in 0.. {
            let Some((mut s, mut l)) = video_of(case, video) else {
                break;
            };
            align(&mut s, &mut l, rule);
            assert_eq!(s.len(), l.len());
            if video % 2 == 1 {
                normal_video_scores.extend(s.clone());
            }
            scores.extend(s);
            labels.extend(l);
        }
        check(case, &format!("{name}."), &scores, &labels);
        let key = "out.far_normal_videos_only";
        if rule == Alignment::PadNormal && case.has(key) {
            let got = far(&normal_video_scores, &vec![false; normal_video_scores.len()], 0.5).unwrap();
            assert_close(&case.what(key), &[got], &case.f64(key).data, case.tolerance());
        }
    }
}

fn video_of(case: &Case, video: usize) -> Option<(Vec<f64>, Vec<bool>)> {
    let key = format!("in.v{video}.snippets");
    case.has(&key)
        .then(|| (repeat_scores(&case.f64(&key).data, 16), case.bool(&format!("in.v{video}.labels")).data))
}

#[test]
fn every_case_of_metrics_is_matched() {
    let (mut flat, mut whole) = (0, 0);
    for case in golden::cases("metrics/") {
        if case.has("in.scores") {
            check_flat(&case);
            flat += 1;
        } else if case.has("in.v0.snippets") {
            check_videos(&case);
            whole += 1;
        } else {
            panic!("{}: neither in.scores nor in.v0.snippets: a form this test does not know", case.name());
        }
    }
    assert!(flat >= 4 && whole >= 1, "{flat} flat and {whole} whole cases");
}

#[test]
fn single_precision_ranks_as_its_widening_does() {
    for case in golden::cases("metrics/scores") {
        let (scores, labels) = (case.f32("in.scores").data, case.bool("in.labels").data);
        let wide: Vec<f64> = scores.iter().map(|&score| score.into()).collect();
        assert_eq!(roc_auc(&scores, &labels), roc_auc(&wide, &labels));
    }
}

#[test]
fn a_wrong_figure_would_be_noticed() {
    let case = &golden::cases("metrics/scores_ties")[0];
    let (mut scores, labels) = (case.f64("in.scores").data, case.bool("in.labels").data);
    let worst = labels.iter().position(|&label| label).unwrap();
    scores[worst] = if scores[worst] > 0.5 { 0.0 } else { 1.0 };
    let got = roc_auc(&scores, &labels).unwrap();
    assert!(golden::compare(&[got], &case.f64("out.roc_auc").data, case.tolerance()).is_err());
}
