//! Layers in int8 learn, with a bar.

use super::interrupt;
use super::progress;
use crate::quantise::calibration::{Calibration, Planned};
use crate::quantise::footage::Films;
use crate::quantise::learning::QatConfig;
use crate::run::Flow;
use anyhow::Result;
use burn::tensor::Device;

/// The usual number of steps.
pub const STEPS: u32 = 150;

/// Teaches the layers of a plan on training videos; nothing comes back when it was interrupted.
pub fn learn(
    calibration: &Calibration,
    planned: &Planned,
    films: &Films,
    steps: u32,
    seed: u64,
) -> Result<Option<Planned>> {
    // Small, and the same on every device.
    let device = Device::flex();
    let bar = progress::bar(steps.into(), "steps");
    bar.set_prefix("layers learn to be rounded");
    let mut draw = |step| films.of_step(seed, step, &device);
    let learnt = calibration.learn(planned, QatConfig::new(steps), &mut draw, &mut |loss| {
        bar.inc(1);
        bar.set_message(format!("loss {loss:.5}"));
        if interrupt::asked() { Flow::Stop } else { Flow::Continue }
    });
    bar.finish_and_clear();
    Ok(learnt?)
}
