//! What a board tells people and automations: JSON beside the frames for the hub.
//!
//! Nothing here is a promise. What must not be lost goes through the outbox; this is said once, and is a snapshot or a
//! copy. `docs/reference/mqtt.md` is normative for the shapes.

mod discovery;
mod review;
mod state;

use std::sync::Arc;

use alarm_proto::CameraId;

use crate::hex;
use crate::orders::Orders;

pub use discovery::{CommandTopics, DiscoveryTopics, discovery};
pub use review::{Review, ReviewMessage, Reviews};
pub use state::{CameraTold, CommandsTold, EventTold, StateTold};

/// A model's name in JSON: its first bytes, as `watchpostd` prints them.
#[must_use]
pub fn model_name(model: [u8; 8]) -> String {
    hex::encode(&model)
}

/// To four decimals: what people can read, without the tail of an `f32` as `f64`.
fn rounded(value: f32) -> f64 {
    (f64::from(value) * 10_000.0).round() / 10_000.0
}

/// What a voice needs to know beside identity and health.
#[derive(Clone, Default)]
pub struct Voice {
    /// The cameras that are watched.
    pub cameras: Vec<CameraId>,
    /// Where commands go.
    pub orders: Arc<Orders>,
    /// Whether pictures of events are kept.
    pub keeps_evidence: bool,
}
