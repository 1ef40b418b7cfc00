//! What an earlier run left in the folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use alarm_proto::CameraId;

use super::name::{EventName, Part};
use super::sheet::Sheet;
use super::shelf::Shelf;
use super::store::HOURS_FILE;

/// Largest sheet that is read: one with the most scores has a third of it.
pub(crate) const MAX_SHEET_BYTES: u64 = 1 << 20;

/// Puts every event on the shelf; hours for which evidence was kept.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn scan(folder: &Path, shelf: &mut Shelf) -> io::Result<u64> {
    let mut hours = hours_kept(folder);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(camera) = name.to_str().and_then(|name| CameraId::try_from(name).ok()) else { continue };
        if entry.file_type()?.is_dir() {
            hours = hours.max(scan_camera(&entry.path(), &camera, shelf)?);
        }
    }
    Ok(hours)
}

/// The latest hour of its events.
fn scan_camera(folder: &Path, camera: &CameraId, shelf: &mut Shelf) -> io::Result<u64> {
    let mut events: BTreeMap<EventName, u64> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(file) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if let Some(whole) = file.strip_suffix(".part") {
            if event_of(camera, whole).is_some() {
                // Half of a file, left by a power cut.
                fs::remove_file(entry.path())?;
            }
        } else if let Some(name) = event_of(camera, &file) {
            *events.entry(name).or_default() += entry.metadata()?.len();
        }
    }
    let mut latest = 0;
    for (name, bytes) in events {
        let sheet = read_sheet(&folder.join(name.file(Part::Sheet)));
        let hour = sheet.map_or(0, |sheet| sheet.kept_for_h);
        latest = latest.max(hour);
        shelf.put(hour, name, bytes);
    }
    Ok(latest)
}

/// The event that a file of this name belongs to.
fn event_of(camera: &CameraId, file: &str) -> Option<EventName> {
    let (stem, ending) = file.rsplit_once('.')?;
    let is_known = Part::ALL.iter().any(|part| part.ending() == ending);
    EventName::parse(camera, stem).filter(|_| is_known)
}

/// A sheet, if it is there and whole.
pub(crate) fn read_sheet(path: &Path) -> Option<Sheet> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_SHEET_BYTES).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn hours_kept(folder: &Path) -> u64 {
    let mut text = String::new();
    let read = File::open(folder.join(HOURS_FILE)).and_then(|file| file.take(32).read_to_string(&mut text));
    read.ok().and_then(|_| text.trim().parse().ok()).unwrap_or(0)
}
