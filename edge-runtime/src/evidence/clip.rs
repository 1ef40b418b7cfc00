//! A video that is being written, fragment by fragment.

use super::mp4;
use super::reel::{Coded, Reel};
use super::sheet::ClipSheet;

/// Media time of a fragment, milliseconds: what a power cut costs, and what a memory card is asked to write at once.
const FRAGMENT_MS: u64 = 2_000;

pub(super) struct Clip {
    sheet: ClipSheet,
    fragments: u32,
    pending: Vec<Coded>,
}

impl Clip {
    /// A video that begins with what the reel has kept, and the beginning of its file. Nothing where the reel is empty.
    pub(super) fn begin(reel: &Reel, file: String) -> Option<(Self, Vec<u8>)> {
        let ((width_px, height_px), sets) = reel.format()?;
        let head = match mp4::head((width_px, height_px), sets) {
            Ok(head) => head,
            Err(e) => {
                tracing::error!(error = %e, "no video of the event");
                return None;
            }
        };
        let pending: Vec<Coded> = reel.kept().cloned().collect();
        let (first, last) = (pending.first()?, pending.last()?);
        let (begin_media_ms, end_media_ms) = (first.stamp.start.0, last.stamp.end.0);
        let sheet = ClipSheet {
            file,
            begin_media_ms,
            end_media_ms,
            width_px,
            height_px,
            missed_frames: 0,
            is_cut: false,
        };
        let mut clip = Self { sheet, fragments: 0, pending };
        let mut bytes = head;
        bytes.extend(clip.finish().unwrap_or_default());
        Some((clip, bytes))
    }

    /// What is known of it so far.
    pub(super) fn sheet(&self) -> ClipSheet {
        self.sheet.clone()
    }

    /// Takes the next picture; a fragment for the file when one is full.
    pub(super) fn push(&mut self, coded: Coded) -> Option<Vec<u8>> {
        self.sheet.end_media_ms = coded.stamp.end.0;
        self.pending.push(coded);
        let begin_ms = self.pending.first().map_or(0, |first| first.stamp.start.0);
        if self.sheet.end_media_ms.saturating_sub(begin_ms) < FRAGMENT_MS {
            return None;
        }
        self.finish()
    }

    /// What is not in the file yet, as its last fragment.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        let samples = std::mem::take(&mut self.pending);
        if samples.is_empty() {
            return None;
        }
        self.fragments += 1;
        let fragment = mp4::fragment(self.fragments, self.sheet.begin_media_ms, &samples);
        fragment.inspect_err(|e| tracing::error!(error = %e, "a part of the video is lost")).ok()
    }
}
