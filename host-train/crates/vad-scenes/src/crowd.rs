//! Walkers who come and go, in both directions, alone and in pairs.

use crate::camera::Camera;
use crate::dice::{Dice, Purpose};
use crate::figure::Looks;
use crate::math::{Vec3, lerp, sin, smooth_step, vec3};
use crate::place::{NEAR_LANE_M, Place};
use crate::pose::{Gait, moving};
use crate::solid::{Body, Stand};

/// How far outside the picture walkers start and end.
const MARGIN_M: f32 = 1.2;

/// One walker on a way across the picture.
#[derive(Clone, Debug)]
pub(crate) struct Walker {
    looks: Looks,
    enters_s: f32,
    speed_m_s: f32,
    from: Vec3,
    to: Vec3,
    weave: (f32, f32),
}

/// Something that walkers step away from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hazard {
    pub(crate) at: Vec3,
    /// Half its length along the pavement.
    pub(crate) half_length_m: f32,
    /// How far walkers stay away from its middle.
    pub(crate) clearance_m: f32,
    /// How far ahead they notice it.
    pub(crate) notice_m: f32,
    /// 0 not there yet, 1 fully there.
    pub(crate) presence: f32,
}

/// Draws the walkers of a video with about `in_view` of them in the picture at any time.
pub(crate) fn draw_crowd(
    seed: u64,
    place: &Place,
    width_px: f32,
    duration_s: f32,
    in_view: f32,
) -> Vec<Walker> {
    let mut dice = Dice::new(seed, Purpose::Crowd);
    let mut crowd = Vec::new();
    // A crossing takes some twelve seconds; start early enough for the first frame to be populated.
    let rate_per_s = in_view.max(0.05) / 12.0;
    let mut time_s = -24.0;
    while time_s < duration_s {
        let walker = Walker::draw(&mut dice, place, width_px, time_s);
        if dice.chance(0.22) {
            crowd.push(walker.companion(&mut dice));
            time_s += 0.6 / rate_per_s;
        }
        crowd.push(walker);
        time_s += dice.range(0.25, 1.5) / rate_per_s;
    }
    crowd
}

impl Walker {
    fn draw(dice: &mut Dice, place: &Place, width_px: f32, enters_s: f32) -> Self {
        let far = place.far_lane_m();
        // More lanes at the front, where there is more of the picture.
        let lane = |dice: &mut Dice| lerp(NEAR_LANE_M, far, dice.unit() * dice.range(0.5, 1.0));
        let start = lane(dice);
        let end = if dice.chance(0.25) { lane(dice) } else { start + dice.range(-0.5, 0.5) };
        let end = end.clamp(NEAR_LANE_M, far);
        let (left, right) = place.seen_x_m(start, width_px);
        let (left_end, right_end) = place.seen_x_m(end, width_px);
        let (from, to) = if dice.chance(0.5) {
            (vec3(left - MARGIN_M, 0.0, start), vec3(right_end + MARGIN_M, 0.0, end))
        } else {
            (vec3(right + MARGIN_M, 0.0, start), vec3(left_end - MARGIN_M, 0.0, end))
        };
        Self {
            looks: Looks::passer_by(dice),
            enters_s,
            speed_m_s: dice.range(0.85, 1.55),
            from,
            to,
            weave: (dice.range(0.0, 0.12), dice.range(0.5, 1.2)),
        }
    }

    fn companion(&self, dice: &mut Dice) -> Self {
        let beside = vec3(dice.range(-0.25, 0.25), 0.0, dice.range(0.5, 0.65));
        let mut other = self.clone();
        other.looks = Looks::passer_by(dice);
        (other.from, other.to) = (self.from + beside, self.to + beside);
        other
    }

    /// Where the walker is at this time; `None` before and after the crossing.
    pub(crate) fn stand(&self, time_s: f32, hazard: Option<&Hazard>) -> Option<(Stand, f32)> {
        let distance = (time_s - self.enters_s) * self.speed_m_s;
        let way = self.to - self.from;
        let length = way.length();
        if distance < 0.0 || distance > length {
            return None;
        }
        let mut at = self.from.towards(self.to, distance / length);
        at.z += self.weave.0 * sin(distance * self.weave.1);
        if let Some(hazard) = hazard {
            at = hazard.avoid(at);
        }
        Some((Stand { at, heading: way.direction() }, distance))
    }

    pub(crate) fn body(&self, stand: &Stand, distance_m: f32, camera: &Camera) -> Body {
        let pose = moving(&Gait::WALK, self.looks.height_m, distance_m);
        self.looks.body(&pose, stand, camera)
    }
}

impl Hazard {
    fn avoid(&self, at: Vec3) -> Vec3 {
        let ahead = (at.x - self.at.x).abs() - self.half_length_m;
        let near = 1.0 - smooth_step(0.0, self.notice_m, ahead);
        let keep = self.clearance_m * near * self.presence;
        let off = at.z - self.at.z;
        if off.abs() >= keep {
            return at;
        }
        let side = if off >= 0.0 { 1.0 } else { -1.0 };
        vec3(at.x, at.y, self.at.z + side * keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_about_as_many_walkers_as_asked_for() {
        let place = Place::new(5, 320, 240);
        for in_view in [3.0, 9.0] {
            let crowd = draw_crowd(8, &place, 320.0, 200.0, in_view);
            let seen: usize =
                (0..200).map(|t| crowd.iter().filter(|w| w.stand(t as f32, None).is_some()).count()).sum();
            let mean = seen as f32 / 200.0;
            assert!((in_view * 0.6..in_view * 1.9).contains(&mean), "{mean} for {in_view}");
        }
    }

    #[test]
    fn nobody_stands_in_the_way_of_a_vehicle() {
        let at = vec3(0.0, 0.0, 9.0);
        let hazard = Hazard { at, half_length_m: 2.0, clearance_m: 1.5, notice_m: 2.0, presence: 1.0 };
        for step in 0..40 {
            let moved = hazard.avoid(vec3(0.3, 0.0, 7.0 + step as f32 * 0.1));
            assert!((moved.z - 9.0).abs() >= 1.5 - 1e-4);
        }
        assert_eq!(hazard.avoid(vec3(9.0, 0.0, 9.1)).z, 9.1);
    }
}
