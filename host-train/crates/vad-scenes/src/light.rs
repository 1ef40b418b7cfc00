//! Harmless changes of the picture: daylight, passing clouds, a trembling camera, and the sensor's noise.

use crate::backdrop::MARGIN_PX;
use crate::dice::{Dice, Purpose, cloud_noise, mix};
use crate::math::{TURN_RAD, Vec2, lerp, sin, smooth_step, vec2};
use crate::place::Place;
use crate::raster::Canvas;
use crate::solid::Sun;

/// Side of the squares for which the clouds' shade is computed.
const SHADE_CELL_PX: usize = 8;

/// Light, tremble and noise of one video.
#[derive(Clone, Debug)]
pub(crate) struct Light {
    seed: u64,
    exposure: f32,
    tint: [f32; 3],
    drift: [(f32, f32, f32); 2],
    cloud_depth: f32,
    wind_m_s: (f32, f32),
    noise_levels: f32,
    tremble: [(f32, f32, f32); 4],
    pub(crate) sun: Sun,
}

impl Light {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, Purpose::Light);
        let sunny = dice.chance(0.65);
        let warmth = dice.range(-0.05, 0.06);
        let across = dice.range(0.35, 0.9) * dice.sign();
        let sun = Sun {
            throw: (across, dice.range(-0.45, 0.35)),
            shadow: if sunny { dice.range(0.22, 0.4) } else { 0.0 },
            picture: vec2(-0.16 * across.signum(), -0.16),
        };
        let exposure = dice.range(0.98, 1.2);
        let drift = [(); 2]
            .map(|()| (dice.range(0.01, 0.05), TURN_RAD / dice.range(9.0, 60.0), dice.range(0.0, TURN_RAD)));
        let cloud_depth = if sunny { dice.range(0.05, 0.28) } else { dice.range(0.0, 0.08) };
        let wind_m_s = (dice.range(0.6, 2.4) * dice.sign(), dice.range(-0.8, 0.8));
        let noise_levels = dice.range(1.2, 2.8);
        let mut dice = Dice::new(seed, Purpose::Shake);
        let reach = dice.range(0.05, 0.45);
        let tremble = [(); 4].map(|()| {
            (reach * dice.range(0.4, 1.0), TURN_RAD * dice.range(0.3, 3.5), dice.range(0.0, TURN_RAD))
        });
        let tint = [1.0 + warmth, 1.0, 1.0 - warmth];
        Self { seed, exposure, tint, drift, cloud_depth, wind_m_s, noise_levels, tremble, sun }
    }

    /// How far the picture is moved at this time.
    pub(crate) fn tremble_px(&self, time_s: f32) -> Vec2 {
        let wave = |(reach, speed, phase): (f32, f32, f32)| reach * sin(speed * time_s + phase);
        let [a, b, c, d] = self.tremble.map(wave);
        let most = MARGIN_PX as f32 - 1.0;
        vec2((a + b).clamp(-most, most), (c + d).clamp(-most, most))
    }

    /// Brightness of the whole picture at this time.
    fn gain(&self, time_s: f32) -> f32 {
        let drift: f32 =
            self.drift.iter().map(|(size, speed, phase)| size * sin(speed * time_s + phase)).sum();
        self.exposure * (1.0 + drift)
    }

    /// Develops the picture into bytes: daylight, clouds, vignette, sensor noise.
    pub(crate) fn develop(&self, canvas: &Canvas, place: &Place, frame: u64, time_s: f32, rgb: &mut Vec<u8>) {
        let shades = Shades::new(self, canvas, place, time_s);
        let gain = self.tint.map(|tint| tint * self.gain(time_s));
        let frame_seed = mix(self.seed ^ frame.wrapping_mul(0x9e6d));
        rgb.resize(canvas.pixels.len() * 3, 0);
        let width = canvas.width.max(1);
        let lines = canvas.pixels.chunks_exact(width).zip(rgb.chunks_exact_mut(width * 3));
        for (row, (line, out)) in lines.enumerate() {
            let pixels = line.iter().zip(out.chunks_exact_mut(3)).enumerate();
            for (column, (pixel, bytes)) in pixels {
                let light = shades.at(column, row);
                let noise = self.noise(frame_seed ^ (row * width + column) as u64);
                for (channel, byte) in bytes.iter_mut().enumerate() {
                    let value = pixel[channel] * gain[channel] * light + noise[channel];
                    *byte = (value + 0.5) as u8;
                }
            }
        }
    }

    /// Brightness noise and a smaller colour noise, in levels of 255.
    fn noise(&self, key: u64) -> [f32; 3] {
        let bytes = mix(key).to_le_bytes().map(f32::from);
        // Four uniform bytes add up to nearly a normal distribution with deviation 148.
        let grey = (bytes[0] + bytes[1] + bytes[2] + bytes[3] - 510.0) * (self.noise_levels / 148.0);
        [bytes[4], bytes[5], bytes[6]].map(|byte| grey + (byte - 127.5) * (self.noise_levels / 220.0))
    }

    fn cloud_shade(&self, x_m: f32, z_m: f32, time_s: f32) -> f32 {
        let (x, z) = (x_m - self.wind_m_s.0 * time_s, z_m - self.wind_m_s.1 * time_s);
        let cover = smooth_step(0.4, 0.65, cloud_noise(self.seed ^ 21, x * 0.11, z * 0.11));
        1.0 - self.cloud_depth * cover
    }
}

/// Clouds and vignette on a coarse grid.
struct Shades {
    columns: usize,
    values: Vec<f32>,
}

impl Shades {
    fn new(light: &Light, canvas: &Canvas, place: &Place, time_s: f32) -> Self {
        let (columns, rows) = (canvas.width / SHADE_CELL_PX + 2, canvas.height / SHADE_CELL_PX + 2);
        let half = vec2(canvas.width as f32 / 2.0, canvas.height as f32 / 2.0);
        let value = |index: usize| {
            let cell = vec2((index % columns) as f32, (index / columns) as f32) * SHADE_CELL_PX as f32;
            let off = cell - half;
            let vignette = 1.0 - 0.16 * off.dot(off) / half.dot(half).max(1.0);
            let ray = place.camera.ray(cell);
            let eye = place.camera.position();
            let to_wall = place.facade_m / ray.z.max(0.1);
            let reach = if ray.y < 0.0 { (-eye.y / ray.y).min(to_wall) } else { to_wall };
            let hit = eye + ray * reach;
            vignette * light.cloud_shade(hit.x, hit.z, time_s)
        };
        Self { columns, values: (0..columns * rows).map(value).collect() }
    }

    fn at(&self, column: usize, row: usize) -> f32 {
        let cell = (row / SHADE_CELL_PX) * self.columns + column / SHADE_CELL_PX;
        let fx = (column % SHADE_CELL_PX) as f32 / SHADE_CELL_PX as f32;
        let fy = (row % SHADE_CELL_PX) as f32 / SHADE_CELL_PX as f32;
        let upper = lerp(self.values[cell], self.values[cell + 1], fx);
        let lower = lerp(self.values[cell + self.columns], self.values[cell + self.columns + 1], fx);
        lerp(upper, lower, fy)
    }
}
