//! Injected time: a monotonic clock for every timeout, a wall clock only for what people read.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The hub's two notions of time.
pub trait Clock: Send {
    /// Time since an arbitrary start; never goes backwards, not even when the wall clock is set.
    fn monotonic(&self) -> Duration;

    /// Milliseconds since 1970-01-01 UTC by the wall clock; may jump. For display only.
    fn unix_ms(&self) -> i64;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts at zero now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn unix_ms(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
