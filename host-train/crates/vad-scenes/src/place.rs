//! The place: where the camera stands, how the pavement is laid and what stands on it.

use crate::camera::Camera;
use crate::dice::{Dice, Purpose};
use crate::furniture::{Furniture, furnish};
use crate::math::{Vec2, vec2};
use crate::raster::Colour;

/// Nearest lane of walkers.
pub(crate) const NEAR_LANE_M: f32 = 6.2;

/// Pavement colours: sandstone, grey slab, warm brick, cool stone.
const SLABS: [Colour; 4] =
    [[176.0, 164.0, 142.0], [154.0, 154.0, 152.0], [166.0, 142.0, 122.0], [144.0, 150.0, 156.0]];

/// Everything that stays the same between the videos of one camera.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) camera: Camera,
    pub(crate) seed: u64,
    /// Where the pavement ends and the planted strip begins.
    pub(crate) kerb_m: f32,
    /// Distance of the row of houses.
    pub(crate) facade_m: f32,
    pub(crate) slab: Colour,
    pub(crate) slab_size_m: Vec2,
    /// Distance between the dark bands across the pavement.
    pub(crate) band_m: f32,
    pub(crate) bay_m: f32,
    pub(crate) furniture: Vec<Furniture>,
}

impl Place {
    pub(crate) fn new(seed: u64, width_px: u32, height_px: u32) -> Self {
        let mut dice = Dice::new(seed, Purpose::Place);
        let (height_m, pitch, yaw) = (dice.range(4.0, 4.6), dice.range(0.33, 0.38), dice.range(-0.2, 0.2));
        let camera = Camera::new(width_px, height_px, height_m, pitch, yaw);
        let kerb_m = dice.range(13.2, 14.8);
        let mut place = Self {
            camera,
            seed: dice.bits(),
            kerb_m,
            facade_m: kerb_m + dice.range(3.0, 4.2),
            slab: dice.pick(&SLABS, SLABS[0]),
            slab_size_m: vec2(dice.range(0.7, 1.1), dice.range(0.5, 0.8)),
            band_m: dice.range(3.6, 5.5),
            bay_m: dice.range(3.4, 4.8),
            furniture: Vec::new(),
        };
        place.furniture = furnish(&place, width_px as f32, &mut dice);
        place
    }

    /// The farthest lane of walkers.
    pub(crate) fn far_lane_m(&self) -> f32 {
        self.kerb_m - 0.8
    }

    /// Left and right end of the ground seen at this depth.
    pub(crate) fn seen_x_m(&self, depth_m: f32, width_px: f32) -> (f32, f32) {
        (self.camera.ground_x_m(depth_m, 0.0), self.camera.ground_x_m(depth_m, width_px))
    }
}
