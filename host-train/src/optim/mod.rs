//! Optimisers whose state has names and can be saved, and the gradient clipping of the published trainers.

pub mod adagrad;
pub mod clip;
