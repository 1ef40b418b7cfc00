//! Solid bodies made of capsules and flat faces, and how the camera and the sun see them.

use crate::camera::Camera;
use crate::math::{Vec2, Vec3, vec3};
use crate::raster::{Canvas, Colour, Mask, Paint, Shape};

/// One part of a body, in the world.
#[derive(Clone, Debug)]
pub(crate) enum Solid {
    Capsule { a: Vec3, b: Vec3, radius_a_m: f32, radius_b_m: f32, colour: Colour },
    Face { corners: Vec<Vec3>, colour: Colour },
}

/// A body: its parts from the first to be drawn to the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) parts: Vec<Solid>,
}

/// Light as bodies see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sun {
    /// How far the shadow of a point one metre up is thrown, in metres to the right and away.
    pub(crate) throw: (f32, f32),
    /// 0 no cast shadow, 1 black.
    pub(crate) shadow: f32,
    /// Direction of light in the picture times the strength of round shading.
    pub(crate) picture: Vec2,
}

impl Body {
    pub(crate) fn limb(&mut self, a: Vec3, b: Vec3, radius_a_m: f32, radius_b_m: f32, colour: Colour) {
        self.parts.push(Solid::Capsule { a, b, radius_a_m, radius_b_m, colour });
    }

    pub(crate) fn ball(&mut self, at: Vec3, radius_m: f32, colour: Colour) {
        self.limb(at, at, radius_m, radius_m, colour);
    }

    pub(crate) fn face(&mut self, corners: Vec<Vec3>, colour: Colour) {
        self.parts.push(Solid::Face { corners, colour });
    }

    pub(crate) fn append(&mut self, other: &mut Self) {
        self.parts.append(&mut other.parts);
    }

    /// Puts the farthest part first.
    pub(crate) fn sort_by_depth(&mut self, camera: &Camera) {
        self.parts.sort_by(|a, b| camera.depth_m(b.middle()).total_cmp(&camera.depth_m(a.middle())));
    }

    pub(crate) fn draw(&self, camera: &Camera, sun: &Sun, canvas: &mut Canvas) {
        for part in &self.parts {
            if let Some(shape) = part.shape(camera) {
                let paint = Paint { colour: part.colour(), opacity: 1.0, light: sun.picture };
                canvas.draw(&shape, &paint);
            }
        }
    }

    /// Marks what the body covers of the picture.
    pub(crate) fn cover(&self, camera: &Camera, mask: &mut Mask) {
        for shape in self.parts.iter().filter_map(|part| part.shape(camera)) {
            mask.raise(&shape, 1.0, 1.0);
        }
    }

    /// Marks the shadow that the body throws on the ground.
    pub(crate) fn cast(&self, camera: &Camera, sun: &Sun, mask: &mut Mask) {
        if sun.shadow <= 0.0 {
            return;
        }
        for part in &self.parts {
            if let Some(shape) = part.on_ground(sun).shape(camera) {
                mask.raise(&shape, sun.shadow, 2.5);
            }
        }
    }
}

impl Solid {
    fn middle(&self) -> Vec3 {
        match self {
            Self::Capsule { a, b, .. } => a.towards(*b, 0.5),
            Self::Face { corners, .. } => {
                let sum = corners.iter().fold(vec3(0.0, 0.0, 0.0), |sum, corner| sum + *corner);
                sum * (1.0 / corners.len().max(1) as f32)
            }
        }
    }

    fn colour(&self) -> Colour {
        match self {
            Self::Capsule { colour, .. } | Self::Face { colour, .. } => *colour,
        }
    }

    fn shape(&self, camera: &Camera) -> Option<Shape> {
        match self {
            Self::Capsule { a, b, radius_a_m, radius_b_m, .. } => {
                let (seen_a, seen_b) = (camera.see(*a)?, camera.see(*b)?);
                Some(Shape::Capsule {
                    a: seen_a.at,
                    b: seen_b.at,
                    radius_a_px: radius_a_m * seen_a.scale_px,
                    radius_b_px: radius_b_m * seen_b.scale_px,
                })
            }
            Self::Face { corners, .. } => {
                let seen: Option<Vec<Vec2>> = corners.iter().map(|c| camera.see(*c).map(|s| s.at)).collect();
                seen.map(|corners| Shape::Convex { corners })
            }
        }
    }

    /// This part flattened on the ground along the light.
    fn on_ground(&self, sun: &Sun) -> Self {
        let drop = |p: Vec3| {
            let up = p.y.max(0.0);
            vec3(p.x + up * sun.throw.0, 0.0, p.z + up * sun.throw.1)
        };
        match self {
            Self::Capsule { a, b, radius_a_m, radius_b_m, colour } => Self::Capsule {
                a: drop(*a),
                b: drop(*b),
                radius_a_m: radius_a_m * 0.8,
                radius_b_m: radius_b_m * 0.8,
                colour: *colour,
            },
            Self::Face { corners, colour } => {
                Self::Face { corners: corners.iter().map(|c| drop(*c)).collect(), colour: *colour }
            }
        }
    }
}

/// A place and heading on the ground; turns coordinates of a body into those of the world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stand {
    pub(crate) at: Vec3,
    /// Unit direction of travel on the ground.
    pub(crate) heading: Vec3,
}

impl Stand {
    /// The point `forward_m` ahead, `up_m` above and `side_m` to the right of this stand.
    pub(crate) fn point(&self, forward_m: f32, up_m: f32, side_m: f32) -> Vec3 {
        let side = vec3(self.heading.z, 0.0, -self.heading.x);
        self.at + self.heading * forward_m + vec3(0.0, up_m, 0.0) + side * side_m
    }
}
