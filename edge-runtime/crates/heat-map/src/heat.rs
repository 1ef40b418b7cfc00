//! A map with its place in the picture, and its colours.

use image::{Rgb, RgbImage};
use vad_core::{Grid, Line};

/// How much of the colour lies over the frame where the map is highest; none where it is lowest.
const STRONGEST: f32 = 0.75;

/// Colours from the lowest to the highest value, at equal distances.
const COLOURS: [[f32; 3]; 6] = [
    [20.0, 20.0, 110.0],
    [30.0, 90.0, 220.0],
    [30.0, 180.0, 190.0],
    [120.0, 205.0, 70.0],
    [245.0, 200.0, 40.0],
    [225.0, 40.0, 30.0],
];

/// Values below it are written with a power of ten.
const SMALL: f32 = 1e-3;

/// Values at the places of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
    grid: Grid,
}

/// The values that the ends of the colour scale stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Of the lowest colour.
    pub low: f32,
    /// Of the highest colour.
    pub high: f32,
}

impl HeatMap {
    /// Takes the values of a map, row by row, of `columns` places each, and where its places lie in the encoder's picture.
    /// Values of a row that is not whole are left out.
    pub fn new(columns: usize, mut values: Vec<f32>, grid: Grid) -> Self {
        let rows = values.len() / columns.max(1);
        values.truncate(rows * columns);
        Self { rows, columns, values, grid }
    }

    /// Every place: its middle in the encoder's picture, in pixels from the left and from the top, and its value.
    pub fn places(&self) -> impl Iterator<Item = ([f64; 2], f32)> + '_ {
        let middle = |at: usize| {
            let (row, column) = (at / self.columns, at % self.columns);
            [self.grid.columns.middle_px(column), self.grid.rows.middle_px(row)]
        };
        self.values.iter().enumerate().map(move |(at, &value)| (middle(at), value))
    }

    /// The value at a point of the encoder's picture, in pixels from its upper left corner: between places as the four nearest
    /// have it, beyond the outermost as these.
    pub fn at(&self, x_px: f64, y_px: f64) -> f32 {
        let (left, right, across) = neighbours(self.grid.columns, x_px, self.columns);
        let (upper, lower, down) = neighbours(self.grid.rows, y_px, self.rows);
        let value =
            |row: usize, column: usize| self.values.get(row * self.columns + column).copied().unwrap_or(0.0);
        let row = |row: usize| value(row, left) * (1.0 - across) + value(row, right) * across;
        row(upper) * (1.0 - down) + row(lower) * down
    }

    /// Lays the map over a picture of the same scene, whatever its size: the encoder was given the whole of it, squeezed
    /// into `width_px` by `height_px`.
    pub fn overlay(&self, picture: &mut RgbImage, [width_px, height_px]: [u16; 2], scale: Scale) {
        let (own_width, own_height) = picture.dimensions();
        let ratio =
            [f64::from(width_px) / f64::from(own_width), f64::from(height_px) / f64::from(own_height)];
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let value = self.at((f64::from(x) + 0.5) * ratio[0], (f64::from(y) + 0.5) * ratio[1]);
            let share = scale.share(value);
            *pixel = blend(*pixel, colour(share), STRONGEST * share);
        }
    }
}

impl Scale {
    /// From the lowest to the highest value of all maps; `floor` where it is lower than that.
    pub fn of<'a>(maps: impl Iterator<Item = &'a HeatMap> + Clone, floor: Option<f32>) -> Self {
        let values = || maps.clone().flat_map(|map| &map.values).copied();
        let low = floor.unwrap_or_else(|| values().fold(f32::INFINITY, f32::min));
        Self { low, high: values().fold(low, f32::max) }
    }

    /// The ends in writing, with two significant digits of what lies between them; below a thousandth as `3.2e-5`.
    pub fn labels(self) -> [String; 2] {
        let largest = self.low.abs().max(self.high.abs());
        if largest > 0.0 && largest < SMALL {
            return [self.low, self.high].map(|value| format!("{value:.1e}"));
        }
        let magnitude = f64::from(self.high - self.low).log10().floor();
        // Without extent it is infinite; from a million to one on, further digits tell nothing.
        let decimals = (1.0 - magnitude).clamp(2.0, 6.0) as usize;
        [self.low, self.high].map(|value| format!("{value:.decimals$}"))
    }

    /// The same with its upper end moved so far up that it has at least this extent.
    #[must_use]
    pub fn at_least(self, extent: f32) -> Self {
        Self { high: self.high.max(self.low + extent), ..self }
    }

    /// Where a value lies on the scale, within 0..=1. On a scale without extent everything is lowest.
    pub fn share(self, value: f32) -> f32 {
        let extent = self.high - self.low;
        if extent > 0.0 { ((value - self.low) / extent).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// The places before and after a point along one side, and the share of the second one.
fn neighbours(line: Line, px: f64, places: usize) -> (usize, usize, f32) {
    let last = places.saturating_sub(1);
    let place = line.place_at(px).clamp(0.0, last as f64);
    let first = place.floor() as usize;
    (first, (first + 1).min(last), (place - first as f64) as f32)
}

/// The colour at a share of the scale, within 0..=1.
pub fn colour(share: f32) -> Rgb<u8> {
    let place = share.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f32;
    let first = (place as usize).min(COLOURS.len() - 2);
    let part = place - first as f32;
    let (low, high) = (COLOURS[first], COLOURS[first + 1]);
    Rgb([0, 1, 2].map(|c| (low[c] * (1.0 - part) + high[c] * part).round() as u8))
}

fn blend(under: Rgb<u8>, over: Rgb<u8>, share: f32) -> Rgb<u8> {
    Rgb([0, 1, 2]
        .map(|c| (f32::from(under.0[c]) * (1.0 - share) + f32::from(over.0[c]) * share).round() as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat(rows: usize, columns: usize, hot: usize, grid: Grid) -> HeatMap {
        let mut values = vec![0.0; rows * columns];
        values[hot] = 1.0;
        HeatMap { rows, columns, values, grid }
    }

    #[test]
    fn a_hot_place_is_drawn_where_it_lies_in_the_frame() {
        // Places every 16 pixels, the first at 15.5, as the last map of the small encoder has them.
        let line = Line { first_px: 15.5, step_px: 16.0 };
        let grid = Grid { rows: line, columns: line };
        // The place of row 2, column 5: x 95.5 and y 47.5 of 112, in a frame of 360 by 240.
        let map = heat(7, 7, 2 * 7 + 5, grid);
        let mut picture = RgbImage::new(360, 240);
        map.overlay(&mut picture, [112, 112], Scale { low: 0.0, high: 1.0 });
        let brightest = picture
            .enumerate_pixels()
            .max_by_key(|(.., pixel)| u32::from(pixel.0[0]))
            .map(|(x, y, _)| (x, y));
        let (x, y) = brightest.unwrap();
        let expected = [95.5 * 360.0 / 112.0, 47.5 * 240.0 / 112.0];
        assert!((f64::from(x) + 0.5 - expected[0]).abs() <= 360.0 / 112.0, "{x} {expected:?}");
        assert!((f64::from(y) + 0.5 - expected[1]).abs() <= 240.0 / 112.0, "{y} {expected:?}");
        assert_eq!(*picture.get_pixel(0, 0), Rgb([0; 3]));
    }

    #[test]
    fn values_between_places_lie_between_and_beyond_the_edge_stay() {
        let line = Line { first_px: 4.0, step_px: 8.0 };
        let map = heat(2, 2, 3, Grid { rows: line, columns: line });
        assert_eq!([map.at(12.0, 12.0), map.at(8.0, 12.0), map.at(8.0, 8.0)], [1.0, 0.5, 0.25]);
        assert_eq!([map.at(100.0, 100.0), map.at(-5.0, 12.0)], [1.0, 0.0]);
    }

    #[test]
    fn places_know_where_they_lie() {
        let line = |first_px| Line { first_px, step_px: 8.0 };
        let grid = Grid { rows: line(4.0), columns: line(1.0) };
        let map = HeatMap::new(3, vec![0.0, 0.5, 1.0, 0.1, 0.2, 0.3, 9.0], grid);
        let places: Vec<_> = map.places().collect();
        assert_eq!((places.len(), places[2], places[3]), (6, ([17.0, 4.0], 1.0), ([1.0, 12.0], 0.1)));
        assert_eq!(HeatMap::new(0, vec![1.0], grid).places().count(), 0);
    }

    #[test]
    fn a_scale_without_extent_shows_the_frame_as_it_is() {
        let line = Line { first_px: 4.0, step_px: 8.0 };
        let flat = HeatMap { values: vec![0.5; 4], ..heat(2, 2, 0, Grid { rows: line, columns: line }) };
        let mut picture = RgbImage::from_pixel(8, 8, Rgb([9, 8, 7]));
        flat.overlay(&mut picture, [16, 16], Scale::of([&flat].into_iter(), None));
        assert!(picture.pixels().all(|pixel| pixel.0 == [9, 8, 7]));
    }

    #[test]
    fn the_ends_of_a_scale_are_told_apart() {
        let labels = |low, high| Scale { low, high }.labels();
        assert_eq!(labels(0.0, 1.0), ["0.00", "1.00"]);
        assert_eq!(labels(0.0012, 0.0094), ["0.0012", "0.0094"]);
        assert_eq!(labels(0.0, 3.2e-5), ["0.0e0", "3.2e-5"]);
        assert_eq!(labels(4.1e-8, 3.2e-7), ["4.1e-8", "3.2e-7"]);
        assert_eq!(labels(0.5, 0.5), ["0.500000", "0.500000"]);
        let flat = Scale { low: 0.5, high: 0.51 };
        assert_eq!([flat.at_least(0.1).high, flat.at_least(0.001).high], [0.6, 0.51]);
    }
}
