//! Files that a command leaves behind.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::error::Error;

/// Writes to a temporary name and renames it, so that no half-written file is left behind.
pub(super) fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = File::create(&part).map(BufWriter::new).and_then(|mut file| {
        fill(&mut file)?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&part, path)
    });
    written.map_err(|source| {
        // The part is worthless; the error to report is the first one.
        let _ = std::fs::remove_file(&part);
        Error::Write { path: path.to_owned(), source }
    })
}
