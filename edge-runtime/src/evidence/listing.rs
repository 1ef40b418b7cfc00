//! The newest events in the folder of all evidence, for whoever wants to see them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use alarm_proto::CameraId;

use super::name::{EventName, Part};
use super::scan;
use super::sheet::Sheet;

/// Sheets that are remembered.
const MAX_KNOWN: usize = 256;
/// A folder that changed this lately may have changed again without another time.
const SETTLED: Duration = Duration::from_secs(2);

/// Looks into the folder when asked: at a camera's names when its folder has changed, and at a sheet until nothing will be added to it.
pub struct Listing {
    folder: PathBuf,
    names: BTreeMap<CameraId, (SystemTime, Vec<EventName>)>,
    final_sheets: BTreeMap<EventName, Sheet>,
}

impl Listing {
    /// Of the evidence in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, names: BTreeMap::new(), final_sheets: BTreeMap::new() }
    }

    /// At most `limit` events that are `wanted`, those of the greatest `age` first. A folder or a sheet that cannot be read is left
    /// out; scores are, too: a list has no use for them. Of an event that is `over` nothing will be added to the sheet, complete or not.
    pub fn newest<K: Ord>(
        &mut self,
        age: &dyn Fn(&EventName) -> K,
        wanted: &dyn Fn(&EventName) -> bool,
        over: &dyn Fn(&EventName) -> bool,
        limit: usize,
    ) -> Vec<(EventName, Sheet)> {
        let mut names = self.look();
        names.retain(wanted);
        names.sort_by_cached_key(|name| std::cmp::Reverse(age(name)));
        names.truncate(limit);
        if self.final_sheets.len() > MAX_KNOWN {
            self.final_sheets.retain(|name, _| names.contains(name));
        }
        names.into_iter().filter_map(|name| Some((name.clone(), self.sheet(name, over)?))).collect()
    }

    /// Names of all events.
    fn look(&mut self) -> Vec<EventName> {
        let cameras = scan::cameras(&self.folder);
        self.names.retain(|camera, _| cameras.contains(camera));
        for camera in cameras {
            let folder = self.folder.join(camera.as_str());
            let changed = changed(&folder);
            if changed.is_none() || self.names.get(&camera).map(|(at, _)| *at) != changed {
                let names = scan::names(&folder, &camera);
                let at = changed.filter(|at| at.elapsed().is_ok_and(|age| age > SETTLED));
                self.names.insert(camera, (at.unwrap_or(SystemTime::UNIX_EPOCH), names));
            }
        }
        self.names.values().flat_map(|(_, names)| names).cloned().collect()
    }

    fn sheet(&mut self, name: EventName, over: &dyn Fn(&EventName) -> bool) -> Option<Sheet> {
        if let Some(sheet) = self.final_sheets.get(&name) {
            return Some(sheet.clone());
        }
        let mut sheet = scan::read_sheet(&name.path(&self.folder, Part::Sheet))?;
        sheet.scores.clear();
        if sheet.is_complete || over(&name) {
            self.final_sheets.insert(name, sheet.clone());
        }
        Some(sheet)
    }
}

fn changed(folder: &Path) -> Option<SystemTime> {
    std::fs::metadata(folder).and_then(|meta| meta.modified()).ok()
}
