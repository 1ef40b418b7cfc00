//! A camera that gives no picture: when it is tried again, and what was told of it.

use std::collections::BTreeSet;

use crate::config::Source;

/// Waits from one attempt to the next, so that a camera is scored within five seconds of its return if it begins with a key frame.
const WAITS_MS: [u64; 3] = [500, 1_000, 2_000];
/// A device costs nothing to look for, and there is nobody else to come back with it.
const DEVICE_MS: u64 = 500;
/// Waits after refused log-ins. Many cameras count them and shut out who tries often, for half an hour, and its operator with him; one
/// may refuse once while it starts.
const REFUSED_MS: [u64; 6] = [2_000, 30_000, 60_000, 120_000, 240_000, 300_000];
/// Reasons that are told aloud at most.
const MOST_REASONS: usize = 16;

/// What is known since the camera was last scored.
#[derive(Debug)]
pub struct Absence {
    is_device: bool,
    /// Clips that were scored when it began.
    clips: u64,
    losses: usize,
    refusals: usize,
    told: BTreeSet<String>,
}

impl Absence {
    /// Of a camera that gives its pictures so, before it was ever scored.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        Self::after(0, matches!(source, Source::V4l { .. }))
    }

    fn after(clips: u64, is_device: bool) -> Self {
        Self { is_device, clips, losses: 0, refusals: 0, told: BTreeSet::new() }
    }

    /// The camera is lost after so many clips, and begins anew if there are more than at its last loss: one that gives a picture now and
    /// then is tried no more often for it. Whether this reason is to be told aloud: each is once, since a camera may be away for weeks.
    pub fn is_news(&mut self, clips: u64, reason: &str) -> bool {
        if clips > self.clips {
            *self = Self::after(clips, self.is_device);
        }
        self.told.len() < MOST_REASONS && self.told.insert(reason.to_owned())
    }

    /// How long to wait now, in ms; `is_refused`: it was there, and refused who logged in. Another failure in between makes
    /// refusals no fresher. At least half of what is due: the cameras of one recorder that were cut off together do not come back
    /// together. `draw` is any number.
    pub fn wait_ms(&mut self, is_refused: bool, draw: u32) -> u64 {
        let (count, waits_ms) = match is_refused {
            true => (&mut self.refusals, &REFUSED_MS[..]),
            false if self.is_device => return DEVICE_MS,
            false => (&mut self.losses, &WAITS_MS[..]),
        };
        let due_ms = waits_ms[*count];
        *count = (*count + 1).min(waits_ms.len() - 1);
        due_ms - u64::from(draw) * (due_ms / 2) / u64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Pace;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn device() -> Absence {
        let (device, settings) = ("/dev/video0".into(), Vec::new());
        Absence::of(&Source::V4l { device, width_px: 640, height_px: 480, frame_rate_hz: 10.0, settings })
    }

    fn other() -> Absence {
        let path = "street.mp4".into();
        Absence::of(&Source::Video { path, repeat: true, pace: Pace::RealTime, image_rate_hz: 10.0 })
    }

    fn waits(mut absence: Absence, refused: impl IntoIterator<Item = bool>) -> Vec<u64> {
        refused.into_iter().map(|is_refused| absence.wait_ms(is_refused, 0)).collect()
    }

    #[test]
    fn waits_double_up_to_two_seconds_and_a_device_is_looked_for_every_half_second() {
        assert_eq!(waits(other(), [false; 5]), [500, 1_000, 2_000, 2_000, 2_000]);
        assert_eq!(waits(device(), [false; 5]), [500; 5]);
    }

    #[test]
    fn a_refused_log_in_is_tried_ever_more_seldom_whatever_else_fails_in_between() {
        let waits =
            waits(other(), [true, false, true, false, false, true, true, false, true, true, true, true]);
        let expected =
            [2_000, 500, 30_000, 1_000, 2_000, 60_000, 120_000, 2_000, 240_000, 300_000, 300_000, 300_000];
        assert_eq!(waits, expected);
    }

    #[test]
    fn who_was_scored_since_begins_anew_and_who_was_not_does_not() {
        let mut absence = other();
        let mut lost_after = |clips| {
            let is_news = absence.is_news(clips, "unplugged");
            (is_news, absence.wait_ms(false, 0))
        };
        assert_eq!(
            [0, 0, 0, 3, 3, 4].map(&mut lost_after),
            [(true, 500), (false, 1_000), (false, 2_000), (true, 500), (false, 1_000), (true, 500)]
        );
    }

    #[test]
    fn each_reason_is_news_once_and_reasons_without_end_are_not() {
        let mut absence = other();
        let mut news = |reason: &str| absence.is_news(0, reason);
        assert_eq!(
            ["silent", "unreachable", "silent", "unreachable"].map(&mut news),
            [true, true, false, false]
        );
        let told = (0..1_000).filter(|number| news(&number.to_string())).count();
        assert_eq!(told, MOST_REASONS - 2);
    }

    proptest! {
        #[test]
        fn a_wait_is_between_half_and_all_of_what_is_due(draws in vec(any::<(bool, u32)>(), 1..20)) {
            let (mut absence, mut exact) = (other(), other());
            for (is_refused, draw) in draws {
                let (wait_ms, due_ms) = (absence.wait_ms(is_refused, draw), exact.wait_ms(is_refused, 0));
                prop_assert!((due_ms / 2..=due_ms).contains(&wait_ms), "{wait_ms} of {due_ms}");
            }
        }
    }
}
