//! The networks that are trained, one per file.

pub mod mist_generator;
