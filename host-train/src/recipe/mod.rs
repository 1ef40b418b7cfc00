//! Training systems, one per file, and what they share.

pub mod arms;
pub mod arms_config;
mod arms_guide;
pub mod cu;
pub mod cu_config;
pub mod cu_detector;
mod cu_labels;
pub mod curves;
pub mod mist_config;
pub mod mist_stage1;
pub mod mist_stage2_config;
#[cfg(test)]
mod reference_page;
pub mod registry;
pub mod rtfm;
pub mod rtfm_config;
mod scaling;
mod sequences;
pub mod settings;
pub mod sultani;
pub mod sultani_config;
pub mod system;
pub mod trainer;
