//! Luma and colours at half the resolution to packed RGB8, by ITU-R BT.601 with 8 fractional bits.

/// A decoded picture's planes. Rows lie `stride` and `colour_stride` bytes apart.
#[derive(Clone, Copy)]
pub(crate) struct Planes<'a> {
    pub(crate) luma: &'a [u8],
    pub(crate) u: &'a [u8],
    pub(crate) v: &'a [u8],
    pub(crate) stride: usize,
    pub(crate) colour_stride: usize,
    pub(crate) size_px: (usize, usize),
    /// Luma from 0 to 255 instead of 16 to 235.
    pub(crate) is_full_range: bool,
}

/// Factors in 1/256.
struct Factors {
    black: i32,
    luma: i32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
}

const LIMITED: Factors =
    Factors { black: 16, luma: 298, red_v: 409, green_u: 100, green_v: 208, blue_u: 516 };
const FULL: Factors = Factors { black: 0, luma: 256, red_v: 359, green_u: 88, green_v: 183, blue_u: 454 };

impl Planes<'_> {
    /// Whether the planes hold what the size says.
    pub(crate) fn are_whole(&self) -> bool {
        let (width, height) = self.size_px;
        let (colour_width, colour_height) = (width.div_ceil(2), height.div_ceil(2));
        let holds = |plane: &[u8], stride: usize, width: usize, height: usize| {
            stride >= width && plane.len() >= stride * (height - 1) + width
        };
        width > 0
            && height > 0
            && holds(self.luma, self.stride, width, height)
            && holds(self.u, self.colour_stride, colour_width, colour_height)
            && holds(self.v, self.colour_stride, colour_width, colour_height)
    }

    /// Replaces what is in `rgb`. The planes must be whole.
    pub(crate) fn write_rgb(&self, rgb: &mut Vec<u8>) {
        let (width, height) = self.size_px;
        let factors = if self.is_full_range { &FULL } else { &LIMITED };
        rgb.clear();
        rgb.resize(width * height * 3, 0);
        for (row, rgb) in rgb.chunks_exact_mut(width * 3).enumerate() {
            let luma = &self.luma[row * self.stride..][..width];
            let at = row / 2 * self.colour_stride;
            let (u, v) = (&self.u[at..][..width.div_ceil(2)], &self.v[at..][..width.div_ceil(2)]);
            let pairs = rgb.chunks_mut(6).zip(luma.chunks(2)).zip(u.iter().zip(v));
            for ((rgb, luma), (&u, &v)) in pairs {
                write_pair(rgb, luma, (i32::from(u) - 128, i32::from(v) - 128), factors);
            }
        }
    }
}

/// One or two pixels of one colour.
fn write_pair(rgb: &mut [u8], luma: &[u8], (u, v): (i32, i32), factors: &Factors) {
    // In 0..=255 after the clamp.
    let clamp = |value: i32| ((value + 128) >> 8).clamp(0, 255) as u8;
    let red = factors.red_v * v;
    let green = factors.green_u * u + factors.green_v * v;
    let blue = factors.blue_u * u;
    for (pixel, &luma) in rgb.chunks_exact_mut(3).zip(luma) {
        let luma = factors.luma * (i32::from(luma) - factors.black);
        pixel[0] = clamp(luma + red);
        pixel[1] = clamp(luma - green);
        pixel[2] = clamp(luma + blue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb(luma: &[u8], uv: (u8, u8), size_px: (usize, usize), is_full_range: bool) -> Vec<u8> {
        let (u, v) = ([uv.0; 8], [uv.1; 8]);
        let (stride, colour_stride) = (size_px.0, size_px.0.div_ceil(2));
        let planes = Planes { luma, u: &u, v: &v, stride, colour_stride, size_px, is_full_range };
        assert!(planes.are_whole());
        let mut rgb = vec![9; 2];
        planes.write_rgb(&mut rgb);
        rgb
    }

    #[test]
    fn black_white_and_the_primaries_come_out_right_in_both_ranges() {
        assert_eq!(rgb(&[16, 235], (128, 128), (2, 1), false), [0, 0, 0, 255, 255, 255]);
        assert_eq!(rgb(&[81], (90, 240), (1, 1), false), [255, 0, 0]);
        assert_eq!(rgb(&[0, 255], (128, 128), (2, 1), true), [0, 0, 0, 255, 255, 255]);
        assert_eq!(rgb(&[76], (85, 255), (1, 1), true), [254, 0, 0]);
        assert_eq!(rgb(&[16; 9], (128, 128), (3, 3), true), [16; 27]);
    }

    #[test]
    fn short_planes_are_no_picture() {
        let luma = [0; 12];
        let planes = |size_px, stride| Planes {
            luma: &luma,
            u: &luma[..4],
            v: &luma[..4],
            stride,
            colour_stride: 2,
            size_px,
            is_full_range: false,
        };
        assert!(planes((4, 3), 4).are_whole());
        for (size_px, stride) in [((4, 4), 4), ((4, 3), 3), ((0, 3), 4), ((4, 0), 4), ((6, 2), 6)] {
            assert!(!planes(size_px, stride).are_whole(), "{size_px:?}");
        }
    }
}
