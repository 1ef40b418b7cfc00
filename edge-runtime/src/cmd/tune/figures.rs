//! What was found, for people and for programs.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use model_bundle::Bundle;
use serde::Serialize;
use vad_infer::Tuning;

use super::choose::CLEARLY_FASTER;
use super::search::{Fate, Found, Timed};
use crate::tuned::{Choice, TuningRecord};

/// Everything that `tune` prints; the names are those of its JSON.
#[derive(Debug, Serialize)]
pub(super) struct TuneFigures {
    model: String,
    rounds: NonZeroUsize,
    /// The default first.
    candidates: Vec<Row>,
    #[serde(flatten)]
    choice: Choice,
    is_default: bool,
    #[serde(skip)]
    chosen: Tuning,
    /// Where it is stored.
    file: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip)]
    name: String,
    #[serde(flatten)]
    tuning: TuningRecord,
    /// Median; of one round where that was enough.
    ms_per_frame: Option<f64>,
    to_default: Option<f64>,
    /// `default`, `timed`, or why it was left out.
    state: String,
}

impl TuneFigures {
    pub(super) fn new(
        bundle: &Bundle,
        found: Found,
        choice: Choice,
        rounds: NonZeroUsize,
        file: Option<PathBuf>,
    ) -> Self {
        let default = found.default;
        let chosen = found.chosen().tuning;
        let others = found.others.iter().map(|fate| Row::of(fate, &default));
        Self {
            model: bundle.model().name.clone(),
            rounds,
            candidates: std::iter::once(Row::timed(&default, &default, "default")).chain(others).collect(),
            choice,
            is_default: chosen == default.tuning,
            chosen,
            file,
        }
    }
}

impl Row {
    fn new(tuning: Tuning, state: String) -> Self {
        let name = tuning.to_string();
        Self { name, tuning: tuning.into(), ms_per_frame: None, to_default: None, state }
    }

    fn timed(timed: &Timed, default: &Timed, state: &str) -> Self {
        let ms_per_frame = timed.ms_per_frame;
        Self {
            ms_per_frame: Some(ms_per_frame),
            to_default: Some(ms_per_frame / default.ms_per_frame),
            ..Self::new(timed.tuning, state.to_owned())
        }
    }

    fn of(fate: &Fate, default: &Timed) -> Self {
        match fate {
            Fate::Timed(timed) => Self::timed(timed, default, "timed"),
            Fate::TooSlow(timed) => Self::timed(timed, default, "too slow after one round"),
            Fate::Differs { tuning, apart, allowed } => {
                let (apart, allowed) = (apart * 100.0, allowed * 100.0);
                Self::new(*tuning, format!("features off by {apart:.2} %, at most {allowed} % are allowed"))
            }
            Fate::Fails { tuning, reason } => Self::new(*tuning, reason.clone()),
        }
    }
}

impl fmt::Display for TuneFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Choice { made_for, measured, .. } = &self.choice;
        writeln!(
            f,
            "{}: encoder on {}, one thread, {} rounds\n",
            self.model, made_for.processor, self.rounds
        )?;
        let width = self.candidates.iter().map(|row| row.name.len()).max().unwrap_or_default();
        writeln!(f, "{:<width$} {:>12} {:>10}", "candidate", "ms per frame", "ratio")?;
        for Row { name, ms_per_frame, to_default, state, .. } in &self.candidates {
            let number = |value: &Option<f64>| value.map(|value| format!("{value:.3}")).unwrap_or_default();
            let (ms, ratio) = (number(ms_per_frame), number(to_default));
            let state = if state == "timed" { "" } else { state };
            writeln!(f, "{}", format!("{name:<width$} {ms:>12} {ratio:>10}  {state}").trim_end())?;
        }
        let percent = CLEARLY_FASTER * 100.0;
        if self.is_default {
            writeln!(f, "\nchosen: the default, {}: nothing is faster by {percent} %", self.chosen)?;
        } else {
            let ratio = measured.ms_per_frame / measured.default_ms_per_frame;
            writeln!(f, "\nchosen: {}, {ratio:.3} of the default's time", self.chosen)?;
        }
        match &self.file {
            Some(file) => write!(f, "stored in {}", file.display()),
            None => write!(f, "not stored: give --config or --out"),
        }
    }
}
