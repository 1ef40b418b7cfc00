//! From an output pin to something that is on or off.

use std::fmt::Display;

use embedded_hal::digital::OutputPin;

/// Something that is on or off.
pub trait Switch: Send {
    /// Switches it.
    ///
    /// # Errors
    /// The reason, for the log; the alarm goes on to the outbox all the same.
    fn set(&mut self, on: bool) -> Result<(), String>;
}

/// What hangs on an output pin.
#[derive(Debug)]
pub struct Wired<P> {
    pin: P,
    active_low: bool,
}

impl<P> Wired<P> {
    /// With `active_low` the low level is on.
    #[must_use]
    pub fn new(pin: P, active_low: bool) -> Self {
        Self { pin, active_low }
    }
}

impl<P: OutputPin<Error: Display> + Send> Switch for Wired<P> {
    fn set(&mut self, on: bool) -> Result<(), String> {
        self.pin.set_state((on != self.active_low).into()).map_err(|e| e.to_string())
    }
}

/// No line at all: the log says what is switched anyway.
#[derive(Debug)]
pub(super) struct LogAlone;

impl Switch for LogAlone {
    fn set(&mut self, _: bool) -> Result<(), String> {
        Ok(())
    }
}
