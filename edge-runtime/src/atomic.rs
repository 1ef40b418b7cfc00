//! Files that are there whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Lets `fill` write to a temporary name beside `path` and renames it, so that no half-written file is left behind.
pub(crate) fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = File::create(&part).map(BufWriter::new).and_then(|mut file| {
        fill(&mut file)?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&part, path)?;
        // Until its folder is on the disk the file may be the old one after a power cut.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    });
    if written.is_err() {
        // The part is worthless; the error to report is the first one.
        let _ = std::fs::remove_file(&part);
    }
    written
}
