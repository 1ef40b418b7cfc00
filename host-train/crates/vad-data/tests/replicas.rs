//! Copies of an encoder: all of them work, each with workers of its own, and the features stay the same.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use common::{PixelStats, spec, videos};
use vad_data::{
    ClipEncoder, DataError, EncodeError, ExtractOutcome, FeatureCache, Replicas, Silent, VideoEntry, extract,
};

const COPIES: usize = 3;

/// Which copies were called so far.
#[derive(Default)]
struct Called {
    copies: Mutex<BTreeSet<usize>>,
    all: Condvar,
}

/// Waits in its calls until every copy has one, so that no worker can do all the work before the others begin.
struct Copy {
    inner: PixelStats,
    number: usize,
    called: Arc<Called>,
    threads: Mutex<Vec<ThreadId>>,
}

impl ClipEncoder for Copy {
    fn feature_dim(&self) -> usize {
        self.inner.feature_dim()
    }

    fn hash(&self) -> [u8; 32] {
        self.inner.hash()
    }

    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        self.threads.lock().unwrap().push(std::thread::current().id());
        let mut copies = self.called.copies.lock().unwrap();
        copies.insert(self.number);
        self.called.all.notify_all();
        // The limit ends a test that fails; one that passes never reaches it.
        let limit = Duration::from_secs(20);
        let (copies, _) =
            self.called.all.wait_timeout_while(copies, limit, |copies| copies.len() < COPIES).unwrap();
        if copies.len() < COPIES {
            return Err(EncodeError::new(format!("only the copies {copies:?} were ever called")));
        }
        self.inner.encode(clip)
    }
}

fn extracted(entries: &[VideoEntry], encoder: &dyn ClipEncoder, threads: usize) -> ExtractOutcome {
    let folder = tempfile::tempdir().unwrap();
    let cache = FeatureCache::open(folder.path()).unwrap();
    extract(entries, encoder, spec(threads), &cache, false, &Silent).unwrap()
}

#[test]
fn every_copy_has_workers_of_its_own_and_the_features_are_those_of_one_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 5);
    let called = Arc::new(Called::default());
    let copy =
        |number| Copy { inner: PixelStats::new(), number, called: called.clone(), threads: Mutex::default() };
    let copies = Replicas::new(copy(0), (1..COPIES).map(copy).collect()).unwrap();
    assert_eq!(extracted(&entries, &copies, 2 * COPIES), extracted(&entries, &PixelStats::new(), 1));
    let users: Vec<BTreeSet<String>> = copies
        .iter()
        .map(|copy| copy.threads.lock().unwrap().iter().map(|thread| format!("{thread:?}")).collect())
        .collect();
    for (number, own) in users.iter().enumerate() {
        assert!((1..=2).contains(&own.len()), "copy {number} was called by {own:?}");
        assert!(users[..number].iter().all(|others| others.is_disjoint(own)), "{users:?}");
    }
}

#[test]
fn encoders_that_differ_are_no_copies() {
    let changed = PixelStats { version: 2, ..PixelStats::new() };
    let error = Replicas::new(PixelStats::new(), vec![changed]).err().unwrap();
    assert!(matches!(&error, DataError::Request { problem } if problem.contains("replaced")), "{error}");
}
