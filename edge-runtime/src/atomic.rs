//! Files that are there whole or not at all.

use std::io::Write;
use std::path::Path;

/// Writes `bytes` to a temporary name beside `path` and renames it, so that no half-written file is left behind.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = std::fs::File::create(&part)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // The part is worthless; the error to report is the first one.
        let _ = std::fs::remove_file(&part);
    }
    written
}
