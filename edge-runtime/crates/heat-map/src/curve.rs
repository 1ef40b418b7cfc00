//! A score over time, beside the threshold that it is held against.

use image::{Rgb, RgbImage};

use crate::lettering::{self, width_px, write};

/// Height of the curve in dots.
const HEIGHT_DOTS: u32 = 40;
/// From the curve to the times below it, and from its numbers to it.
const GAP_DOTS: u32 = 3;
const LINE: Rgb<u8> = Rgb([31, 90, 180]);
const LIMIT: Rgb<u8> = Rgb([200, 60, 40]);
const FRAME: Rgb<u8> = Rgb([190; 3]);
/// Dots of a dash of the threshold's line, and of the gap behind it.
const DASH_DOTS: u32 = 3;

/// Scores of a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// When, in seconds from the alarm, ascending; and the score, 0 to 1.
    pub points: Vec<(f32, f32)>,
    /// Score from which on it is an alarm, 0 to 1.
    pub threshold: f32,
}

impl Curve {
    /// Height of what [`Curve::draw`] draws, pixels, in dots of `dots` pixels.
    pub(crate) fn height_px(dots: u32) -> u32 {
        (HEIGHT_DOTS + GAP_DOTS + lettering::HEIGHT) * dots
    }

    /// Draws it `width` pixels wide with its upper left corner at `(left, top)`: scores from 0 at the bottom to 1 at the top, the
    /// threshold as a dashed line, a line where the alarm was raised, and the first and last second below.
    pub(crate) fn draw(
        &self,
        picture: &mut RgbImage,
        [left, top]: [u32; 2],
        width: u32,
        ink: Rgb<u8>,
        dots: u32,
    ) {
        let (first, last) = match (self.points.first(), self.points.last()) {
            (Some(first), Some(last)) if last.0 > first.0 => (first.0, last.0),
            _ => return,
        };
        let numbers = width_px("0", dots) + GAP_DOTS * dots;
        let (x0, plot) = (left + numbers, width.saturating_sub(numbers).max(2));
        let height = HEIGHT_DOTS * dots;
        let row = |score: f32| top + ((1.0 - score.clamp(0.0, 1.0)) * (height - 1) as f32).round() as u32;
        let mut dot = |x: u32, y: u32, colour| {
            for (x, y) in (0..dots).flat_map(|dy| (0..dots).map(move |dx| (x + dx, y + dy))) {
                if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
                    *pixel = colour;
                }
            }
        };
        for x in (0..plot).step_by(dots as usize) {
            dot(x0 + x, top, FRAME);
            dot(x0 + x, top + height - dots, FRAME);
            if (x / dots / DASH_DOTS).is_multiple_of(2) {
                dot(x0 + x, row(self.threshold), LIMIT);
            }
        }
        let column = |at: f32| (at - first) / (last - first) * (plot - 1) as f32;
        if first < 0.0 && last > 0.0 {
            (0..height).step_by(dots as usize).for_each(|y| dot(x0 + column(0.0) as u32, top + y, FRAME));
        }
        let mut before: Option<u32> = None;
        for x in 0..plot {
            let y = row(self.at(first + x as f32 / (plot - 1) as f32 * (last - first)));
            let from = before.replace(y).unwrap_or(y);
            (from.min(y)..=from.max(y)).for_each(|y| dot(x0 + x, y, LINE));
        }
        write(picture, [left, top], "1", ink, dots);
        write(picture, [left, (top + height).saturating_sub(lettering::HEIGHT * dots)], "0", ink, dots);
        let below = top + height + GAP_DOTS * dots;
        let (begin, end) = (format!("{first:.1} s"), format!("{last:.1} s"));
        write(picture, [x0, below], &begin, ink, dots);
        let right = (x0 + plot).saturating_sub(width_px(&end, dots));
        write(picture, [right, below], &end, ink, dots);
    }

    /// The score at a time, on straight lines between the points.
    fn at(&self, at: f32) -> f32 {
        let next = self.points.partition_point(|&(point, _)| point < at);
        match (next.checked_sub(1).and_then(|before| self.points.get(before)), self.points.get(next)) {
            (Some(&(t0, s0)), Some(&(t1, s1))) if t1 > t0 => s0 + (s1 - s0) * (at - t0) / (t1 - t0),
            (_, Some(&(_, score))) | (Some(&(_, score)), None) => score,
            (None, None) => 0.0,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test")]
mod tests {
    use super::*;

    const PAPER: Rgb<u8> = Rgb([255; 3]);
    const INK: Rgb<u8> = Rgb([30; 3]);

    fn drawn(curve: &Curve) -> RgbImage {
        let mut picture = RgbImage::from_pixel(120, Curve::height_px(1) + 4, PAPER);
        curve.draw(&mut picture, [2, 2], 110, INK, 1);
        picture
    }

    /// Rows of a column that have the colour of the curve, from the top of the curve.
    fn rows(picture: &RgbImage, x: u32) -> Vec<u32> {
        (2..2 + HEIGHT_DOTS).filter(|&y| *picture.get_pixel(x, y) == LINE).map(|y| y - 2).collect()
    }

    #[test]
    fn a_rising_score_rises_from_left_to_right() {
        let curve = Curve { points: vec![(-2.0, 0.0), (2.0, 1.0)], threshold: 0.5 };
        let picture = drawn(&curve);
        let x0 = 2 + width_px("0", 1) + GAP_DOTS;
        assert_eq!(rows(&picture, x0), [HEIGHT_DOTS - 1], "0 at the bottom");
        assert_eq!(rows(&picture, 111), [0], "1 at the top");
        let tops: Vec<u32> = (x0..112).map(|x| rows(&picture, x)[0]).collect();
        assert!(tops.is_sorted_by(|a, b| a >= b), "{tops:?}");
        assert!(picture.pixels().filter(|pixel| **pixel == LIMIT).count() > 30, "the threshold");
    }

    #[test]
    fn without_two_times_there_is_nothing_to_draw() {
        for points in [vec![], vec![(0.0, 0.5)], vec![(1.0, 0.5), (1.0, 0.6)]] {
            let picture = drawn(&Curve { points, threshold: 0.5 });
            assert!(picture.pixels().all(|pixel| *pixel == PAPER));
        }
    }

    #[test]
    fn scores_outside_their_range_stay_inside_the_picture() {
        let curve = Curve { points: vec![(0.0, -3.0), (1.0, f32::NAN), (2.0, 9.0)], threshold: 2.0 };
        drawn(&curve);
    }
}
