//! The networks that are trained, one per file.

pub mod arms;
mod conv;
pub mod cu_classifier;
pub mod cu_generator;
pub(crate) mod dense;
pub(crate) mod initial;
pub mod mist_generator;
pub mod rtfm;
pub mod sga;
pub mod sultani;
