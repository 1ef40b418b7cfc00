//! Small TOML files in which the board keeps what it found out about itself: read within a bound, written whole or not at all.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::atomic;

/// Why a file gives nothing.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The system refuses.
    Read(io::Error),
    /// It is not what was written.
    Damaged(String),
}

/// The content of a file of at most `max_bytes`; nothing where there is none.
pub(crate) fn read<T: DeserializeOwned>(file: &Path, max_bytes: u64) -> Result<Option<T>, Unread> {
    let file = match File::open(file) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Unread::Read(e)),
    };
    let mut bytes = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(Unread::Read)?;
    if bytes.len() as u64 > max_bytes {
        return Err(Unread::Damaged(format!("it has more than {max_bytes} bytes")));
    }
    toml::from_slice(&bytes).map(Some).map_err(|e| Unread::Damaged(e.message().to_owned()))
}

/// Writes it behind lines for people.
pub(crate) fn write(file: &Path, head: &str, content: &impl Serialize) -> io::Result<()> {
    let text = toml::to_string(content).map_err(io::Error::other)?;
    atomic::write(file, |to| write!(to, "{head}{text}"))
}
