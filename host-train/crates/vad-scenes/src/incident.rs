//! Walkers to whom something happens: one falls and stays down, one leaves a suitcase.

use crate::actor::Placed;
use crate::block::Block;
use crate::camera::Camera;
use crate::dice::Dice;
use crate::figure::Looks;
use crate::math::{TURN_RAD, Vec3, lerp, smooth_step};
use crate::palette::{self, METAL};
use crate::path::{Plan, Way};
use crate::place::Place;
use crate::pose::{Gait, moving, stooping};
use crate::raster::Colour;
use crate::solid::{Body, Stand};

const FALL_S: f32 = 0.8;
const STOOP_S: f32 = 0.6;
/// From the first bow to the first step away.
const HALT_S: f32 = 1.5;
/// The suitcase rolls behind and to the right of its owner.
const BEHIND_M: f32 = -0.62;
const BESIDE_M: f32 = 0.3;

/// A walker, and what happens to it from a certain frame on.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    looks: Looks,
    way: Way,
    first_frame: u64,
    /// Distance on the way at which it happens.
    spot_m: f32,
    speed_m_s: f32,
    frame_rate_hz: f32,
    event: Event,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Fall { forward: bool },
    Leave { suitcase: Colour },
}

impl Incident {
    pub(crate) fn draw(
        leaves: bool,
        first_frame: u64,
        frame_rate_hz: f32,
        place: &Place,
        width_px: f32,
        dice: &mut Dice,
    ) -> Self {
        let event = if leaves {
            Event::Leave { suitcase: palette::bright(dice) }
        } else {
            Event::Fall { forward: dice.chance(0.7) }
        };
        let plan = Plan {
            legs: 1,
            depth_m: dice.range(6.6, 7.8),
            leg_step_m: 0.0,
            direction: dice.sign(),
            margin_m: 1.6,
            turn_at: 1.0,
        };
        let way = Way::lay(&plan, &place.camera, width_px);
        let spot_m = way.length_m() * dice.range(0.36, 0.6);
        let speed_m_s = dice.range(1.0, 1.4);
        let looks = if leaves { Looks::passer_by(dice) } else { Looks::conspicuous(dice) };
        Self { looks, way, first_frame, spot_m, speed_m_s, frame_rate_hz, event }
    }

    /// Where it happens.
    pub(crate) fn spot(&self) -> Option<Vec3> {
        let stand = self.way.stand(self.spot_m);
        Some(match self.event {
            Event::Fall { .. } => stand.point(0.7, 0.0, 0.0),
            Event::Leave { .. } => stand.point(BEHIND_M, 0.0, BESIDE_M),
        })
    }

    pub(crate) fn bodies(&self, frame: u64, nothing_happens: bool, camera: &Camera) -> Vec<Placed> {
        let since_s = (frame as f32 - self.first_frame as f32) / self.frame_rate_hz;
        if since_s < 0.0 || nothing_happens {
            return self.walking(self.spot_m + since_s * self.speed_m_s, true, camera);
        }
        match self.event {
            Event::Fall { forward } => vec![self.falling(since_s, forward, camera)],
            Event::Leave { suitcase } => self.leaving(since_s, suitcase, camera),
        }
    }

    fn walking(&self, way_m: f32, with_suitcase: bool, camera: &Camera) -> Vec<Placed> {
        if way_m < 0.0 || way_m > self.way.length_m() {
            return Vec::new();
        }
        let stand = self.way.stand(way_m);
        let pose = moving(&Gait::WALK, self.looks.height_m, way_m);
        let mut bodies =
            vec![Placed { body: self.looks.body(&pose, &stand, camera), stand, footprint_m: (0.28, 0.22) }];
        if let (Event::Leave { suitcase }, true) = (self.event, with_suitcase) {
            bodies.push(self.suitcase(way_m, suitcase, camera));
        }
        bodies
    }

    fn falling(&self, since_s: f32, forward: bool, camera: &Camera) -> Placed {
        let share = (since_s / FALL_S).min(1.0);
        // The last steps slow down while the body tips over ever faster.
        let slide_m = self.speed_m_s * FALL_S * 0.5 * (2.0 * share - share * share);
        let way_m = self.spot_m + slide_m;
        let stand = self.way.stand(way_m);
        let pose = moving(&Gait::WALK, self.looks.height_m, lerp(way_m, self.spot_m, share * 0.5));
        let pose = pose.toppled(share * share * TURN_RAD * 0.245, forward);
        let lying = lerp(0.28, 0.8, share);
        Placed { body: self.looks.body(&pose, &stand, camera), stand, footprint_m: (lying, 0.25) }
    }

    fn leaving(&self, since_s: f32, suitcase: Colour, camera: &Camera) -> Vec<Placed> {
        let mut bodies = if since_s < HALT_S {
            let down =
                smooth_step(0.0, STOOP_S, since_s) * (1.0 - smooth_step(HALT_S - STOOP_S, HALT_S, since_s));
            let stand = self.way.stand(self.spot_m);
            let pose = stooping(self.looks.height_m, 0.8 * down);
            vec![Placed { body: self.looks.body(&pose, &stand, camera), stand, footprint_m: (0.28, 0.22) }]
        } else {
            // Away with a quicker step.
            self.walking(self.spot_m + (since_s - HALT_S) * self.speed_m_s * 1.25, false, camera)
        };
        bodies.push(self.suitcase(self.spot_m, suitcase, camera));
        bodies
    }

    fn suitcase(&self, way_m: f32, colour: Colour, camera: &Camera) -> Placed {
        let owner = self.way.stand(way_m);
        let stand = Stand { at: owner.point(BEHIND_M, 0.0, BESIDE_M), ..owner };
        let mut body = Body::default();
        Block::cuboid(0.5, 0.32, 0.06, 0.82).add(&mut body, &stand, camera, colour);
        for side in [-0.1, 0.1] {
            body.limb(stand.point(0.18, 0.82, side), stand.point(0.2, 1.0, side), 0.015, 0.015, METAL);
        }
        body.limb(stand.point(0.2, 1.0, -0.1), stand.point(0.2, 1.0, 0.1), 0.02, 0.02, palette::TYRE);
        Placed { body, stand, footprint_m: (0.3, 0.2) }
    }
}
