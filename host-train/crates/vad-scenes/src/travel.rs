//! How an actor gets through the picture: a way, a speed, and the frames in which it is seen.

use crate::camera::Camera;
use crate::path::{Plan, Way};
use crate::raster::Mask;
use crate::solid::{Body, Stand};

/// Smallest area of a body in the picture that counts as seen, as a share of the picture.
const SEEN_SHARE: f32 = 1.5e-4;
const SEARCH_STEP_M: f32 = 0.1;

/// A way with the part of it that is seen, and when it is travelled.
#[derive(Clone, Debug)]
pub(crate) struct Travel {
    way: Way,
    enters_m: f32,
    leaves_m: f32,
    /// The frame in which the actor is at `enters_m`.
    first_frame: u64,
    metres_per_frame: f32,
}

/// What to look for in a way.
pub(crate) struct Wish {
    pub(crate) speed_m_s: f32,
    pub(crate) speed_range_m_s: (f32, f32),
    pub(crate) most_legs: u32,
    pub(crate) frame_rate_hz: f32,
    pub(crate) first_frame: u64,
    pub(crate) last_frame: u64,
}

/// The picture as a judge of what is seen.
pub(crate) struct Judge<'a> {
    pub(crate) camera: &'a Camera,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Judge<'_> {
    pub(crate) fn sees(&self, body: &Body, mask: &mut Mask) -> bool {
        mask.clear();
        body.cover(self.camera, mask);
        mask.area_px() >= SEEN_SHARE * (self.width * self.height) as f32
    }
}

impl Travel {
    /// Lays ways with 1, 2, ... legs and takes the one on which the time wished for gives the likeliest speed.
    /// `None` if nothing of it is ever seen.
    pub(crate) fn lay(
        wish: &Wish,
        plan_of: impl Fn(u32) -> Plan,
        judge: &Judge<'_>,
        body_at: impl Fn(&Stand, f32) -> Body,
    ) -> Option<Self> {
        let mut mask = Mask::new(judge.width, judge.height);
        let mut best: Option<(f32, Self)> = None;
        for legs in 1..=wish.most_legs {
            let way = Way::lay(&plan_of(legs), judge.camera, judge.width as f32);
            let Some((enters_m, leaves_m)) = seen_part(&way, judge, &body_at, &mut mask) else {
                continue;
            };
            let frames = (wish.last_frame - wish.first_frame).max(1) as f32;
            let needed = (leaves_m - enters_m) / frames * wish.frame_rate_hz;
            let unlikely = (needed / wish.speed_m_s).max(wish.speed_m_s / needed.max(0.01));
            let speed = needed.clamp(wish.speed_range_m_s.0, wish.speed_range_m_s.1);
            let metres_per_frame = speed / wish.frame_rate_hz;
            let travel = Self { way, enters_m, leaves_m, first_frame: wish.first_frame, metres_per_frame };
            if best.as_ref().is_none_or(|(least, _)| unlikely < *least) {
                best = Some((unlikely, travel));
            }
        }
        best.map(|(_, travel)| travel)
    }

    /// Distance on the way and the place there; `None` in frames in which the actor is not seen.
    pub(crate) fn stand(&self, frame: u64) -> Option<(Stand, f32)> {
        let frames = frame.checked_sub(self.first_frame)? as f32;
        let distance = self.enters_m + frames * self.metres_per_frame;
        // A little slack for rounding in the last frame.
        let seen = distance <= self.leaves_m + 0.01 * self.metres_per_frame;
        seen.then(|| (self.way.stand(distance), distance))
    }
}

/// First and last distance at which the body is seen.
fn seen_part(
    way: &Way,
    judge: &Judge<'_>,
    body_at: &impl Fn(&Stand, f32) -> Body,
    mask: &mut Mask,
) -> Option<(f32, f32)> {
    let steps = (way.length_m() / SEARCH_STEP_M) as u32;
    let mut seen = |step: &u32| {
        let distance = *step as f32 * SEARCH_STEP_M;
        judge.sees(&body_at(&way.stand(distance), distance), mask)
    };
    let first = (0..=steps).find(&mut seen)?;
    let last = (first..=steps).rev().find(&mut seen)?;
    Some((first as f32 * SEARCH_STEP_M, last as f32 * SEARCH_STEP_M))
}
