//! Optimisers and gradient clipping whose state can be saved and restored exactly.

pub mod adadelta;
pub mod adagrad;
pub mod adam;
pub mod clip;
mod number;
mod one_pass;
mod rule;
mod state;
pub mod warmup;
