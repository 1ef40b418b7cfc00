//! When an output is on: from what happened and the time alone.

use crate::config::OutputMode;

/// What one output should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    mode: OutputMode,
    level: Level,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Off,
    On,
    /// On before this time, monotonic milliseconds.
    Until(u64),
}

impl Demand {
    /// Off.
    pub fn new(mode: OutputMode) -> Self {
        Self { mode, level: Level::Off }
    }

    /// A camera's event began.
    pub fn began(&mut self, now_ms: u64) {
        self.level = match self.mode {
            OutputMode::Follow | OutputMode::Latch => Level::On,
            OutputMode::Pulse { length_ms } => Level::Until(now_ms.saturating_add(length_ms)),
        };
    }

    /// The last camera's event is over.
    pub fn all_clear(&mut self) {
        if self.mode == OutputMode::Follow {
            self.level = Level::Off;
        }
    }

    /// Somebody has seen the alarm.
    pub fn acknowledge(&mut self) {
        if self.mode == OutputMode::Latch {
            self.level = Level::Off;
        }
    }

    /// The board was disarmed.
    pub fn silence(&mut self) {
        self.level = Level::Off;
    }

    /// Whether it should be on.
    pub fn is_on(&self, now_ms: u64) -> bool {
        match self.level {
            Level::Off => false,
            Level::On => true,
            Level::Until(end_ms) => now_ms < end_ms,
        }
    }

    /// When it goes off by itself, if it does.
    pub fn ends_ms(&self, now_ms: u64) -> Option<u64> {
        match self.level {
            Level::Until(end_ms) if now_ms < end_ms => Some(end_ms),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Happening {
        Began,
        AllClear,
        Acknowledge,
        Silence,
    }

    fn story() -> impl Strategy<Value = Vec<(u64, Happening)>> {
        let happening = prop_oneof![
            Just(Happening::Began),
            Just(Happening::AllClear),
            Just(Happening::Acknowledge),
            Just(Happening::Silence),
        ];
        proptest::collection::vec((0u64..3_000, happening), 0..30)
    }

    /// Lives through a story of waits and happenings; gives the demand, the time, and when what happened.
    fn live(mode: OutputMode, story: &[(u64, Happening)]) -> (Demand, u64, Vec<(u64, Happening)>) {
        let (mut demand, mut now_ms, mut past) = (Demand::new(mode), 0, Vec::new());
        for (wait_ms, happening) in story {
            now_ms += wait_ms;
            past.push((now_ms, *happening));
            match happening {
                Happening::Began => demand.began(now_ms),
                Happening::AllClear => demand.all_clear(),
                Happening::Acknowledge => demand.acknowledge(),
                Happening::Silence => demand.silence(),
            }
        }
        (demand, now_ms, past)
    }

    /// The latest beginning that nothing in `ended_by` came after.
    fn lasting(past: &[(u64, Happening)], ended_by: &[Happening]) -> Option<u64> {
        let counts = |happening: &Happening| *happening == Happening::Began || ended_by.contains(happening);
        past.iter().rev().find(|(_, h)| counts(h)).filter(|(_, h)| *h == Happening::Began).map(|(at, _)| *at)
    }

    proptest! {
        #[test]
        fn following_means_on_from_the_beginning_to_the_all_clear(story in story(), later_ms in 0u64..5_000) {
            let (demand, now_ms, past) = live(OutputMode::Follow, &story);
            let expected = lasting(&past, &[Happening::AllClear, Happening::Silence]).is_some();
            prop_assert_eq!(demand.is_on(now_ms + later_ms), expected);
            prop_assert_eq!(demand.ends_ms(now_ms), None);
        }

        #[test]
        fn a_latch_stays_until_somebody_acknowledges(story in story(), later_ms in 0u64..5_000) {
            let (demand, now_ms, past) = live(OutputMode::Latch, &story);
            let expected = lasting(&past, &[Happening::Acknowledge, Happening::Silence]).is_some();
            prop_assert_eq!(demand.is_on(now_ms + later_ms), expected);
            prop_assert_eq!(demand.ends_ms(now_ms), None);
        }

        #[test]
        fn a_pulse_has_its_length_after_the_latest_beginning(
            story in story(), length_ms in 10u64..4_000, later_ms in 0u64..5_000,
        ) {
            let (demand, now_ms, past) = live(OutputMode::Pulse { length_ms }, &story);
            let began_ms = lasting(&past, &[Happening::Silence]);
            let at_ms = now_ms + later_ms;
            prop_assert_eq!(demand.is_on(at_ms), began_ms.is_some_and(|began| at_ms < began + length_ms));
            let ends_ms = demand.ends_ms(at_ms);
            prop_assert_eq!(ends_ms.is_some(), demand.is_on(at_ms));
            if let Some(end_ms) = ends_ms {
                prop_assert!(demand.is_on(end_ms - 1) && !demand.is_on(end_ms), "it ends when it says");
            }
        }

        #[test]
        fn a_silenced_output_is_off(story in story(), length_ms in 10u64..4_000) {
            for mode in [OutputMode::Follow, OutputMode::Latch, OutputMode::Pulse { length_ms }] {
                let (mut demand, now_ms, _) = live(mode, &story);
                demand.silence();
                prop_assert!(!demand.is_on(now_ms));
            }
        }
    }

    #[test]
    fn a_pulse_at_the_end_of_time_does_not_overflow() {
        let mut demand = Demand::new(OutputMode::Pulse { length_ms: 10 });
        demand.began(u64::MAX - 1);
        assert!(demand.is_on(u64::MAX - 1));
    }
}
