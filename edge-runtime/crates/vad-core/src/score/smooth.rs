//! Causal smoothing with bounded memory.

use alloc::{vec, vec::Vec};

use super::Smoothing;

/// State of a [`Smoothing`].
#[derive(Debug, Clone)]
pub(super) enum Smoother {
    None,
    Exponential {
        alpha: f32,
        smoothed: Option<f32>,
    },
    Mean {
        /// Score `i` of the stream lies in slot `i % clips`.
        ring: Vec<f32>,
        pushed: usize,
    },
}

impl Smoother {
    pub fn new(smoothing: Smoothing) -> Self {
        match smoothing {
            Smoothing::None => Self::None,
            Smoothing::Exponential { alpha } => Self::Exponential { alpha, smoothed: None },
            Smoothing::Mean { clips } => Self::Mean { ring: vec![0.0; clips.into()], pushed: 0 },
        }
    }

    /// `calibrated` and the result are 0 to 1.
    pub fn push(&mut self, calibrated: f32) -> f32 {
        match self {
            Self::None => calibrated,
            Self::Exponential { alpha, smoothed } => {
                let before = smoothed.unwrap_or(calibrated);
                let after = (before + *alpha * (calibrated - before)).clamp(0.0, 1.0);
                *smoothed = Some(after);
                after
            }
            Self::Mean { ring, pushed } => {
                let clips = ring.len();
                ring[*pushed % clips] = calibrated;
                *pushed += 1;
                // Past two rounds only the position counts: keep it from growing.
                if *pushed == 2 * clips {
                    *pushed = clips;
                }
                mean(ring, *pushed)
            }
        }
    }

    pub fn reset(&mut self) {
        match self {
            Self::None => {}
            Self::Exponential { smoothed, .. } => *smoothed = None,
            Self::Mean { pushed, .. } => *pushed = 0,
        }
    }
}

/// Mean of the latest values, added anew each time from the oldest on: errors cannot pile up.
fn mean(ring: &[f32], pushed: usize) -> f32 {
    let held = pushed.min(ring.len());
    let (newer, older) = ring[..held].split_at(pushed % ring.len() % held);
    let sum: f64 = older.iter().chain(newer).map(|&score| f64::from(score)).sum();
    ((sum / held as f64) as f32).clamp(0.0, 1.0)
}
