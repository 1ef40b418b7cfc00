//! Videos to features: decoding, encoding and storing overlap.
//!
//! ```text
//! decode threads -- resized clips, bounded queue --> encode workers -- bounded queue --> collector ---> storing thread
//! (one video each)                                   (cut, normalise, encode)            (caller's)     (bounded queue)
//! ```
//!
//! An encoder that looks at each frame once ([`ClipEncoder::stream`]) works in the decode threads; the workers then rest.
//!
//! A video is decoded once and a frame resized once, whatever the number of crops. A clip waits as bytes (`T * H * W * 3`,
//! 2.4 MB for I3D, 4.7 MB for ten crops of 3:2 pictures), shared by the jobs of its crops; only each worker holds a batch as
//! `f32` (9.6 MB per crop in it). Features are put in order by clip and crop, so the result does not depend on the number of
//! threads. A video enters the store when all of its clips are encoded: a run may be killed at any moment, and the next one
//! takes up the missing videos.

mod collect;
mod decode;
mod encode;
mod keep;
mod progress;
mod route;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use vad_core::{ClipSpan, Preprocessor};

use self::collect::Collector;
use self::keep::MAX_WAITING;
pub use self::progress::{Progress, Silent, VideoOutcome};
use crate::crops::View;
use crate::{CacheKey, ClipEncoder, DataError, FeatureSpec, FeatureStore, Features, VideoEntry};

/// Jobs that wait for a worker, for each job of a batch.
const QUEUED_BATCHES: usize = 2;
const QUEUED_EVENTS: usize = 64;
const MAX_DECODERS: usize = 8;

/// How to extract.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtractSpec {
    /// What the features are of.
    pub features: FeatureSpec,
    /// Workers that encode at the same time, at least 1. Does not change results.
    pub threads: usize,
    /// Clips, crops counted apart, that a worker gives the encoder in one call, at least 1. On a processor 1 is best; see
    /// [`ClipEncoder::encode_batch`] for what it may change.
    pub batch: usize,
}

/// A video that could not be extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The video's id.
    pub id: String,
    /// The video.
    pub path: PathBuf,
    /// Why, with file, place and remedy.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// What an extraction gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExtractOutcome {
    /// Features by id.
    pub features: BTreeMap<String, Features>,
    /// Videos without features, in the order of the entries.
    pub failures: Vec<Failure>,
}

/// Extracts the features of all entries, taking from the store what it holds and putting there what is new, and keeps all
/// of them in memory.
///
/// With `keep_going`, a video that fails is listed in [`ExtractOutcome::failures`] and the others go on. Without, the
/// first failure ends the extraction; videos finished until then stay in the store.
///
/// # Errors
/// A spec out of range, an id given twice, a store that cannot be read or written, [`DataError::Cancelled`], and
/// without `keep_going` the first failure.
pub fn extract(
    entries: &[VideoEntry],
    encoder: &dyn ClipEncoder,
    spec: ExtractSpec,
    store: &dyn FeatureStore,
    keep_going: bool,
    progress: &dyn Progress,
) -> Result<ExtractOutcome, DataError> {
    let mut features = BTreeMap::new();
    let mut keep = |id: &str, found: Features| drop(features.insert(id.to_owned(), found));
    let failures = extract_each(entries, encoder, spec, store, keep_going, progress, &mut keep)?;
    Ok(ExtractOutcome { features, failures })
}

/// As [`extract`], but hands each video's features to `each` as it ends and keeps none: for sets that are larger than
/// memory.
///
/// # Errors
/// As [`extract`].
pub fn extract_each(
    entries: &[VideoEntry],
    encoder: &dyn ClipEncoder,
    spec: ExtractSpec,
    store: &dyn FeatureStore,
    keep_going: bool,
    progress: &dyn Progress,
    each: &mut dyn FnMut(&str, Features),
) -> Result<Vec<Failure>, DataError> {
    check_request(entries, encoder, &spec)?;
    let streams =
        encoder.stream().map_err(|error| DataError::Request { problem: error.to_string() })?.is_some();
    let shared = Shared {
        entries,
        encoder,
        encoder_hash: encoder.hash(),
        spec: &spec,
        store,
        progress,
        next: Mutex::new(0),
        stopped: AtomicBool::new(false),
        abandoned: entries.iter().map(|_| AtomicBool::new(false)).collect(),
    };
    let (finished_in, finished_out) = sync_channel(MAX_WAITING);
    let (kept_in, kept_out) = sync_channel(MAX_WAITING);
    let mut collector = Collector::new(&shared, keep_going, each, finished_in, kept_out);
    progress.begin(entries.len());
    std::thread::scope(|scope| {
        let (jobs_in, jobs_out) = sync_channel(QUEUED_BATCHES * spec.batch);
        let (events_in, events_out) = sync_channel(QUEUED_EVENTS);
        let jobs_out = Arc::new(Mutex::new(jobs_out));
        let shared = &shared;
        for worker in 0..spec.threads {
            let (jobs, events) = (jobs_out.clone(), events_in.clone());
            scope.spawn(move || encode::work(shared, worker, &jobs, &events));
        }
        for _ in 0..decoders(spec.threads, entries.len(), streams) {
            let (jobs, events) = (jobs_in.clone(), events_in.clone());
            scope.spawn(move || decode::work(shared, &jobs, &events));
        }
        scope.spawn(move || keep::work(store, &finished_out, &kept_in));
        // The queues end when the last thread that feeds them does.
        drop((jobs_in, jobs_out, events_in));
        for event in events_out {
            collector.take(event);
        }
        collector.settle();
    });
    collector.finish()
}

fn decoders(threads: usize, videos: usize, streams: bool) -> usize {
    // Two at least, so that opening and hashing the next video hides behind the encoding of this one.
    let beside_workers = threads.div_ceil(2).clamp(2, MAX_DECODERS);
    // Frames of a stream are encoded where they are decoded.
    let count = if streams { threads } else { beside_workers };
    count.min(videos.max(1))
}

fn check_request(
    entries: &[VideoEntry],
    encoder: &dyn ClipEncoder,
    spec: &ExtractSpec,
) -> Result<(), DataError> {
    spec.features.clip.validate()?;
    // Checks the preprocessing too.
    Preprocessor::new(spec.features.preprocess.clone())?;
    let refuse = |problem: String| Err(DataError::Request { problem });
    if spec.threads == 0 {
        return refuse("0 threads were asked for; give at least 1".to_owned());
    }
    if spec.batch == 0 {
        return refuse("batches of 0 clips were asked for; give at least 1".to_owned());
    }
    if encoder.feature_dim() == 0 {
        return refuse("the encoder gives features of length 0; it must give at least one value".to_owned());
    }
    let mut seen = BTreeSet::new();
    match entries.iter().find(|entry| !seen.insert(&entry.id)) {
        Some(twice) => refuse(format!("the video `{}` is listed twice; list it once", twice.id)),
        None => Ok(()),
    }
}

/// What all threads see.
struct Shared<'a> {
    entries: &'a [VideoEntry],
    encoder: &'a dyn ClipEncoder,
    encoder_hash: [u8; 32],
    spec: &'a ExtractSpec,
    store: &'a dyn FeatureStore,
    progress: &'a dyn Progress,
    /// Index of the next video to decode.
    next: Mutex<usize>,
    /// Set when nothing more is wanted of anyone.
    stopped: AtomicBool,
    /// Set, per video, when nothing more is wanted of it.
    abandoned: Vec<AtomicBool>,
}

impl Shared<'_> {
    fn next_video(&self) -> Option<usize> {
        if self.is_stopped() {
            return None;
        }
        // Nobody can panic while holding this lock.
        let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let video = *next;
        *next += 1;
        (video < self.entries.len()).then_some(video)
    }

    fn is_stopped(&self) -> bool {
        if self.progress.cancelled() {
            self.stop();
        }
        self.stopped.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_unwanted(&self, video: usize) -> bool {
        self.is_stopped() || self.abandoned[video].load(Ordering::Relaxed)
    }

    fn abandon(&self, video: usize) {
        self.abandoned[video].store(true, Ordering::Relaxed);
    }
}

/// One crop of a clip on its way to a worker.
struct Job {
    video: usize,
    span: ClipSpan,
    /// Number of the crop, from 0.
    crop: usize,
    view: View,
    /// The clip's pictures, `[T, H', W', 3]`.
    pictures: Arc<Vec<u8>>,
}

/// What the collector is told.
enum Event {
    Started {
        video: usize,
        clips_hint: Option<u64>,
    },
    Cached {
        video: usize,
        features: Features,
    },
    Notice {
        text: String,
    },
    Feature {
        video: usize,
        span: ClipSpan,
        crop: usize,
        feature: Vec<f32>,
    },
    /// All clips of the video are with the workers.
    Decoded {
        video: usize,
        key: CacheKey,
        clips: u64,
        frames: u64,
        frame_rate_hz: f64,
    },
    Failed {
        video: usize,
        error: DataError,
    },
}
