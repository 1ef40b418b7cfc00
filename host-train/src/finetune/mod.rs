//! MIST's second stage (CVPR 2021, section 3.3): an encoder is fine-tuned from pixels by what stage I makes of the clips.
//!
//! ```text
//! features -- stage I --> clip scores -- pseudo_label --> labels -- Plan: which clips, by seed and batch
//!                                                                    |
//! videos -- Loader: decode, cut, crop, mirror; bounded queues -----> Tuner: E_SGA, L1 + L2, clip, Adam
//!                                                                    | groups of clips         ^ gradients
//!                                                                   Crew: copies of E_SGA on further devices
//! ```
//!
//! What it gives is an encoder with its own classifier ([`tuned`]); [`crate::explain`] shows where it looks. Nothing here sees
//! frame annotations or test videos.

pub mod clips;
pub mod crew;
pub mod error;
pub mod labels;
pub mod lesson;
pub mod loader;
pub mod plan;
pub mod schedule;
pub mod start;
pub mod training;
pub mod tuned;
pub mod tuner;
