//! The fixed camera: a pinhole above the ground, looking down a little.

use crate::math::{Vec2, Vec3, cos, sin, vec2, vec3};

/// Nothing nearer than this is drawn.
const NEAR_M: f32 = 0.8;

/// A point seen by the camera.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Vec2,
    /// Pixels per metre at this depth.
    pub(crate) scale_px: f32,
}

/// The camera stands at (0, height, 0); the ground is y = 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Camera {
    position: Vec3,
    right: Vec3,
    up: Vec3,
    forward: Vec3,
    focal_px: f32,
    centre: Vec2,
}

impl Camera {
    pub(crate) fn new(width_px: u32, height_px: u32, height_m: f32, pitch_rad: f32, yaw_rad: f32) -> Self {
        let (sp, cp, sy, cy) = (sin(pitch_rad), cos(pitch_rad), sin(yaw_rad), cos(yaw_rad));
        let (width, height) = (width_px as f32, height_px as f32);
        Self {
            position: vec3(0.0, height_m, 0.0),
            right: vec3(cy, 0.0, -sy),
            up: vec3(sy * sp, cp, cy * sp),
            forward: vec3(sy * cp, -sp, cy * cp),
            focal_px: width.min(height * 4.0 / 3.0),
            centre: vec2(width / 2.0, height / 2.0),
        }
    }

    /// This camera with its picture moved by a few pixels.
    pub(crate) fn moved(mut self, by_px: Vec2) -> Self {
        self.centre = self.centre + by_px;
        self
    }

    pub(crate) fn depth_m(&self, point: Vec3) -> f32 {
        (point - self.position).dot(self.forward)
    }

    pub(crate) fn see(&self, point: Vec3) -> Option<Seen> {
        let offset = point - self.position;
        let depth = offset.dot(self.forward);
        if depth < NEAR_M {
            return None;
        }
        let scale_px = self.focal_px / depth;
        let at = vec2(
            self.centre.x + offset.dot(self.right) * scale_px,
            self.centre.y - offset.dot(self.up) * scale_px,
        );
        Some(Seen { at, scale_px })
    }

    /// Whether the face with this normal at this point looks at the camera.
    pub(crate) fn faces(&self, point: Vec3, normal: Vec3) -> bool {
        (self.position - point).dot(normal) > 0.0
    }

    pub(crate) fn position(&self) -> Vec3 {
        self.position
    }

    /// The direction in which a pixel looks (its length is not 1).
    pub(crate) fn ray(&self, pixel: Vec2) -> Vec3 {
        self.forward
            + self.right * ((pixel.x - self.centre.x) / self.focal_px)
            + self.up * ((self.centre.y - pixel.y) / self.focal_px)
    }

    /// Where on the ground at depth `z_m` the picture's column `column_px` lies, in metres to the right.
    pub(crate) fn ground_x_m(&self, z_m: f32, column_px: f32) -> f32 {
        let k = (column_px - self.centre.x) / self.focal_px;
        let flat = self.forward * k;
        let height = self.position.y;
        (flat.z * z_m - flat.y * height - self.right.z * z_m) / (self.right.x - flat.x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ray_returns_to_its_pixel() {
        let camera = Camera::new(320, 240, 4.2, 0.3, 0.15);
        let point = camera.position + camera.ray(vec2(31.0, 190.0)) * 7.0;
        let seen = camera.see(point).unwrap();
        assert!((seen.at.x - 31.0).abs() < 1e-3 && (seen.at.y - 190.0).abs() < 1e-3, "{seen:?}");
    }

    #[test]
    fn the_ground_under_a_column_projects_to_it() {
        let camera = Camera::new(320, 240, 4.2, 0.3, -0.2);
        let x = camera.ground_x_m(9.0, 300.0);
        let seen = camera.see(vec3(x, 0.0, 9.0)).unwrap();
        assert!((seen.at.x - 300.0).abs() < 1e-2, "{seen:?}");
    }

    #[test]
    fn what_is_behind_is_not_seen() {
        assert!(Camera::new(320, 240, 4.0, 0.3, 0.0).see(vec3(0.0, 1.0, -3.0)).is_none());
    }
}
