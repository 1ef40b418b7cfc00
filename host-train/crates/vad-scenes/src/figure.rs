//! Human figures: looks drawn once, and the body that a pose gives them.

use crate::camera::Camera;
use crate::dice::Dice;
use crate::math::Vec3;
use crate::palette;
use crate::pose::Pose;
use crate::raster::Colour;
use crate::solid::{Body, Stand};

/// How a figure looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looks {
    pub(crate) height_m: f32,
    /// Girth relative to an average build.
    build: f32,
    skin: Colour,
    hair: Colour,
    top: Colour,
    bottom: Colour,
    shoes: Colour,
    bare_arms: bool,
    bare_legs: bool,
    skirt: bool,
    long_hair: bool,
    hat: Option<Colour>,
    backpack: Option<Colour>,
}

impl Looks {
    /// Somebody in the street.
    pub(crate) fn passer_by(dice: &mut Dice) -> Self {
        let skirt = dice.chance(0.22);
        let looks = Self {
            height_m: dice.range(1.55, 1.9),
            build: dice.range(0.9, 1.2),
            skin: palette::skin(dice),
            hair: palette::hair(dice),
            top: palette::top(dice),
            bottom: palette::bottom(dice),
            shoes: palette::shoes(dice),
            bare_arms: dice.chance(0.35),
            bare_legs: skirt,
            skirt,
            long_hair: dice.chance(0.35),
            hat: None,
            backpack: None,
        };
        let hat = dice.chance(0.15).then(|| palette::top(dice));
        let backpack = dice.chance(0.25).then(|| palette::bottom(dice));
        Self { hat, backpack, ..looks }
    }

    /// Somebody in the street in a coat that stands out.
    pub(crate) fn conspicuous(dice: &mut Dice) -> Self {
        Self { top: palette::bright(dice), ..Self::passer_by(dice) }
    }

    /// Somebody in sports wear.
    pub(crate) fn athlete(dice: &mut Dice, helmet: bool) -> Self {
        let looks = Self::passer_by(dice);
        Self {
            height_m: dice.range(1.74, 1.88),
            build: 1.0,
            top: palette::bright(dice),
            bottom: [40.0, 42.0, 50.0],
            shoes: [226.0, 226.0, 220.0],
            bare_arms: true,
            bare_legs: true,
            skirt: false,
            backpack: None,
            hat: helmet.then(|| palette::bright(dice)),
            ..looks
        }
    }

    /// The body of this figure in a pose.
    pub(crate) fn body(&self, pose: &Pose, stand: &Stand, camera: &Camera) -> Body {
        let mut body = Body::default();
        let place = |joint: Vec3| stand.point(joint.x, joint.y, joint.z);
        for side in 0..2 {
            self.leg(&mut body, pose, side, &place);
            self.arm(&mut body, pose, side, &place);
        }
        self.trunk(&mut body, pose, &place);
        self.head(&mut body, pose, &place);
        body.sort_by_depth(camera);
        body
    }

    fn leg(&self, body: &mut Body, pose: &Pose, side: usize, place: &impl Fn(Vec3) -> Vec3) {
        let unit = self.height_m * self.build;
        let (hip, knee) = (place(pose.hips[side]), place(pose.knees[side]));
        let (ankle, toe) = (place(pose.ankles[side]), place(pose.toes[side]));
        let shin = if self.bare_legs { self.skin } else { self.bottom };
        body.limb(hip, knee, 0.052 * unit, 0.036 * unit, self.bottom);
        body.limb(knee, ankle, 0.035 * unit, 0.022 * unit, shin);
        body.limb(ankle, toe, 0.024 * unit, 0.019 * unit, self.shoes);
    }

    fn arm(&self, body: &mut Body, pose: &Pose, side: usize, place: &impl Fn(Vec3) -> Vec3) {
        let unit = self.height_m * self.build;
        let shoulder = place(pose.shoulders[side]);
        let (elbow, hand) = (place(pose.elbows[side]), place(pose.hands[side]));
        let sleeve = palette::shade(self.top, 0.9);
        let lower = if self.bare_arms { self.skin } else { sleeve };
        body.limb(shoulder, elbow, 0.03 * unit, 0.023 * unit, sleeve);
        body.limb(elbow, hand, 0.022 * unit, 0.017 * unit, lower);
        body.ball(hand, 0.021 * unit, self.skin);
    }

    fn trunk(&self, body: &mut Body, pose: &Pose, place: &impl Fn(Vec3) -> Vec3) {
        let unit = self.height_m * self.build;
        let (pelvis, chest) = (place(pose.pelvis), place(pose.chest));
        body.limb(pelvis, chest, 0.062 * unit, 0.078 * unit, self.top);
        let (left, right) = (place(pose.shoulders[0]), place(pose.shoulders[1]));
        body.limb(left, right, 0.036 * unit, 0.036 * unit, self.top);
        if self.skirt {
            let hem = pose.knees[0].towards(pose.knees[1], 0.5);
            let hem = pose.pelvis.towards(hem, 0.8);
            body.limb(pelvis, place(hem), 0.066 * unit, 0.098 * unit, self.bottom);
        }
        if let Some(colour) = self.backpack {
            let behind =
                |joint: Vec3, up: f32| place(Vec3 { x: joint.x - 0.085 * unit, y: joint.y + up, ..joint });
            let low = behind(pose.pelvis, 0.05 * unit);
            body.limb(low, behind(pose.chest, -0.02 * unit), 0.062 * unit, 0.055 * unit, colour);
        }
    }

    fn head(&self, body: &mut Body, pose: &Pose, place: &impl Fn(Vec3) -> Vec3) {
        let unit = self.height_m;
        let along = (pose.head - pose.chest).direction();
        let ahead = Vec3 { x: along.y, y: -along.x, z: 0.0 };
        body.limb(place(pose.chest), place(pose.head), 0.028 * unit, 0.026 * unit, self.skin);
        let crown = pose.head + along * (0.018 * unit) - ahead * (0.014 * unit);
        body.ball(place(crown), 0.057 * unit, self.hair);
        if self.long_hair {
            let nape = pose.head - along * (0.07 * unit) - ahead * (0.03 * unit);
            body.limb(place(crown), place(nape), 0.05 * unit, 0.04 * unit, self.hair);
        }
        let chin = pose.head - along * (0.025 * unit) + ahead * (0.02 * unit);
        body.limb(
            place(pose.head + ahead * (0.012 * unit)),
            place(chin),
            0.046 * unit,
            0.034 * unit,
            self.skin,
        );
        if let Some(colour) = self.hat {
            let top = pose.head + along * (0.045 * unit);
            body.ball(place(top), 0.052 * unit, colour);
        }
    }
}
