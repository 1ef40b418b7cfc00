//! Small videos and a small encoder for the tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test program uses its own part, and fails by panicking"
)]

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use vad_core::{ClipSpec, PreprocessSpec, RgbFrame};
use vad_data::{
    ClipEncoder, CropPlan, EncodeError, ExtractSpec, FeatureSpec, Label, Progress, VideoEntry, VideoOutcome,
};
use vad_video::VideoWriter;

/// Mean and mean square of each colour plane. Counts its calls, and fails from a given call on.
pub struct PixelStats {
    pub calls: AtomicUsize,
    pub fails_from: usize,
    pub version: u8,
}

impl PixelStats {
    pub fn new() -> Self {
        Self::failing_from(usize::MAX)
    }

    pub fn failing_from(fails_from: usize) -> Self {
        Self { calls: AtomicUsize::new(0), fails_from, version: 1 }
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl ClipEncoder for PixelStats {
    fn feature_dim(&self) -> usize {
        6
    }

    fn hash(&self) -> [u8; 32] {
        [self.version; 32]
    }

    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        if self.calls.fetch_add(1, Ordering::SeqCst) >= self.fails_from {
            return Err(EncodeError::new("the power went out"));
        }
        let plane = clip.len() / 3;
        let stats = |values: &[f32]| {
            [
                values.iter().sum::<f32>() / plane as f32,
                values.iter().map(|value| value * value).sum::<f32>() / plane as f32,
            ]
        };
        Ok(clip.chunks_exact(plane).flat_map(stats).collect())
    }
}

/// Writes down what it is told; wants to stop after so many finished videos.
#[derive(Default)]
pub struct Record {
    pub finished: Mutex<Vec<(String, VideoOutcome)>>,
    pub notices: Mutex<Vec<String>>,
    pub clips: AtomicUsize,
    pub stop_after: Option<usize>,
}

impl Progress for Record {
    fn clips_done(&self, _: &str, _: u64) {
        self.clips.fetch_add(1, Ordering::SeqCst);
    }

    fn video_finished(&self, id: &str, outcome: &VideoOutcome) {
        self.finished.lock().unwrap().push((id.to_owned(), outcome.clone()));
    }

    fn notice(&self, text: &str) {
        self.notices.lock().unwrap().push(text.to_owned());
    }

    fn cancelled(&self) -> bool {
        self.stop_after.is_some_and(|videos| self.finished.lock().unwrap().len() >= videos)
    }
}

pub fn spec(threads: usize) -> ExtractSpec {
    let preprocess = PreprocessSpec { width_px: 20, height_px: 16, ..PreprocessSpec::i3d() };
    let features = FeatureSpec::new(preprocess, ClipSpec { frames: 8, stride: 8 });
    ExtractSpec { features, threads, batch: 1 }
}

/// The same with clips that begin every `stride` frames.
pub fn strided(spec: ExtractSpec, stride: u16) -> ExtractSpec {
    let clip = ClipSpec { stride, ..spec.features.clip };
    ExtractSpec { features: FeatureSpec { clip, ..spec.features }, ..spec }
}

/// The same with several crops.
pub fn cropped(spec: ExtractSpec, crops: CropPlan) -> ExtractSpec {
    ExtractSpec { features: FeatureSpec { crops, ..spec.features }, ..spec }
}

/// Writes a video whose brightness is its own.
pub fn write_video(path: &Path, frames: u32, seed: u32) {
    let mut writer = VideoWriter::create(path, 32, 24, 10.0).unwrap();
    for index in 0..frames {
        let shade = |at: u32| ((at * 3 + index * 2 + seed * 31) % 200) as u8;
        let pixels: Vec<u8> =
            (0..32 * 24).flat_map(|at| [shade(at % 32), shade(at / 32), seed as u8]).collect();
        writer.push(RgbFrame::new(32, 24, &pixels).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

/// `count` videos of different lengths, the first of 20 frames.
pub fn videos(folder: &Path, count: u32) -> Vec<VideoEntry> {
    let make = |index: u32| {
        let id = format!("v{index}");
        let path = folder.join(&id).with_extension("mp4");
        write_video(&path, 20 + 5 * index, index);
        VideoEntry::new(id, path, if index.is_multiple_of(2) { Label::Normal } else { Label::Abnormal })
    };
    (0..count).map(make).collect()
}
