//! Six-sided blocks, from which vehicles, luggage and street furniture are built.

use crate::camera::Camera;
use crate::math::{Vec3, vec3};
use crate::palette::shade;
use crate::raster::Colour;
use crate::solid::{Body, Stand};

/// A block with a rectangular floor and a rectangular roof. Lengths in metres in body coordinates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Rear and front of the floor.
    pub(crate) floor: (f32, f32),
    /// Rear and front of the roof.
    pub(crate) roof: (f32, f32),
    /// Height of floor and roof.
    pub(crate) up: (f32, f32),
    /// Half the width at floor and roof.
    pub(crate) half_width: (f32, f32),
}

/// A face of a block: four corners (floor, floor, roof, roof) and the outward normal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) corners: [Vec3; 4],
    normal: Vec3,
}

impl Block {
    /// An upright box around a middle.
    pub(crate) const fn cuboid(length: f32, width: f32, low: f32, high: f32) -> Self {
        let half = length / 2.0;
        Self {
            floor: (-half, half),
            roof: (-half, half),
            up: (low, high),
            half_width: (width / 2.0, width / 2.0),
        }
    }

    /// Front, rear, right, left, top.
    pub(crate) fn sides(&self, stand: &Stand) -> [Side; 5] {
        let low = |f: f32, s: f32| stand.point(f, self.up.0, s * self.half_width.0);
        let high = |f: f32, s: f32| stand.point(f, self.up.1, s * self.half_width.1);
        let ((rear, front), (roof_rear, roof_front)) = (self.floor, self.roof);
        let middle = stand.point((rear + front) / 2.0, (self.up.0 + self.up.1) / 2.0, 0.0);
        let side = |corners: [Vec3; 4]| Side::outward(corners, middle);
        [
            side([low(front, -1.0), low(front, 1.0), high(roof_front, 1.0), high(roof_front, -1.0)]),
            side([low(rear, 1.0), low(rear, -1.0), high(roof_rear, -1.0), high(roof_rear, 1.0)]),
            side([low(front, 1.0), low(rear, 1.0), high(roof_rear, 1.0), high(roof_front, 1.0)]),
            side([low(rear, -1.0), low(front, -1.0), high(roof_front, -1.0), high(roof_rear, -1.0)]),
            side([
                high(roof_rear, -1.0),
                high(roof_front, -1.0),
                high(roof_front, 1.0),
                high(roof_rear, 1.0),
            ]),
        ]
    }

    /// Adds the sides that the camera sees.
    pub(crate) fn add(&self, body: &mut Body, stand: &Stand, camera: &Camera, colour: Colour) {
        for side in self.sides(stand).iter().filter(|side| side.seen_by(camera)) {
            body.face(side.corners.to_vec(), shade(colour, side.brightness()));
        }
    }
}

impl Side {
    fn outward(corners: [Vec3; 4], middle: Vec3) -> Self {
        let normal = (corners[1] - corners[0]).cross(corners[3] - corners[0]).direction();
        let centre = corners.iter().fold(vec3(0.0, 0.0, 0.0), |sum, corner| sum + *corner) * 0.25;
        let outward = if (centre - middle).dot(normal) >= 0.0 { normal } else { normal * -1.0 };
        Self { corners, normal: outward }
    }

    pub(crate) fn seen_by(&self, camera: &Camera) -> bool {
        camera.faces(self.corners[0], self.normal)
    }

    /// Light on this face from the sky and a low sun to the left.
    pub(crate) fn brightness(&self) -> f32 {
        0.74 + 0.3 * self.normal.y.max(0.0) - 0.1 * self.normal.x
    }

    /// A pane within this face, its edges at shares of the width and the height.
    pub(crate) fn pane(&self, across: (f32, f32), up: (f32, f32)) -> Vec<Vec3> {
        let [a, b, c, d] = self.corners;
        let at = |x: f32, y: f32| a.towards(b, x).towards(d.towards(c, x), y);
        vec![at(across.0, up.0), at(across.1, up.0), at(across.1, up.1), at(across.0, up.1)]
    }
}
