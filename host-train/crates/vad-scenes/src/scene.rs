//! A scene: everything put together and rendered frame by frame.

use std::ops::RangeInclusive;

use crate::actor::{Actor, Placed};
use crate::backdrop::Backdrop;
use crate::camera::Camera;
use crate::crowd::{Walker, draw_crowd};
use crate::dice::{Dice, Purpose};
use crate::light::Light;
use crate::math::{Vec3, cos, sin, vec3};
use crate::place::Place;
use crate::raster::{Canvas, Mask};
use crate::solid::{Body, Stand};
use crate::spec::{SceneError, SceneSpec};

/// Darkness of the footprint under everything that stands on the ground.
const CONTACT: f32 = 0.42;

/// A scene that can be rendered in any order of frames.
pub struct Scene {
    spec: SceneSpec,
    place: Place,
    backdrop: Backdrop,
    light: Light,
    crowd: Vec<Walker>,
    actor: Option<Actor>,
    nothing_happens: bool,
    canvas: Canvas,
    shadow: Mask,
}

impl Scene {
    /// Prepares a scene: draws the street, its walkers and the anomaly.
    ///
    /// # Errors
    /// [`SceneError`] where the spec is out of range, or the anomaly would never get into so small a picture.
    pub fn new(spec: SceneSpec) -> Result<Self, SceneError> {
        spec.validate()?;
        let place = Place::new(spec.place_seed, spec.width_px, spec.height_px);
        let (width, height) = (spec.width_px as usize, spec.height_px as usize);
        let in_view = spec.walkers.unwrap_or_else(|| Dice::new(spec.seed, Purpose::Set).range(3.0, 9.0));
        let duration_s = spec.frames as f32 / spec.frame_rate_hz as f32;
        let actor = spec.anomaly.as_ref().map(|anomaly| Actor::new(&spec, anomaly, &place)).transpose()?;
        Ok(Self {
            backdrop: Backdrop::new(&place, width, height),
            light: Light::new(spec.seed),
            crowd: draw_crowd(spec.seed, &place, spec.width_px as f32, duration_s, in_view),
            actor,
            nothing_happens: false,
            canvas: Canvas::new(width, height),
            shadow: Mask::new(width, height),
            place,
            spec,
        })
    }

    /// What the scene was made from.
    #[must_use]
    pub fn spec(&self) -> &SceneSpec {
        &self.spec
    }

    /// First to last frame in which the anomaly is seen, from 0; `None` for a normal scene.
    ///
    /// This comes from the geometry: a cyclist, vehicle or runner counts from the frame in which enough of it is
    /// inside the picture to the frame in which it has left; a fall or a left object from the first frame in
    /// which the walker behaves unlike its twin that goes on.
    #[must_use]
    pub fn truth(&self) -> Option<RangeInclusive<u64>> {
        self.actor.as_ref().filter(|_| !self.nothing_happens).map(Actor::truth)
    }

    /// The same scene in which nothing happens: no cyclist, vehicle or runner comes, and the walker who would
    /// have fallen or left something walks on. Outside of the truth range both give the same pictures.
    #[must_use]
    pub fn uneventful(mut self) -> Self {
        self.nothing_happens = true;
        self
    }

    /// Renders a frame, counted from 0, as packed RGB bytes (height x width x 3).
    ///
    /// # Errors
    /// [`SceneError::NoSuchFrame`] beyond the last frame.
    pub fn render(&mut self, frame: u64, rgb: &mut Vec<u8>) -> Result<(), SceneError> {
        if frame >= self.spec.frames {
            return Err(SceneError::NoSuchFrame { frame, frames: self.spec.frames });
        }
        let time_s = (frame as f64 / self.spec.frame_rate_hz) as f32;
        let tremble = self.light.tremble_px(time_s);
        let camera = self.place.camera.moved(tremble);
        self.backdrop.lay(&mut self.canvas, tremble.x, tremble.y);
        let placed = self.placed(frame, time_s, &camera);
        self.cast_shadows(&placed, &camera);
        for item in &placed {
            item.body.draw(&camera, &self.light.sun, &mut self.canvas);
        }
        self.light.develop(&self.canvas, &self.place, frame, time_s, rgb);
        Ok(())
    }

    /// Every body in the frame, the farthest first.
    fn placed(&self, frame: u64, time_s: f32, camera: &Camera) -> Vec<Placed> {
        let actor = self.actor.as_ref();
        let hazard = actor.filter(|_| !self.nothing_happens).and_then(|actor| actor.hazard(frame));
        let furniture = self.place.furniture.iter().map(|item| Placed {
            body: item.body(time_s, camera),
            stand: Stand { at: item.at, heading: vec3(1.0, 0.0, 0.0) },
            footprint_m: (0.2, 0.2),
        });
        let walkers = self.crowd.iter().filter_map(|walker| {
            let (stand, way_m) = walker.stand(time_s, hazard.as_ref())?;
            Some(Placed { body: walker.body(&stand, way_m, camera), stand, footprint_m: (0.28, 0.22) })
        });
        let mut placed: Vec<Placed> = furniture.chain(walkers).collect();
        if let Some(actor) = actor {
            placed.extend(actor.bodies(frame, self.nothing_happens, camera));
        }
        placed.sort_by(|a, b| camera.depth_m(b.stand.at).total_cmp(&camera.depth_m(a.stand.at)));
        placed
    }

    fn cast_shadows(&mut self, placed: &[Placed], camera: &Camera) {
        self.shadow.clear();
        for item in placed {
            item.body.cast(camera, &self.light.sun, &mut self.shadow);
            footprint(item).cast(camera, &CONTACT_SUN, &mut self.shadow);
        }
        let width = self.shadow.width;
        for (index, (cover, pixel)) in self.shadow.cover.iter().zip(&mut self.canvas.pixels).enumerate() {
            if *cover > 0.0 && self.backdrop.is_ground(index % width, index / width) {
                // Shade is bluish: the sky still lights it.
                for (channel, share) in pixel.iter_mut().zip([1.0, 0.97, 0.9]) {
                    *channel *= 1.0 - cover * share;
                }
            }
        }
    }
}

const CONTACT_SUN: crate::solid::Sun =
    crate::solid::Sun { throw: (0.0, 0.0), shadow: CONTACT, picture: crate::math::vec2(0.0, 0.0) };

/// An ellipse on the ground under a body.
fn footprint(item: &Placed) -> Body {
    let (half_length, half_width) = item.footprint_m;
    let corner = |index: u32| -> Vec3 {
        let angle = crate::math::TURN_RAD * index as f32 / 12.0;
        item.stand.point(half_length * cos(angle), 0.0, half_width * sin(angle))
    };
    let mut body = Body::default();
    body.face((0..12).map(corner).collect(), [0.0; 3]);
    body
}
