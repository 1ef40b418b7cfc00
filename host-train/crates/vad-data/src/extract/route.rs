//! From the resized pictures of a video to its features: as clips for the workers, or frame by frame here.

use std::sync::Arc;

use vad_core::{ClipSpan, ClipWindow};

use super::decode::Task;
use super::{Event, Job, Shared};
use crate::crops::View;
use crate::{DataError, EncodeError, FrameStream};

/// A crop, and what the encoder remembers of it.
type Stream = (View, Box<dyn FrameStream>);

/// What becomes of a video's resized pictures.
pub(super) enum Route {
    /// Clips of them go to the workers.
    Clips { window: ClipWindow, views: Vec<View> },
    /// Each goes through an encoder that remembers the ones before, on this thread; a stream per crop.
    Frames {
        views: Vec<Stream>,
        /// One crop of a picture.
        view: Vec<u8>,
        clips: u64,
    },
}

/// What a picture led to.
pub(super) enum Sent {
    Nothing,
    Clip,
    /// Nobody takes clips any more.
    ToNobody,
}

impl Route {
    /// The route of a video's pictures of so many bytes, at its beginning.
    pub(super) fn new(task: &Task<'_>, views: Vec<View>, picture_len: usize) -> Result<Self, DataError> {
        let Shared { encoder, spec, .. } = task.shared;
        let mut streams = Vec::with_capacity(views.len());
        for _ in &views {
            streams.extend(encoder.stream().map_err(|error| task.encode_error(0, &error))?);
        }
        if streams.is_empty() {
            let window = ClipWindow::new(spec.features.clip, picture_len)?;
            return Ok(Self::Clips { window, views });
        }
        let view = vec![0; spec.features.preprocess.resized_len()];
        Ok(Self::Frames { views: views.into_iter().zip(streams).collect(), view, clips: 0 })
    }

    /// Takes the next picture.
    pub(super) fn push(&mut self, task: &Task<'_>, picture: &[u8]) -> Result<Sent, DataError> {
        match self {
            Self::Clips { window, views } => Ok(match window.push(picture) {
                Some(span) => send_clip(task, span, window, views),
                None => Sent::Nothing,
            }),
            Self::Frames { views, view, clips } => {
                let step = |(from, stream): &mut Stream| {
                    from.cut_into(picture, view);
                    stream.push(view)
                };
                each_crop(task, views, clips, step)
            }
        }
    }

    /// Ends the video.
    pub(super) fn finish(&mut self, task: &Task<'_>) -> Result<Sent, DataError> {
        match self {
            Self::Clips { window, views } => Ok(match window.finish() {
                Some(tail) => send_clip(task, tail, window, views),
                None => Sent::Nothing,
            }),
            Self::Frames { views, clips, .. } => each_crop(task, views, clips, |(_, stream)| stream.finish()),
        }
    }
}

/// Does a step of every crop's stream. They end their clips together.
fn each_crop(
    task: &Task<'_>,
    views: &mut [Stream],
    clips: &mut u64,
    mut step: impl FnMut(&mut Stream) -> Result<Option<(ClipSpan, Vec<f32>)>, EncodeError>,
) -> Result<Sent, DataError> {
    let mut sent = Sent::Nothing;
    for (crop, view) in views.iter_mut().enumerate() {
        let done = step(view).map_err(|error| task.encode_error(*clips, &error))?;
        let Some((span, feature)) = done else { continue };
        let event = Event::Feature { video: task.video, span, crop, feature };
        if task.events.send(event).is_err() {
            return Ok(Sent::ToNobody);
        }
        sent = Sent::Clip;
    }
    *clips += u64::from(matches!(sent, Sent::Clip));
    Ok(sent)
}

/// Sends a clip's crops to the workers.
fn send_clip(task: &Task<'_>, span: ClipSpan, window: &ClipWindow, views: &[View]) -> Sent {
    let pictures = Arc::new(window.frames().collect::<Vec<_>>().concat());
    let job = |(crop, view): (usize, &View)| Job {
        video: task.video,
        span,
        crop,
        view: *view,
        pictures: pictures.clone(),
    };
    match views.iter().enumerate().all(|view| task.jobs.send(job(view)).is_ok()) {
        true => Sent::Clip,
        false => Sent::ToNobody,
    }
}
