//! The published data sets, as their users have them on disk: lists, annotations, videos and extracted features become one
//! checked [`Import`], from which training and evaluation go on.
//!
//! 1. [`Tree`]: one walk through a folder tells where lists, videos, masks and features lie.
//! 2. A layout per data set reads its lists and annotations: which videos there are, their labels, the official split, and
//!    where in the test videos something happens.
//! 3. Features (`.npy`, `.h5`) are found by the names of videos, never by their position in a list, and read once from end to
//!    end: shapes, widths, crops, finite values.
//! 4. [`import`] joins the two, compares what it found with what the data set should hold, and says what differs.
//!
//! # Terms
//!
//! - *part*: the training or the test videos of the official split.
//! - *clip*: 16 frames, as in every published set of features.
//! - *crop*: one of several views of a clip, each with a feature of its own.
//! - *place*: the files, or the data set within an HDF5 file, that hold the features of one video.
//!
//! What is deliberately absent: downloads, decoding of videos, training, and any label taken from a position in a list.
#![deny(missing_docs)]

mod annotation;
pub mod arrays;
mod classes;
mod dataset;
mod error;
mod features;
mod ground_truth;
mod import;
mod layouts;
mod lists;
mod names;
mod record;
mod sources;
mod summary;
mod tree;

pub use dataset::{Dataset, LabelCounts};
pub use error::ImportError;
pub use features::{Axes, FeatureShape, Place};
pub use ground_truth::Comparison;
pub use import::{Imported, Request, import};
pub use record::{FramesFrom, Import, Source, SplitRule, VideoRecord};
pub use summary::Summary;
pub use tree::Tree;
