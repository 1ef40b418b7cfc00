//! Strategies and the batch reference of the score semantics.

use proptest::prelude::*;
use vad_core::{AlarmEdge, Calibration, EdgeKind, MediaTimeMs, ScoreSample, ScoreSpec, ScoreStep, Smoothing};

pub fn specs() -> impl Strategy<Value = ScoreSpec> {
    let calibration = prop_oneof![
        3 => Just(Calibration::Identity),
        1 => (0.1_f32..5.0, -3.0_f32..3.0)
            .prop_map(|(slope, intercept)| Calibration::Logistic { slope, intercept }),
    ];
    let smoothing = prop_oneof![
        2 => Just(Smoothing::None),
        1 => (0.01_f32..=1.0).prop_map(|alpha| Smoothing::Exponential { alpha }),
        1 => (1u16..7).prop_map(|clips| Smoothing::Mean { clips }),
    ];
    // Zero often: it is the default of some and the border of all.
    let duration_ms = || prop_oneof![Just(0u32), 0u32..4_000];
    ((calibration, smoothing, 0.0_f32..=1.0, 0.0_f32..=1.0), (duration_ms(), duration_ms(), duration_ms()))
        .prop_map(|((calibration, smoothing, a, b), (min_ms, cool_ms, update_ms))| ScoreSpec {
            calibration,
            smoothing,
            raise_threshold: a.max(b),
            clear_threshold: a.min(b),
            min_duration_ms: min_ms,
            cool_down_ms: cool_ms,
            update_interval_ms: update_ms,
        })
}

/// Clips of any length and overlap, scores that dwell and jump, some of them missing, and now and
/// then a time that runs back or a start after its end.
pub fn samples() -> impl Strategy<Value = Vec<ScoreSample>> {
    let raw = prop_oneof![
        12 => 0.0_f32..=1.0,
        4 => Just(0.95_f32),
        4 => Just(0.05_f32),
        1 => -2.0_f32..3.0,
        1 => Just(f32::NAN),
    ];
    let step = (
        raw,
        prop_oneof![20 => 0i64..1_500, 1 => -3_000i64..0],
        prop_oneof![20 => 0i64..2_000, 1 => -2_000i64..0],
    );
    prop::collection::vec(step, 0..80).prop_map(|steps| {
        let mut end = 500_i64;
        let sample = |(raw, advance_ms, length_ms): (f32, i64, i64)| {
            end = (end + advance_ms).max(0);
            let start = (end - length_ms).max(0) as u64;
            ScoreSample { start: MediaTimeMs(start), end: MediaTimeMs(end as u64), raw }
        };
        steps.into_iter().map(sample).collect()
    })
}

/// Steps and closing edge, from whole arrays: runs are searched, no state is carried.
pub fn reference(spec: &ScoreSpec, samples: &[ScoreSample]) -> (Vec<ScoreStep>, Option<AlarmEdge>) {
    let present: Vec<usize> = (0..samples.len()).filter(|&i| samples[i].raw.is_finite()).collect();
    let calibrated: Vec<f32> = present.iter().map(|&i| calibrate(spec.calibration, samples[i].raw)).collect();
    let scores: Vec<f32> = (0..present.len()).map(|i| smooth(spec.smoothing, &calibrated[..=i])).collect();
    let ends: Vec<u64> = (0..present.len())
        .map(|i| present[..=i].iter().map(|&j| samples[j].end.0).max().unwrap_or(0))
        .collect();
    let starts: Vec<u64> = present.iter().zip(&ends).map(|(&i, &end)| samples[i].start.0.min(end)).collect();
    let (edges, last) = find_edges(spec, &starts, &ends, &scores);

    let steps = (0..samples.len()).map(|i| match present.binary_search(&i) {
        Ok(k) => ScoreStep {
            calibrated: calibrated[k],
            smoothed: scores[k],
            edge: edges.iter().find(|(at, _)| *at == k).map(|(_, edge)| *edge),
        },
        Err(k) => {
            ScoreStep { calibrated: f32::NAN, smoothed: if k == 0 { 0.0 } else { scores[k - 1] }, edge: None }
        }
    });
    (steps.collect(), last)
}

fn calibrate(calibration: Calibration, raw: f32) -> f32 {
    let p = raw.clamp(0.0, 1.0);
    match calibration {
        Calibration::Identity => p,
        Calibration::Logistic { slope, intercept } => {
            let q = p.clamp(1e-6, 1.0 - 1e-6);
            let z = slope * libm::logf(q / (1.0 - q)) + intercept;
            let e = libm::expf(-z.abs());
            if z >= 0.0 { 1.0 / (1.0 + e) } else { e * (1.0 / (1.0 + e)) }
        }
    }
}

fn smooth(smoothing: Smoothing, history: &[f32]) -> f32 {
    let newest = history[history.len() - 1];
    match smoothing {
        Smoothing::None => newest,
        Smoothing::Exponential { alpha } => {
            let step = |s: f32, c: &f32| (s + alpha * (c - s)).clamp(0.0, 1.0);
            history[1..].iter().fold(history[0], step)
        }
        Smoothing::Mean { clips } => {
            let window = &history[history.len().saturating_sub(clips.into())..];
            let sum = window.iter().map(|&c| f64::from(c)).sum::<f64>();
            (sum / window.len() as f64) as f32
        }
    }
}

type Edges = (Vec<(usize, AlarmEdge)>, Option<AlarmEdge>);

fn find_edges(spec: &ScoreSpec, starts: &[u64], ends: &[u64], scores: &[f32]) -> Edges {
    let mut edges = Vec::new();
    let mut from = 0;
    let mut number = 0;
    let mut cleared_at = None;
    while let Some(begin) = (from..scores.len()).find(|&i| scores[i] >= spec.raise_threshold) {
        let run_end =
            (begin..scores.len()).find(|&i| scores[i] < spec.raise_threshold).unwrap_or(scores.len());
        let onset = starts[begin].max(cleared_at.unwrap_or(0));
        let long = |&i: &usize| ends[i] - onset.min(ends[i]) >= u64::from(spec.min_duration_ms);
        let cool = |&i: &usize| cleared_at.is_none_or(|at| ends[i] >= at + u64::from(spec.cool_down_ms));
        let Some(raised) = (begin..run_end).filter(long).find(cool) else {
            from = run_end;
            continue;
        };
        number += 1;
        let edge = |kind, i: usize| AlarmEdge {
            kind,
            event: number,
            onset: MediaTimeMs(onset),
            at: MediaTimeMs(ends[i]),
            score: scores[i],
            peak: scores[begin..=i].iter().copied().fold(0.0, f32::max),
        };
        edges.push((raised, edge(EdgeKind::Raised, raised)));
        let cleared = (raised + 1..scores.len()).find(|&i| scores[i] < spec.clear_threshold);
        let mut reported_at = ends[raised];
        let held = raised + 1..cleared.unwrap_or(scores.len());
        for (i, &end) in held.clone().zip(&ends[held]) {
            let interval_ms = u64::from(spec.update_interval_ms);
            if interval_ms > 0 && end >= reported_at + interval_ms {
                edges.push((i, edge(EdgeKind::Updated, i)));
                reported_at = end;
            }
        }
        let Some(cleared) = cleared else {
            return (edges, Some(edge(EdgeKind::Cleared, scores.len() - 1)));
        };
        edges.push((cleared, edge(EdgeKind::Cleared, cleared)));
        cleared_at = Some(ends[cleared]);
        from = cleared + 1;
    }
    (edges, None)
}
