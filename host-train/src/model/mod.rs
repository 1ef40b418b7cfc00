//! The networks that are trained, one per file.

pub mod cu_classifier;
pub mod cu_generator;
mod dense;
pub mod mist_generator;
pub mod rtfm;
