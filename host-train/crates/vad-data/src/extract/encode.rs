//! Encode workers: each normalises and encodes one clip after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};

use vad_core::Preprocessor;

use super::{ClipJob, Event, Shared};
use crate::DataError;

/// Runs until the last decode thread has gone.
pub(super) fn work(shared: &Shared<'_>, clips: &Mutex<Receiver<ClipJob>>, events: &SyncSender<Event>) {
    let preprocess = &shared.spec.preprocess;
    // Checked before the threads were started.
    let Ok(preprocessor) = Preprocessor::new(preprocess.clone()) else {
        return;
    };
    let mut clip = vec![0.0; preprocess.resized_len() * usize::from(shared.spec.clip.frames)];
    while let Some(job) = next(clips) {
        // Taken off the queue all the same, so that no decode thread waits for ever.
        if shared.is_unwanted(job.video) {
            continue;
        }
        let event = match encode(shared, &preprocessor, &job, &mut clip) {
            Ok(feature) => Event::Clip { video: job.video, span: job.span, feature },
            Err(reason) => failed(shared, &job, reason),
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

fn next(clips: &Mutex<Receiver<ClipJob>>) -> Option<ClipJob> {
    // Nobody can panic while holding this lock.
    clips.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn encode(
    shared: &Shared<'_>,
    preprocessor: &Preprocessor,
    job: &ClipJob,
    clip: &mut [f32],
) -> Result<Vec<f32>, String> {
    let frames = job.frames.chunks_exact(shared.spec.preprocess.resized_len());
    preprocessor.normalise_into(frames, clip).map_err(|error| error.to_string())?;
    // A worker that died would leave the others waiting for its clip.
    let encoded = catch_unwind(AssertUnwindSafe(|| shared.encoder.encode(clip)));
    let feature = encoded
        .map_err(|_| "it panicked; this is a defect of the encoder".to_owned())?
        .map_err(|error| error.to_string())?;
    let dim = shared.encoder.feature_dim();
    if feature.len() != dim {
        return Err(format!("it gave {} values instead of {dim}", feature.len()));
    }
    match feature.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(format!("value {at} of the feature is {}, not a finite number", feature[at])),
        None => Ok(feature),
    }
}

fn failed(shared: &Shared<'_>, job: &ClipJob, reason: String) -> Event {
    let entry = &shared.entries[job.video];
    let error =
        DataError::Encode { id: entry.id.clone(), path: entry.path.clone(), clip: job.span.index, reason };
    Event::Failed { video: job.video, error }
}
