//! The greatest counter of a command that was done, in a file: what was sent once is not done again, after a restart
//! neither.

use std::io;
use std::path::PathBuf;

use crate::atomic;

/// More than any number has digits.
const MAX_FILE_BYTES: u64 = 64;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Counter {
    file: PathBuf,
    /// Why the file does not serve, if it does not.
    last: Result<u64, String>,
}

impl Counter {
    /// Reads the file; 0 where there is none.
    pub fn open(file: PathBuf) -> Self {
        let last = read(&file).map_err(|e| {
            format!(
                "the counter of commands in {} cannot be read ({e}); write the last one used into it",
                file.display()
            )
        });
        Self { file, last }
    }

    /// Whether a command with this counter is a new one.
    pub fn check(&self, counter: u64) -> Result<(), String> {
        match &self.last {
            Err(reason) => Err(reason.clone()),
            Ok(last) if counter <= *last => Err(format!("`counter` {counter} is not above {last}")),
            Ok(_) => Ok(()),
        }
    }

    /// Notes a new one durably.
    pub fn advance(&mut self, counter: u64) -> Result<(), String> {
        self.check(counter)?;
        atomic::write(&self.file, |out| writeln!(out, "{counter}")).map_err(|e| {
            format!("the counter of commands cannot be stored in {}: {e}", self.file.display())
        })?;
        self.last = Ok(counter);
        Ok(())
    }
}

fn read(file: &std::path::Path) -> io::Result<u64> {
    let bytes = match std::fs::metadata(file) {
        Ok(found) => found.len(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e),
    };
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it holds no number");
    if bytes > MAX_FILE_BYTES {
        return Err(damaged());
    }
    std::fs::read_to_string(file)?.trim().parse().map_err(|_| damaged())
}
