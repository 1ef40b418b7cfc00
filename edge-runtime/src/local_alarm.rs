//! The siren on the board's own line. It needs no network and no disk, and it acts before both.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use alarm_proto::CameraId;
use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin};

use crate::config::LocalAlarmKind;
use crate::health::lock;

/// Something that is on while an alarm lasts.
pub trait LocalAlarm: Send {
    /// Switches it.
    ///
    /// # Errors
    /// The reason, for the log; the alarm goes on to the outbox all the same.
    fn set(&mut self, on: bool) -> Result<(), String>;
}

/// Any output pin; high is on.
pub struct PinAlarm<P>(pub P);

impl<P: OutputPin + Send> LocalAlarm for PinAlarm<P> {
    fn set(&mut self, on: bool) -> Result<(), String> {
        self.0.set_state(on.into()).map_err(|e| format!("the output pin failed: {e:?}"))
    }
}

/// A pin that is a line in the log.
#[derive(Debug, Default)]
pub struct LogPin;

impl ErrorType for LogPin {
    type Error = Infallible;
}

impl OutputPin for LogPin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        tracing::info!("local alarm off");
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        tracing::warn!("local alarm on");
        Ok(())
    }
}

/// A line driven through a file of the kernel: a GPIO's `value` or an LED's `brightness`.
#[derive(Debug)]
pub struct SysfsPin {
    path: PathBuf,
    active_low: bool,
}

/// The kernel's file refused.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct SysfsError {
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
    /// A pin behind `path`, which must exist.
    #[must_use]
    pub fn new(path: &Path, active_low: bool) -> Self {
        Self { path: path.to_owned(), active_low }
    }

    fn write(&self, on: bool) -> Result<(), SysfsError> {
        let level: &[u8] = if on == self.active_low { b"0" } else { b"1" };
        std::fs::OpenOptions::new()
            .write(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(level))
            .map_err(|source| SysfsError { path: self.path.clone(), source })
    }
}

impl OutputPin for SysfsPin {
    fn set_low(&mut self) -> Result<(), SysfsError> {
        self.write(false)
    }

    fn set_high(&mut self) -> Result<(), SysfsError> {
        self.write(true)
    }
}

/// The board's one local alarm, on while at least one camera has an event.
pub struct Siren {
    state: Mutex<SirenState>,
}

struct SirenState {
    output: Box<dyn LocalAlarm>,
    active: BTreeSet<CameraId>,
}

impl Siren {
    /// Drives `output`.
    #[must_use]
    pub fn new(output: Box<dyn LocalAlarm>) -> Self {
        Self { state: Mutex::new(SirenState { output, active: BTreeSet::new() }) }
    }

    /// The output that the configuration names.
    #[must_use]
    pub fn from_config(kind: &LocalAlarmKind) -> Self {
        match kind {
            LocalAlarmKind::Log => Self::new(Box::new(PinAlarm(LogPin))),
            LocalAlarmKind::Sysfs { path, active_low } => {
                Self::new(Box::new(PinAlarm(SysfsPin::new(path, *active_low))))
            }
        }
    }

    /// A camera's event began or goes on.
    pub fn raise(&self, camera: &CameraId) {
        let mut state = lock(&self.state);
        state.active.insert(camera.clone());
        state.switch(true);
    }

    /// A camera's event is over.
    pub fn clear(&self, camera: &CameraId) {
        let mut state = lock(&self.state);
        if state.active.remove(camera) && state.active.is_empty() {
            state.switch(false);
        }
    }
}

impl SirenState {
    fn switch(&mut self, on: bool) {
        if let Err(reason) = self.output.set(on) {
            tracing::error!(%reason, on, "the local alarm did not switch");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct FakePin(Arc<Mutex<Vec<bool>>>);

    impl ErrorType for FakePin {
        type Error = Infallible;
    }

    impl OutputPin for FakePin {
        fn set_low(&mut self) -> Result<(), Infallible> {
            self.0.lock().unwrap().push(false);
            Ok(())
        }

        fn set_high(&mut self) -> Result<(), Infallible> {
            self.0.lock().unwrap().push(true);
            Ok(())
        }
    }

    fn camera(name: &str) -> CameraId {
        CameraId::try_from(name).unwrap()
    }

    #[test]
    fn the_siren_stays_on_until_the_last_camera_is_clear() {
        let pin = FakePin::default();
        let siren = Siren::new(Box::new(PinAlarm(pin.clone())));
        siren.raise(&camera("a"));
        siren.raise(&camera("b"));
        siren.clear(&camera("a"));
        siren.clear(&camera("a"));
        siren.clear(&camera("b"));
        assert_eq!(*pin.0.lock().unwrap(), [true, true, false]);
    }

    #[test]
    fn a_line_may_be_active_low_and_a_missing_one_is_no_panic() {
        let file = tempfile::NamedTempFile::new().unwrap();
        PinAlarm(SysfsPin::new(file.path(), true)).set(true).unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "0");
        PinAlarm(SysfsPin::new(file.path(), false)).set(true).unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "1");
        assert!(PinAlarm(SysfsPin::new(Path::new("/nonexistent/value"), false)).set(true).is_err());
    }
}
