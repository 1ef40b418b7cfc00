//! The files of all events, written by one thread: cameras wait for no disk.
//!
//! # Invariants
//! - A sheet and a picture are there whole or not at all; a clip plays up to its last whole fragment.
//! - There is always room for alarms: evidence leaves `min_free_bytes` of the disk free, and its oldest goes first.
//! - What does not look like evidence is neither counted nor touched.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::name::{EventName, Part};
use super::scan;
use super::sheet::Sheet;
use super::shelf::{Kept, Limits, Shelf};
use crate::atomic;
use crate::clock::Clock;
use crate::config::EvidenceConfig;
use crate::health::Health;

/// Holds for how many milliseconds evidence was kept here so far.
pub(super) const AGE_FILE: &str = "kept-for-ms";
pub(super) const HOUR_MS: u64 = 3_600_000;
const DEFECT: &str = "evidence cannot be stored";

/// What a recording asks for.
pub(super) enum Job {
    /// What is known of an event; a complete one ends it.
    Sheet(EventName, Box<Sheet>),
    /// Its picture, which replaces an earlier one.
    Snapshot(EventName, Vec<u8>),
    /// More of its video: the head of the file, or a whole fragment.
    Clip(EventName, Vec<u8>),
}

pub(super) struct Store {
    folder: PathBuf,
    limits: Limits,
    min_free_bytes: u64,
    shelf: Shelf,
    /// Events that go on.
    open: BTreeMap<EventName, Open>,
    /// For how long evidence was kept before this run, and when this run began.
    kept_before_ms: u64,
    began_ms: u64,
    /// As it stands in its file.
    hours_written: u64,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
}

/// Of an event that goes on.
#[derive(Default)]
struct Open {
    hour: u64,
    clip: Option<File>,
    clip_bytes: u64,
    other_bytes: BTreeMap<&'static str, u64>,
    /// Its video has a hole; what comes after it would not play.
    is_cut: bool,
}

impl Open {
    fn bytes(&self) -> u64 {
        self.clip_bytes + self.other_bytes.values().sum::<u64>()
    }
}

impl Store {
    /// Looks at what is there. A folder that cannot be made or read is a defect of the board and no reason not to watch.
    pub(super) fn open(config: &EvidenceConfig, clock: Arc<dyn Clock>, health: Arc<Health>) -> Self {
        let folder = config.folder.clone();
        let limits = Limits { max_bytes: config.max_bytes, max_age_h: u64::from(config.max_age_days) * 24 };
        let mut store = Self {
            kept_before_ms: 0,
            began_ms: clock.monotonic_ms(),
            hours_written: 0,
            shelf: Shelf::default(),
            open: BTreeMap::new(),
            min_free_bytes: config.min_free_bytes,
            limits,
            folder,
            clock,
            health,
        };
        let found = make_folder(&store.folder).and_then(|()| scan::scan(&store.folder, &mut store.shelf));
        store.kept_before_ms = store.judge("read what is there", found).unwrap_or(0);
        store.hours_written = store.hours();
        tracing::info!(folder = %store.folder.display(), events = store.shelf.len(), bytes = store.shelf.bytes(), "evidence");
        store.make_room(0);
        store
    }

    /// Works until nobody asks for anything any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let left_ms = HOUR_MS - self.kept_ms() % HOUR_MS;
            match jobs.recv_timeout(Duration::from_millis(left_ms)) {
                Ok(job) => self.work(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.note_age(),
            }
            self.age();
        }
    }

    /// For how long evidence has been kept here, in this run and before.
    fn kept_ms(&self) -> u64 {
        self.kept_before_ms.saturating_add(self.clock.monotonic_ms().saturating_sub(self.began_ms))
    }

    fn hours(&self) -> u64 {
        self.kept_ms() / HOUR_MS
    }

    /// Does one job.
    pub(super) fn work(&mut self, job: Job) {
        let done = match job {
            Job::Sheet(name, sheet) => self.sheet(name, *sheet),
            Job::Snapshot(name, bytes) => self.file(&name, Part::Snapshot, &bytes),
            // What comes after a hole is of no use, and says nothing of the disk.
            Job::Clip(name, _) if self.event(&name).is_cut => return,
            Job::Clip(name, bytes) => self.clip(&name, &bytes),
        };
        self.judge("write", done);
    }

    /// Counts hours, and lets go of what is too old.
    pub(super) fn age(&mut self) {
        if self.hours() > self.hours_written {
            self.note_age();
            self.make_room(0);
        }
    }

    fn note_age(&mut self) {
        let kept_ms = self.kept_ms();
        self.hours_written = kept_ms / HOUR_MS;
        let written = atomic::write(&self.folder.join(AGE_FILE), |file| writeln!(file, "{kept_ms}"));
        self.judge("write", written);
    }

    fn sheet(&mut self, name: EventName, mut sheet: Sheet) -> io::Result<()> {
        let open = self.event(&name);
        sheet.kept_for_h = open.hour;
        if sheet.is_complete {
            open.correct(&mut sheet);
        }
        let written = self.file(&name, Part::Sheet, &sheet.json());
        if sheet.is_complete
            && let Some(open) = self.open.remove(&name)
        {
            self.shelf.put(Kept { hour: open.hour, bytes: open.bytes(), name });
            let synced = open.clip.map_or(Ok(()), |clip| clip.sync_all());
            return written.and(synced);
        }
        written
    }

    /// An event that goes on; a new one where there was none.
    fn event(&mut self, name: &EventName) -> &mut Open {
        let hour = self.hours();
        self.open.entry(name.clone()).or_insert_with(|| Open { hour, ..Open::default() })
    }

    fn file(&mut self, name: &EventName, part: Part, bytes: &[u8]) -> io::Result<()> {
        self.room_for(bytes.len())?;
        make_folder(&self.folder.join(name.camera.as_str()))?;
        atomic::write(&name.path(&self.folder, part), |file| file.write_all(bytes))?;
        self.event(name).other_bytes.insert(part.ending(), bytes.len() as u64);
        Ok(())
    }

    fn clip(&mut self, name: &EventName, bytes: &[u8]) -> io::Result<()> {
        let room = self.room_for(bytes.len());
        let path = name.path(&self.folder, Part::Clip);
        let open = self.event(name);
        let written = room.and_then(|()| open.append(&path, bytes));
        open.is_cut = written.is_err();
        written
    }

    fn room_for(&mut self, bytes: usize) -> io::Result<()> {
        if self.make_room(bytes as u64) {
            return Ok(());
        }
        let reason = format!("less than {} MiB of the disk would be free", self.min_free_bytes >> 20);
        Err(io::Error::new(io::ErrorKind::StorageFull, reason))
    }

    /// Lets go of old evidence until `bytes` more are within all limits; whether that was enough.
    fn make_room(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_add(self.open.values().map(Open::bytes).sum());
        while let Some(kept) = self.shelf.expired(self.hours(), more, self.limits) {
            if !self.remove(kept) {
                return false;
            }
        }
        if more > self.limits.max_bytes {
            return false;
        }
        loop {
            // A disk that does not say how full it is will refuse when it is.
            let free = free_bytes(&self.folder).unwrap_or(u64::MAX);
            if free >= self.min_free_bytes.saturating_add(bytes) {
                return true;
            }
            let Some(kept) = self.shelf.oldest() else { return false };
            if !self.remove(kept) {
                return false;
            }
        }
    }

    /// Removes an event's files; one that cannot be removed stays on the shelf.
    fn remove(&mut self, kept: Kept) -> bool {
        let files = Part::ALL.map(|part| kept.name.path(&self.folder, part));
        let gone = files.iter().try_for_each(|path| match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        });
        if self.judge("remove what is old", gone).is_none() {
            self.shelf.put(kept);
            return false;
        }
        tracing::info!(event = %kept.name, "old evidence removed");
        true
    }

    /// The board's health after something was tried.
    fn judge<T>(&self, doing: &str, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => {
                // A small file may find room where a video does not.
                if !self.open.values().any(|open| open.is_cut) {
                    self.health.restore(DEFECT);
                }
                Some(value)
            }
            Err(e) => {
                tracing::error!(folder = %self.folder.display(), error = %e, "evidence: cannot {doing}");
                self.health.degrade(DEFECT);
                None
            }
        }
    }
}

impl Open {
    /// Takes out of a sheet what did not get onto the disk.
    fn correct(&self, sheet: &mut Sheet) {
        if !self.other_bytes.contains_key(Part::Snapshot.ending()) {
            sheet.snapshot = None;
        }
        sheet.clip = sheet.clip.take().filter(|_| self.clip_bytes > 0);
        if let Some(clip) = &mut sheet.clip {
            clip.is_cut = self.is_cut;
        }
    }

    /// Appends, and is as before where that fails.
    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.clip.is_none() {
            if let Some(folder) = path.parent() {
                make_folder(folder)?;
            }
            self.clip = Some(OpenOptions::new().write(true).create(true).truncate(true).open(path)?);
        }
        let Some(file) = &mut self.clip else { return Ok(()) };
        match file.write_all(bytes).and_then(|()| file.sync_data()) {
            Ok(()) => self.clip_bytes += bytes.len() as u64,
            Err(e) => {
                // Half a fragment is worse than none; where this fails as well, players stop there.
                let _ = file.set_len(self.clip_bytes);
                return Err(e);
            }
        }
        Ok(())
    }
}

/// Makes a folder that only its owner and group may look into.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

/// Bytes of the disk below `folder` that this program may still fill.
pub(crate) fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests;
