//! The losses, one per file.

pub mod mil_ranking;
