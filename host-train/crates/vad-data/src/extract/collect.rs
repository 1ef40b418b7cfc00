//! The collector: puts clips in order, stores finished videos, keeps the failures.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender};

use vad_core::ClipSpan;

use super::keep::{Finished, Kept, MAX_WAITING};
use super::{Event, Failure, Shared, VideoOutcome};
use crate::{CacheKey, DataError, Features};

/// A video under way.
#[derive(Default)]
struct Partial {
    /// By clip and crop.
    features: BTreeMap<(u64, usize), (ClipSpan, Vec<f32>)>,
    end: Option<End>,
}

struct End {
    key: CacheKey,
    clips: u64,
    frames: u64,
    frame_rate_hz: f64,
}

pub(super) struct Collector<'a> {
    shared: &'a Shared<'a>,
    keep_going: bool,
    partials: BTreeMap<usize, Partial>,
    each: &'a mut dyn FnMut(&str, Features),
    /// Videos that `each` was given.
    finished: usize,
    failures: BTreeMap<usize, DataError>,
    /// To the storing thread, until there is nothing left to store.
    to_store: Option<SyncSender<Finished>>,
    kept: Receiver<Kept>,
    /// Videos that the storing thread has.
    waiting: usize,
    /// A failure of the store, which no other video would escape.
    fatal: Option<DataError>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        shared: &'a Shared<'a>,
        keep_going: bool,
        each: &'a mut dyn FnMut(&str, Features),
        to_store: SyncSender<Finished>,
        kept: Receiver<Kept>,
    ) -> Self {
        Self {
            to_store: Some(to_store),
            kept,
            waiting: 0,
            shared,
            keep_going,
            partials: BTreeMap::new(),
            each,
            finished: 0,
            failures: BTreeMap::new(),
            fatal: None,
        }
    }

    pub(super) fn take(&mut self, event: Event) {
        while let Ok(kept) = self.kept.try_recv() {
            self.take_kept(kept);
        }
        match event {
            Event::Started { video, clips_hint } => {
                self.shared.progress.video_started(self.id(video), clips_hint)
            }
            Event::Notice { text } => self.shared.progress.notice(&text),
            Event::Cached { video, features } => {
                let clips = features.clips() as u64;
                self.done(video, features, &VideoOutcome::Cached { clips });
            }
            Event::Feature { video, span, crop, feature } => self.take_feature(video, span, crop, feature),
            Event::Decoded { video, key, clips, frames, frame_rate_hz } => {
                if !self.failures.contains_key(&video) {
                    self.partials.entry(video).or_default().end =
                        Some(End { key, clips, frames, frame_rate_hz });
                    self.complete(video);
                }
            }
            Event::Failed { video, error } => self.fail(video, error),
        }
    }

    /// Waits for the storing thread to end.
    pub(super) fn settle(&mut self) {
        self.to_store = None;
        while let Ok(kept) = self.kept.recv() {
            self.take_kept(kept);
        }
    }

    /// The failures, once every thread has ended.
    pub(super) fn finish(self) -> Result<Vec<Failure>, DataError> {
        if let Some(error) = self.fatal {
            return Err(error);
        }
        let mut failures = Vec::with_capacity(self.failures.len());
        for (video, error) in self.failures {
            if !self.keep_going {
                return Err(error);
            }
            let entry = &self.shared.entries[video];
            failures.push(Failure {
                id: entry.id.clone(),
                path: entry.path.clone(),
                reason: error.to_string(),
            });
        }
        if self.finished + failures.len() < self.shared.entries.len() {
            return Err(DataError::Cancelled);
        }
        Ok(failures)
    }

    fn take_feature(&mut self, video: usize, span: ClipSpan, crop: usize, feature: Vec<f32>) {
        if self.failures.contains_key(&video) {
            return;
        }
        let partial = self.partials.entry(video).or_default();
        partial.features.insert((span.index, crop), (span, feature));
        let (done, crops) = (partial.features.len(), self.crops());
        if done.is_multiple_of(crops) {
            self.shared.progress.clips_done(self.id(video), (done / crops) as u64);
        }
        self.complete(video);
    }

    fn crops(&self) -> usize {
        self.shared.spec.features.crops.count()
    }

    /// Sends the video to the store if its last clip has come.
    fn complete(&mut self, video: usize) {
        let crops = self.crops();
        let is_whole = |partial: &Partial| {
            let due = |end: &End| end.clips * crops as u64 == partial.features.len() as u64;
            partial.end.as_ref().is_some_and(due)
        };
        if !self.partials.get(&video).is_some_and(is_whole) {
            return;
        }
        let Some(Partial { features, end: Some(end) }) = self.partials.remove(&video) else {
            return;
        };
        let (spans, values): (Vec<_>, Vec<_>) = features.into_values().unzip();
        let features = Features {
            dim: self.shared.encoder.feature_dim(),
            crops,
            spans: spans.into_iter().step_by(crops).collect(),
            values: values.concat(),
            frames: end.frames,
            frame_rate_hz: end.frame_rate_hz,
        };
        while self.waiting >= MAX_WAITING
            && let Ok(kept) = self.kept.recv()
        {
            self.take_kept(kept);
        }
        let finished = Finished { video, key: end.key, features };
        let sent = self.to_store.as_ref().is_some_and(|store| store.send(finished).is_ok());
        self.waiting += usize::from(sent);
    }

    fn take_kept(&mut self, kept: Kept) {
        self.waiting -= 1;
        let Kept { video, features, result } = kept;
        match result {
            Ok(()) => {
                let clips = features.clips() as u64;
                self.done(video, features, &VideoOutcome::Extracted { clips });
            }
            Err(error) => {
                self.shared.stop();
                self.fatal.get_or_insert(error);
            }
        }
    }

    fn done(&mut self, video: usize, features: Features, outcome: &VideoOutcome) {
        let id = self.id(video);
        self.shared.progress.video_finished(id, outcome);
        (self.each)(id, features);
        self.finished += 1;
    }

    fn fail(&mut self, video: usize, error: DataError) {
        if matches!(error, DataError::Remote(_)) {
            self.shared.stop();
            self.fatal.get_or_insert(error);
            return;
        }
        self.partials.remove(&video);
        self.shared.abandon(video);
        if !self.keep_going {
            self.shared.stop();
        }
        if !self.failures.contains_key(&video) {
            self.shared
                .progress
                .video_finished(self.id(video), &VideoOutcome::Failed { reason: error.to_string() });
            self.failures.insert(video, error);
        }
    }

    fn id(&self, video: usize) -> &'a str {
        &self.shared.entries[video].id
    }
}
