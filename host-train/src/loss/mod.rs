//! The losses, one per file.

pub mod ar_mil;
pub mod cu_completeness;
pub mod labelled_cross_entropy;
pub mod mil_ranking;
pub mod ms_mil;
pub mod rtfm;
pub mod soft_cross_entropy;
pub mod sultani;
pub mod weighted_bce;
