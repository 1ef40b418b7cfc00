//! The storing thread: puts finished videos into the store, which may be far away, while the others go on.

use std::sync::mpsc::{Receiver, SyncSender};

use crate::{CacheKey, DataError, FeatureStore, Features};

/// Finished videos that may wait for the store; beyond that nothing more is collected.
pub(super) const MAX_WAITING: usize = 2;

/// A video whose clips are all encoded.
pub(super) struct Finished {
    pub video: usize,
    pub key: CacheKey,
    pub features: Features,
}

/// A video that was given to the store.
pub(super) struct Kept {
    pub video: usize,
    pub features: Features,
    pub result: Result<(), DataError>,
}

/// Runs until the collector has gone. `kept` holds [`MAX_WAITING`], so that this thread never waits for the collector.
pub(super) fn work(store: &dyn FeatureStore, finished: &Receiver<Finished>, kept: &SyncSender<Kept>) {
    for Finished { video, key, features } in finished {
        let result = store.put(&key, &features);
        if kept.send(Kept { video, features, result }).is_err() {
            return;
        }
    }
}
