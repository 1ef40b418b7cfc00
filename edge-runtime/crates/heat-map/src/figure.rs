//! One picture with where the model looked in it, as an operator is given it.

use image::imageops::replace;
use image::{Rgb, RgbImage};

use crate::heat::{HeatMap, Scale};
use crate::lettering::{self, fitted};
use crate::scale_bar::{BAR_PX, draw_scale};

const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: Rgb<u8> = Rgb([30; 3]);

/// Space around the picture.
const MARGIN_PX: u32 = 8;

/// From this width on captions are of double size.
const LARGE_PX: u32 = 300;

/// Least extent of the scale: a map that is nearly the same everywhere says nothing, and stays nearly without colour.
const LEAST_EXTENT: f32 = 0.1;

/// A picture, a map of it, and what is to be said of both.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Lines above the picture.
    pub captions: Vec<String>,
    /// The picture, of any size.
    pub picture: RgbImage,
    /// Where the model looked in it.
    pub map: HeatMap,
    /// Width and height of the encoder's picture, into which the whole of this one was squeezed.
    pub input_px: [u16; 2],
}

impl Figure {
    /// Draws it: captions, the picture as it is beside the picture with the map over it, and the scale of the map.
    pub fn draw(&self) -> RgbImage {
        let (width, height) = self.picture.dimensions();
        let dots = if width >= LARGE_PX { 2 } else { 1 };
        let line = (lettering::HEIGHT + 4) * dots;
        let captions = line * self.captions.len() as u32;
        let whole = [3 * MARGIN_PX + 2 * width, 3 * MARGIN_PX + captions + height + BAR_PX + line];
        let mut figure = RgbImage::from_pixel(whole[0], whole[1], PAPER);
        let mut y = MARGIN_PX;
        for caption in &self.captions {
            let caption = fitted(caption, whole[0] - 2 * MARGIN_PX, dots);
            lettering::write(&mut figure, [MARGIN_PX, y], &caption, INK, dots);
            y += line;
        }
        let scale = Scale::of([&self.map].into_iter(), None).at_least(LEAST_EXTENT);
        let mut overlaid = self.picture.clone();
        self.map.overlay(&mut overlaid, self.input_px, scale);
        let right = 2 * MARGIN_PX + width;
        replace(&mut figure, &self.picture, MARGIN_PX.into(), y.into());
        replace(&mut figure, &overlaid, right.into(), y.into());
        draw_scale(&mut figure, [right, y + height + MARGIN_PX], width, scale, INK, dots);
        figure
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test")]
mod tests {
    use super::*;
    use crate::write_png;
    use vad_core::{Grid, Line};

    const GREY: Rgb<u8> = Rgb([120; 3]);

    fn figure(values: Vec<f32>) -> Figure {
        let line = Line { first_px: 8.0, step_px: 16.0 };
        Figure {
            captions: vec!["gate".to_owned(), "12.3 s".to_owned()],
            picture: RgbImage::from_pixel(64, 48, GREY),
            map: HeatMap::new(2, values, Grid { rows: line, columns: line }),
            input_px: [32, 32],
        }
    }

    /// A pixel of the picture, or of the one with the map over it.
    fn at(drawn: &RgbImage, side: u32, x: u32, y: u32) -> Rgb<u8> {
        let top = MARGIN_PX + 2 * (lettering::HEIGHT + 4);
        *drawn.get_pixel(MARGIN_PX + side * (64 + MARGIN_PX) + x, top + y)
    }

    #[test]
    fn the_map_lies_over_one_of_two_pictures() {
        let drawn = figure(vec![0.2, 0.2, 0.2, 0.8]).draw();
        assert_eq!((at(&drawn, 0, 60, 44), at(&drawn, 1, 4, 4)), (GREY, GREY));
        let hot = at(&drawn, 1, 60, 44);
        assert!(hot.0[0] > 180 && hot.0[2] < 100, "{hot:?}");
        let ink = drawn.enumerate_pixels().filter(|(_, y, pixel)| *y < 30 && **pixel == INK);
        assert!(ink.count() > 20, "captions");
    }

    #[test]
    fn a_map_that_is_nearly_flat_stays_nearly_without_colour() {
        let drawn = figure(vec![0.5, 0.5, 0.5, 0.51]).draw();
        let (cold, hot) = (at(&drawn, 1, 4, 4), at(&drawn, 1, 60, 44));
        assert_eq!(cold, GREY);
        let apart = hot.0.iter().map(|value| value.abs_diff(120)).max().unwrap();
        assert!(apart < 20, "{hot:?}");
    }

    #[test]
    fn a_figure_survives_as_a_file() {
        let drawn = figure(vec![0.0, 0.3, 0.6, 0.9]).draw();
        let mut bytes = Vec::new();
        write_png(&mut bytes, &drawn).unwrap();
        assert_eq!(image::load_from_memory(&bytes).unwrap().to_rgb8(), drawn);
    }
}
