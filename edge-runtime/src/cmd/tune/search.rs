//! Times every way to run an encoder, in turns.

use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use model_bundle::Bundle;
use vad_infer::{Head, Kernels, Tuning};

use super::choose::choose;
use crate::cli::PictureSize;
use crate::cmd::streams::{self, Laps, Stream};
use crate::cmd::timing::{Spread, ms};
use crate::error::Error;
use crate::eyes::Eyes;
use crate::model::load_head;

/// Features of a candidate may be this far from the default's, as a share of the largest: more than another order of sums
/// brings about, and nothing that a score shows.
const FEATURES_APART: f32 = 1e-4;

/// The same where the candidate computes in f16. Its numbers have 11 bits, so a rounding is off by up to 1/2048; this is 16 of
/// them that all go one way (docs/design/0018-f16.md has what was measured).
const FEATURES_APART_IN_F16: f32 = 16.0 / 2048.0;

/// So many times the default's time in the first round, each by its fastest clip, and a candidate is not timed again.
const TOO_SLOW: f64 = 2.0;

/// About as long a turn lasts behind the clip that warms up, which is one clip at least.
const TURN_MS: f64 = 100.0;

/// A way to run the encoder and its time: the median over clips.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed {
    pub(super) tuning: Tuning,
    pub(super) ms_per_frame: f64,
}

/// What became of a candidate.
#[derive(Debug)]
pub(super) enum Fate {
    /// In all rounds.
    Timed(Timed),
    /// In the first round alone, by its fastest clip.
    TooSlow(Timed),
    /// Its features are not the default's: this far apart, as a share of the largest.
    Differs { tuning: Tuning, apart: f32, allowed: f32 },
    /// It does not run.
    Fails { tuning: Tuning, reason: String },
}

#[derive(Debug)]
pub(super) struct Found {
    pub(super) default: Timed,
    pub(super) others: Vec<Fate>,
    chosen: Option<Timed>,
}

impl Found {
    /// The default, or what is clearly faster.
    pub(super) fn chosen(&self) -> &Timed {
        self.chosen.as_ref().unwrap_or(&self.default)
    }
}

pub(super) struct Search<'a> {
    bundle: &'a Bundle,
    head: Arc<Head>,
    size: PictureSize,
    pictures: Arc<[Vec<u8>]>,
}

/// One turn of a candidate.
struct Turn {
    /// What it ran on indeed.
    tuning: Tuning,
    /// Of its first two clips.
    features: Vec<f32>,
    /// Milliseconds per frame of each clip. (A pulse would be the wrong measure: whatever else runs on the board interrupts long
    /// ones more often.)
    clips_ms: Vec<f64>,
}

impl<'a> Search<'a> {
    pub(super) fn new(bundle: &'a Bundle, dir: &Path) -> Result<Self, Error> {
        let size = PictureSize::VGA;
        let pictures = streams::pictures(bundle.model(), size);
        Ok(Self { bundle, head: load_head(bundle, dir)?, size, pictures })
    }

    /// `is_pulse_fixed`: others than the default's are not looked at.
    pub(super) fn run(
        &self,
        default: Tuning,
        is_pulse_fixed: bool,
        rounds: NonZeroUsize,
    ) -> Result<Found, Error> {
        let clip = self.bundle.model().clip;
        let Eyes { encoder, .. } = Eyes::load(self.bundle, default)?;
        let is_allowed = |other: &Tuning| !is_pulse_fixed || other.pulse == encoder.tuning().pulse;
        let alternatives: Vec<Tuning> = encoder.alternatives(clip).into_iter().filter(is_allowed).collect();
        drop(encoder);
        let progress = Progress::new(rounds);
        progress.show(0, default);
        let first = self.turn(default)?;
        let (mut racers, mut out) = (vec![(first.tuning, Vec::new())], Vec::new());
        for tuning in alternatives {
            if racers.iter().any(|(racer, _)| *racer == tuning) {
                continue;
            }
            progress.show(0, tuning);
            match self.turn(tuning) {
                Err(e) => out.push(Fate::Fails { tuning, reason: e.to_string() }),
                Ok(turn) if racers.iter().any(|(racer, _)| *racer == turn.tuning) => {}
                Ok(turn) => match first.verdict(&turn) {
                    Some(fate) => out.push(fate),
                    None => racers.push((turn.tuning, Vec::new())),
                },
            }
        }
        for round in 1..=rounds.get() {
            for place in 0..racers.len() {
                // Another one is the first of each round.
                let at = (place + round) % racers.len();
                let (tuning, clips_ms) = &mut racers[at];
                progress.show(round, *tuning);
                clips_ms.extend(self.turn(*tuning)?.clips_ms);
            }
        }
        progress.end();
        let mut timed = racers.into_iter().map(|(tuning, clips_ms)| Timed::of(tuning, &clips_ms));
        let default = timed.next().unwrap_or_else(|| Timed::of(first.tuning, &first.clips_ms));
        let timed: Vec<Timed> = timed.collect();
        let chosen = choose(default.ms_per_frame, timed.iter().map(|timed| (*timed, timed.ms_per_frame)));
        Ok(Found { default, others: timed.into_iter().map(Fate::Timed).chain(out).collect(), chosen })
    }

    /// Loads the encoder anew: no more than one is in memory, and none has the same lucky place in it every time.
    fn turn(&self, tuning: Tuning) -> Result<Turn, Error> {
        let Eyes { encoder, .. } = Eyes::load(self.bundle, tuning)?;
        let tuning = encoder.tuning();
        let spec = self.bundle.model();
        let mut stream = Stream::new(encoder, &self.head, spec, self.size, Arc::clone(&self.pictures))?;
        let mut features = stream.clip(&mut Laps::default())?;
        let (begin, mut clips_ms) = (Instant::now(), Vec::new());
        while clips_ms.is_empty() || ms(begin) < TURN_MS {
            let mut laps = Laps::default();
            let feature = stream.clip(&mut laps)?;
            if clips_ms.is_empty() {
                features.extend(feature);
            }
            clips_ms.push(laps.encoder.iter().sum::<f64>() / laps.encoder.len() as f64);
        }
        Ok(Turn { tuning, features, clips_ms })
    }
}

impl Turn {
    /// Why `other` is out, with this one as the default.
    fn verdict(&self, other: &Self) -> Option<Fate> {
        let apart = apart(&self.features, &other.features);
        let allowed =
            if other.tuning.kernels == Kernels::TractF16 { FEATURES_APART_IN_F16 } else { FEATURES_APART };
        if apart > allowed {
            return Some(Fate::Differs { tuning: other.tuning, apart, allowed });
        }
        let [default_ms, other_ms] =
            [self, other].map(|turn| turn.clips_ms.iter().copied().fold(f64::INFINITY, f64::min));
        let timed = Timed { tuning: other.tuning, ms_per_frame: other_ms };
        (other_ms > TOO_SLOW * default_ms).then_some(Fate::TooSlow(timed))
    }
}

impl Timed {
    fn of(tuning: Tuning, clips_ms: &[f64]) -> Self {
        Self { tuning, ms_per_frame: Spread::of(clips_ms).p50_ms }
    }
}

/// The largest difference between features, as a share of the largest of `expected`.
fn apart(expected: &[f32], found: &[f32]) -> f32 {
    let largest = expected.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
    let differences = expected.iter().zip(found).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max) / largest
}

/// One line on standard error that changes, where someone looks at it.
struct Progress {
    rounds: NonZeroUsize,
    is_shown: bool,
}

impl Progress {
    fn new(rounds: NonZeroUsize) -> Self {
        Self { rounds, is_shown: std::io::stderr().is_terminal() }
    }

    /// Round 0 compares features.
    fn show(&self, round: usize, tuning: Tuning) {
        self.line(&format!("round {round} of {}: {tuning}", self.rounds));
    }

    fn end(&self) {
        self.line("");
    }

    fn line(&self, text: &str) {
        if self.is_shown {
            // Nobody misses a line of progress.
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use vad_infer::LazyIm2col;

    use super::*;

    fn turn(min_taps: u16, features: &[f32], ms: f64) -> Turn {
        let tuning =
            Tuning { kernels: Kernels::Tract, lazy_im2col: LazyIm2col { min_taps }, ..Tuning::default() };
        Turn { tuning, features: features.to_vec(), clips_ms: vec![7.0, ms] }
    }

    #[test]
    fn candidates_that_differ_or_are_far_too_slow_are_out() {
        let default = turn(2, &[2.0, -10.0, 0.0], 1.0);
        let verdict = |features: &[f32], ms: f64| default.verdict(&turn(6, features, ms));
        assert!(verdict(&[2.0, -10.0, 0.0], 1.0).is_none());
        assert!(verdict(&[2.0005, -10.0, 0.0], 1.9).is_none(), "an order of sums");
        let Some(Fate::Differs { apart, tuning, allowed }) = verdict(&[2.0, -10.0, 0.5], 0.1) else {
            panic!("it differs")
        };
        assert!((apart - 0.05).abs() < 1e-6 && tuning.lazy_im2col.min_taps == 6);
        assert_eq!(allowed, FEATURES_APART);
        let Some(Fate::TooSlow(timed)) = verdict(&[2.0, -10.0, 0.0], 2.1) else { panic!("it is slow") };
        assert!((timed.ms_per_frame - 2.1).abs() < 1e-9);
    }

    #[test]
    fn f16_may_round_and_no_more() {
        let default = turn(2, &[2.0, -10.0, 0.0], 1.0);
        let mut other = turn(2, &[2.0, -10.05, 0.0], 1.0);
        assert!(matches!(default.verdict(&other), Some(Fate::Differs { .. })), "tract in f32");
        other.tuning.kernels = Kernels::TractF16;
        assert!(default.verdict(&other).is_none());
        other.features[2] = 11.0 * FEATURES_APART_IN_F16;
        let Some(Fate::Differs { allowed, .. }) = default.verdict(&other) else { panic!("it differs") };
        assert_eq!(allowed, FEATURES_APART_IN_F16);
    }
}
