//! When a camera that was lost is tried again.

use crate::config::Source;

/// The first wait. It doubles from one attempt to the next.
const FIRST_MS: u64 = 500;
/// The longest wait, so that a camera is scored within five seconds of its return if it begins with a key frame. A device costs nothing
/// to look for: no wait is longer than the first there.
const MOST_MS: u64 = 2_000;
/// The longest wait after a refused log-in. Many cameras shut out, for half an hour, whoever tries a handful of times, and its operator
/// with him.
const MOST_REFUSED_MS: u64 = 300_000;

/// Waits of one camera.
#[derive(Debug)]
pub struct Retry {
    next_ms: u64,
    most_ms: u64,
}

impl Retry {
    /// Waits of a camera that gives its pictures so.
    pub fn of(source: &Source) -> Self {
        let most_ms = if matches!(source, Source::V4l { .. }) { FIRST_MS } else { MOST_MS };
        Self { next_ms: FIRST_MS, most_ms }
    }

    /// The camera has been watched since: it begins anew.
    pub fn forget(&mut self) {
        self.next_ms = FIRST_MS;
    }

    /// How long to wait now, in ms; `is_refused`: it was there, and refused who logged in. At least half of what is due: the cameras
    /// of one recorder, or the boards at one camera, that were cut off together do not come back together. `draw` is any number.
    pub fn wait_ms(&mut self, is_refused: bool, draw: u32) -> u64 {
        let due_ms = self.due_ms(is_refused);
        let most_off_ms = due_ms / 2;
        due_ms - u64::from(draw) * most_off_ms / u64::from(u32::MAX)
    }

    fn due_ms(&mut self, is_refused: bool) -> u64 {
        let most_ms = if is_refused { MOST_REFUSED_MS } else { self.most_ms };
        let wait_ms = self.next_ms.min(most_ms);
        self.next_ms = (wait_ms * 2).min(most_ms);
        wait_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Pace;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn device() -> Retry {
        let (device, settings) = ("/dev/video0".into(), Vec::new());
        Retry::of(&Source::V4l { device, width_px: 640, height_px: 480, frame_rate_hz: 10.0, settings })
    }

    fn other() -> Retry {
        let path = "street.mp4".into();
        Retry::of(&Source::Video { path, repeat: true, pace: Pace::RealTime, image_rate_hz: 10.0 })
    }

    fn waits(mut retry: Retry, refused: impl IntoIterator<Item = bool>) -> Vec<u64> {
        refused.into_iter().map(|is_refused| retry.wait_ms(is_refused, 0)).collect()
    }

    #[test]
    fn waits_double_up_to_two_seconds_and_a_device_is_looked_for_every_half_second() {
        assert_eq!(waits(other(), [false; 5]), [500, 1_000, 2_000, 2_000, 2_000]);
        assert_eq!(waits(device(), [false; 5]), [500; 5]);
    }

    #[test]
    fn a_refused_log_in_is_tried_ever_more_seldom_up_to_five_minutes() {
        let waits = waits(other(), [true; 12]);
        assert_eq!(waits[..5], [500, 1_000, 2_000, 4_000, 8_000]);
        assert_eq!(waits[10..], [300_000, 300_000]);
    }

    #[test]
    fn a_camera_that_no_longer_refuses_is_tried_as_often_as_others() {
        let waits = waits(other(), [true; 9].into_iter().chain([false, false]));
        assert_eq!(waits[8..], [128_000, 2_000, 2_000]);
    }

    #[test]
    fn who_was_watched_begins_anew() {
        let mut retry = other();
        retry.wait_ms(false, 0);
        retry.wait_ms(false, 0);
        retry.forget();
        assert_eq!(retry.wait_ms(false, 0), 500);
    }

    proptest! {
        #[test]
        fn a_wait_is_between_half_and_all_of_what_is_due(draws in vec(any::<u32>(), 1..20), is_refused: bool) {
            let (mut retry, mut exact) = (other(), other());
            for draw in draws {
                let (wait_ms, due_ms) = (retry.wait_ms(is_refused, draw), exact.wait_ms(is_refused, 0));
                prop_assert!((due_ms / 2..=due_ms).contains(&wait_ms), "{wait_ms} of {due_ms}");
            }
        }
    }
}
