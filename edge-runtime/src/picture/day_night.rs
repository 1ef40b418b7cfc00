//! Whether a camera has just switched between day and night: its infrared filter swings, all colour goes or comes, brightness jumps, and it takes
//! seconds until exposure and white balance have settled. A model sees all of that as something that happens.
//!
//! A switch takes the colour of nearly the whole picture, or gives it, within [`SWITCH_MS`]. Dusk takes minutes; who walks through the picture in
//! red changes a few cells.

use vad_core::MediaTimeMs;

/// A camera has settled after this time.
pub const SETTLED_AFTER_MS: u64 = 8_000;
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

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct DayNight {
    /// Whether the latest picture that was clearly one or the other had no colour.
    is_grey: Option<bool>,
    /// When that was seen; nothing in a new stream.
    seen: Option<MediaTimeMs>,
    settling: Settling,
}

/// What follows a switch.
#[derive(Debug, Default, Clone, Copy)]
enum Settling {
    #[default]
    No,
    /// Since this time; from the next picture on in a new stream.
    Since(Option<MediaTimeMs>),
}

impl DayNight {
    /// Takes the next picture: its [`coloured_share`], or nothing for one that is too dark or too plain to have colours. Whether the camera settles.
    pub(super) fn see(&mut self, coloured: Option<f32>, at: MediaTimeMs) -> bool {
        match coloured {
            Some(share) if share < GREY_SHARE => self.see_mode(true, at),
            Some(share) if share >= COLOUR_SHARE => self.see_mode(false, at),
            // On its way from one to the other.
            Some(_) => {}
            // Night may begin with a picture that is too dark, until the lamps are on.
            None => self.seen = Some(at),
        }
        if let Settling::Since(since) = &mut self.settling {
            let since = *since.get_or_insert(at);
            if at.ms_since(since) >= SETTLED_AFTER_MS {
                self.settling = Settling::No;
            }
        }
        self.settles()
    }

    /// Whether the camera settles.
    pub(super) fn settles(&self) -> bool {
        matches!(self.settling, Settling::Since(_))
    }

    /// A new stream counts its time from 0. A camera may have switched in between, and one that settled goes on with it.
    pub(super) fn begin_stream(&mut self) {
        self.seen = None;
        if let Settling::Since(since) = &mut self.settling {
            *since = None;
        }
    }

    fn see_mode(&mut self, is_grey: bool, at: MediaTimeMs) {
        let is_other = self.is_grey.replace(is_grey).is_some_and(|before| before != is_grey);
        let is_sudden = self.seen.replace(at).is_none_or(|seen| at.ms_since(seen) <= SWITCH_MS);
        if is_other && is_sudden {
            self.settling = Settling::Since(Some(at));
        }
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
        times.filter(|&(at, share)| camera.see(share, MediaTimeMs(at))).map(|(at, _)| at).collect()
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
        assert!(!camera.see(COLOUR, MediaTimeMs(50_000)));
        camera.begin_stream();
        assert!(camera.see(GREY, MediaTimeMs(0)));
        camera.begin_stream();
        assert!(camera.see(GREY, MediaTimeMs(0)), "it settles on");
        assert!(!camera.see(GREY, MediaTimeMs(SETTLED_AFTER_MS)));
    }

    #[test]
    fn a_grey_cell_has_no_colour_and_a_tinted_one_has() {
        assert_eq!(coloured_share(&[[90.0, 92.0, 95.0], [90.0, 92.0, 98.0]]), 0.5);
    }
}
