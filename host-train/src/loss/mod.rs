//! The losses, one per file.

pub mod cu_completeness;
pub mod mil_ranking;
pub mod rtfm;
pub mod soft_cross_entropy;
pub mod weighted_bce;
