//! Paths of curves and score tracks, in the coordinates of a stretched SVG: x to the right, y downwards.

use std::fmt::Write as _;

/// Runs of equal scores up to which every one is drawn; above, the range per bin is.
const MAX_RUNS: usize = 700;
/// Bins of a track with more runs.
const BINS: usize = 500;

/// A path through `points`.
pub(super) fn polyline(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.into_iter().enumerate() {
        let _ = write!(path, "{}{} {}", if index == 0 { "M" } else { "L" }, short(x), short(y));
    }
    path
}

/// `path` closed down to the line `y = base`, for filling.
pub(super) fn area(path: &str, x_first: f64, x_last: f64, base: f64) -> String {
    format!("{path}L{} {b}L{} {b}Z", short(x_last), short(x_first), b = short(base))
}

/// The step line of `scores` (0 to 1, one per frame) in a box of `width` x `height`. Long tracks are drawn as the range
/// of each bin, so that no peak is lost.
pub(super) fn score_path(scores: &[f32], width: f64, height: f64) -> String {
    let at = |frame: usize| width * frame as f64 / scores.len().max(1) as f64;
    let y = |score: f32| height * (1.0 - f64::from(score.clamp(0.0, 1.0)));
    let runs = scores.chunk_by(|a, b| a == b);
    if runs.clone().count() > MAX_RUNS {
        return binned_path(scores, &at, &y);
    }
    let mut first = 0;
    polyline(runs.flat_map(|run| {
        let begin = first;
        first += run.len();
        let height = y(run.first().copied().unwrap_or(0.0));
        [(at(begin), height), (at(first), height)]
    }))
}

fn binned_path(scores: &[f32], at: &impl Fn(usize) -> f64, y: &impl Fn(f32) -> f64) -> String {
    let per_bin = scores.len().div_ceil(BINS);
    polyline(scores.chunks(per_bin).enumerate().flat_map(|(bin, chunk)| {
        let x = at(bin * per_bin + chunk.len() / 2);
        let high = chunk.iter().copied().fold(0.0, f32::max);
        let low = chunk.iter().copied().fold(1.0, f32::min);
        [(x, y(high)), (x, y(low))]
    }))
}

/// At most two decimals, without trailing zeros.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A round step that divides `length` into at most `most` parts.
pub(super) fn tick_step(length: f64, most: usize) -> f64 {
    let least = length / most.max(1) as f64;
    if least <= 0.0 || !least.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let step =
        [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|&step| step >= least * (1.0 - 1e-9));
    step.unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_drawn_at_their_frames() {
        assert_eq!(score_path(&[0.0, 0.0, 1.0, 0.5], 100.0, 10.0), "M0 10L50 10L50 0L75 0L75 5L100 5");
    }

    #[test]
    fn long_tracks_are_thinned_but_keep_their_peaks() {
        let mut scores: Vec<f32> = (0..100_000).map(|i| (i % 7) as f32 / 100.0).collect();
        scores[54_321] = 0.97;
        let path = score_path(&scores, 1000.0, 100.0);
        assert!(path.len() < 20_000, "{}", path.len());
        assert!(path.contains(" 3L"), "the peak of 0.97 is at height 3");
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (length, most, step) in
            [(18.0, 6, 5.0), (12.0, 6, 2.0), (6.0, 6, 1.0), (3.0, 6, 0.5), (1_000.0, 6, 200.0)]
        {
            assert!((tick_step(length, most) - step).abs() < 1e-9, "{length}: {}", tick_step(length, most));
        }
        assert_eq!(tick_step(0.0, 6), 1.0);
    }
}
