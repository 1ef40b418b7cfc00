//! A line driven through a file of the kernel, such as an LED's `brightness`.

use std::io::Write;
use std::path::{Path, PathBuf};

use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin};

/// The file; opened anew for each write, since it may come and go.
#[derive(Debug)]
pub(super) struct SysfsPin {
    path: PathBuf,
}

/// The kernel's file refused.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub(super) struct SysfsError {
    path: PathBuf,
    source: std::io::Error,
}

impl Error for SysfsError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for SysfsPin {
    type Error = SysfsError;
}

impl SysfsPin {
    /// A pin behind `path`.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn write(&self, level: &[u8]) -> Result<(), SysfsError> {
        std::fs::OpenOptions::new()
            .write(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(level))
            .map_err(|source| SysfsError { path: self.path.clone(), source })
    }
}

impl OutputPin for SysfsPin {
    fn set_low(&mut self) -> Result<(), SysfsError> {
        self.write(b"0")
    }

    fn set_high(&mut self) -> Result<(), SysfsError> {
        self.write(b"1")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Switch, Wired};
    use super::*;

    #[test]
    fn a_line_may_be_active_low_and_a_missing_one_is_no_panic() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let level = |on, active_low| {
            Wired::new(SysfsPin::new(file.path()), active_low).set(on).unwrap();
            std::fs::read_to_string(file.path()).unwrap()
        };
        assert_eq!([level(true, true), level(false, true)], ["0", "1"]);
        assert_eq!([level(true, false), level(false, false)], ["1", "0"]);
        let error = Wired::new(SysfsPin::new(Path::new("/nonexistent/value")), false).set(true).unwrap_err();
        assert!(error.starts_with("/nonexistent/value: "), "{error}");
    }
}
