//! Injected time. Every timeout uses monotonic time; the wall clock labels alarms, and a board without a valid one
//! alarms all the same.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall clocks before 2025-01-01 are those of a board that was never told the time, milliseconds since 1970.
pub const EARLIEST_VALID_WALL_MS: u64 = 1_735_689_600_000;

/// Source of time.
pub trait Clock: Send + Sync {
    /// Milliseconds since the machine started; never jumps.
    fn monotonic_ms(&self) -> u64;
    /// Milliseconds since 1970, or `None` while the wall clock is known to be wrong.
    fn wall_ms(&self) -> Option<u64>;
    /// Waits on the monotonic clock.
    fn sleep_ms(&self, ms: u64);
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    uptime_at_start_ms: u64,
}

impl SystemClock {
    /// The clocks as they are now. Where the system does not tell its uptime, monotonic time starts at 0.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now(), uptime_at_start_ms: system_uptime_ms().unwrap_or(0) }
    }
}

fn system_uptime_ms() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().and_then(|up| u64::try_from(up.as_millis()).ok())
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic_ms(&self) -> u64 {
        let elapsed_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.uptime_at_start_ms.saturating_add(elapsed_ms)
    }

    fn wall_ms(&self) -> Option<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        valid_wall(u64::try_from(since.as_millis()).ok()?)
    }

    fn sleep_ms(&self, ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
    }
}

fn valid_wall(ms: u64) -> Option<u64> {
    (ms >= EARLIEST_VALID_WALL_MS).then_some(ms)
}

/// A clock that tests move by hand; sleeping moves it too.
#[derive(Debug, Default)]
pub struct ManualClock {
    monotonic_ms: std::sync::atomic::AtomicU64,
    wall_ms: std::sync::atomic::AtomicU64,
}

impl ManualClock {
    /// Moves monotonic time forward.
    pub fn advance_ms(&self, ms: u64) {
        self.monotonic_ms.fetch_add(ms, std::sync::atomic::Ordering::SeqCst);
    }

    /// Sets the wall clock, to any value.
    pub fn set_wall_ms(&self, ms: u64) {
        self.wall_ms.store(ms, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn monotonic_ms(&self) -> u64 {
        self.monotonic_ms.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn wall_ms(&self) -> Option<u64> {
        valid_wall(self.wall_ms.load(std::sync::atomic::Ordering::SeqCst))
    }

    fn sleep_ms(&self, ms: u64) {
        self.advance_ms(ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_without_a_set_clock_has_no_wall_time() {
        let clock = ManualClock::default();
        assert_eq!(clock.wall_ms(), None);
        clock.set_wall_ms(EARLIEST_VALID_WALL_MS);
        assert_eq!(clock.wall_ms(), Some(EARLIEST_VALID_WALL_MS));
    }

    #[test]
    fn monotonic_time_ignores_jumps_of_the_wall_clock() {
        let clock = ManualClock::default();
        clock.advance_ms(5);
        clock.set_wall_ms(EARLIEST_VALID_WALL_MS + 10 * 365 * 86_400_000);
        clock.set_wall_ms(0);
        assert_eq!(clock.monotonic_ms(), 5);
    }
}
