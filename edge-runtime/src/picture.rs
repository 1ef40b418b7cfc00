//! Whether a camera still shows its scene. A model that is given a black, covered or frozen picture says something all the
//! same; what it says is no reason for an alarm.
//!
//! What is judged is the picture as the camera gave it, before masks. Time is media time, which is the monotonic clock's
//! on a camera. Every fault must last before it counts, and must be gone for [`GONE_MS`] before it does not; its bounds lie
//! apart, so that a picture on the edge does not flicker. Only a switch between day and night counts at once, and ends by itself.

mod day_night;
mod statistics;

use std::fmt;

use alarm_proto::FaultKind;
use serde::Deserialize;
use vad_core::{MediaTimeMs, RgbFrame};

use day_night::{DayNight, Step};
use statistics::{Cells, Statistics, correlation};

pub use day_night::SETTLED_AFTER_MS;

/// A picture that never changes at all is frozen after this time: the noise of a sensor differs in every picture.
pub const FROZEN_AFTER_MS: u64 = 10_000;
/// A dark or covered picture is one after this time.
pub const BLIND_AFTER_MS: u64 = 3_000;
/// A camera that sees another scene has been moved after this time: longer than anything large takes to pass.
pub const MOVED_AFTER_MS: u64 = 5_000;
/// A fault is over when it has been gone for this time.
pub const GONE_MS: u64 = 1_000;
/// Time constant of the usual scene; a new one is taken for granted within about this time.
const USUAL_MS: u64 = 60_000;

/// Mean luma below which a picture without contrast is dark, and above which it no longer is; of 255.
const DARK_LEVEL: Bounds = Bounds { begins: 16.0, ends: 20.0 };
/// Mean luma below which nobody can tell whether a picture is in colour.
const COLOUR_LEVEL: f32 = 32.0;
/// Contrast below which a picture may be dark or covered, and above which it no longer is. A gradient from black to white over
/// the whole picture has 2; the streets of UCSD Ped2 and of `watchpost scenes` have 8 and more.
const BLIND_CONTRAST: Bounds = Bounds { begins: 2.5, ends: 3.5 };
/// Share of edges below which such a picture may be covered, and above which it no longer is: someone in front of a plain
/// wall has an outline, which nothing so close to the lens has.
const BLIND_EDGES: Bounds = Bounds { begins: 0.002, ends: 0.004 };
/// Correlation with the usual scene below which a camera has been moved, and above which it no longer has. People and
/// vehicles change a few cells, light changes all of them alike.
const MOVED_CORRELATION: Bounds = Bounds { begins: 0.3, ends: 0.6 };

/// A value counts as low below `begins`, and until it is above `ends`.
struct Bounds {
    begins: f32,
    ends: f32,
}

impl Bounds {
    fn is_low(&self, value: f32, was_low: bool) -> bool {
        value < if was_low { self.ends } else { self.begins }
    }
}

/// Why a picture is no reason for an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum PictureFault {
    /// Nearly black, without contrast.
    Dark = 1,
    /// Without contrast: something is on the lens.
    Covered = 2,
    /// The same picture again and again.
    Frozen = 3,
    /// Another scene than the usual one.
    Moved = 4,
    /// The camera has just switched between day and night, and settles.
    Switched = 5,
}

impl PictureFault {
    /// All of them, the one that explains most first.
    pub const ALL: [Self; 5] = [Self::Dark, Self::Covered, Self::Frozen, Self::Switched, Self::Moved];
}

impl From<PictureFault> for FaultKind {
    fn from(fault: PictureFault) -> Self {
        match fault {
            PictureFault::Dark => Self::Dark,
            PictureFault::Covered => Self::Covered,
            PictureFault::Frozen => Self::Frozen,
            PictureFault::Moved => Self::Moved,
            PictureFault::Switched => Self::Switched,
        }
    }
}

impl fmt::Display for PictureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dark => "dark",
            Self::Covered => "covered",
            Self::Frozen => "frozen",
            Self::Moved => "moved",
            Self::Switched => "switched",
        })
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct PictureHealth {
    tolerated: Vec<PictureFault>,
    dark: Lasting,
    covered: Lasting,
    frozen: Lasting,
    moved: Lasting,
    day_night: DayNight,
    /// Digest and time of the newest picture.
    newest: Option<(u64, MediaTimeMs)>,
    usual: Option<Box<Cells>>,
}

impl PictureHealth {
    /// Reports all faults but these.
    #[must_use]
    pub fn new(tolerated: Vec<PictureFault>) -> Self {
        Self { tolerated, ..Self::default() }
    }

    /// Takes the next picture.
    pub fn see(&mut self, frame: RgbFrame<'_>, at: MediaTimeMs) {
        let digest = digest(frame.data());
        let (is_same, since) = match self.newest {
            Some((newest, seen)) => (newest == digest, seen),
            None => (false, at),
        };
        self.newest = Some((digest, at));
        self.frozen.step(is_same, since, at, FROZEN_AFTER_MS);

        let Statistics { level, contrast, edges, coloured, cells } = Statistics::of(frame);
        let was_blind = self.covered.holds || self.dark.holds;
        let is_blind = BLIND_CONTRAST.is_low(contrast, was_blind) && BLIND_EDGES.is_low(edges, was_blind);
        let is_dark = is_blind && DARK_LEVEL.is_low(level, self.dark.holds);
        self.dark.step(is_dark, at, at, BLIND_AFTER_MS);
        self.covered.step(is_blind && !is_dark, at, at, BLIND_AFTER_MS);

        let has_colours = !is_blind && level >= COLOUR_LEVEL;
        match self.day_night.see(has_colours.then_some(coloured), at) {
            Step::Steady => {}
            // Seen by another light: nobody can tell whether it was moved.
            Step::Settles => {
                self.moved.since = None;
                return;
            }
            // What is there now is the usual scene; but a camera that was moved before is not back for it.
            Step::Settled if !self.moved.holds => self.usual = Some(Box::new(cells)),
            Step::Settled => {}
        }
        // Nobody can tell what a blind camera is aimed at.
        let likeness = if is_blind { 1.0 } else { self.likeness(&cells, at.ms_since(since)) };
        let is_other = MOVED_CORRELATION.is_low(likeness, self.moved.holds);
        self.moved.step(is_other, at, at, MOVED_AFTER_MS);
    }

    /// Whether alarms are held back for a switch between day and night.
    #[must_use]
    pub fn settles(&self) -> bool {
        self.day_night.holds_back() && !self.tolerated.contains(&PictureFault::Switched)
    }

    /// Whether there was such a switch a moment ago, also one too many for alarms to be held back.
    #[must_use]
    pub fn has_switched(&self) -> bool {
        self.day_night.settles() && !self.tolerated.contains(&PictureFault::Switched)
    }

    /// The fault that holds alarms back, if any.
    #[must_use]
    pub fn fault(&self) -> Option<PictureFault> {
        let holds = |fault: &PictureFault| match fault {
            PictureFault::Dark => self.dark.holds,
            PictureFault::Covered => self.covered.holds,
            PictureFault::Frozen => self.frozen.holds,
            PictureFault::Moved => self.moved.holds,
            PictureFault::Switched => self.day_night.holds_back(),
        };
        PictureFault::ALL.into_iter().find(|fault| holds(fault) && !self.tolerated.contains(fault))
    }

    /// A new stream counts its time from 0. A fault outlives its stream, since a camera that is opened again may be as blind as
    /// before.
    pub fn begin_stream(&mut self) {
        self.newest = None;
        self.day_night.begin_stream();
        [&mut self.dark, &mut self.covered, &mut self.frozen, &mut self.moved]
            .into_iter()
            .for_each(|fault| fault.since = None);
    }

    /// Correlation with the usual scene, which then takes a little of this one.
    fn likeness(&mut self, cells: &Cells, passed_ms: u64) -> f32 {
        let usual = self.usual.get_or_insert_with(|| Box::new(*cells));
        let likeness = correlation(usual, cells);
        let weight = (passed_ms as f32 / USUAL_MS as f32).min(1.0);
        usual.iter_mut().zip(cells).for_each(|(usual, cell)| *usual += weight * (cell - *usual));
        likeness
    }
}

/// Something that must last to begin, and must be gone for a while to end.
#[derive(Debug, Default)]
struct Lasting {
    holds: bool,
    /// Begin of the time that speaks for a change.
    since: Option<MediaTimeMs>,
}

impl Lasting {
    /// `since` is when what is seen at `at` began, if it began just now.
    fn step(&mut self, is_so: bool, since: MediaTimeMs, at: MediaTimeMs, begins_after_ms: u64) {
        if is_so == self.holds {
            self.since = None;
            return;
        }
        let since = *self.since.get_or_insert(since);
        if at.ms_since(since) >= if self.holds { GONE_MS } else { begins_after_ms } {
            *self = Self { holds: is_so, since: None };
        }
    }
}

/// A quick hash: pictures that differ by chance have another one, and nobody makes pictures that have the same on purpose.
fn digest(data: &[u8]) -> u64 {
    const ODD: u64 = 0x517c_c1b7_2722_0a95;
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(ODD);
    let (words, rest) = data.as_chunks::<8>();
    let hash = words.iter().fold(data.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, &byte| mix(hash, byte.into()))
}

#[cfg(test)]
mod tests;
