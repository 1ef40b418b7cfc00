//! Features that somebody else extracted: where those of a video lie, and their values as `[clips, crops, width]`.

use std::collections::BTreeMap;

mod axes;
mod check;
mod index;
mod place;

pub use axes::{Axes, FeatureShape};
pub(crate) use check::agree;
pub(crate) use index::FeatureIndex;
pub use place::Place;

/// Places and shapes by video.
pub(crate) type Shaped = BTreeMap<String, (Place, FeatureShape)>;
