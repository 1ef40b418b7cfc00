//! The networks that turn clips into features.

pub mod i3d;
pub mod same;
