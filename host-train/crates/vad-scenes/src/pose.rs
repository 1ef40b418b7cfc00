//! Poses of a human figure in body coordinates: metres forward, up and to the right of the ground point.

use crate::math::{TURN_RAD, Vec3, cos, lerp, sin, vec3};

/// Joints of a figure. Pairs are left, right. `x` is forward, `y` up, `z` to the right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pose {
    pub(crate) pelvis: Vec3,
    pub(crate) chest: Vec3,
    pub(crate) head: Vec3,
    pub(crate) shoulders: [Vec3; 2],
    pub(crate) elbows: [Vec3; 2],
    pub(crate) hands: [Vec3; 2],
    pub(crate) hips: [Vec3; 2],
    pub(crate) knees: [Vec3; 2],
    pub(crate) ankles: [Vec3; 2],
    pub(crate) toes: [Vec3; 2],
}

/// How a figure moves its limbs. Angles in radians.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gait {
    pub(crate) hip_swing_rad: f32,
    pub(crate) knee_rest_rad: f32,
    pub(crate) knee_lift_rad: f32,
    pub(crate) arm_swing_rad: f32,
    pub(crate) elbow_rad: f32,
    pub(crate) lean_rad: f32,
    /// Share of the body height by which each step lifts the body off the ground.
    pub(crate) bounce: f32,
    /// Two steps, as a share of the body height.
    pub(crate) stride: f32,
}

impl Gait {
    pub(crate) const WALK: Self = Self {
        hip_swing_rad: 0.42,
        knee_rest_rad: 0.08,
        knee_lift_rad: 0.85,
        arm_swing_rad: 0.38,
        elbow_rad: 0.25,
        lean_rad: 0.03,
        bounce: 0.0,
        stride: 0.8,
    };
    pub(crate) const RUN: Self = Self {
        hip_swing_rad: 0.78,
        knee_rest_rad: 0.30,
        knee_lift_rad: 1.55,
        arm_swing_rad: 0.85,
        elbow_rad: 1.45,
        lean_rad: 0.22,
        bounce: 0.05,
        stride: 1.35,
    };
}

/// The pose after `distance_m` of travel by a figure of this height.
pub(crate) fn moving(gait: &Gait, height_m: f32, distance_m: f32) -> Pose {
    let phase = TURN_RAD * distance_m / (gait.stride * height_m);
    let phases = [phase, phase + TURN_RAD / 2.0];
    let mut pose = upright(height_m, gait.lean_rad);
    for (side, phase) in phases.into_iter().enumerate() {
        let hip = gait.hip_swing_rad * sin(phase) + gait.lean_rad * 0.6;
        let lift = cos(phase).max(0.0);
        let knee = gait.knee_rest_rad + gait.knee_lift_rad * lift * lift;
        pose.bend_leg(side, height_m, hip, knee);
        let shoulder = -gait.arm_swing_rad * sin(phase) - gait.lean_rad * 0.4;
        pose.bend_arm(side, height_m, shoulder, gait.elbow_rad);
    }
    let hop = gait.bounce * height_m * (0.5 + 0.5 * cos(2.0 * phase));
    pose.stand_on_ground(height_m, hop);
    pose
}

/// A figure bowing to the ground: `depth` 0 upright, 1 the hands at the ground.
pub(crate) fn stooping(height_m: f32, depth: f32) -> Pose {
    let mut pose = upright(height_m, lerp(0.03, 1.15, depth));
    for side in 0..2 {
        pose.bend_leg(side, height_m, 0.55 * depth, 1.1 * depth + 0.08);
        pose.bend_arm(side, height_m, 0.25 * depth, 0.2);
    }
    pose.stand_on_ground(height_m, 0.0);
    pose
}

fn upright(height_m: f32, lean_rad: f32) -> Pose {
    let pelvis = vec3(0.0, 0.53 * height_m, 0.0);
    let spine = vec3(sin(lean_rad), cos(lean_rad), 0.0);
    let chest = pelvis + spine * (0.29 * height_m);
    let head = chest + vec3(spine.x * 0.11 + 0.01, spine.y * 0.11 + 0.005, 0.0) * height_m;
    let pair = |at: Vec3, half_m: f32| [at + vec3(0.0, 0.0, -half_m), at + vec3(0.0, 0.0, half_m)];
    let (shoulders, hips) = (pair(chest, 0.115 * height_m), pair(pelvis, 0.052 * height_m));
    Pose {
        pelvis,
        chest,
        head,
        shoulders,
        elbows: shoulders,
        hands: shoulders,
        hips,
        knees: hips,
        ankles: hips,
        toes: hips,
    }
}

/// From a joint along a limb that points down, turned forward by the angle.
fn hang(from: Vec3, length_m: f32, angle_rad: f32) -> Vec3 {
    from + vec3(sin(angle_rad), -cos(angle_rad), 0.0) * length_m
}

impl Pose {
    fn bend_leg(&mut self, side: usize, height_m: f32, hip_rad: f32, knee_rad: f32) {
        let bone = 0.245 * height_m;
        self.knees[side] = hang(self.hips[side], bone, hip_rad);
        self.ankles[side] = hang(self.knees[side], bone, hip_rad - knee_rad);
        let foot = hip_rad - knee_rad * 0.8 + TURN_RAD / 4.0;
        self.toes[side] = hang(self.ankles[side], 0.1 * height_m, foot);
    }

    fn bend_arm(&mut self, side: usize, height_m: f32, shoulder_rad: f32, elbow_rad: f32) {
        self.elbows[side] = hang(self.shoulders[side], 0.17 * height_m, shoulder_rad);
        self.hands[side] = hang(self.elbows[side], 0.17 * height_m, shoulder_rad + elbow_rad);
    }

    fn stand_on_ground(&mut self, height_m: f32, hop_m: f32) {
        let lowest = self.ankles.iter().chain(&self.toes).fold(f32::MAX, |low, joint| low.min(joint.y));
        let lift = 0.03 * height_m + hop_m - lowest;
        self.map(|joint| joint + vec3(0.0, lift, 0.0));
    }

    /// This pose fallen over: `angle_rad` 0 stands, a quarter turn lies on the ground. `forward` tells a fall
    /// on the face from one on the back.
    pub(crate) fn toppled(mut self, angle_rad: f32, forward: bool) -> Self {
        let (s, c) = (sin(angle_rad), cos(angle_rad));
        let way = if forward { s } else { -s };
        self.map(|p| {
            let up = p.y * c - p.x * way;
            vec3(p.x * c + p.y * way, up.max(0.0) + 0.09 * s, p.z)
        });
        self
    }

    /// Moves every joint.
    pub(crate) fn map(&mut self, change: impl Fn(Vec3) -> Vec3) {
        for joint in [&mut self.pelvis, &mut self.chest, &mut self.head] {
            *joint = change(*joint);
        }
        let pairs = [
            &mut self.shoulders,
            &mut self.elbows,
            &mut self.hands,
            &mut self.hips,
            &mut self.knees,
            &mut self.ankles,
            &mut self.toes,
        ];
        for joint in pairs.into_iter().flatten() {
            *joint = change(*joint);
        }
    }
}

/// The middle joint of two bones of equal length from `root` to `tip`, bent forward (or backward).
pub(crate) fn middle_joint(root: Vec3, tip: Vec3, bone_m: f32, forward: bool) -> Vec3 {
    let span = tip - root;
    let half = (span.length() * 0.5).min(bone_m);
    let out = (bone_m * bone_m - half * half).max(0.0).sqrt();
    let across = vec3(-span.y, span.x, 0.0).direction();
    let towards = if (across.x >= 0.0) == forward { 1.0 } else { -1.0 };
    root.towards(tip, 0.5) + across * (out * towards)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walker_never_floats_or_sinks() {
        for step in 0..60 {
            let pose = moving(&Gait::WALK, 1.75, step as f32 * 0.07);
            let lowest = pose.ankles.iter().chain(&pose.toes).fold(f32::MAX, |low, j| low.min(j.y));
            assert!((lowest - 0.0525).abs() < 1e-4, "{lowest}");
            assert!((1.5..1.8).contains(&pose.head.y), "{:?}", pose.head);
        }
    }

    #[test]
    fn the_fallen_lie_low() {
        for forward in [true, false] {
            let pose = moving(&Gait::WALK, 1.75, 0.3).toppled(TURN_RAD / 4.0, forward);
            assert!(pose.head.y < 0.45 && pose.pelvis.y < 0.45, "{pose:?}");
        }
    }

    #[test]
    fn bones_keep_their_length() {
        let (root, tip) = (vec3(0.0, 1.0, 0.0), vec3(0.2, 0.4, 0.0));
        let knee = middle_joint(root, tip, 0.42, true);
        assert!(((knee - root).length() - 0.42).abs() < 1e-4 && knee.x > 0.1);
    }
}
