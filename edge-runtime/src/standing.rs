//! Where a camera stands: what its thread knows of arming, events and scores, for whoever asks.

use crate::arming::Hindrances;

/// One camera, as of its latest picture.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Standing {
    /// What keeps it from alarming; `None` before its first picture.
    pub hindrances: Option<Hindrances>,
    /// The event that was announced and goes on.
    pub event: Option<OngoingEvent>,
    /// Latest smoothed score, 0 to 1.
    pub score: Option<f32>,
    /// In force; `None` before its first picture.
    pub thresholds: Option<ThresholdPair>,
}

/// An event that was announced and goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OngoingEvent {
    /// Its number on its camera, from 1.
    pub number: u32,
    /// Greatest smoothed score so far, 0 to 1.
    pub peak: f32,
}

/// Where an event begins and ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThresholdPair {
    /// Smoothed score at which it begins, 0 to 1.
    pub raise: f32,
    /// Smoothed score below which it ends, 0 to `raise`.
    pub clear: f32,
}
