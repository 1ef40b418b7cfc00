//! Times, and what stands for many of them.

use std::time::Instant;

use serde::Serialize;

pub(super) fn ms(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}

/// Milliseconds per frame.
#[derive(Debug, Serialize)]
pub(super) struct Spread {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Spread {
    pub(super) fn of(laps: &[f64]) -> Self {
        let mut sorted = laps.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let index = (sorted.len().saturating_sub(1) * percent).div_ceil(100);
            sorted.get(index).copied().unwrap_or_default()
        };
        Self { p50_ms: at(50), p99_ms: at(99) }
    }
}
