//! Masks and zones.

use alarm_proto::CameraId;

use super::Check;
use crate::config::schema::{AreaSection, CameraSection};
use crate::view::{Area, Polygon, PolygonError, View};

/// Most masks, and most zones, of one camera.
const MAX_AREAS: usize = 16;

impl Check<'_> {
    /// The masks and zones of the camera at `path`, which are taken out of it.
    pub(super) fn view(&mut self, path: &str, camera: &mut CameraSection) -> View {
        View {
            masks: self.areas(&format!("{path}.mask"), std::mem::take(&mut camera.mask)),
            zones: self.areas(&format!("{path}.zone"), std::mem::take(&mut camera.zone)),
        }
    }

    fn areas(&mut self, path: &str, raw: Vec<AreaSection>) -> Vec<Area> {
        if raw.len() > MAX_AREAS {
            self.wrong(path, format!("{} of them are more than {MAX_AREAS}; join some", raw.len()));
            return Vec::new();
        }
        let mut areas: Vec<Area> = Vec::with_capacity(raw.len());
        for (index, AreaSection { name, points }) in raw.into_iter().enumerate() {
            let path = format!("{path}[{index}]");
            // Every name has the same alphabet.
            self.name::<CameraId>(&format!("{path}.name"), &name);
            if areas.iter().any(|area| area.name == name) {
                self.wrong(&format!("{path}.name"), format!("`{name}` is there already; take another name"));
            }
            let Some(points) = self.points(&path, &points) else { continue };
            match Polygon::new(points) {
                Ok(shape) => areas.push(Area { name, shape }),
                Err(wrong) => wrong.iter().for_each(|e| self.wrong(&place_of(&path, e), e.to_string())),
            }
        }
        areas
    }

    /// A reader of TOML would drop a third number without a word.
    fn points(&mut self, path: &str, raw: &[Vec<f64>]) -> Option<Vec<[f64; 2]>> {
        let mut points = Vec::with_capacity(raw.len());
        for (index, numbers) in raw.iter().enumerate() {
            match <[f64; 2]>::try_from(numbers.as_slice()) {
                Ok(point) => points.push(point),
                Err(_) => {
                    let given = numbers.len();
                    self.wrong(
                        &format!("{path}.points[{index}]"),
                        format!("a point has two numbers, [x, y], not {given}"),
                    );
                }
            }
        }
        (points.len() == raw.len()).then_some(points)
    }
}

fn place_of(path: &str, error: &PolygonError) -> String {
    match error {
        PolygonError::Outside { index, .. } => format!("{path}.points[{index}]"),
        PolygonError::Count { .. } | PolygonError::Empty => format!("{path}.points"),
    }
}
