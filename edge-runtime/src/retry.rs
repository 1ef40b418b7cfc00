//! When a camera that was lost is tried again.

/// The first wait. It doubles from one attempt to the next.
const FIRST_MS: u64 = 500;
/// The longest wait: a camera that is there again is watched within five seconds.
const MOST_MS: u64 = 4_000;
/// The longest wait after a refused log-in. Many cameras shut out, for half an hour, whoever tries a handful of times, and its operator
/// with him.
const MOST_REFUSED_MS: u64 = 300_000;

/// Waits of one camera.
#[derive(Debug)]
pub struct Retry {
    next_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { next_ms: FIRST_MS }
    }
}

impl Retry {
    /// The camera has been watched since: it begins anew.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// How long to wait now, in ms; `is_refused`: it was there, and refused who logged in.
    pub fn wait_ms(&mut self, is_refused: bool) -> u64 {
        let most_ms = if is_refused { MOST_REFUSED_MS } else { MOST_MS };
        let wait_ms = self.next_ms.min(most_ms);
        self.next_ms = (wait_ms * 2).min(most_ms);
        wait_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(refused: impl IntoIterator<Item = bool>) -> Vec<u64> {
        let mut retry = Retry::default();
        refused.into_iter().map(|is_refused| retry.wait_ms(is_refused)).collect()
    }

    #[test]
    fn waits_double_up_to_four_seconds() {
        assert_eq!(waits([false; 6]), [500, 1_000, 2_000, 4_000, 4_000, 4_000]);
    }

    #[test]
    fn a_refused_log_in_is_tried_ever_more_seldom_up_to_five_minutes() {
        let waits = waits([true; 12]);
        assert_eq!(waits[..5], [500, 1_000, 2_000, 4_000, 8_000]);
        assert_eq!(waits[10..], [300_000, 300_000]);
    }

    #[test]
    fn a_camera_that_no_longer_refuses_is_tried_as_often_as_others() {
        let waits = waits([true; 9].into_iter().chain([false, false]));
        assert_eq!(waits[8..], [128_000, 4_000, 4_000]);
    }

    #[test]
    fn who_was_watched_begins_anew() {
        let mut retry = Retry::default();
        retry.wait_ms(false);
        retry.wait_ms(false);
        retry.forget();
        assert_eq!(retry.wait_ms(false), 500);
    }
}
