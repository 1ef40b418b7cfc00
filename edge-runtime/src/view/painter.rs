//! Hides what may not be seen.

use std::ops::Range;

use vad_core::RgbFrame;

use super::{SizePx, View};

/// Every channel of a hidden pixel: mid grey, which encoders are given as about 0.
pub const HIDDEN_LEVEL: u8 = 128;

/// A picture without what may not be seen.
#[derive(Debug, Clone, Copy)]
pub struct MaskedFrame<'a>(RgbFrame<'a>);

impl<'a> MaskedFrame<'a> {
    /// The picture.
    #[must_use]
    pub fn rgb(self) -> RgbFrame<'a> {
        self.0
    }
}

/// Paints the pictures of one camera; the default hides nothing.
#[derive(Debug, Default)]
pub struct Painter {
    view: View,
    /// What the polygons come to in pictures of one size; cameras rarely change theirs.
    hidden: Option<(SizePx, Vec<Range<usize>>)>,
    picture: Vec<u8>,
}

impl Painter {
    /// A painter of what `view` hides.
    #[must_use]
    pub fn new(view: View) -> Self {
        Self { view, ..Self::default() }
    }

    /// The picture as it may be seen. It is copied only if something may be hidden.
    pub fn paint<'a>(&'a mut self, frame: RgbFrame<'a>) -> MaskedFrame<'a> {
        if self.view.is_open() {
            return MaskedFrame(frame);
        }
        let size_px = (frame.width_px(), frame.height_px());
        if self.hidden.as_ref().is_none_or(|(known, _)| *known != size_px) {
            self.hidden = Some((size_px, self.view.hidden(size_px)));
        }
        self.picture.clear();
        self.picture.extend_from_slice(frame.data());
        for bytes in self.hidden.iter().flat_map(|(_, hidden)| hidden) {
            self.picture[bytes.clone()].fill(HIDDEN_LEVEL);
        }
        match RgbFrame::new(size_px.0, size_px.1, &self.picture) {
            Ok(painted) => MaskedFrame(painted),
            Err(_) => unreachable!("a copy has the size of its original"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Area, Polygon};
    use proptest::prelude::*;

    const WHOLE: [[f64; 2]; 4] = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
    const LEFT: [[f64; 2]; 4] = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]];

    fn areas(shapes: &[Vec<[f64; 2]>]) -> Vec<Area> {
        let shape = |points: &Vec<[f64; 2]>| Polygon::new(points.clone()).ok();
        shapes.iter().filter_map(shape).map(|shape| Area { name: "area".to_owned(), shape }).collect()
    }

    fn view(masks: &[Vec<[f64; 2]>], zones: &[Vec<[f64; 2]>]) -> View {
        View { masks: areas(masks), zones: areas(zones) }
    }

    fn painted(view: &View, (width, height): SizePx, data: &[u8]) -> Vec<u8> {
        let frame = RgbFrame::new(width, height, data).unwrap();
        Painter::new(view.clone()).paint(frame).rgb().data().to_vec()
    }

    /// One pixel, as a textbook asks it.
    fn is_inside(points: &[[f64; 2]], column: u32, row: u32, (width, height): SizePx) -> bool {
        let (x, y) = (f64::from(column) + 0.5, f64::from(row) + 0.5);
        let at = |i: usize| {
            let [px, py] = points[i % points.len()];
            (px * f64::from(width), py * f64::from(height))
        };
        (0..points.len()).fold(false, |inside, i| {
            let (a, b) = (at(i), at(i + 1));
            let ((x0, y0), (x1, y1)) = if a.1 < b.1 { (a, b) } else { (b, a) };
            inside ^ ((y0 > y) != (y1 > y) && x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
        })
    }

    #[test]
    fn without_masks_and_zones_nothing_is_copied() {
        let data = [7; 12];
        let frame = RgbFrame::new(2, 2, &data).unwrap();
        let mut painter = Painter::default();
        assert_eq!(painter.paint(frame).rgb().data().as_ptr(), data.as_ptr());
    }

    #[test]
    fn a_mask_of_the_whole_picture_leaves_nothing_and_one_run() {
        let whole = view(&[WHOLE.to_vec()], &[]);
        for size in [(1, 1), (3, 7), (640, 480)] {
            let len = (size.0 * size.1 * 3) as usize;
            assert_eq!(whole.hidden(size), std::slice::from_ref(&(0..len)));
            assert_eq!(painted(&whole, size, &vec![9; len]), vec![HIDDEN_LEVEL; len]);
        }
        assert!((whole.hidden_share((640, 480)) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_mask_wins_over_a_zone() {
        let both = view(&[LEFT.to_vec()], &[LEFT.to_vec()]);
        assert_eq!(painted(&both, (2, 1), &[9; 6]), [HIDDEN_LEVEL; 6]);
        let zone = view(&[], &[LEFT.to_vec()]);
        assert_eq!(painted(&zone, (2, 1), &[9; 6]), [9, 9, 9, 128, 128, 128]);
    }

    #[test]
    fn a_new_size_of_picture_is_painted_anew() {
        let mut painter = Painter::new(view(&[LEFT.to_vec()], &[]));
        for width in [2_u32, 4, 2] {
            let data = vec![9; width as usize * 3];
            let masked = painter.paint(RgbFrame::new(width, 1, &data).unwrap());
            let half = width as usize / 2 * 3;
            assert_eq!(masked.rgb().data(), [vec![HIDDEN_LEVEL; half], vec![9; half]].concat());
        }
    }

    #[test]
    fn an_area_smaller_than_a_pixel_is_found_out() {
        let sliver = vec![[0.0, 0.0], [0.01, 0.0], [0.01, 1.0], [0.0, 1.0]];
        let view = view(&[sliver], &[]);
        assert_eq!(view.without_pixels((10, 10)), ["area"]);
        assert!(view.without_pixels((640, 480)).is_empty());
    }

    fn shapes() -> impl Strategy<Value = Vec<Vec<[f64; 2]>>> {
        // Corners on the borders, between pixels and on their centres are what goes wrong.
        let place = prop_oneof![0.0..=1.0, (0_u32..=48).prop_map(|n| f64::from(n) / 48.0)];
        let point = [place.clone(), place];
        prop::collection::vec(prop::collection::vec(point, 3..9), 0..3)
    }

    proptest! {
        #[test]
        fn runs_hide_what_a_test_of_every_pixel_hides(masks in shapes(), zones in shapes(), width in 1_u32..50, height in 1_u32..50) {
            let (view, size) = (view(&masks, &zones), (width, height));
            let counts = |shape: &Vec<[f64; 2]>| Polygon::new(shape.clone()).is_ok();
            let any = |shapes: &[Vec<[f64; 2]>], x, y| {
                shapes.iter().filter(|s| counts(s)).any(|s| is_inside(s, x, y, size))
            };
            let data: Vec<u8> = (0..width * height).flat_map(|n| [(n % 100) as u8; 3]).collect();
            let expected: Vec<u8> = (0..width * height).flat_map(|n| {
                let (x, y) = (n % width, n / width);
                let seen = (view.zones.is_empty() || any(&zones, x, y)) && !any(&masks, x, y);
                [if seen { (n % 100) as u8 } else { HIDDEN_LEVEL }; 3]
            }).collect();
            prop_assert_eq!(painted(&view, size, &data), expected);
        }

        #[test]
        fn what_lies_under_a_mask_changes_nothing(masks in shapes(), zones in shapes(), seed in any::<u8>()) {
            let (view, size) = (view(&masks, &zones), (31, 17));
            let hidden = view.hidden(size);
            let mut first = vec![50; 31 * 17 * 3];
            let mut second = first.clone();
            for byte in hidden.into_iter().flatten() {
                first[byte] = seed;
                second[byte] = seed.wrapping_mul(31).wrapping_add(byte as u8);
            }
            prop_assert_eq!(painted(&view, size, &first), painted(&view, size, &second));
        }
    }
}
