//! The wish to end, seen by every thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Clock;

/// Longest time for which a wait does not look at the flag.
const SLICE_MS: u64 = 50;

/// A flag that is set once.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Sets it.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits `ms` on the monotonic clock, or until it is set.
    pub fn wait(&self, clock: &dyn Clock, ms: u64) {
        let until_ms = clock.monotonic_ms().saturating_add(ms);
        while !self.is_set() && clock.monotonic_ms() < until_ms {
            clock.sleep_ms(SLICE_MS);
        }
    }

    /// A flag that SIGINT, SIGTERM and SIGHUP set; a second signal ends the program at once.
    ///
    /// # Errors
    /// The system refuses the handler.
    pub fn on_signals() -> Result<Self, ctrlc::Error> {
        let stop = Self::default();
        let seen = stop.clone();
        ctrlc::set_handler(move || {
            if seen.is_set() {
                std::process::exit(130);
            }
            seen.set();
        })?;
        Ok(stop)
    }
}
