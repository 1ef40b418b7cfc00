//! Ways over the pavement: straight legs joined by half circles, walked by distance.

use crate::camera::Camera;
use crate::math::{TURN_RAD, Vec3, cos, sin, vec3};
use crate::solid::Stand;

const STEP_M: f32 = 0.05;

/// A way as points on the ground at equal distances.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    points: Vec<Vec3>,
}

/// What a way through the picture looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Crossings of the picture, at least one.
    pub(crate) legs: u32,
    /// Depth of the first leg.
    pub(crate) depth_m: f32,
    /// From one leg's depth to the next; its size is the diameter of a turn.
    pub(crate) leg_step_m: f32,
    /// -1 enters from the right, 1 from the left.
    pub(crate) direction: f32,
    /// How far beyond the picture's edge the way starts and ends.
    pub(crate) margin_m: f32,
    /// Half the distance between turns, as a share of half the picture's width.
    pub(crate) turn_at: f32,
}

impl Way {
    pub(crate) fn lay(plan: &Plan, camera: &Camera, width_px: f32) -> Self {
        let mut points = Vec::new();
        let mut direction = plan.direction;
        for leg in 0..plan.legs {
            let depth = plan.depth_m + plan.leg_step_m * leg as f32;
            let (left, right) = (camera.ground_x_m(depth, 0.0), camera.ground_x_m(depth, width_px));
            let (middle, half) = ((left + right) / 2.0, (right - left) / 2.0);
            let outer = half + plan.margin_m;
            // A turn ends where it began; only its depth has changed.
            let from_x = points.last().map_or(middle - direction * outer, |point: &Vec3| point.x);
            let to = if leg + 1 == plan.legs { outer } else { half * plan.turn_at };
            straight(&mut points, vec3(from_x, 0.0, depth), vec3(middle + direction * to, 0.0, depth));
            if leg + 1 < plan.legs {
                half_circle(&mut points, direction, plan.leg_step_m);
                direction = -direction;
            }
        }
        Self { points }
    }

    pub(crate) fn length_m(&self) -> f32 {
        self.points.len().saturating_sub(1) as f32 * STEP_M
    }

    /// Place and heading after this distance (clamped to the way).
    pub(crate) fn stand(&self, distance_m: f32) -> Stand {
        let last = self.points.len().saturating_sub(1);
        let steps = (distance_m / STEP_M).clamp(0.0, last as f32);
        let index = (steps as usize).min(last);
        let get = |index: usize| self.points.get(index).copied().unwrap_or_default();
        let at = get(index).towards(get((index + 1).min(last)), steps - index as f32);
        // Over half a metre, so that corners between legs turn smoothly.
        let (behind, ahead) = (index.saturating_sub(5), (index + 5).min(last));
        let heading = (get(ahead) - get(behind)).direction();
        Stand { at, heading }
    }
}

fn straight(points: &mut Vec<Vec3>, from: Vec3, to: Vec3) {
    let length = (to - from).length();
    let steps = (length / STEP_M) as u32;
    let direction = (to - from).direction();
    points.extend((0..steps).map(|step| from + direction * (step as f32 * STEP_M)));
}

fn half_circle(points: &mut Vec<Vec3>, direction: f32, diameter_m: f32) {
    let Some(start) = points.last().copied() else {
        return;
    };
    let radius = diameter_m.abs() / 2.0;
    let centre = start + vec3(0.0, 0.0, diameter_m / 2.0);
    let steps = (TURN_RAD / 2.0 * radius / STEP_M).max(1.0) as u32;
    points.extend((1..=steps).map(|step| {
        let angle = TURN_RAD / 2.0 * step as f32 / steps as f32;
        centre + vec3(direction * radius * sin(angle), 0.0, -cos(angle) * diameter_m / 2.0)
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_has_no_gaps_and_leaves_where_its_legs_say() {
        let camera = Camera::new(320, 240, 4.2, 0.3, 0.1);
        let plan =
            Plan { legs: 3, depth_m: 8.0, leg_step_m: 1.8, direction: 1.0, margin_m: 1.5, turn_at: 0.6 };
        let way = Way::lay(&plan, &camera, 320.0);
        for pair in way.points.windows(2) {
            assert!((pair[1] - pair[0]).length() < 2.5 * STEP_M, "{pair:?}");
        }
        let end = way.stand(way.length_m());
        assert!(end.at.x > 0.0 && end.heading.x > 0.99, "{end:?}");
        assert!((end.at.z - 11.6).abs() < 0.1);
    }
}
