//! One picture with where the model looked in it, as an operator is given it.

use image::imageops::replace;
use image::{Rgb, RgbImage};

use crate::curve::Curve;
use crate::heat::{HeatMap, Scale};
use crate::lettering::{self, fitted};
use crate::scale_bar::{BAR_PX, draw_scale};

const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: Rgb<u8> = Rgb([30; 3]);

/// Space around the picture.
const MARGIN_PX: u32 = 8;

/// From this width of the whole on captions are of double size.
const LARGE_PX: u32 = 600;

/// Least extent of the scale: a map that is nearly the same everywhere says nothing, and stays nearly without colour.
const LEAST_EXTENT: f32 = 0.1;

/// A picture and what is to be said of it.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Lines above the picture.
    pub captions: Vec<String>,
    /// The picture, of any size.
    pub picture: RgbImage,
    /// Where the model looked in it, if that is known.
    pub look: Option<Look>,
    /// The score over time, if it is to be shown.
    pub curve: Option<Curve>,
}

/// Where the model looked in a picture.
#[derive(Clone, Debug)]
pub struct Look {
    /// How much each place weighed.
    pub map: HeatMap,
    /// Width and height of the encoder's picture, into which the whole of the figure's was squeezed.
    pub input_px: [u16; 2],
}

impl Look {
    /// A picture with the map over it, in the colours of its own scale.
    pub fn over(&self, picture: &RgbImage) -> RgbImage {
        let mut overlaid = picture.clone();
        self.map.overlay(&mut overlaid, self.input_px, self.scale());
        overlaid
    }

    fn scale(&self) -> Scale {
        Scale::of([&self.map].into_iter(), None).at_least(LEAST_EXTENT)
    }
}

impl Figure {
    /// Draws it: captions, the picture as it is, beside it the picture with the map over it and the scale of the map, and the
    /// score over time below.
    pub fn draw(&self) -> RgbImage {
        let (width, height) = self.picture.dimensions();
        let pictures = 1 + u32::from(self.look.is_some());
        let whole = MARGIN_PX + pictures * (width + MARGIN_PX);
        let dots = if whole >= LARGE_PX { 2 } else { 1 };
        let line = (lettering::HEIGHT + 4) * dots;
        let top = MARGIN_PX + line * self.captions.len() as u32;
        let below = top + height + MARGIN_PX;
        let scale_end = if self.look.is_some() { below + BAR_PX + line + MARGIN_PX } else { below };
        let curve_px = if self.curve.is_some() { Curve::height_px(dots) + MARGIN_PX } else { 0 };
        let mut figure = RgbImage::from_pixel(whole, scale_end + curve_px, PAPER);
        for (row, caption) in (0..).zip(&self.captions) {
            let caption = fitted(caption, whole - 2 * MARGIN_PX, dots);
            lettering::write(&mut figure, [MARGIN_PX, MARGIN_PX + row * line], &caption, INK, dots);
        }
        replace(&mut figure, &self.picture, MARGIN_PX.into(), top.into());
        if let Some(look) = &self.look {
            let scale = look.scale();
            let right = 2 * MARGIN_PX + width;
            replace(&mut figure, &look.over(&self.picture), right.into(), top.into());
            draw_scale(&mut figure, [right, below], width, scale, INK, dots);
        }
        if let Some(curve) = &self.curve {
            curve.draw(&mut figure, [MARGIN_PX, scale_end], whole - 2 * MARGIN_PX, INK, dots);
        }
        figure
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test")]
mod tests {
    use super::*;
    use crate::{write_jpeg, write_png};
    use vad_core::{Grid, Line};

    const GREY: Rgb<u8> = Rgb([120; 3]);

    fn figure(values: Vec<f32>) -> Figure {
        let line = Line { first_px: 8.0, step_px: 16.0 };
        Figure {
            captions: vec!["gate".to_owned(), "12.3 s".to_owned()],
            picture: RgbImage::from_pixel(64, 48, GREY),
            look: Some(Look {
                map: HeatMap::new(2, values, Grid { rows: line, columns: line }),
                input_px: [32, 32],
            }),
            curve: None,
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
        let mut small = Vec::new();
        write_jpeg(&mut small, &drawn).unwrap();
        let read = image::load_from_memory(&small).unwrap().to_rgb8();
        let off: u32 = read.iter().zip(drawn.iter()).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        assert!(f64::from(off) / (drawn.len() as f64) < 10.0);
    }

    #[test]
    fn without_a_map_there_is_one_picture_and_a_curve_lies_below_all() {
        let with_map = figure(vec![0.0, 0.3, 0.6, 0.9]);
        let curve = Some(Curve { points: vec![(-1.0, 0.1), (1.0, 0.9)], threshold: 0.5 });
        let plain = Figure { look: None, ..with_map.clone() };
        let curved = Figure { curve: curve.clone(), ..plain.clone() };
        let whole = Figure { curve, ..with_map.clone() };
        let [with_map, plain, curved, whole] = [with_map, plain, curved, whole].map(|figure| figure.draw());
        assert_eq!(plain.width() + 64 + MARGIN_PX, with_map.width());
        assert_eq!(curved.height() - plain.height(), Curve::height_px(1) + MARGIN_PX);
        assert_eq!(whole.height() - with_map.height(), Curve::height_px(1) + MARGIN_PX);
        let is_drawn = |figure: &RgbImage| figure.rows().rev().take(20).flatten().any(|p| *p != PAPER);
        assert!(is_drawn(&curved) && is_drawn(&whole));
    }
}
