//! The newest events in the folder of all evidence, for whoever wants to see them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::name::{EventName, Part};
use super::scan;
use super::sheet::Sheet;

/// Sheets that are remembered.
const MAX_KNOWN: usize = 256;

/// Looks into the folder when asked. Sheets that nothing will be added to are read once.
pub struct Listing {
    folder: PathBuf,
    complete: BTreeMap<EventName, Sheet>,
}

impl Listing {
    /// Of the evidence in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, complete: BTreeMap::new() }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// At most `limit` events, newest first, older than `before` if that is given. A folder or a sheet that cannot be read is left
    /// out; scores are, too: a list has no use for them.
    pub fn newest(&mut self, before: Option<&EventName>, limit: usize) -> Vec<(EventName, Sheet)> {
        let is_older = |name: &EventName| before.is_none_or(|before| name.age_key() < before.age_key());
        let mut names: Vec<EventName> = scan::names(&self.folder).into_iter().filter(is_older).collect();
        names.sort_by(|a, b| b.age_key().cmp(&a.age_key()));
        names.truncate(limit);
        if self.complete.len() > MAX_KNOWN {
            self.complete.retain(|name, _| names.contains(name));
        }
        names.into_iter().filter_map(|name| Some((name.clone(), self.sheet(name)?))).collect()
    }

    fn sheet(&mut self, name: EventName) -> Option<Sheet> {
        if let Some(sheet) = self.complete.get(&name) {
            return Some(sheet.clone());
        }
        let mut sheet = scan::read_sheet(&name.path(&self.folder, Part::Sheet))?;
        sheet.scores.clear();
        if sheet.is_complete {
            self.complete.insert(name, sheet.clone());
        }
        Some(sheet)
    }
}
