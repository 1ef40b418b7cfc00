//! Vehicles that do not belong on a pavement: a car, a van and an open cart.

use crate::block::{Block, Side};
use crate::camera::Camera;
use crate::dice::Dice;
use crate::math::{TURN_RAD, Vec3, cos, sin};
use crate::palette::{self, GLASS, METAL, TYRE, shade};
use crate::raster::Colour;
use crate::solid::{Body, Stand};

/// A vehicle's shape and colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vehicle {
    lower: Block,
    cabin: Block,
    wheel_radius_m: f32,
    colour: Colour,
    /// Shares of a cabin's height between which its windows lie.
    window: (f32, f32),
}

const CAR: (Block, Block, f32) = (
    Block { floor: (-2.05, 2.1), roof: (-2.0, 2.0), up: (0.25, 0.88), half_width: (0.88, 0.84) },
    Block { floor: (-1.75, 1.05), roof: (-1.2, 0.3), up: (0.88, 1.45), half_width: (0.8, 0.64) },
    0.33,
);
const VAN: (Block, Block, f32) = (
    Block { floor: (-2.3, 2.35), roof: (-2.3, 2.25), up: (0.3, 1.1), half_width: (0.95, 0.94) },
    Block { floor: (-2.3, 1.75), roof: (-2.28, 1.1), up: (1.1, 2.1), half_width: (0.93, 0.86) },
    0.36,
);
const CART: (Block, Block, f32) = (
    Block { floor: (-1.5, 1.5), roof: (-1.5, 1.35), up: (0.28, 0.85), half_width: (0.7, 0.68) },
    Block { floor: (-0.7, 0.95), roof: (-0.6, 0.65), up: (0.85, 1.8), half_width: (0.66, 0.6) },
    0.3,
);

impl Vehicle {
    pub(crate) fn draw_one(dice: &mut Dice) -> Self {
        let (lower, cabin, wheel_radius_m) = dice.pick(&[CAR, CAR, VAN, CART], CAR);
        Self { lower, cabin, wheel_radius_m, colour: palette::bodywork(dice), window: (0.16, 0.86) }
    }

    /// Half the length in metres.
    pub(crate) fn reach_m(&self) -> f32 {
        self.lower.floor.1.max(-self.lower.floor.0)
    }

    pub(crate) fn half_width_m(&self) -> f32 {
        self.lower.half_width.0
    }

    /// The vehicle after `distance_m` of travel.
    pub(crate) fn body(&self, distance_m: f32, stand: &Stand, camera: &Camera) -> Body {
        let mut body = Body::default();
        self.underside(&mut body, stand);
        self.lower.add(&mut body, stand, camera, self.colour);
        let lower = self.lower.sides(stand);
        self.lamps(&mut body, &lower, camera);
        for (index, side) in [(2, 1.0), (3, -1.0)] {
            if lower[index].seen_by(camera) {
                self.wheels(&mut body, side, distance_m, stand);
            }
        }
        self.upper(&mut body, stand, camera);
        body
    }

    /// The dark space between the wheels.
    fn underside(&self, body: &mut Body, stand: &Stand) {
        let (rear, front) = self.lower.floor;
        let half = self.lower.half_width.0 * 0.92;
        let corner = |f: f32, s: f32| stand.point(f, 0.12, s * half);
        let corners = [corner(rear, -1.0), corner(front, -1.0), corner(front, 1.0), corner(rear, 1.0)];
        body.face(corners.to_vec(), [22.0, 22.0, 24.0]);
    }

    fn lamps(&self, body: &mut Body, lower: &[Side; 5], camera: &Camera) {
        let colours = [[250.0, 244.0, 214.0], [190.0, 30.0, 28.0]];
        for (side, colour) in lower.iter().zip(colours) {
            if side.seen_by(camera) {
                body.face(side.pane((0.06, 0.26), (0.55, 0.85)), colour);
                body.face(side.pane((0.74, 0.94), (0.55, 0.85)), colour);
                body.face(side.pane((0.3, 0.7), (0.1, 0.4)), shade(METAL, 0.55));
            }
        }
    }

    fn upper(&self, body: &mut Body, stand: &Stand, camera: &Camera) {
        let sides = self.cabin.sides(stand);
        for (index, side) in sides.iter().enumerate().filter(|(_, side)| side.seen_by(camera)) {
            body.face(side.corners.to_vec(), shade(self.colour, side.brightness()));
            let glass = shade(GLASS, 0.6 + 0.55 * side.brightness());
            match index {
                0 | 1 => body.face(side.pane((0.07, 0.93), self.window), glass),
                2 | 3 => {
                    body.face(side.pane((0.06, 0.47), self.window), glass);
                    body.face(side.pane((0.53, 0.93), self.window), glass);
                }
                _ => {}
            }
        }
    }

    fn wheels(&self, body: &mut Body, side: f32, distance_m: f32, stand: &Stand) {
        let across = side * (self.lower.half_width.0 + 0.01);
        let (rear, front) = self.lower.floor;
        let radius = self.wheel_radius_m;
        for forward in [rear * 0.62, front * 0.64] {
            let disc = |share: f32| wheel_disc(stand, forward, radius, radius * share, across);
            body.face(disc(1.0), TYRE);
            body.face(disc(0.62), shade(METAL, 1.15));
            let roll = distance_m / radius;
            for spoke in 0..3 {
                let angle = roll + TURN_RAD * spoke as f32 / 6.0;
                let (f, u) = (sin(angle) * radius * 0.58, cos(angle) * radius * 0.58);
                let from = stand.point(forward + f, radius + u, across);
                let to = stand.point(forward - f, radius - u, across);
                body.limb(from, to, 0.03, 0.03, shade(METAL, 0.5));
            }
        }
    }
}

fn wheel_disc(stand: &Stand, forward_m: f32, up_m: f32, radius_m: f32, across_m: f32) -> Vec<Vec3> {
    (0..14)
        .map(|corner| {
            let angle = TURN_RAD * corner as f32 / 14.0;
            stand.point(forward_m + sin(angle) * radius_m, up_m + cos(angle) * radius_m, across_m)
        })
        .collect()
}
