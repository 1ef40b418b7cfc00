//! The colours of a scale side by side, with what its ends stand for.

use image::{Rgb, RgbImage};

use crate::heat::{Scale, colour};
use crate::lettering::{width_px, write};

/// Height of the colours.
pub const BAR_PX: u32 = 10;

/// From the colours to the numbers below them.
const GAP_PX: u32 = 3;

/// Draws a scale `width` pixels wide whose upper left corner is at `(x_px, y_px)`, its ends written below in dots of `dots`
/// pixels.
pub fn draw_scale(
    picture: &mut RgbImage,
    [x_px, y_px]: [u32; 2],
    width: u32,
    scale: Scale,
    ink: Rgb<u8>,
    dots: u32,
) {
    for (step, row) in (0..width).flat_map(|step| (0..BAR_PX).map(move |row| (step, row))) {
        let share = step as f32 / width.max(2).saturating_sub(1) as f32;
        if let Some(pixel) = picture.get_pixel_mut_checked(x_px + step, y_px + row) {
            *pixel = colour(share);
        }
    }
    let [low, high] = scale.labels();
    let right = (x_px + width).saturating_sub(width_px(&high, dots));
    write(picture, [x_px, y_px + BAR_PX + GAP_PX], &low, ink, dots);
    write(picture, [right, y_px + BAR_PX + GAP_PX], &high, ink, dots);
}
