//! Whether a camera has just switched between day and night: its infrared filter swings, all colour goes or comes, brightness jumps, and it takes
//! seconds until exposure and white balance have settled. A model sees all of that as something that happens.
//!
//! A switch takes the colour of nearly the whole picture, or gives it, within [`SWITCH_MS`]. Dusk takes minutes; who walks through the picture in
//! red changes a few cells.

use vad_core::MediaTimeMs;

/// A camera has settled after this time.
pub const SETTLED_AFTER_MS: u64 = 8_000;
/// A camera that is back as it was within this time has not switched: somebody held something coloured before the lens, or a lamp.
const TAKEN_BACK_MS: u64 = 2_000;
/// What was taken back holds on as long as the longest clip of a usual camera reaches back, milliseconds.
const AFTERGLOW_MS: u64 = 2_000;
/// So many switches hold alarms back within [`HELD_BACK_WITHIN_MS`]. Night falls once; who makes it fall again and again gains nothing by it.
const MOST_HELD_BACK: usize = 2;
/// See [`MOST_HELD_BACK`].
pub(super) const HELD_BACK_WITHIN_MS: u64 = 600_000;
/// Longest time from a picture in colour to one without, or back.
const SWITCH_MS: u64 = 3_000;
/// Channels of a cell's mean colour that differ by more than this are a colour, of 255; noise averages out.
const COLOURED_LEVELS: f32 = 6.0;
/// A picture is without colour with fewer coloured cells than this share.
const GREY_SHARE: f32 = 0.02;
/// A picture is in colour with at least this share.
const COLOUR_SHARE: f32 = 0.25;

/// Share of cells, given by their mean red, green and blue, that have a colour; 0 to 1.
pub(super) fn coloured_share(cells: &[[f32; 3]]) -> f32 {
    let is_coloured = |cell: &&[f32; 3]| {
        let most = cell.iter().copied().fold(f32::MIN, f32::max);
        let least = cell.iter().copied().fold(f32::MAX, f32::min);
        most - least > COLOURED_LEVELS
    };
    cells.iter().filter(is_coloured).count() as f32 / cells.len() as f32
}

/// See the module's documentation. Its time is the media time of all streams one after the other: the pauses between them do not count.
#[derive(Debug, Default)]
pub(super) struct DayNight {
    /// Whether the latest picture that was clearly one or the other had no colour.
    is_grey: Option<bool>,
    /// When that was seen; nothing in a new stream.
    seen_ms: Option<u64>,
    settling: Option<Settling>,
    /// Begin of the latest switches that held alarms back.
    held_back_ms: [Option<u64>; MOST_HELD_BACK],
    now_ms: u64,
    stream_began_ms: u64,
}

/// What follows a switch.
#[derive(Debug, Clone, Copy)]
struct Settling {
    since_ms: u64,
    holds_back: bool,
    /// The scene is what it was before.
    is_taken_back: bool,
}

/// Where a camera is with its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is no switch, or it was taken back.
    Steady,
    /// It settles.
    Settles,
    /// It has just settled.
    Settled,
}

impl DayNight {
    /// Takes the next picture: its [`coloured_share`], or nothing for one that is too dark or too plain to have colours.
    pub(super) fn see(&mut self, coloured: Option<f32>, at: MediaTimeMs) -> Step {
        self.now_ms = self.now_ms.max(self.stream_began_ms.saturating_add(at.0));
        match coloured {
            Some(share) if share < GREY_SHARE => self.see_mode(true),
            Some(share) if share >= COLOUR_SHARE => self.see_mode(false),
            // On its way from one to the other.
            Some(_) => {}
            // Night may begin with a picture that is too dark, until the lamps are on.
            None => self.seen_ms = Some(self.now_ms),
        }
        match self.settling {
            None => Step::Steady,
            Some(Settling { since_ms, .. }) if self.now_ms - since_ms < SETTLED_AFTER_MS => Step::Settles,
            Some(Settling { is_taken_back, .. }) => {
                self.settling = None;
                if is_taken_back { Step::Steady } else { Step::Settled }
            }
        }
    }

    /// Whether the camera settles.
    pub(super) fn settles(&self) -> bool {
        self.settling.is_some()
    }

    /// Whether the camera settles, and alarms are held back for it.
    pub(super) fn holds_back(&self) -> bool {
        self.settling.is_some_and(|settling| settling.holds_back)
    }

    /// A new stream counts its time from 0. A camera may have switched in between, and one that settled goes on with it.
    pub(super) fn begin_stream(&mut self) {
        self.seen_ms = None;
        self.stream_began_ms = self.now_ms;
    }

    fn see_mode(&mut self, is_grey: bool) {
        let now_ms = self.now_ms;
        let is_other = self.is_grey.replace(is_grey).is_some_and(|before| before != is_grey);
        let is_sudden = self.seen_ms.replace(now_ms).is_none_or(|seen_ms| now_ms - seen_ms <= SWITCH_MS);
        if !is_other || !is_sudden {
            return;
        }
        self.settling = match self.settling {
            // Clips still hold pictures of the flash.
            Some(Settling { since_ms, holds_back, .. }) if now_ms - since_ms <= TAKEN_BACK_MS => {
                Some(Settling {
                    since_ms: now_ms.saturating_sub(SETTLED_AFTER_MS - AFTERGLOW_MS),
                    holds_back,
                    is_taken_back: true,
                })
            }
            _ => Some(Settling { since_ms: now_ms, holds_back: self.may_hold_back(), is_taken_back: false }),
        };
    }

    /// Whether another switch may hold alarms back; it is counted then.
    fn may_hold_back(&mut self) -> bool {
        let is_over = |began_ms: u64| self.now_ms - began_ms >= HELD_BACK_WITHIN_MS;
        let free = self.held_back_ms.iter().position(|began_ms| began_ms.is_none_or(is_over));
        free.inspect(|&free| self.held_back_ms[free] = Some(self.now_ms)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_MS: u64 = 100;

    /// Times of the pictures in which the camera settles, of pictures with these shares every 100 ms.
    fn settling(shares: &[(Option<f32>, usize)]) -> Vec<u64> {
        let mut camera = DayNight::default();
        let pictures = shares.iter().flat_map(|&(share, count)| std::iter::repeat_n(share, count));
        let times = pictures.enumerate().map(|(n, share)| (n as u64 * FRAME_MS, share));
        times
            .filter(|&(at, share)| camera.see(share, MediaTimeMs(at)) == Step::Settles)
            .map(|(at, _)| at)
            .collect()
    }

    const COLOUR: Option<f32> = Some(0.8);
    const GREY: Option<f32> = Some(0.0);

    #[test]
    fn a_switch_settles_for_its_time_in_either_direction() {
        for (before, after) in [(COLOUR, GREY), (GREY, COLOUR)] {
            let times = settling(&[(before, 50), (after, 200)]);
            assert_eq!((times[0], times.len() as u64), (5_000, SETTLED_AFTER_MS / FRAME_MS));
            let slow_camera = settling(&[(before, 50), (Some(0.1), 20), (after, 200)]);
            assert_eq!(slow_camera[0], 7_000);
            let by_way_of_darkness = settling(&[(before, 50), (None, 600), (after, 200)]);
            assert_eq!(by_way_of_darkness[0], 65_000);
        }
    }

    #[test]
    fn a_switch_that_is_taken_back_at_once_is_none() {
        let times = settling(&[(COLOUR, 50), (GREY, 20), (COLOUR, 200)]);
        assert_eq!((times[0], times.len() as u64), (5_000, 20 + AFTERGLOW_MS / FRAME_MS));
        let later = settling(&[(COLOUR, 50), (GREY, 21), (COLOUR, 200)]);
        assert_eq!(later.len() as u64, 21 + SETTLED_AFTER_MS / FRAME_MS, "a switch back is one of its own");
    }

    #[test]
    fn two_switches_in_ten_minutes_hold_back_and_no_more_however_often_the_camera_is_opened() {
        for opens_again in [false, true] {
            let mut camera = DayNight::default();
            let mut held_back_ms = 0;
            let mut settled_ms = 0;
            // Half an hour, and a switch every ten seconds.
            for at_ms in (0..1_800_000).step_by(100) {
                let stream_ms = if opens_again { at_ms % 5_000 } else { at_ms };
                if stream_ms == 0 {
                    camera.begin_stream();
                }
                let share = if (at_ms / 10_000) % 2 == 0 { COLOUR } else { GREY };
                camera.see(share, MediaTimeMs(stream_ms));
                held_back_ms += if camera.holds_back() { 100 } else { 0 };
                settled_ms += if camera.settles() { 100 } else { 0 };
            }
            assert!(settled_ms > 1_000_000, "{settled_ms}");
            let most_ms = 3 * MOST_HELD_BACK as u64 * (SETTLED_AFTER_MS + 500);
            let least_ms = 2 * MOST_HELD_BACK as u64 * SETTLED_AFTER_MS;
            assert!((least_ms..=most_ms).contains(&held_back_ms), "{opens_again}: {held_back_ms}");
        }
    }

    #[test]
    fn dusk_darkness_and_what_walks_through_are_no_switch() {
        let none: [u64; 0] = [];
        assert_eq!(settling(&[(COLOUR, 50), (Some(0.1), 40), (GREY, 100)]), none, "dusk");
        assert_eq!(
            settling(&[(COLOUR, 50), (None, 100), (COLOUR, 100)]),
            none,
            "the light is off for a while"
        );
        assert_eq!(settling(&[(GREY, 50), (Some(0.15), 50), (GREY, 50)]), none, "somebody in red");
        assert_eq!(settling(&[(GREY, 5_000)]), none, "a camera without colours");
    }

    #[test]
    fn a_camera_that_was_opened_again_may_have_switched_meanwhile() {
        let mut camera = DayNight::default();
        assert_eq!(camera.see(COLOUR, MediaTimeMs(50_000)), Step::Steady);
        camera.begin_stream();
        assert_eq!(camera.see(GREY, MediaTimeMs(0)), Step::Settles);
        assert_eq!(camera.see(GREY, MediaTimeMs(6_000)), Step::Settles);
        for _ in 0..2 {
            camera.begin_stream();
        }
        assert_eq!(
            camera.see(GREY, MediaTimeMs(0)),
            Step::Settles,
            "it settles on, and not from the beginning"
        );
        assert_eq!(camera.see(GREY, MediaTimeMs(SETTLED_AFTER_MS - 6_000)), Step::Settled);
        assert_eq!(camera.see(GREY, MediaTimeMs(SETTLED_AFTER_MS)), Step::Steady);
    }

    #[test]
    fn a_grey_cell_has_no_colour_and_a_tinted_one_has() {
        assert_eq!(coloured_share(&[[90.0, 92.0, 95.0], [90.0, 92.0, 98.0]]), 0.5);
    }
}
