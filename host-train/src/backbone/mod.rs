//! The networks that turn clips into features.

pub mod c3d;
pub(crate) mod conv;
mod depthwise;
pub mod grid;
pub mod i3d;
pub mod i3d_lite;
pub mod inception;
#[cfg(test)]
pub(crate) mod narrow;
pub mod padding;
pub mod pooling;
pub mod short_i3d;
pub mod source;
pub mod unit;
