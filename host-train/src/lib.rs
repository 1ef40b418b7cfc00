//! The host: index, extract, train, evaluate, export, hub.
//!
//! The only package that may depend on burn. Everything here is a library; `main.rs` and `cmd/` are the command line.

pub mod abnormal_ratio;
pub mod archive;
pub mod atomic_file;
pub mod backbone;
pub mod bag;
pub mod batch;
pub mod bucket;
pub mod checkpoint;
pub mod cmd;
pub mod device;
pub mod distill;
pub mod distilled;
pub mod dropout;
pub mod encoder;
pub mod evaluate;
pub mod explain;
pub mod extraction;
pub mod feature_source;
pub mod finetune;
pub mod handoff;
pub mod infer;
pub mod loss;
pub mod memory;
pub mod model;
pub mod on_board;
pub mod optim;
mod params;
pub mod pseudo_label;
pub mod published;
pub mod quantise;
pub mod quarter_label;
pub mod recipe;
pub mod rng;
pub mod run;
pub mod sampling;
pub mod score_correction;
pub mod segments;
pub mod shared_data;
pub mod tensors;
mod threads;
pub mod uncertainty;
pub mod weights;
