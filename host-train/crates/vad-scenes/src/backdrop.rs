//! The still background: pavement, planted strip and houses, drawn once by casting a few rays per pixel.

use crate::dice::{cell, cloud_noise, value_noise};
use crate::math::{Vec3, lerp, smooth_step, vec2};
use crate::palette::{blend, shade};
use crate::place::Place;
use crate::raster::{Canvas, Colour};

/// Pixels kept beyond each edge, so that a shaking camera never sees the end of the background.
pub(crate) const MARGIN_PX: usize = 4;
/// Rays per pixel in each direction.
const RAYS: usize = 3;

const ASPHALT: Colour = [112.0, 112.0, 110.0];
const KERB: Colour = [186.0, 184.0, 178.0];
const GRASS: Colour = [104.0, 122.0, 70.0];
const SKY: Colour = [214.0, 224.0, 232.0];
const STONE: Colour = [150.0, 144.0, 136.0];
const WALLS: [Colour; 5] = [
    [172.0, 118.0, 92.0],
    [206.0, 188.0, 154.0],
    [188.0, 180.0, 172.0],
    [178.0, 150.0, 122.0],
    [166.0, 172.0, 170.0],
];
const AWNINGS: [Colour; 4] =
    [[150.0, 58.0, 52.0], [58.0, 98.0, 84.0], [66.0, 84.0, 120.0], [176.0, 146.0, 84.0]];

/// The background with a margin, and which of its pixels are ground.
pub(crate) struct Backdrop {
    picture: Canvas,
    ground: Vec<bool>,
}

impl Backdrop {
    pub(crate) fn new(place: &Place, width: usize, height: usize) -> Self {
        let (wide, high) = (width + 2 * MARGIN_PX, height + 2 * MARGIN_PX);
        let mut picture = Canvas::new(wide, high);
        let mut ground = vec![false; wide * high];
        for (index, (pixel, is_ground)) in picture.pixels.iter_mut().zip(&mut ground).enumerate() {
            let x = (index % wide) as f32 - MARGIN_PX as f32;
            let y = (index / wide) as f32 - MARGIN_PX as f32;
            (*pixel, *is_ground) = look(place, x, y);
        }
        Self { picture, ground }
    }

    /// Copies the background, moved by less than the margin, onto a canvas.
    pub(crate) fn lay(&self, canvas: &mut Canvas, moved_x_px: f32, moved_y_px: f32) {
        let (x, y) = (MARGIN_PX as f32 - moved_x_px, MARGIN_PX as f32 - moved_y_px);
        let (x0, y0) = (x.max(0.0) as usize, y.max(0.0) as usize);
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let weights = [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy];
        let wide = self.picture.width;
        for (row, line) in canvas.pixels.chunks_exact_mut(canvas.width).enumerate() {
            let upper = &self.picture.pixels[(row + y0) * wide + x0..];
            let lower = &self.picture.pixels[(row + y0 + 1) * wide + x0..];
            for (column, pixel) in line.iter_mut().enumerate() {
                let taps = [upper[column], upper[column + 1], lower[column], lower[column + 1]];
                *pixel = [0, 1, 2].map(|c| taps.iter().zip(weights).map(|(tap, w)| tap[c] * w).sum());
            }
        }
    }

    pub(crate) fn is_ground(&self, column: usize, row: usize) -> bool {
        self.ground[(row + MARGIN_PX) * self.picture.width + column + MARGIN_PX]
    }
}

fn look(place: &Place, x: f32, y: f32) -> (Colour, bool) {
    let mut sum = [0.0; 3];
    let mut on_ground = 0;
    for ray in 0..RAYS * RAYS {
        let offset = |step: usize| (step as f32 + 0.5) / RAYS as f32;
        let pixel = vec2(x + offset(ray % RAYS), y + offset(ray / RAYS));
        let (colour, is_ground) = along(place, place.camera.ray(pixel));
        on_ground += usize::from(is_ground);
        for (total, channel) in sum.iter_mut().zip(colour) {
            *total += channel;
        }
    }
    (shade(sum, 1.0 / (RAYS * RAYS) as f32), on_ground * 2 > RAYS * RAYS)
}

fn along(place: &Place, ray: Vec3) -> (Colour, bool) {
    let eye = place.camera.position();
    if ray.y < 0.0 {
        let hit = eye + ray * (-eye.y / ray.y);
        if hit.z > 0.0 && hit.z < place.facade_m {
            return (ground(place, hit.x, hit.z), true);
        }
    }
    if ray.z <= 0.0 {
        return (SKY, false);
    }
    let hit = eye + ray * (place.facade_m / ray.z);
    (facade(place, hit.x, hit.y), false)
}

fn ground(place: &Place, x: f32, z: f32) -> Colour {
    let past_kerb = z - place.kerb_m;
    let stain = 0.9 + 0.2 * cloud_noise(place.seed ^ 11, x * 0.35, z * 0.35);
    if past_kerb < 0.0 {
        return shade(slab(place, x, z), stain);
    }
    if past_kerb < 0.22 {
        return shade(KERB, stain * if past_kerb > 0.17 { 0.7 } else { 1.0 });
    }
    if past_kerb < 1.8 {
        let blades = cloud_noise(place.seed ^ 12, x * 5.0, z * 5.0);
        return shade(GRASS, 0.72 + 0.5 * blades);
    }
    let near_wall = smooth_step(place.facade_m - 0.8, place.facade_m, z);
    shade(ASPHALT, stain * (1.0 - 0.3 * near_wall))
}

fn slab(place: &Place, x: f32, z: f32) -> Colour {
    let size = place.slab_size_m;
    let row = (z / size.y).floor();
    // Running bond: every other row is moved by half a slab.
    let shift = if (row as i32) % 2 == 0 { 0.0 } else { 0.5 };
    let across = x / size.x + shift;
    let column = across.floor();
    let joint_x = (across - column).min(1.0 - (across - column)) * size.x;
    let joint_z = (z / size.y - row).min(1.0 - (z / size.y - row)) * size.y;
    let tint = 0.93 + 0.14 * cell(place.seed ^ 13, column as i32, row as i32);
    let grain = 0.96 + 0.08 * value_noise(place.seed ^ 14, x * 9.0, z * 9.0);
    let band = ((x / place.band_m + 0.5).floor() * place.band_m - x).abs() < 0.22;
    let long_band = (z - 7.3).abs() < 0.2 || (z - place.kerb_m + 1.3).abs() < 0.22;
    let base = if band || long_band { blend(place.slab, [84.0, 80.0, 78.0], 0.55) } else { place.slab };
    let joint = smooth_step(0.008, 0.035, joint_x.min(joint_z));
    shade(base, tint * grain * lerp(0.72, 1.0, joint))
}

fn facade(place: &Place, x: f32, y: f32) -> Colour {
    let bay = (x / place.bay_m).floor();
    let inside_m = x - bay * place.bay_m;
    let house = (bay as i32).div_euclid(2);
    let pick = |what: i32| cell(place.seed ^ 15, house, what);
    let wall = WALLS[(pick(0) * WALLS.len() as f32) as usize % WALLS.len()];
    let wall = shade(wall, 0.8 + 0.08 * value_noise(place.seed ^ 16, x * 3.0, y * 3.0));
    let from_edge = inside_m.min(place.bay_m - inside_m);
    match y {
        y if y < 0.45 => shade(STONE, 0.7),
        y if y < 3.1 => shop(place, bay as i32, inside_m, from_edge, y, wall),
        y if y < 3.35 => shade(STONE, 1.1),
        _ => upper_floor(inside_m - place.bay_m / 2.0, y, brick(wall, x, y)),
    }
}

fn brick(wall: Colour, x: f32, y: f32) -> Colour {
    let row = (y / 0.14).floor();
    let shift = if (row as i32) % 2 == 0 { 0.0 } else { 0.17 };
    let joint = (y / 0.14 - row) < 0.15 || ((x + shift) / 0.34).rem_euclid(1.0) < 0.06;
    if joint { shade(wall, 1.08) } else { wall }
}

fn shop(place: &Place, bay: i32, inside_m: f32, from_edge: f32, y: f32, wall: Colour) -> Colour {
    if from_edge < 0.28 {
        return shade(wall, if from_edge < 0.06 { 0.75 } else { 1.0 });
    }
    let awning = AWNINGS[(cell(place.seed ^ 17, bay, 0) * AWNINGS.len() as f32) as usize % AWNINGS.len()];
    if y > 2.45 {
        let stripe = (inside_m / 0.36).floor() as i32 % 2 == 0 && cell(place.seed ^ 17, bay, 1) < 0.5;
        let fold = lerp(1.05, 0.8, (y - 2.45) / 0.65);
        return shade(if stripe { [214.0, 208.0, 196.0] } else { awning }, fold);
    }
    let door_at = if cell(place.seed ^ 17, bay, 2) < 0.5 { 0.9 } else { place.bay_m - 0.9 };
    let from_door = (inside_m - door_at).abs();
    if from_door < 0.5 {
        let panel = from_door < 0.36 && y > 0.9;
        return if panel { [70.0, 78.0, 82.0] } else { shade(awning, 0.7) };
    }
    if from_edge < 0.36 || y < 0.75 || (inside_m / 0.95).rem_euclid(1.0) < 0.05 {
        return shade(STONE, 0.55);
    }
    let glow = value_noise(place.seed ^ 18, inside_m * 2.2 + bay as f32 * 9.0, y * 2.5);
    let reflection = smooth_step(0.55, 0.6, ((inside_m + y * 0.6) / 1.7).rem_euclid(1.0)) * 14.0;
    blend([58.0, 62.0, 66.0], [126.0, 112.0, 88.0], glow * 0.6).map(|c| c + reflection)
}

fn upper_floor(from_middle_m: f32, y: f32, wall: Colour) -> Colour {
    let window_x = (from_middle_m.abs() - 0.9).abs();
    let window_y = (y - 4.7).abs();
    if window_x < 0.42 && window_y < 0.75 {
        let frame = window_x > 0.36 || window_y > 0.68 || window_x < 0.03;
        return if frame { [206.0, 202.0, 194.0] } else { [84.0, 98.0, 110.0] };
    }
    if window_x < 0.52 && (y - 3.88).abs() < 0.07 { shade(STONE, 1.15) } else { wall }
}
