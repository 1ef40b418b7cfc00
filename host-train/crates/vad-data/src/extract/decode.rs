//! Decode threads: each takes one video after the other and sends its clips.

use std::ops::RangeInclusive;
use std::sync::mpsc::SyncSender;

use vad_core::Preprocessor;
use vad_video::{FrameBuf, FrameSource, VideoInfo};

use super::route::{Route, Sent};
use super::{Event, Job, Shared};
use crate::crops::Views;
use crate::{CacheKey, DataError, EncodeError, Lookup, VideoEntry};

/// Runs until no video is left. A queue that has closed means that nobody is interested any more.
pub(super) fn work(shared: &Shared<'_>, jobs: &SyncSender<Job>, events: &SyncSender<Event>) {
    while let Some(video) = shared.next_video() {
        let task = Task { shared, video, entry: &shared.entries[video], jobs, events };
        let ended = task.run().unwrap_or_else(|error| Some(Event::Failed { video, error }));
        if ended.is_some_and(|event| events.send(event).is_err()) {
            return;
        }
    }
}

/// One video.
pub(super) struct Task<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) video: usize,
    entry: &'a VideoEntry,
    pub(super) jobs: &'a SyncSender<Job>,
    pub(super) events: &'a SyncSender<Event>,
}

impl Task<'_> {
    /// The event that ends the video, or nothing if it became unwanted on the way.
    fn run(&self) -> Result<Option<Event>, DataError> {
        let Shared { store, encoder, encoder_hash, spec, .. } = self.shared;
        let key = CacheKey::new(*encoder_hash, &spec.features, store.file_hash(&self.entry.path)?);
        match store.get(&key)? {
            Lookup::Found(features)
                if (features.dim, features.crops) == (encoder.feature_dim(), spec.features.crops.count()) =>
            {
                check_labels(self.entry, features.frames)?;
                return Ok(Some(Event::Cached { video: self.video, features }));
            }
            Lookup::Found(_) => self.notice("the cached features have another shape".to_owned()),
            Lookup::Damaged(reason) => self.notice(format!("the cached features are damaged: {reason}")),
            Lookup::Absent => {}
        }
        self.decode(key)
    }

    fn notice(&self, problem: String) {
        // If the queue is closed the next event will tell.
        let _ = self
            .events
            .send(Event::Notice { text: format!("video `{}`: {problem}; extracting again", self.entry.id) });
    }

    fn decode(&self, key: CacheKey) -> Result<Option<Event>, DataError> {
        let video_error = |source| DataError::Video { id: self.entry.id.clone(), source };
        let clip = self.shared.spec.features.clip;
        let mut source = FrameSource::open(&self.entry.path).map_err(video_error)?;
        let clips_hint = source.info().frames_hint.map(|frames| clip.spans(frames).count() as u64);
        let _ = self.events.send(Event::Started { video: self.video, clips_hint });
        let Views { picture, list: views } = self.views(*source.info())?;
        let mut resized = vec![0; picture.resized_len()];
        let mut preprocessor = Preprocessor::new(picture)?;
        let mut route = Route::new(self, views, resized.len())?;
        let mut buf = FrameBuf::new();
        let (mut frames, mut clips) = (0, 0);
        while source.next_frame(&mut buf).map_err(video_error)? {
            if self.shared.is_unwanted(self.video) {
                return Ok(None);
            }
            preprocessor.resize_into(buf.as_frame(), &mut resized).map_err(|source| DataError::Frame {
                id: self.entry.id.clone(),
                path: self.entry.path.clone(),
                frame: frames,
                source,
            })?;
            frames += 1;
            match route.push(self, &resized)? {
                Sent::Clip => clips += 1,
                Sent::Nothing => {}
                Sent::ToNobody => return Ok(None),
            }
        }
        match route.finish(self)? {
            Sent::Clip => clips += 1,
            Sent::Nothing => {}
            Sent::ToNobody => return Ok(None),
        }
        check_labels(self.entry, frames)?;
        Ok(Some(Event::Decoded {
            video: self.video,
            key,
            clips,
            frames,
            frame_rate_hz: source.info().frame_rate_hz,
        }))
    }

    fn views(&self, info: VideoInfo) -> Result<Views, DataError> {
        let VideoInfo { width_px, height_px, .. } = info;
        let spec = &self.shared.spec.features;
        spec.crops.views(&spec.preprocess, (width_px, height_px)).ok_or_else(|| DataError::CropSize {
            id: self.entry.id.clone(),
            path: self.entry.path.clone(),
            width_px,
            height_px,
        })
    }

    pub(super) fn encode_error(&self, clip: u64, error: &EncodeError) -> DataError {
        DataError::Encode {
            id: self.entry.id.clone(),
            path: self.entry.path.clone(),
            clip,
            reason: error.to_string(),
        }
    }
}

/// Does the label file speak of the same video?
fn check_labels(entry: &VideoEntry, decoded: u64) -> Result<(), DataError> {
    let last_abnormal = entry.abnormal.as_ref().and_then(|ranges| ranges.last()).map(RangeInclusive::end);
    let labelled = match (entry.frames_claimed, last_abnormal) {
        (Some(claimed), _) if claimed != decoded => format!("it has {claimed} frames"),
        (_, Some(&last)) if last >= decoded => format!("frame {last} is abnormal"),
        _ => return Ok(()),
    };
    Err(DataError::FrameCount { id: entry.id.clone(), path: entry.path.clone(), labelled, decoded })
}
