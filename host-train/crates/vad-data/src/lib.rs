//! From a folder of labelled videos to features ready for training.
//!
//! 1. [`Manifest`]: a label file and a folder become a checked list of videos.
//! 2. [`Splits`]: the list is parted into [`Train`], [`Val`] and [`Test`], which are distinct types.
//! 3. [`extract`]: videos become [`Features`] through a [`ClipEncoder`], kept in a [`FeatureCache`].
//!
//! # Terms
//!
//! - *video*: a video file or a folder of images.
//! - *id*: the video's name inside its folder without the extension; it names the video everywhere.
//! - *label*: what is known of a whole video. Where in it something happened is known for evaluation at most.
//! - *clip*: the frames an encoder reads at once, see [`vad_core::ClipSpec`].
//! - *crop*: one of several views of a clip that are encoded apart, see [`CropPlan`].
//!
//! What is deliberately absent: networks (an encoder is handed in), metrics, and any use of frame-level truth for
//! training.
#![deny(missing_docs)]

mod cache;
mod crops;
mod encoder;
mod error;
mod extract;
mod feature_spec;
mod features;
mod hash;
mod hash_index;
mod label;
mod manifest;
mod ranges;
mod replicas;
mod rows;
mod shard;
mod split;
mod store;
mod suggest;

pub use cache::{CacheKey, FeatureCache, Lookup, MAX_ENTRY_BYTES};
pub use crops::{CropPlan, CropPlanError};
pub use encoder::{ClipEncoder, EncodeError, FrameStream};
pub use error::DataError;
pub use extract::{
    ExtractOutcome, ExtractSpec, Failure, Progress, Silent, VideoOutcome, extract, extract_each,
};
pub use feature_spec::FeatureSpec;
pub use features::Features;
pub use hash::{file_hash, from_hex, hex};
pub use label::{Label, VideoEntry};
pub use manifest::{Manifest, is_video_file, render_labels};
pub use replicas::Replicas;
pub use rows::FeatureRows;
pub use shard::{Shard, ShardError};
pub use split::{Quota, Split, SplitIds, SplitKind, SplitPlan, Splits, Test, Train, Val};
pub use store::FeatureStore;
