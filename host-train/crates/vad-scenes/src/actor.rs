//! Who or what makes a video abnormal.

use std::ops::RangeInclusive;

use crate::bicycle;
use crate::camera::Camera;
use crate::crowd::Hazard;
use crate::dice::{Dice, Purpose};
use crate::figure::Looks;
use crate::incident::Incident;
use crate::math::smooth_step;
use crate::palette;
use crate::path::Plan;
use crate::place::Place;
use crate::pose::{Gait, moving};
use crate::raster::Colour;
use crate::solid::{Body, Stand};
use crate::spec::{Anomaly, AnomalyKind, SceneError, SceneSpec};
use crate::travel::{Judge, Travel, Wish};
use crate::vehicle::Vehicle;

/// Seconds over which walkers begin to step aside and return.
const NOTICE_S: f32 = 1.0;

/// The actor of an abnormal video.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    part: Part,
    truth: RangeInclusive<u64>,
    frame_rate_hz: f32,
}

#[derive(Clone, Debug)]
enum Part {
    Crossing { traveller: Traveller, travel: Travel },
    Incident(Incident),
}

#[derive(Clone, Debug)]
enum Traveller {
    Cyclist { looks: Looks, frame: Colour },
    Vehicle(Vehicle),
    Runner(Looks),
}

/// A body and the depth at which it is drawn.
pub(crate) struct Placed {
    pub(crate) body: Body,
    pub(crate) stand: Stand,
    /// Half the length and half the width of its dark footprint on the ground.
    pub(crate) footprint_m: (f32, f32),
}

impl Actor {
    pub(crate) fn new(spec: &SceneSpec, anomaly: &Anomaly, place: &Place) -> Result<Self, SceneError> {
        let mut dice = Dice::new(spec.seed, Purpose::Actor);
        let width_px = spec.width_px as f32;
        let frame_rate_hz = spec.frame_rate_hz as f32;
        let part = match Traveller::draw(anomaly.kind, &mut dice) {
            Some(traveller) => {
                let travel = traveller.travel(spec, anomaly, place, &mut dice);
                travel.map(|travel| Part::Crossing { traveller, travel })
            }
            None => {
                let leaves = anomaly.kind == AnomalyKind::LeftObject;
                let first = anomaly.first_frame;
                Some(Part::Incident(Incident::draw(leaves, first, frame_rate_hz, place, width_px, &mut dice)))
            }
        };
        let unseen =
            SceneError::Unseen { kind: anomaly.kind, width_px: spec.width_px, height_px: spec.height_px };
        let part = part.ok_or_else(|| unseen.clone())?;
        let truth = part.truth(spec, anomaly.first_frame).ok_or(unseen)?;
        Ok(Self { part, truth, frame_rate_hz })
    }

    pub(crate) fn truth(&self) -> RangeInclusive<u64> {
        self.truth.clone()
    }

    /// The bodies in this frame. `nothing_happens` gives the frame of the same scene without the anomaly.
    pub(crate) fn bodies(&self, frame: u64, nothing_happens: bool, camera: &Camera) -> Vec<Placed> {
        match &self.part {
            Part::Crossing { .. } if nothing_happens => Vec::new(),
            Part::Crossing { traveller, travel } => travel
                .stand(frame)
                .map(|(stand, way_m)| traveller.placed(stand, way_m, camera))
                .into_iter()
                .collect(),
            Part::Incident(incident) => incident.bodies(frame, nothing_happens, camera),
        }
    }

    /// What walkers step away from in this frame.
    pub(crate) fn hazard(&self, frame: u64) -> Option<Hazard> {
        if !self.truth.contains(&frame) {
            return None;
        }
        let (at, half_length_m, clearance_m, notice_m) = match &self.part {
            Part::Crossing { traveller, travel } => {
                let (half_length_m, clearance_m, notice_m) = traveller.room_m();
                (travel.stand(frame)?.0.at, half_length_m, clearance_m, notice_m)
            }
            Part::Incident(incident) => (incident.spot()?, 0.6, 0.55, 1.5),
        };
        let since_s = (frame - self.truth.start()) as f32 / self.frame_rate_hz;
        let left_s = (self.truth.end() - frame) as f32 / self.frame_rate_hz;
        let leaving = if matches!(self.part, Part::Crossing { .. }) { left_s } else { NOTICE_S };
        let presence = smooth_step(0.0, NOTICE_S, since_s) * smooth_step(0.0, NOTICE_S, leaving);
        Some(Hazard { at, half_length_m, clearance_m, notice_m, presence })
    }
}

impl Part {
    /// First to last frame of the video in which the anomaly is seen.
    fn truth(&self, spec: &SceneSpec, first_frame: u64) -> Option<RangeInclusive<u64>> {
        match self {
            Self::Incident(_) => Some(first_frame..=spec.frames - 1),
            Self::Crossing { travel, .. } => {
                let last =
                    (first_frame..spec.frames).take_while(|frame| travel.stand(*frame).is_some()).last()?;
                Some(first_frame..=last)
            }
        }
    }
}

impl Traveller {
    fn draw(kind: AnomalyKind, dice: &mut Dice) -> Option<Self> {
        match kind {
            AnomalyKind::Cyclist => {
                Some(Self::Cyclist { looks: Looks::athlete(dice, true), frame: palette::bright(dice) })
            }
            AnomalyKind::Vehicle => Some(Self::Vehicle(Vehicle::draw_one(dice))),
            AnomalyKind::Runner => Some(Self::Runner(Looks::athlete(dice, false))),
            AnomalyKind::Fall | AnomalyKind::LeftObject => None,
        }
    }

    fn travel(&self, spec: &SceneSpec, anomaly: &Anomaly, place: &Place, dice: &mut Dice) -> Option<Travel> {
        let (speed_m_s, speed_range_m_s, most_legs) = match self {
            Self::Cyclist { .. } => (4.2, (2.4, 7.5), 5),
            Self::Vehicle(_) => (2.8, (1.4, 9.0), 3),
            Self::Runner(_) => (3.8, (2.6, 6.5), 7),
        };
        let wish = Wish {
            speed_m_s,
            speed_range_m_s,
            most_legs,
            frame_rate_hz: spec.frame_rate_hz as f32,
            first_frame: anomaly.first_frame,
            last_frame: anomaly.last_frame,
        };
        let judge =
            Judge { camera: &place.camera, width: spec.width_px as usize, height: spec.height_px as usize };
        let plan = self.plan(place, dice);
        Travel::lay(&wish, plan, &judge, |stand, way_m| self.body(stand, way_m, judge.camera))
    }

    /// The plan for a number of legs.
    fn plan(&self, place: &Place, dice: &mut Dice) -> impl Fn(u32) -> Plan + use<> {
        let (near, turn_m, margin_m) = match self {
            Self::Cyclist { .. } => (6.8, 2.2, 1.8),
            Self::Vehicle(_) => (8.2, 4.2, 3.6),
            Self::Runner(_) => (6.6, 1.4, 1.2),
        };
        let far = place.far_lane_m().min(12.0);
        let lane = dice.range(near, near + 2.0);
        let towards_viewer = dice.chance(0.5);
        let direction = dice.sign();
        let turn_at = dice.range(0.4, 0.62);
        move |legs| {
            let turns = legs.saturating_sub(1).max(1) as f32;
            let step = ((far - lane) / turns).clamp(0.8, turn_m);
            let depth_m = if towards_viewer && legs > 1 { lane + step * turns } else { lane };
            let leg_step_m = if towards_viewer { -step } else { step };
            Plan { legs, depth_m, leg_step_m, direction, margin_m, turn_at }
        }
    }

    fn body(&self, stand: &Stand, way_m: f32, camera: &Camera) -> Body {
        match self {
            Self::Cyclist { looks, frame } => bicycle::body(looks, *frame, way_m, stand, camera),
            Self::Vehicle(vehicle) => vehicle.body(way_m, stand, camera),
            Self::Runner(looks) => looks.body(&moving(&Gait::RUN, looks.height_m, way_m), stand, camera),
        }
    }

    fn placed(&self, stand: Stand, way_m: f32, camera: &Camera) -> Placed {
        let footprint_m = match self {
            Self::Cyclist { .. } => (0.85, 0.18),
            Self::Vehicle(vehicle) => (vehicle.reach_m(), vehicle.half_width_m()),
            Self::Runner(_) => (0.3, 0.24),
        };
        Placed { body: self.body(&stand, way_m, camera), stand, footprint_m }
    }

    /// Half the length, the distance kept, and the distance from which it is noticed.
    fn room_m(&self) -> (f32, f32, f32) {
        match self {
            Self::Cyclist { .. } => (0.9, 0.7, 2.2),
            Self::Vehicle(vehicle) => (vehicle.reach_m(), vehicle.half_width_m() + 0.55, 3.0),
            Self::Runner(_) => (0.3, 0.45, 1.2),
        }
    }
}
