//! What the link counts.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::delays::{DelayFigures, Delays};
use crate::health::lock;

/// Counters of the link, for health and tests.
#[derive(Debug, Default)]
pub struct LinkStats {
    pub(super) connected: AtomicBool,
    pub(super) connections: AtomicU64,
    pub(super) published: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) malformed_acks: AtomicU64,
    pub(super) foreign_acks: AtomicU64,
    pub(super) heartbeats: AtomicU64,
    pub(super) last_failure: Mutex<Option<String>>,
    pub(super) delays: Mutex<Delays>,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $($(#[$doc])* #[must_use] pub fn $name(&self) -> u64 { self.$name.load(Ordering::Relaxed) })*
    };
}

impl LinkStats {
    counters! {
        /// Connections that came up.
        connections,
        /// Records handed to a connection, repetitions included.
        published,
        /// Records removed after the hub's Ack.
        delivered,
        /// Frames on the Ack topic that are not an Ack.
        malformed_acks,
        /// Acks for another board or for records that are not held (late repetitions too).
        foreign_acks,
        /// Heartbeats handed to a connection.
        heartbeats,
    }

    /// Whether a connection is up and subscribed.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// How long the latest records of this boot took to be acknowledged; nothing before the first.
    #[must_use]
    pub fn delays(&self) -> Option<DelayFigures> {
        lock(&self.delays).figures()
    }

    /// Why the latest connection ended or never came up, in words.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        lock(&self.last_failure).clone()
    }
}

pub(super) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}
