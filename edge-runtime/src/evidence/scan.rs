//! What an earlier run left in the folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::Path;

use alarm_proto::CameraId;

use super::name::{EventName, Part};
use super::sheet::Sheet;
use super::shelf::{Kept, Shelf};
use super::store::{AGE_FILE, HOUR_MS};

/// Largest sheet that is read: one with the most scores has a third of it.
const MAX_SHEET_BYTES: u64 = 1 << 20;

/// Puts every event on the shelf; milliseconds for which evidence was kept. What cannot be read is left out and named in the log.
///
/// # Errors
/// The folder itself cannot be read.
pub(super) fn scan(folder: &Path, shelf: &mut Shelf) -> io::Result<u64> {
    let mut latest_h = 0;
    for entry in fs::read_dir(folder)?.filter_map(|entry| readable(folder, entry)) {
        let name = entry.file_name();
        let Some(camera) = name.to_str().and_then(|name| CameraId::try_from(name).ok()) else { continue };
        if entry.path().is_dir() {
            let events = readable(folder, scan_camera(&entry.path(), &camera, shelf));
            latest_h = latest_h.max(events.unwrap_or(0));
        }
    }
    // Where the age is lost, the latest event tells the least that it was.
    Ok(kept_ms(folder).unwrap_or_else(|| latest_h.saturating_mul(HOUR_MS)))
}

/// The latest hour of its events.
fn scan_camera(folder: &Path, camera: &CameraId, shelf: &mut Shelf) -> io::Result<u64> {
    let mut events: BTreeMap<EventName, u64> = BTreeMap::new();
    for entry in fs::read_dir(folder)?.filter_map(|entry| readable(folder, entry)) {
        let Some(file) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if let Some(whole) = file.strip_suffix(".part") {
            if event_of(camera, whole).is_some() {
                // Half of a file, left by a power cut.
                readable(folder, fs::remove_file(entry.path()));
            }
        } else if let Some(name) = event_of(camera, &file) {
            *events.entry(name).or_default() += bytes_of(folder, &entry);
        }
    }
    let mut latest_h = 0;
    for (name, bytes) in events {
        let sheet = read_sheet(&folder.join(name.file(Part::Sheet)));
        let hour = sheet.map_or(0, |sheet| sheet.kept_for_h);
        latest_h = latest_h.max(hour);
        shelf.put(Kept { hour, name, bytes });
    }
    Ok(latest_h)
}

/// Cameras that have a folder.
pub(super) fn cameras(folder: &Path) -> BTreeSet<CameraId> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| CameraId::try_from(entry.file_name().to_str()?).ok()).collect()
}

/// Events of a camera that have a sheet, in no order; `folder` is its own.
pub(super) fn names(folder: &Path, camera: &CameraId) -> Vec<EventName> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let name_of = |file: &str| EventName::parse(camera, file.strip_suffix(".json")?);
    entries.filter_map(|entry| name_of(entry.file_name().to_str()?)).collect()
}

fn bytes_of(folder: &Path, entry: &DirEntry) -> u64 {
    readable(folder, entry.metadata()).map_or(0, |meta| meta.len())
}

fn readable<T>(folder: &Path, result: io::Result<T>) -> Option<T> {
    result
        .inspect_err(|e| tracing::warn!(folder = %folder.display(), error = %e, "left out of the evidence"))
        .ok()
}

/// The event that a file of this name belongs to.
fn event_of(camera: &CameraId, file: &str) -> Option<EventName> {
    let (stem, ending) = file.rsplit_once('.')?;
    let is_known = Part::ALL.iter().any(|part| part.ending() == ending);
    EventName::parse(camera, stem).filter(|_| is_known)
}

/// A sheet, if it is there and whole.
pub(super) fn read_sheet(path: &Path) -> Option<Sheet> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_SHEET_BYTES).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn kept_ms(folder: &Path) -> Option<u64> {
    let mut text = String::new();
    File::open(folder.join(AGE_FILE)).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
