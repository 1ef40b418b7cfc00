//! Whether the board knows the time of day. Alarms and scores do without it; schedules and people do not, so a clock that was never set and one
//! that jumped are defects of the board. A clock that is wrong and goes on evenly cannot be told from one that is right.

use std::fmt;

use crate::clock::Clock;
use crate::health::Health;

/// A wall clock that is off by more than this from where the monotonic clock would have it has jumped; setting it right by less is what a time
/// server does all day.
pub const JUMP_MS: u64 = 60_000;
/// A jump is told for this time.
pub const TOLD_MS: u64 = 600_000;

/// A step forwards this soon after the program's start is the clock being set, by a time server that was late: a board without a battery for its
/// clock begins where it was turned off.
pub const SET_WITHIN_MS: u64 = 900_000;

/// What is wrong with the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockFault {
    /// It was never set.
    NotSet,
    /// It was set by more than [`JUMP_MS`], back, or forwards later than [`SET_WITHIN_MS`] after the program's start.
    Jumped {
        /// How far, milliseconds.
        by_ms: i64,
    },
}

impl fmt::Display for ClockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSet => f.write_str(
                "the clock is not set: alarms carry no time of day, and schedules arm; is a time server in reach?",
            ),
            Self::Jumped { by_ms } => {
                write!(f, "the clock jumped by {} s: times of earlier alarms are off by that", by_ms / 1_000)
            }
        }
    }
}

/// A wall clock that was last looked at when this value says.
#[derive(Debug, Default)]
pub struct WallClock {
    /// Monotonic and wall time of the latest look at which it was set, milliseconds.
    seen: Option<(u64, u64)>,
    /// Monotonic time of the first look of all, milliseconds.
    began_ms: Option<u64>,
    /// The latest jump, and until when it is told.
    jump: Option<(ClockFault, u64)>,
    told: Option<ClockFault>,
}

impl WallClock {
    /// Looks again, and notes what is wrong with it as a defect of the board, or that it is not any more.
    pub fn note(&mut self, clock: &dyn Clock, health: &Health) {
        let fault = self.look(clock.monotonic_ms(), clock.wall_ms());
        if fault != self.told {
            self.told.into_iter().for_each(|fault| health.restore(&fault.to_string()));
            fault.into_iter().for_each(|fault| health.degrade(&fault.to_string()));
            self.told = fault;
        }
    }

    fn look(&mut self, now_ms: u64, wall_ms: Option<u64>) -> Option<ClockFault> {
        let began_ms = *self.began_ms.get_or_insert(now_ms);
        let Some(wall_ms) = wall_ms else { return Some(ClockFault::NotSet) };
        if let Some((seen_ms, seen_wall_ms)) = self.seen.replace((now_ms, wall_ms)) {
            let expected_ms = seen_wall_ms.saturating_add(now_ms.saturating_sub(seen_ms));
            if wall_ms.abs_diff(expected_ms) > JUMP_MS {
                let by_ms = i64::try_from(i128::from(wall_ms) - i128::from(expected_ms)).unwrap_or(i64::MAX);
                if by_ms > 0 && now_ms.saturating_sub(began_ms) <= SET_WITHIN_MS {
                    tracing::info!(by_s = by_ms / 1_000, "the clock was set");
                } else {
                    self.jump = Some((ClockFault::Jumped { by_ms }, now_ms.saturating_add(TOLD_MS)));
                }
            }
        }
        self.jump.take_if(|(_, until_ms)| *until_ms <= now_ms);
        self.jump.map(|(fault, _)| fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{EARLIEST_VALID_WALL_MS, ManualClock};

    /// A board's clocks, looked at every 20 s.
    #[derive(Default)]
    struct Board {
        clock: ManualClock,
        wall: WallClock,
        health: Health,
    }

    impl Board {
        fn after_ms(&mut self, ms: u64) -> Vec<String> {
            self.clock.advance_ms(ms);
            if let Some(wall_ms) = self.clock.wall_ms() {
                self.clock.set_wall_ms(wall_ms + ms);
            }
            self.wall.note(&self.clock, &self.health);
            self.health.degraded()
        }

        fn set_by_ms(&mut self, by_ms: i64) {
            let wall_ms = self.clock.wall_ms().unwrap();
            self.clock.set_wall_ms(wall_ms.saturating_add_signed(by_ms));
        }
    }

    #[test]
    fn a_clock_that_is_not_set_is_a_defect_until_it_is_and_setting_it_is_no_jump() {
        let mut board = Board::default();
        for _ in 0..3 {
            let degraded = board.after_ms(20_000);
            assert!(degraded.len() == 1 && degraded[0].starts_with("the clock is not set"), "{degraded:?}");
        }
        board.clock.set_wall_ms(EARLIEST_VALID_WALL_MS + 1_000_000_000_000);
        assert!(board.after_ms(20_000).is_empty());
        board.clock.set_wall_ms(0);
        assert_eq!(board.after_ms(20_000).len(), 1, "its battery is empty");
    }

    #[test]
    fn a_jump_is_told_for_ten_minutes_and_small_steps_never() {
        for (by_ms, says) in [(3_600_000, "by 3600 s"), (-86_400_000, "by -86400 s")] {
            let mut board = Board::default();
            board.clock.set_wall_ms(EARLIEST_VALID_WALL_MS + 1_000_000_000_000);
            for by_ms in [0, 59_000, -59_000] {
                board.set_by_ms(by_ms);
                assert!(board.after_ms(20_000).is_empty(), "{by_ms}");
            }
            assert!(board.after_ms(86_400_000).is_empty(), "nobody looked for a day");
            board.set_by_ms(by_ms);
            for _ in 0..TOLD_MS / 20_000 {
                let degraded = board.after_ms(20_000);
                assert!(degraded.len() == 1 && degraded[0].contains(says), "{degraded:?}");
            }
            assert!(board.after_ms(20_000).is_empty());
        }
    }

    #[test]
    fn a_step_forwards_soon_after_the_start_is_the_clock_being_set_and_one_back_is_none() {
        for (after_ms, by_ms, defects) in
            [(SET_WITHIN_MS, 86_400_000, 0), (SET_WITHIN_MS + 1, 86_400_000, 1), (1, -86_400_000, 1)]
        {
            let mut board = Board::default();
            board.clock.advance_ms(1_000_000_000);
            board.clock.set_wall_ms(EARLIEST_VALID_WALL_MS + 1_000_000_000_000);
            assert!(board.after_ms(1).is_empty());
            board.set_by_ms(by_ms);
            assert_eq!(board.after_ms(after_ms).len(), defects, "{after_ms} {by_ms}");
        }
    }

    #[test]
    fn of_two_jumps_the_latest_is_told() {
        let mut board = Board::default();
        board.clock.set_wall_ms(EARLIEST_VALID_WALL_MS + 1_000_000_000_000);
        board.after_ms(1);
        board.after_ms(SET_WITHIN_MS + 1);
        board.set_by_ms(100_000);
        assert!(board.after_ms(1)[0].contains("by 100 s"));
        board.set_by_ms(-200_000);
        let degraded = board.after_ms(1);
        assert!(degraded.len() == 1 && degraded[0].contains("by -200 s"), "{degraded:?}");
    }
}
