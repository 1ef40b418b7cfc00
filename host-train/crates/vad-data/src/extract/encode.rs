//! Encode workers: each cuts, normalises and encodes one batch of crops after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};

use vad_core::Preprocessor;

use super::{Event, Job, Shared};
use crate::DataError;

/// Runs until the last decode thread has gone.
pub(super) fn work(
    shared: &Shared<'_>,
    number: usize,
    jobs: &Mutex<Receiver<Job>>,
    events: &SyncSender<Event>,
) {
    // Checked before the threads were started.
    let Ok(mut worker) = Worker::new(shared, number) else { return };
    while let Some(mut batch) = next(jobs, shared.spec.batch) {
        // Taken off the queue all the same, so that no decode thread waits for ever.
        batch.retain(|job| !shared.is_unwanted(job.video));
        let told = worker.encode(&batch).into_iter().try_for_each(|event| events.send(event));
        if told.is_err() {
            return;
        }
    }
}

/// Waits for a whole batch; a smaller one comes at the end alone.
fn next(jobs: &Mutex<Receiver<Job>>, size: usize) -> Option<Vec<Job>> {
    // Nobody can panic while holding this lock.
    let jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
    let batch: Vec<Job> = jobs.iter().take(size).collect();
    (!batch.is_empty()).then_some(batch)
}

struct Worker<'a> {
    shared: &'a Shared<'a>,
    /// Tells it from the other workers, from 0.
    number: usize,
    preprocessor: Preprocessor,
    /// One crop of one clip, `[T, h, w, 3]`.
    view: Vec<u8>,
    /// `[batch, 3, T, h, w]`.
    clips: Vec<f32>,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared<'a>, number: usize) -> Result<Self, vad_core::SpecError> {
        let spec = &shared.spec.features;
        let clip_len = spec.preprocess.resized_len() * usize::from(spec.clip.frames);
        Ok(Self {
            shared,
            number,
            preprocessor: Preprocessor::new(spec.preprocess.clone())?,
            view: vec![0; clip_len],
            clips: vec![0.0; clip_len * shared.spec.batch],
        })
    }

    /// What became of each job.
    fn encode(&mut self, batch: &[Job]) -> Vec<Event> {
        match self.features(batch) {
            Ok(features) => batch.iter().zip(features).map(|(job, feature)| done(job, feature)).collect(),
            // One by one, so that only the video at fault fails.
            Err(_) if batch.len() > 1 => batch.chunks(1).flat_map(|job| self.encode(job)).collect(),
            Err(reason) => batch.iter().map(|job| failed(self.shared, job, &reason)).collect(),
        }
    }

    fn features(&mut self, batch: &[Job]) -> Result<Vec<Vec<f32>>, String> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let clip_len = self.view.len();
        for (job, clip) in batch.iter().zip(self.clips.chunks_exact_mut(clip_len)) {
            cut(job, usize::from(self.shared.spec.features.clip.frames), &mut self.view);
            let frames = self.view.chunks_exact(self.preprocessor.spec().resized_len());
            self.preprocessor.normalise_into(frames, clip).map_err(|error| error.to_string())?;
        }
        let (encoder, clips) = (self.shared.encoder, &self.clips[..clip_len * batch.len()]);
        // A worker that died would leave the others waiting for its clips.
        let encoded = catch_unwind(AssertUnwindSafe(|| encoder.encode_for(self.number, clips, batch.len())));
        let features = encoded
            .map_err(|_| "it panicked; this is a defect of the encoder".to_owned())?
            .map_err(|error| error.to_string())?;
        let dim = encoder.feature_dim();
        if features.len() != dim * batch.len() {
            return Err(format!("it gave {} values instead of {}", features.len(), dim * batch.len()));
        }
        match features.iter().position(|value| !value.is_finite()) {
            Some(at) => {
                Err(format!("value {} of the feature is {}, not a finite number", at % dim, features[at]))
            }
            None => Ok(features.chunks_exact(dim).map(<[f32]>::to_vec).collect()),
        }
    }
}

/// Cuts the job's view out of each of its pictures.
fn cut(job: &Job, frames: usize, out: &mut [u8]) {
    let pictures = job.pictures.chunks_exact((job.pictures.len() / frames).max(1));
    for (picture, view) in pictures.zip(out.chunks_exact_mut(out.len() / frames)) {
        job.view.cut_into(picture, view);
    }
}

fn done(job: &Job, feature: Vec<f32>) -> Event {
    Event::Feature { video: job.video, span: job.span, crop: job.crop, feature }
}

fn failed(shared: &Shared<'_>, job: &Job, reason: &str) -> Event {
    let entry = &shared.entries[job.video];
    let error = DataError::Encode {
        id: entry.id.clone(),
        path: entry.path.clone(),
        clip: job.span.index,
        reason: reason.to_owned(),
    };
    Event::Failed { video: job.video, error }
}
