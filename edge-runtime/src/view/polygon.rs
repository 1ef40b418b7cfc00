//! Polygons in fractions of a picture, and the pixels inside.

use std::ops::Range;

use super::SizePx;

/// Fewest corners.
pub const MIN_POINTS: usize = 3;
/// Most corners.
pub const MAX_POINTS: usize = 64;

/// A polygon without a pixel in a picture of this size encloses nothing.
const FINE_PX: SizePx = (1024, 1024);

/// A closed polygon, `[x, y]` of each corner in fractions of width and height from the top left, so that another size
/// of picture changes nothing.
///
/// A point is inside if a line from it to the right crosses the outline an odd number of times (even-odd rule). That also says
/// what an outline encloses that crosses itself: the middle of a five-pointed star drawn in one go is outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    points: Vec<[f64; 2]>,
}

/// Why points are no polygon.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PolygonError {
    /// Too few or too many corners.
    #[error("{given} points; give {MIN_POINTS} to {MAX_POINTS}")]
    Count {
        /// Corners given.
        given: usize,
    },
    /// A corner outside the picture.
    #[error("[{x}, {y}] is outside the picture; give fractions of its width and height, 0 to 1")]
    Outside {
        /// Which one, from 0.
        index: usize,
        /// Its place.
        x: f64,
        /// Its place.
        y: f64,
    },
    /// All corners on one line, or nearly.
    #[error("these points enclose nothing: they lie on one line, or nearly; move one of them away from it")]
    Empty,
}

impl Polygon {
    /// A polygon with these corners, the last of them joined to the first.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn new(points: Vec<[f64; 2]>) -> Result<Self, Vec<PolygonError>> {
        let mut wrong = Vec::new();
        if !(MIN_POINTS..=MAX_POINTS).contains(&points.len()) {
            wrong.push(PolygonError::Count { given: points.len() });
        }
        let is_inside = |[x, y]: &[f64; 2]| (0.0..=1.0).contains(x) && (0.0..=1.0).contains(y);
        let outside = points.iter().enumerate().filter(|(_, point)| !is_inside(point));
        wrong.extend(outside.map(|(index, &[x, y])| PolygonError::Outside { index, x, y }));
        let polygon = Self { points };
        if wrong.is_empty() && !polygon.has_pixels(FINE_PX) {
            wrong.push(PolygonError::Empty);
        }
        if wrong.is_empty() { Ok(polygon) } else { Err(wrong) }
    }

    /// Its corners, 0 to 1 from the left and from the top.
    #[must_use]
    pub fn points(&self) -> &[[f64; 2]] {
        &self.points
    }

    /// Whether the centre of any pixel of a picture lies inside.
    #[must_use]
    pub fn has_pixels(&self, size_px: SizePx) -> bool {
        (0..size_px.1).any(|row| self.spans(row, size_px).any(|columns| !columns.is_empty()))
    }

    /// Columns of one row whose pixels' centres lie inside.
    pub(super) fn spans(&self, row: u32, size_px: SizePx) -> impl Iterator<Item = Range<usize>> {
        let width = f64::from(size_px.0);
        // The first pixel whose centre does not lie left of `x`; within the picture, so the cast is exact.
        let column = move |x: f64| (x - 0.5).ceil().clamp(0.0, width) as usize;
        let crossings = self.crossings(row, size_px);
        (0..crossings.len() / 2).map(move |pair| column(crossings[2 * pair])..column(crossings[2 * pair + 1]))
    }

    /// Where the outline crosses the centres of a row of pixels, in ascending order; always an even number.
    fn crossings(&self, row: u32, (width_px, height_px): SizePx) -> Vec<f64> {
        let centre_y = f64::from(row) + 0.5;
        let in_pixels = |[x, y]: [f64; 2]| (x * f64::from(width_px), y * f64::from(height_px));
        let next = self.points.iter().cycle().skip(1);
        let edges = self.points.iter().zip(next).map(|(&a, &b)| (in_pixels(a), in_pixels(b)));
        // A corner on the line belongs to one of its two edges.
        let crossed = edges.filter(|((_, y0), (_, y1))| (*y0 > centre_y) != (*y1 > centre_y));
        // From top to bottom: an edge that two areas share is rounded alike in both.
        let down = crossed.map(|(a, b)| if a.1 < b.1 { (a, b) } else { (b, a) });
        let mut at: Vec<f64> =
            down.map(|((x0, y0), (x1, y1))| x0 + (centre_y - y0) / (y1 - y0) * (x1 - x0)).collect();
        at.sort_unstable_by(f64::total_cmp);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(points: &[[f64; 2]]) -> Vec<PolygonError> {
        Polygon::new(points.to_vec()).unwrap_err()
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let wrong = errors(&[[0.0, 1.5], [f64::NAN, 0.0]]);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert_eq!(wrong[0], PolygonError::Count { given: 2 });
        assert!(matches!(wrong[2], PolygonError::Outside { index: 1, .. }));
        assert_eq!(errors(&[[0.5; 2]; 65]), [PolygonError::Count { given: 65 }]);
    }

    #[test]
    fn points_on_one_line_and_outlines_that_run_back_on_themselves_enclose_nothing() {
        assert_eq!(errors(&[[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]), [PolygonError::Empty]);
        assert_eq!(errors(&[[0.2, 0.2]; 3]), [PolygonError::Empty]);
        assert_eq!(errors(&[[0.0, 0.0], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]]), [PolygonError::Empty]);
    }

    #[test]
    fn an_outline_that_crosses_itself_encloses_its_wings() {
        // A bow tie: the shoelace formula would call it empty.
        let tie = Polygon::new(vec![[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]).unwrap();
        let row = |row| tie.spans(row, (8, 8)).collect::<Vec<_>>();
        // A centre on the outline is inside at the left end of a span, outside at its right end.
        assert_eq!(row(0), [0..0, 7..8]);
        assert_eq!(row(3), [0..3, 4..8]);
    }
}
