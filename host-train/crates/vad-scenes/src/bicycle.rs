//! A bicycle and its rider.

use crate::camera::Camera;
use crate::figure::Looks;
use crate::math::{TURN_RAD, Vec3, cos, sin, vec3};
use crate::palette;
use crate::pose::{Pose, middle_joint};
use crate::raster::Colour;
use crate::solid::{Body, Stand};

const WHEEL_RADIUS_M: f32 = 0.35;
const WHEEL_BASE_M: f32 = 1.05;
const CRANK_M: f32 = 0.17;
/// Metres travelled per turn of the pedals.
const ROLL_OUT_M: f32 = 4.6;
const RIM_PARTS: usize = 18;
const BEHIND_M: f32 = -WHEEL_BASE_M / 2.0;
const SADDLE: Vec3 = vec3(-0.22, 0.98, 0.0);
const PEDALS: Vec3 = vec3(-0.05, 0.30, 0.0);
const GRIPS: Vec3 = vec3(0.42, 1.02, 0.0);

/// Bicycle and rider after `distance_m` of travel.
pub(crate) fn body(looks: &Looks, frame: Colour, distance_m: f32, stand: &Stand, camera: &Camera) -> Body {
    let turn = TURN_RAD * distance_m / ROLL_OUT_M;
    let mut body = looks.body(&riding(turn), stand, camera);
    body.append(&mut bicycle(frame, distance_m, turn, stand));
    body.sort_by_depth(camera);
    body
}

fn bicycle(frame: Colour, distance_m: f32, turn: f32, stand: &Stand) -> Body {
    let mut body = Body::default();
    let at = |p: Vec3| stand.point(p.x, p.y, p.z);
    let (rear, front) = (vec3(BEHIND_M, WHEEL_RADIUS_M, 0.0), vec3(-BEHIND_M, WHEEL_RADIUS_M, 0.0));
    for hub in [rear, front] {
        wheel(&mut body, hub, distance_m / WHEEL_RADIUS_M, stand);
    }
    let seat = vec3(-0.2, 0.8, 0.0);
    let head = vec3(0.36, 0.82, 0.0);
    let tubes = [(rear, PEDALS), (rear, seat), (PEDALS, seat), (PEDALS, head), (seat, head), (head, front)];
    for (a, b) in tubes {
        body.limb(at(a), at(b), 0.028, 0.028, frame);
    }
    body.limb(at(seat), at(SADDLE), 0.02, 0.03, palette::TYRE);
    body.limb(at(vec3(-0.32, 0.97, 0.0)), at(vec3(-0.1, 0.96, 0.0)), 0.05, 0.03, palette::TYRE);
    body.limb(at(head), at(vec3(0.40, 1.0, 0.0)), 0.02, 0.02, palette::METAL);
    body.limb(at(vec3(GRIPS.x, GRIPS.y, -0.26)), at(vec3(GRIPS.x, GRIPS.y, 0.26)), 0.02, 0.02, palette::TYRE);
    for side in 0..2 {
        body.limb(at(PEDALS), at(pedal(side, turn)), 0.016, 0.016, palette::METAL);
    }
    body
}

fn wheel(body: &mut Body, hub: Vec3, roll_rad: f32, stand: &Stand) {
    let rim = |angle: f32| {
        let (s, c) = (sin(angle), cos(angle));
        stand.point(hub.x + s * WHEEL_RADIUS_M, hub.y + c * WHEEL_RADIUS_M, 0.0)
    };
    for part in 0..RIM_PARTS {
        let angle = |index: usize| TURN_RAD * index as f32 / RIM_PARTS as f32;
        body.limb(rim(angle(part)), rim(angle(part + 1)), 0.032, 0.032, palette::TYRE);
    }
    for spoke in 0..4 {
        let angle = roll_rad + TURN_RAD * spoke as f32 / 8.0;
        body.limb(rim(angle), rim(angle + TURN_RAD / 2.0), 0.006, 0.006, palette::METAL);
    }
}

fn pedal(side: usize, turn: f32) -> Vec3 {
    let angle = turn + side as f32 * TURN_RAD / 2.0;
    let across = if side == 0 { -0.12 } else { 0.12 };
    vec3(PEDALS.x + sin(angle) * CRANK_M, PEDALS.y + cos(angle) * CRANK_M, across)
}

fn riding(turn: f32) -> Pose {
    let side_of = |side: usize| if side == 0 { -1.0 } else { 1.0 };
    let pelvis = SADDLE + vec3(0.0, 0.06, 0.0);
    let chest = pelvis + vec3(0.33, 0.42, 0.0);
    let pair = |at: Vec3, half_m: f32| [0, 1].map(|side| at + vec3(0.0, 0.0, half_m * side_of(side)));
    let (hips, shoulders) = (pair(pelvis, 0.1), pair(chest, 0.2));
    let hands = pair(GRIPS, 0.22);
    let ankles = [0, 1].map(|side| pedal(side, turn) + vec3(-0.06, 0.07, 0.0));
    let toes = [0, 1].map(|side| pedal(side, turn) + vec3(0.1, 0.04, 0.0));
    let knees = [0, 1].map(|side| middle_joint(hips[side], ankles[side], 0.44, true));
    let elbows = [0, 1].map(|side| middle_joint(shoulders[side], hands[side], 0.29, false));
    let head = chest + vec3(0.12, 0.17, 0.0);
    Pose { pelvis, chest, head, shoulders, elbows, hands, hips, knees, ankles, toes }
}
