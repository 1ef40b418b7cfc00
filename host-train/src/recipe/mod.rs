//! Training systems, one per file, and what they share.

pub mod curves;
pub mod mist_config;
pub mod mist_stage1;
mod scaling;
