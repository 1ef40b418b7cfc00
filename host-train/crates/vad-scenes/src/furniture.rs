//! Trees, lamp posts, benches and bollards.

use crate::block::Block;
use crate::camera::Camera;
use crate::dice::{Dice, cell};
use crate::math::{TURN_RAD, Vec3, cos, sin, vec3};
use crate::palette::{METAL, blend, shade};
use crate::place::Place;
use crate::raster::Colour;
use crate::solid::{Body, Stand};

const LEAVES: usize = 46;
const BARK: Colour = [84.0, 68.0, 54.0];
const WOOD: Colour = [132.0, 98.0, 66.0];

/// Something that stands in the street for good.
#[derive(Clone, Debug)]
pub(crate) struct Furniture {
    pub(crate) at: Vec3,
    kind: Kind,
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Tree { height_m: f32, leaf: Colour },
    Lamp { height_m: f32 },
    Bench,
    Bollard,
}

/// Draws what stands on a place, out of the way of the lanes' middle.
pub(crate) fn furnish(place: &Place, width_px: f32, dice: &mut Dice) -> Vec<Furniture> {
    let mut all = Vec::new();
    let strip_m = place.kerb_m + 0.9;
    let (left, right) = place.seen_x_m(strip_m, width_px);
    let leaf = blend([78.0, 108.0, 58.0], [112.0, 122.0, 60.0], dice.unit());
    let trees = 2 + dice.below(2);
    for index in 0..trees {
        let share = (index as f32 + dice.range(0.15, 0.85)) / trees as f32;
        let at = vec3(left + (right - left) * share, 0.0, strip_m);
        let kind = Kind::Tree { height_m: dice.range(3.0, 4.0), leaf };
        all.push(Furniture { at, kind, seed: dice.bits() });
    }
    let mut stand =
        |at: Vec3, kind: Kind, dice: &mut Dice| all.push(Furniture { at, kind, seed: dice.bits() });
    for side in [0.12, 0.86] {
        let share = side + dice.range(-0.06, 0.06);
        let lane = dice.range(11.0, 12.6);
        let (left, right) = place.seen_x_m(lane, width_px);
        stand(vec3(left + (right - left) * share, 0.0, lane), Kind::Lamp { height_m: 5.2 }, dice);
    }
    let bench_x = left + (right - left) * dice.range(0.3, 0.7);
    stand(vec3(bench_x, 0.0, place.kerb_m - 0.35), Kind::Bench, dice);
    for index in 0..7 {
        let x = left + (right - left) * (index as f32 + 0.5) / 7.0;
        stand(vec3(x, 0.0, place.kerb_m - 0.15), Kind::Bollard, dice);
    }
    all
}

impl Furniture {
    /// The body at a time; leaves move in the wind.
    pub(crate) fn body(&self, time_s: f32, camera: &Camera) -> Body {
        let mut body = Body::default();
        let stand = Stand { at: self.at, heading: vec3(1.0, 0.0, 0.0) };
        match self.kind {
            Kind::Tree { height_m, leaf } => self.tree(&mut body, height_m, leaf, time_s, camera),
            Kind::Lamp { height_m } => lamp(&mut body, &stand, height_m),
            Kind::Bench => bench(&mut body, &stand, camera),
            Kind::Bollard => {
                let top = stand.point(0.0, 0.85, 0.0);
                body.limb(self.at, top, 0.08, 0.07, shade(METAL, 0.6));
                body.ball(top, 0.075, shade(METAL, 1.2));
            }
        }
        body
    }

    fn tree(&self, body: &mut Body, height_m: f32, leaf: Colour, time_s: f32, camera: &Camera) {
        let crown_m = height_m * 0.7;
        let draw = |leaf: usize, what: i32| cell(self.seed, leaf as i32, what);
        let mut crown = Body::default();
        for index in 0..LEAVES {
            let turn = TURN_RAD * draw(index, 0);
            let up = draw(index, 1) * 2.0 - 1.0;
            let out = (1.0 - up * up).max(0.0).sqrt() * (0.45 + 0.55 * draw(index, 2));
            let sway = 0.05 * sin(time_s * (1.1 + draw(index, 3)) + TURN_RAD * draw(index, 4));
            let middle = vec3(
                self.at.x + 0.26 * height_m * out * cos(turn) + sway,
                crown_m + up * height_m * 0.3,
                self.at.z + 0.26 * height_m * out * sin(turn),
            );
            // Lighter above and to the left, with some leaves of another tint.
            let light = 0.72 + 0.24 * up - 0.1 * cos(turn) + 0.16 * (draw(index, 5) - 0.5);
            crown.ball(middle, 0.22 + 0.2 * draw(index, 6), shade(leaf, light));
        }
        crown.sort_by_depth(camera);
        body.limb(self.at, vec3(self.at.x, crown_m, self.at.z), 0.15, 0.09, BARK);
        body.append(&mut crown);
    }
}

fn lamp(body: &mut Body, stand: &Stand, height_m: f32) {
    let dark = shade(METAL, 0.5);
    let top = stand.point(0.0, height_m, 0.0);
    body.limb(stand.at, stand.point(0.0, 0.6, 0.0), 0.11, 0.08, dark);
    body.limb(stand.at, top, 0.06, 0.045, dark);
    body.limb(top, stand.point(0.5, height_m + 0.1, 0.0), 0.04, 0.04, dark);
    body.ball(stand.point(0.55, height_m, 0.0), 0.16, [232.0, 226.0, 204.0]);
}

fn bench(body: &mut Body, stand: &Stand, camera: &Camera) {
    for end in [-0.75, 0.75] {
        let foot = Stand { at: stand.point(end, 0.0, 0.0), ..*stand };
        Block::cuboid(0.08, 0.45, 0.0, 0.42).add(body, &foot, camera, shade(METAL, 0.6));
    }
    Block::cuboid(1.8, 0.5, 0.42, 0.5).add(body, stand, camera, WOOD);
}
