//! What the files of an event are called: after the record that raised its alarm, which is unique for ever.

use std::fmt;
use std::path::{Path, PathBuf};

use alarm_proto::{BootId, CameraId, RecordId};

/// One event of one camera.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventName {
    /// Which camera saw it.
    pub camera: CameraId,
    /// The opening of the board's store in which it was raised.
    pub boot: BootId,
    /// Number of the record that raised it.
    pub seq: u64,
}

/// One of an event's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is known of the event.
    Sheet,
    /// The picture with the heat map.
    Snapshot,
    /// The video.
    Clip,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sheet, Self::Snapshot, Self::Clip];

    /// Ending of its file's name.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Sheet => "json",
            Self::Snapshot => "jpg",
            Self::Clip => "mp4",
        }
    }
}

impl EventName {
    /// The event that a record raised.
    #[must_use]
    pub fn new(camera: &CameraId, record: &RecordId) -> Self {
        Self { camera: camera.clone(), boot: record.boot, seq: record.seq }
    }

    /// Reads the name of a file without its ending: exactly what [`EventName::stem`] writes, and nothing else.
    #[must_use]
    pub fn parse(camera: &CameraId, stem: &str) -> Option<Self> {
        let mut parts = stem.splitn(3, '-');
        let (counter, random, seq) = (parts.next()?, parts.next()?, parts.next()?);
        let boot = BootId { counter: counter.parse().ok()?, random: u32::from_str_radix(random, 16).ok()? };
        let name = Self { camera: camera.clone(), boot, seq: seq.parse().ok()? };
        (name.stem() == stem).then_some(name)
    }

    /// Name of its files without their endings: digits, `a` to `f` and `-` alone.
    #[must_use]
    pub fn stem(&self) -> String {
        let BootId { counter, random } = self.boot;
        format!("{counter}-{random:08x}-{}", self.seq)
    }

    /// Where one of its files lies in the folder of all evidence.
    #[must_use]
    pub fn path(&self, folder: &Path, part: Part) -> PathBuf {
        folder.join(self.camera.as_str()).join(self.file(part))
    }

    /// Name of one of its files.
    #[must_use]
    pub fn file(&self, part: Part) -> String {
        format!("{}.{}", self.stem(), part.ending())
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.camera.as_str(), self.stem())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn camera() -> CameraId {
        CameraId::try_from("north").unwrap()
    }

    #[test]
    fn a_name_says_where_its_files_lie() {
        let name = EventName { camera: camera(), boot: BootId { counter: 7, random: 0x1234 }, seq: 42 };
        let path = name.path(Path::new("evidence"), Part::Clip);
        assert_eq!(path, Path::new("evidence/north/7-00001234-42.mp4"));
    }

    #[test]
    fn whatever_is_no_name_is_none() {
        for stem in [
            "",
            "7-1234-42",
            "7-00001234",
            "../../etc/passwd",
            "7-00001234-42.mp4",
            "07-00001234-42",
            "7-00001234-+2",
            "7-0000123G-1",
            "7-00001234-42-1",
            "７-00001234-42",
        ] {
            assert_eq!(EventName::parse(&camera(), stem), None, "{stem}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_read_as_it_was_written(counter: u32, random: u32, seq: u64) {
            let name = EventName { camera: camera(), boot: BootId { counter, random }, seq };
            prop_assert_eq!(EventName::parse(&camera(), &name.stem()), Some(name));
        }

        #[test]
        fn what_is_read_leads_nowhere_else(stem in ".*") {
            if let Some(name) = EventName::parse(&camera(), &stem) {
                prop_assert_eq!(name.path(Path::new("e"), Part::Sheet), Path::new("e/north").join(stem + ".json"));
            }
        }
    }
}
