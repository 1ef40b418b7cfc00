//! Synthetic street scenes with labelled anomalies: what a demo or a test uses when no footage is at hand.
//!
//! A [`Scene`] shows a pavement from a fixed camera: walkers come and go, light and clouds change, the camera
//! trembles, the sensor is noisy. With an [`Anomaly`] somebody cycles, drives or runs through, falls, or leaves a
//! suitcase, and [`Scene::truth`] tells in which frames that is seen. Everything is drawn from seeds by a software
//! rasteriser, so that equal specs give equal bytes; [`write_set`] writes many scenes as videos with a label file.
//!
//! ```
//! use vad_scenes::{Anomaly, AnomalyKind, Scene, SceneSpec};
//!
//! let anomaly = Anomaly { kind: AnomalyKind::Cyclist, first_frame: 60, last_frame: 129 };
//! let mut scene = Scene::new(SceneSpec { anomaly: Some(anomaly), ..SceneSpec::normal(7) })?;
//! let mut rgb = Vec::new();
//! scene.render(90, &mut rgb)?;
//! assert_eq!(rgb.len(), 320 * 240 * 3);
//! # Ok::<(), vad_scenes::SceneError>(())
//! ```
//!
//! # Units
//! Metres, seconds and radians in the world; pixels in the picture, whose origin is the top left corner.
#![deny(missing_docs)]

mod actor;
mod backdrop;
mod bicycle;
mod block;
mod camera;
mod crowd;
mod dice;
mod figure;
mod furniture;
mod incident;
mod light;
mod math;
mod palette;
mod path;
mod place;
mod pose;
mod raster;
mod scene;
mod set;
mod solid;
mod spec;
mod travel;
mod vehicle;
mod write;

pub use scene::Scene;
pub use set::{Plan, SetError, SetSpec};
pub use spec::{Anomaly, AnomalyKind, SceneError, SceneSpec};
pub use write::{LABELS_FILE, SetProgress, Written, write_set};
